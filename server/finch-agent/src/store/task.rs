//! A task: what is wanted, how far it has come, and who works on it.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::{
    Store, StoreError, bounded,
    file::Failed,
    owner::{Life, Owner},
    path::{from_bytes, to_bytes},
    prune::prune,
};
use crate::{
    limits::{OWNER_SILENT_MAX, TASK_BYTES_MAX},
    plan::PlanHash,
};

/// Letters and digits that are not taken for each other, in their order.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The first characters are the time, so that ids are in the order in which they were made.
const TIME_CHARS: usize = 9;
const ID_CHARS: usize = 16;

/// Names a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given} names no task: a task has {ID_CHARS} digits and small letters, without i, l, o and u")]
pub struct BadTaskId {
    given: String,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskId {
    type Err = BadTaskId;

    fn from_str(given: &str) -> Result<Self, BadTaskId> {
        if given.len() == ID_CHARS && given.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Ok(Self(given.to_owned()));
        }
        let given: String = given.chars().take(2 * ID_CHARS).collect();
        Err(BadTaskId { given: crate::escape::text(&given).into_owned() })
    }
}

impl TaskId {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self::at(now_ms())
    }

    fn at(now_ms: i64) -> Self {
        // Keys of a hasher are random for each process, and no two are alike.
        let mut random = RandomState::new().build_hasher();
        random.write_u32(std::process::id());
        random.write_i64(now_ms);
        let (time, random) = (now_ms.unsigned_abs(), random.finish());
        let chars = |bits: u64, count: usize| {
            (0..count).rev().map(move |at| char::from(ALPHABET[(bits >> (5 * at)) as usize % ALPHABET.len()]))
        };
        Self(chars(time, TIME_CHARS).chain(chars(random, ID_CHARS - TIME_CHARS)).collect())
    }
}

/// Gives an enum its names in the file.
macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plan first, and then what it says.
    Plan,
    /// A change at once.
    Change,
    /// An answer.
    Ask,
}

names!(Kind { Plan => "plan", Change => "change", Ask => "ask" });

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Planning,
    /// There is a plan, and nobody works on it.
    Planned,
    Working,
    /// Who worked on it or planned it is gone.
    Interrupted,
    Done,
    Failed,
    /// What it changed was taken back.
    Undone,
}

names!(State {
    Planning => "planning",
    Planned => "planned",
    Working => "working",
    Interrupted => "interrupted",
    Done => "done",
    Failed => "failed",
    Undone => "undone",
});

impl State {
    /// Whether a process is at it.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Planning | Self::Working)
    }

    /// Whether there is something left to do.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        self.is_active() || matches!(self, Self::Planned | Self::Interrupted)
    }
}

/// A task that begins.
#[derive(Debug, Clone, Copy)]
pub struct NewTask<'a> {
    /// Canonical.
    pub workspace: &'a Path,
    pub kind: Kind,
    /// What the user wants, in the user's words.
    pub text: &'a str,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: TaskId,
    pub workspace: PathBuf,
    pub kind: Kind,
    pub text: String,
    pub state: State,
    /// The file of its plan.
    pub plan: Option<PathBuf>,
    /// The plan that the user approved.
    pub approved: Option<PlanHash>,
    pub made: SystemTime,
    pub changed: SystemTime,
    /// The process that works on it.
    pub owner_pid: Option<u32>,
}

/// A task with the row that belongings refer to.
pub(super) struct Found {
    pub(super) row: i64,
    pub(super) task: Task,
    owner: Option<Owner>,
    life: Life,
}

const COLUMNS: &str = "row, id, workspace, kind, text, state, plan, approved, made_ms, changed_ms, owner_pid, \
     owner_place, owner_started";

