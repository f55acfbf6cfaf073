use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use finch_llm::{Answer, Image, Kept, Message, ToolCall, ToolResult};
use rusqlite::Connection;

use super::{Kind, NewTask, State, Store, StoreError, TaskId, schema};
use crate::{
    changes::{Base, ChangeSet, Standing},
    limits::{MESSAGE_BYTES_MAX, TASK_BYTES_MAX, TASKS_MAX},
    plan::{Plan, Step},
    turn::{Conversation, Pinned},
    view::Encoding,
};

mod damaged;
#[cfg(unix)]
mod killed;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    fn store(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }

    /// The file without the store, to look at it or to change what time would.
    fn sql(&self, sql: &str) -> i64 {
        let connection = Connection::open(self.path()).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        if sql.starts_with("SELECT") {
            return connection.query_row(sql, [], |row| row.get(0)).unwrap();
        }
        i64::try_from(connection.execute(sql, []).unwrap()).unwrap()
    }
}

fn ws() -> &'static Path {
    Path::new("/t/ws")
}

fn new(kind: Kind) -> NewTask<'static> {
    NewTask { workspace: ws(), kind, text: "mend the parser" }
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "Read".into(), arguments_json: r#"{"path":"a.rs"}"#.into() }
}

fn result(id: &str, text: &str) -> Message {
    Message::ToolResult(ToolResult { call_id: id.into(), text: text.into(), is_error: false })
}

fn base(text: Option<&str>, encoding: Encoding) -> Base {
    Base { text: text.map(Into::into), version: Some(7), encoding }
}

/// A set with a file of each sort: changed, made, removed, renamed, in two encodings.
fn changes() -> ChangeSet {
    let mut set = ChangeSet::default();
    let stage = |set: &mut ChangeSet, path: &str, before: Option<&str>, after: Option<&str>, encoding| {
        set.stage(Path::new(path), &base(before, encoding), after.map(Into::into));
    };
    stage(&mut set, "/t/ws/changed", Some("one\r\ntwo\0\n"), Some("one\r\n2\u{202e}\n"), Encoding::Utf16Le);
    stage(&mut set, "/t/ws/made", None, Some(""), Encoding::Utf8);
    stage(&mut set, "/t/ws/removed", Some("gone"), None, Encoding::Utf8Bom);
    let old = base(Some("text\n"), Encoding::Utf8);
    set.rename((Path::new("/t/ws/old"), &old), (Path::new("/t/ws/new"), &Base::default())).unwrap();
    set
}

#[test]
fn a_task_comes_back_as_it_was() {
    let home = Home::new();
    let plan = Plan { task: "t".into(), steps: vec![Step { title: "s".into(), ..Step::default() }] };
    let made = home.store().begin(new(Kind::Plan)).unwrap();
    assert_eq!((made.state, made.kind, made.owner_pid), (State::Planning, Kind::Plan, Some(std::process::id())));
    assert_eq!(home.store().task(&made.id).unwrap(), made);
    home.store().set_plan(&made.id, Path::new("/t/home/plans/1.md"), Some(&plan.hash())).unwrap();
    home.store().set_state(&made.id, State::Planned).unwrap();
    let found = home.store().task(&made.id).unwrap();
    assert!(found.changed >= made.changed);
    let expected = super::Task {
        state: State::Planned,
        plan: Some("/t/home/plans/1.md".into()),
        approved: Some(plan.hash()),
        owner_pid: None,
        changed: found.changed,
        ..made
    };
    assert_eq!(found, expected);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_comes_back() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = Home::new();
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"/t/w\xffs"));
    let task = home.store().begin(NewTask { workspace: odd, ..new(Kind::Ask) }).unwrap();
    assert_eq!(task.workspace, odd);
    assert_eq!(home.store().list(odd).unwrap(), [task]);
    assert_eq!(home.store().list(Path::new("/t/w\u{fffd}s")).unwrap(), []);
}

#[track_caller]
fn check_id(given: &str, is_id: bool) {
    assert_eq!(given.parse::<TaskId>().is_ok(), is_id, "{given}");
}

#[test]
fn ids_are_strict_and_in_order() {
    let home = Home::new();
    let store = home.store();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(store.begin(new(Kind::Ask)).unwrap().id);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(ids[0].to_string().parse(), Ok(ids[0].clone()));
    check_id("0123456789abcdef", true);
    for bad in ["", "0123456789abcde", "0123456789abcdefg", "0123456789ABCDEF", "0123456789abcdei", "0123456789abcd/."]
    {
        check_id(bad, false);
    }
    let shown = "\u{202e}".repeat(500).parse::<TaskId>().unwrap_err().to_string();
    assert!(shown.starts_with("\\u{202e}") && shown.len() < 500, "{shown}");
}

