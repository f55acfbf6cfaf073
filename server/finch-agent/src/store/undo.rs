//! What a task changed, set by set, so that it can be undone after a restart.

use std::path::Path;

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::{
    Store, StoreError, Task, TaskId, bounded,
    file::Failed,
    path::{from_bytes, to_bytes},
    task::{find, free, touch},
};
use crate::{
    changes::{ChangeSet, PlainChange},
    limits::{CHANGE_SET_BYTES_MAX, CHANGE_SETS_MAX},
    view::Encoding,
};

/// Names a set of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetNumber(i64);

/// Changes that were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub number: SetNumber,
    pub changes: ChangeSet,
}

impl Store {
    /// Keeps the changes that a task is about to make. To be called before they are made: a finch that is killed in
    /// between knows them then, and undoing what was not done changes nothing, since the file has its old text already.
    ///
    /// # Errors
    /// [`StoreError`] if they are not kept.
    pub fn applying(&self, id: &TaskId, changes: &ChangeSet) -> Result<SetNumber, StoreError> {
        let changes = changes.to_plain();
        let text = |text: &Option<std::sync::Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let bytes = changes.iter().map(|change| text(&change.base) + text(&change.after)).sum();
        bounded("a set of changes", bytes, CHANGE_SET_BYTES_MAX)?;
        let changes = changes.into_iter().map(Written::new).collect::<Result<Vec<_>, _>>()?;
        self.file.change(|db| {
            let row = free(db, id)?.row;
            let count: i64 =
                db.query_row("SELECT count(*) FROM change_sets WHERE task = ?", [row], |row| row.get(0))?;
            bounded("what the task changed", usize::try_from(count).unwrap_or(0) + 1, CHANGE_SETS_MAX)?;
            db.execute("INSERT INTO change_sets (task) VALUES (?)", [row])?;
            let number = db.last_insert_rowid();
            changes.iter().try_for_each(|change| change.insert(db, number))?;
            touch(db, row)?;
            Ok(SetNumber(number))
        })
    }

    /// Forgets changes that were undone, or not made after all.
    ///
    /// # Errors
    /// [`StoreError`] if they are still kept.
    pub fn take_back(&self, id: &TaskId, number: SetNumber) -> Result<(), StoreError> {
        self.file.change(|db| {
            let row = free(db, id)?.row;
            db.execute("DELETE FROM change_sets WHERE number = ? AND task = ?", params![number.0, row])?;
            touch(db, row)
        })
    }

    /// The changes of a task that were not taken back, in the order in which they were made: the last is undone first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn applied(&self, id: &TaskId) -> Result<Vec<Applied>, StoreError> {
        self.file.read(|db| {
            let row = find(db, id)?.row;
            let mut statement = db.prepare_cached("SELECT number FROM change_sets WHERE task = ? ORDER BY number")?;
            let numbers = statement.query_map([row], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
            let read = |number| Ok(Applied { number: SetNumber(number), changes: changes(db, id, number)? });
            numbers.into_iter().map(read).collect()
        })
    }

    /// The task of a workspace that made the newest changes which were not taken back.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be read.
    pub fn last_undoable(&self, workspace: &Path) -> Result<Option<Task>, StoreError> {
        let workspace = to_bytes(workspace)?;
        self.file.read(|db| {
            let newest = "SELECT tasks.id FROM change_sets JOIN tasks ON tasks.row = change_sets.task \
                 WHERE tasks.workspace = ? ORDER BY change_sets.number DESC LIMIT 1";
            let id: Option<String> = db.query_row(newest, [&workspace], |row| row.get(0)).optional()?;
            match id.and_then(|id| id.parse().ok()) {
                Some(id) => Ok(Some(find(db, &id)?.task)),
                None => Ok(None),
            }
        })
    }
}

/// A change, its paths as bytes.
struct Written {
    path: Vec<u8>,
    renamed_from: Option<Vec<u8>>,
    change: PlainChange,
}

impl Written {
    fn new(change: PlainChange) -> Result<Self, StoreError> {
        let renamed_from = change.renamed_from.as_deref().map(to_bytes).transpose()?;
        Ok(Self { path: to_bytes(&change.path)?, renamed_from, change })
    }

    fn insert(&self, db: &Transaction<'_>, number: i64) -> Result<(), Failed> {
        let mut statement = db.prepare_cached(
            "INSERT INTO changes (number, path, renamed_from, encoding, base, after) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        let encoding = encoding_name(self.change.encoding);
        let (base, after) = (self.change.base.as_deref(), self.change.after.as_deref());
        statement.execute(params![number, self.path, self.renamed_from, encoding, base, after])?;
        Ok(())
    }
}

fn changes(db: &Transaction<'_>, id: &TaskId, number: i64) -> Result<ChangeSet, Failed> {
    let sql = "SELECT path, renamed_from, encoding, base, after FROM changes WHERE number = ? ORDER BY row";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([number])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let change = change(row)?;
        let reason = || "a change has a path or an encoding that is none".to_owned();
        changes.push(change.ok_or_else(|| StoreError::Unreadable { id: id.clone(), reason: reason() })?);
    }
    Ok(ChangeSet::from_plain(changes))
}

fn change(row: &Row<'_>) -> rusqlite::Result<Option<PlainChange>> {
    let (path, from): (Vec<u8>, Option<Vec<u8>>) = (row.get("path")?, row.get("renamed_from")?);
    let text = |name: &str| row.get::<_, Option<String>>(name).map(|text| text.map(Into::into));
    let (base, after) = (text("base")?, text("after")?);
    let encoding = encoding(&row.get::<_, String>("encoding")?);
    let (Some(path), Some(encoding)) = (from_bytes(path), encoding) else { return Ok(None) };
    Ok(Some(PlainChange { path, renamed_from: from.and_then(from_bytes), base, encoding, after }))
}

const ENCODINGS: &[(Encoding, &str)] = &[
    (Encoding::Utf8, "utf-8"),
    (Encoding::Utf8Bom, "utf-8-bom"),
    (Encoding::Utf16Le, "utf-16le"),
    (Encoding::Utf16Be, "utf-16be"),
];

fn encoding_name(encoding: Encoding) -> &'static str {
    ENCODINGS.iter().find(|(known, _)| *known == encoding).map_or("utf-8", |(_, name)| name)
}

fn encoding(name: &str) -> Option<Encoding> {
    ENCODINGS.iter().find(|(_, known)| *known == name).map(|(encoding, _)| *encoding)
}