impl Store {
    /// Begins a task, which this process works on. Old ones are removed.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept.
    pub fn begin(&self, new: NewTask<'_>) -> Result<Task, StoreError> {
        bounded("the task's text", new.text.len(), TASK_BYTES_MAX)?;
        let workspace = to_bytes(new.workspace)?;
        let state = if new.kind == Kind::Plan { State::Planning } else { State::Working };
        let (task, removed) = self.file.change(|db| {
            let (now, owner) = (now_ms(), Owner::this());
            let id = TaskId::at(now);
            db.execute(
                "INSERT INTO tasks (id, workspace, kind, text, state, made_ms, changed_ms, owner_pid, owner_place, \
                 owner_started) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    id.0,
                    workspace,
                    new.kind.name(),
                    new.text,
                    state.name(),
                    now,
                    now,
                    owner.pid,
                    owner.place,
                    owner.started
                ],
            )?;
            let removed = prune(db, now)?;
            Ok((find(db, &id)?.task, removed))
        })?;
        if removed > 0
            && let Err(error) = self.file.shrink()
        {
            tracing::debug!(%error, "room of old tasks is not given back yet");
        }
        Ok(task)
    }

    /// Notes how far a task has come. In a state in which somebody is at it, that is this process from then on.
    ///
    /// # Errors
    /// [`StoreError::Held`] if another process is at it.
    pub fn set_state(&self, id: &TaskId, state: State) -> Result<(), StoreError> {
        self.file.change(|db| {
            let found = free(db, id)?;
            let owner = state.is_active().then(Owner::this);
            db.execute(
                "UPDATE tasks SET state = ?, owner_pid = ?, owner_place = ?, owner_started = ? WHERE row = ?",
                params![
                    state.name(),
                    owner.as_ref().map(|owner| owner.pid),
                    owner.as_ref().map(|owner| &owner.place),
                    owner.as_ref().map(|owner| &owner.started),
                    found.row
                ],
            )?;
            touch(db, found.row)
        })
    }

    /// Says whether no other process is at the task.
    ///
    /// # Errors
    /// [`StoreError::Held`] if one is.
    pub fn is_free(&self, id: &TaskId) -> Result<(), StoreError> {
        self.file.read(|db| free(db, id).map(drop))
    }

    /// Notes the file of a task's plan, and which plan the user approved, if any yet.
    ///
    /// # Errors
    /// [`StoreError`] if it is not kept.
    pub fn set_plan(&self, id: &TaskId, plan: &Path, approved: Option<&PlanHash>) -> Result<(), StoreError> {
        let (plan, approved) = (to_bytes(plan)?, approved.map(ToString::to_string));
        self.file.change(|db| {
            let found = free(db, id)?;
            db.execute("UPDATE tasks SET plan = ?, approved = ? WHERE row = ?", params![plan, approved, found.row])?;
            touch(db, found.row)
        })
    }

    /// The task of this id.
    ///
    /// # Errors
    /// [`StoreError::NoTask`] if there is none.
    pub fn task(&self, id: &TaskId) -> Result<Task, StoreError> {
        self.file.read(|db| Ok(find(db, id)?.task))
    }

    /// The tasks of a workspace, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn list(&self, workspace: &Path) -> Result<Vec<Task>, StoreError> {
        let workspace = to_bytes(workspace)?;
        self.file.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM tasks WHERE workspace = ? ORDER BY row DESC");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([&workspace])?;
            let mut tasks = Vec::new();
            while let Some(row) = rows.next()? {
                match read(row)? {
                    Ok(found) => tasks.push(found.task),
                    Err(error) => tracing::warn!("{error}"),
                }
            }
            Ok(tasks)
        })
    }

    /// The tasks of a workspace with something left to do, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn unfinished(&self, workspace: &Path) -> Result<Vec<Task>, StoreError> {
        Ok(self.list(workspace)?.into_iter().filter(|task| task.state.is_unfinished()).collect())
    }
}

/// The task of this id.
pub(super) fn find(db: &Transaction<'_>, id: &TaskId) -> Result<Found, Failed> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE id = ?"))?;
    let found = statement.query_row([&id.0], read).optional()?;
    found.unwrap_or_else(|| Err(StoreError::NoTask { id: id.clone() })).map_err(Failed::Store)
}

/// The same if no other process is at it.
pub(super) fn free(db: &Transaction<'_>, id: &TaskId) -> Result<Found, Failed> {
    let found = find(db, id)?;
    match &found.owner {
        Some(owner) if found.is_held() && *owner != Owner::this() => {
            Err(StoreError::Held { id: id.clone(), pid: owner.pid }.into())
        }
        _ => Ok(found),
    }
}

/// Notes that something happened to the task.
pub(super) fn touch(db: &Transaction<'_>, row: i64) -> Result<(), Failed> {
    db.prepare_cached("UPDATE tasks SET changed_ms = ? WHERE row = ?")?.execute(params![now_ms(), row])?;
    Ok(())
}

impl Found {
    /// Whether a process that lives, or may, is at it.
    pub(super) fn is_held(&self) -> bool {
        self.task.state.is_active() && self.life != Life::Gone
    }
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs())
}

/// A row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Found, StoreError>> {
    let id = TaskId(row.get("id")?);
    let (kind, state): (String, String) = (row.get("kind")?, row.get("state")?);
    let (workspace, plan): (Vec<u8>, Option<Vec<u8>>) = (row.get("workspace")?, row.get("plan")?);
    let unreadable = |reason: &str| Ok(Err(StoreError::Unreadable { id: id.clone(), reason: reason.to_owned() }));
    let (Some(kind), Some(state)) = (Kind::named(&kind), State::named(&state)) else {
        return unreadable("its kind or its state is not known");
    };
    let Some(workspace) = from_bytes(workspace) else { return unreadable("its workspace is no path") };
    let changed_ms: i64 = row.get("changed_ms")?;
    let owner = owner(row)?;
    let life = match &owner {
        Some(owner) => life(owner, state, changed_ms),
        None => Life::Gone,
    };
    let task = Task {
        workspace,
        kind,
        text: row.get("text")?,
        state: if state.is_active() && life == Life::Gone { State::Interrupted } else { state },
        plan: plan.and_then(from_bytes),
        approved: row.get::<_, Option<String>>("approved")?.and_then(|hash| PlanHash::read(&hash)),
        made: time(row.get("made_ms")?),
        changed: time(changed_ms),
        owner_pid: owner.as_ref().map(|owner| owner.pid),
        id,
    };
    Ok(Ok(Found { row: row.get("row")?, task, owner, life }))
}

fn owner(row: &Row<'_>) -> rusqlite::Result<Option<Owner>> {
    let Some(pid) = row.get("owner_pid")? else { return Ok(None) };
    let text = |name: &str| row.get::<_, Option<String>>(name).map(Option::unwrap_or_default);
    Ok(Some(Owner { pid, place: text("owner_place")?, started: text("owner_started")? }))
}

fn life(owner: &Owner, state: State, changed_ms: i64) -> Life {
    if !state.is_active() {
        return Life::Gone;
    }
    match owner.life() {
        Life::Unknown if now_ms().saturating_sub(changed_ms) > OWNER_SILENT_MAX.as_millis() as i64 => Life::Gone,
        life => life,
    }
}