#[test]
fn tasks_are_listed_for_their_workspace_and_those_with_work_left_found() {
    let home = Home::new();
    let store = home.store();
    let all = [State::Planned, State::Done, State::Failed, State::Undone, State::Interrupted, State::Working];
    let ids: Vec<TaskId> = all
        .iter()
        .map(|&state| {
            let id = store.begin(new(Kind::Change)).unwrap().id;
            store.set_state(&id, state).unwrap();
            id
        })
        .collect();
    store.begin(NewTask { workspace: Path::new("/t/ws-evil"), ..new(Kind::Plan) }).unwrap();
    let listed: Vec<TaskId> = store.list(ws()).unwrap().into_iter().map(|task| task.id).collect();
    assert_eq!(listed, ids.iter().rev().cloned().collect::<Vec<_>>());
    let left: Vec<TaskId> = store.unfinished(ws()).unwrap().into_iter().map(|task| task.id).collect();
    assert_eq!(left, [ids[5].clone(), ids[4].clone(), ids[0].clone()]);
}

/// A conversation with everything in it.
fn conversation() -> Conversation {
    let mut conversation = Conversation::new("You are an agent.", "mend it");
    let image = Image { media_type: "image/png".into(), base64: "iVBORw0KGgo=".into() };
    conversation.task.push(Message::Image(image));
    conversation.pinned = vec![
        Pinned { title: "Plan".into(), text: "1. [x] read".into() },
        Pinned { title: "Findings".into(), text: "none".into() },
    ];
    conversation.add_file("src/b.rs".into());
    conversation.add_file("größe\u{202e}.rs".into());
    for message in said() {
        conversation.add(message);
    }
    conversation
}

fn said() -> Vec<Message> {
    let answer = Answer {
        text: "I read it.".into(),
        reasoning: "first".into(),
        tool_calls: vec![call("1"), call("2")],
        kept: vec![Kept { dialect: "claude", before_call: 0, json: r#"{"signature":"c2ln"}"#.into() }],
    };
    vec![
        Message::User("go on".into()),
        Message::Assistant(answer),
        result("1", "fn a() {}\0"),
        result("2", ""),
        Message::Assistant(Answer::text("done")),
    ]
}

#[track_caller]
fn check_loaded(home: &Home, id: &TaskId, expected: &Conversation) {
    let loaded = home.store().load(id).unwrap();
    assert_eq!(loaded, *expected);
    assert_eq!(loaded.for_provider(), expected.for_provider());
}

#[test]
fn a_conversation_goes_on_as_it_was() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    check_loaded(&home, &id, &Conversation::new("", "mend the parser"));

    let mut live = conversation();
    store.save(&id, &live).unwrap();
    check_loaded(&home, &id, &live);

    for message in [Message::User("and the tests".into()), Message::Assistant(Answer::text("yes"))] {
        live.add(message.clone());
        store.say(&id, &message).unwrap();
    }
    live.add_file("c.rs".into());
    store.add_files(&id, &["c.rs".into(), "c.rs".into()]).unwrap();
    live.pinned.pop();
    store.pin(&id, &live.pinned).unwrap();
    check_loaded(&home, &id, &live);

    let kept = said()[1..].to_vec();
    live.compact("so far".into(), kept.clone());
    store.compact(&id, "so far", &kept).unwrap();
    check_loaded(&home, &id, &live);
    let more = Message::User("more".into());
    live.add(more.clone());
    store.say(&id, &more).unwrap();
    check_loaded(&home, &id, &live);

    let begun_anew = Conversation::new("system", "task");
    store.save(&id, &begun_anew).unwrap();
    check_loaded(&home, &id, &begun_anew);
}

#[test]
fn what_is_too_much_is_refused_and_what_was_there_stays() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    store.save(&id, &conversation()).unwrap();
    let refused = |done: Result<(), StoreError>| matches!(done, Err(StoreError::TooMuch { .. }));
    assert!(refused(store.say(&id, &Message::User("x".repeat(MESSAGE_BYTES_MAX)))));
    assert!(refused(store.compact(&id, &"x".repeat(TASK_BYTES_MAX + 1), &[])));
    let long = "x".repeat(TASK_BYTES_MAX + 1);
    assert!(refused(store.begin(NewTask { text: &long, ..new(Kind::Ask) }).map(|_| ())));
    let names: Vec<String> = (0..=crate::limits::NAMED_FILES_MAX).map(|number| number.to_string()).collect();
    assert!(refused(store.add_files(&id, &names)));
    check_loaded(&home, &id, &conversation());
}

#[test]
fn what_belongs_to_no_task_is_not_kept() {
    let home = Home::new();
    let (store, id) = (home.store(), "0123456789abcdef".parse::<TaskId>().unwrap());
    let missing = |done: Result<(), StoreError>| matches!(done, Err(StoreError::NoTask { .. }));
    assert!(missing(store.say(&id, &Message::User("a".into()))));
    assert!(missing(store.set_state(&id, State::Done)));
    assert!(missing(store.load(&id).map(|_| ())));
    assert!(missing(store.applying(&id, &changes()).map(|_| ())));
}

#[test]
fn changes_come_back_in_order_and_are_undone_after_a_restart() {
    let home = Home::new();
    let id = home.store().begin(new(Kind::Change)).unwrap().id;
    let mut second = ChangeSet::default();
    second.stage(Path::new("/t/ws/made"), &base(Some(""), Encoding::Utf8), Some("more".into()));
    let first_number = home.store().applying(&id, &changes()).unwrap();
    let second_number = home.store().applying(&id, &second).unwrap();
    let applied = home.store().applied(&id).unwrap();
    assert_eq!(applied.iter().map(|set| set.number).collect::<Vec<_>>(), [first_number, second_number]);
    for (set, expected) in applied.iter().zip([changes(), second]) {
        // The editor's versions are of a session that is over.
        assert_eq!(set.changes, ChangeSet::from_plain(expected.to_plain()));
        assert_eq!(set.changes.reversed().effects(), expected.reversed().effects());
    }
    assert_eq!(home.store().last_undoable(ws()).unwrap().map(|task| task.id), Some(id.clone()));
    home.store().take_back(&id, second_number).unwrap();
    assert_eq!(home.store().applied(&id).unwrap().len(), 1);
    home.store().take_back(&id, first_number).unwrap();
    assert_eq!(home.store().last_undoable(ws()).unwrap(), None);
}

#[test]
fn undoing_what_was_kept_and_not_done_changes_nothing() {
    let home = Home::new();
    let id = home.store().begin(new(Kind::Change)).unwrap().id;
    let mut set = ChangeSet::default();
    let old = base(Some("old\n"), Encoding::Utf8);
    set.stage(Path::new("/t/ws/a"), &old, Some("new\n".into()));
    home.store().applying(&id, &set).unwrap();
    let mut undo = home.store().applied(&id).unwrap().remove(0).changes.reversed();
    assert_eq!(undo.rebase(Path::new("/t/ws/a"), &old), Standing::Unstaged);
    assert!(undo.is_empty());
}

#[test]
fn the_newest_changes_are_undone_first_whoever_made_them() {
    let home = Home::new();
    let store = home.store();
    let first = store.begin(new(Kind::Change)).unwrap().id;
    let second = store.begin(new(Kind::Change)).unwrap().id;
    store.applying(&second, &changes()).unwrap();
    store.applying(&first, &changes()).unwrap();
    assert_eq!(store.last_undoable(ws()).unwrap().unwrap().id, first);
    assert_eq!(store.last_undoable(Path::new("/t")).unwrap(), None);
}

#[test]
fn two_hundred_files_are_kept_at_once() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    let mut set = ChangeSet::default();
    for number in 0..200 {
        let text = format!("line of file {number}, with some text behind it\n").repeat(220);
        let after = format!("// changed\n{text}").into();
        set.stage(Path::new(&format!("/t/ws/{number}.rs")), &base(Some(&text), Encoding::Utf8), Some(after));
    }
    let began = Instant::now();
    store.applying(&id, &set).unwrap();
    println!("200 files of 10 kB kept in {:?}", began.elapsed());
    let began = Instant::now();
    let applied = store.applied(&id).unwrap();
    println!("and read in {:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..50 {
        store.say(&id, &Message::User("a line of what is said\n".repeat(100))).unwrap();
    }
    println!("one message of 2 kB kept in {:?}", began.elapsed() / 50);
    assert_eq!(applied[0].changes, ChangeSet::from_plain(set.to_plain()));
}

#[test]
fn old_tasks_and_too_many_are_removed_with_all_that_belongs_to_them() {
    let home = Home::new();
    let store = home.store();
    let fill = |state: State| {
        let id = store.begin(new(Kind::Change)).unwrap().id;
        store.save(&id, &conversation()).unwrap();
        store.applying(&id, &changes()).unwrap();
        store.set_state(&id, state).unwrap();
        id
    };
    let (old, running, fresh) = (fill(State::Done), fill(State::Working), fill(State::Done));
    let days_31_ms = 31_i64 * 24 * 3600 * 1000;
    for id in [&old, &running] {
        assert_eq!(home.sql(&format!("UPDATE tasks SET changed_ms = changed_ms - {days_31_ms} WHERE id = '{id}'")), 1);
    }
    let newest = store.begin(new(Kind::Ask)).unwrap().id;
    let ids = |store: &Store| store.list(ws()).unwrap().into_iter().map(|task| task.id).collect::<Vec<_>>();
    assert_eq!(ids(&store), [newest.clone(), fresh, running.clone()], "one that is worked on stays");
    for id in [&running, &newest] {
        store.set_state(id, State::Failed).unwrap();
    }

    for _ in 0..TASKS_MAX {
        let id = store.begin(new(Kind::Ask)).unwrap().id;
        store.set_state(&id, State::Done).unwrap();
    }
    let elsewhere = NewTask { workspace: Path::new("/t/other"), ..new(Kind::Ask) };
    store.begin(elsewhere).unwrap();
    assert_eq!(ids(&store).len(), TASKS_MAX);
    assert_eq!(store.list(Path::new("/t/other")).unwrap().len(), 1, "another workspace has its own");
    for table in ["pinned", "messages", "files", "change_sets", "changes"] {
        assert_eq!(home.sql(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

#[test]
fn what_is_too_much_for_the_disk_goes_the_oldest_first_and_gives_its_room_back() {
    let home = Home::new();
    let store = home.store();
    let ids: Vec<TaskId> = (0..4)
        .map(|_| {
            let id = store.begin(new(Kind::Change)).unwrap().id;
            store.say(&id, &Message::User("secret word ".repeat(100_000))).unwrap();
            store.set_state(&id, State::Done).unwrap();
            id
        })
        .collect();
    let removed = store.file.change(|db| super::prune::prune_to(db, 3 << 20)).unwrap();
    assert_eq!(removed, 2);
    store.file.shrink().unwrap();
    let left: Vec<TaskId> = store.list(ws()).unwrap().into_iter().map(|task| task.id).collect();
    assert_eq!(left, [ids[3].clone(), ids[2].clone()]);
    drop(store);
    assert!(fs::metadata(home.path()).unwrap().len() < 3 << 20);
}

#[test]
fn what_is_removed_is_gone_from_the_file() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    store.say(&id, &Message::User("xyzzy-needle".into())).unwrap();
    store.compact(&id, "in short", &[]).unwrap();
    drop(store);
    let bytes = fs::read(home.path()).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"xyzzy-needle"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    fs::write(home.path(), "").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let store = home.store();
    store.begin(new(Kind::Ask)).unwrap();
    let mut seen = Vec::new();
    for entry in fs::read_dir(home.folder.path()).unwrap() {
        let entry = entry.unwrap();
        seen.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{seen:?}");
    }
    seen.sort();
    assert_eq!(seen, ["state.db", "state.db-shm", "state.db-wal", "state.lock"]);
}

#[test]
fn an_older_file_is_carried_forward_and_a_step_that_fails_leaves_it() {
    let home = Home::new();
    let id = home.store().begin(new(Kind::Ask)).unwrap().id;
    let next = "ALTER TABLE tasks ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'";
    let fails = "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1)";
    let steps: Vec<&str> = schema::STEPS.iter().copied().chain([next, fails]).collect();
    let mut connection = Connection::open(home.path()).unwrap();
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()
    };
    let known = schema::STEPS.len();
    schema::migrate(&mut connection, known, &steps[..=known]).unwrap();
    assert_eq!(version(&connection), known as i64 + 1);
    let kept: (String, String) =
        connection.query_row("SELECT id, mood FROM tasks", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, (id.to_string(), "good".to_owned()));
    schema::migrate(&mut connection, known + 1, &steps).unwrap_err();
    assert_eq!(version(&connection), known as i64 + 1);
    assert!(!connection.table_exists(None, "extra").unwrap());
}

#[test]
fn several_at_once_lose_nothing() {
    let home = Arc::new(Home::new());
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let home = Arc::clone(&home);
            // Each has a connection of its own, and opens it while the others do.
            std::thread::spawn(move || {
                let store = home.store();
                let id = store.begin(new(Kind::Change)).unwrap().id;
                for number in 0..25 {
                    store.say(&id, &Message::User(number.to_string())).unwrap();
                    store.applying(&id, &changes()).unwrap();
                }
                id
            })
        })
        .collect();
    let ids: Vec<TaskId> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let store = home.store();
    assert_eq!(store.list(ws()).unwrap().len(), ids.len());
    for id in ids {
        let said: Vec<Message> = (0..25).map(|number| Message::User(number.to_string())).collect();
        assert_eq!(store.load(&id).unwrap().messages(), said);
        assert_eq!(store.applied(&id).unwrap().len(), 25);
    }
}
