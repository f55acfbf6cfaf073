//! Files that are damaged, of another program, of a newer finch, or taken away while they are in use.

use super::*;

fn aside(home: &Home, number: &str) -> PathBuf {
    home.folder.path().join(format!("state.db.bad{number}"))
}

/// Whatever was there: a store can be opened and used, and what could not is kept.
#[track_caller]
fn check_moved_aside(home: &Home) {
    let store = home.store();
    let task = store.begin(new(Kind::Ask)).unwrap();
    assert_eq!(store.list(ws()).unwrap(), [task]);
    assert!(aside(home, "").exists());
}

#[test]
fn what_is_no_database_is_moved_aside() {
    for bytes in [b"x".repeat(5), b"not a database at all\n".repeat(1000), vec![0xff; 8192]] {
        let home = Home::new();
        fs::write(home.path(), &bytes).unwrap();
        check_moved_aside(&home);
        assert_eq!(fs::read(aside(&home, "")).unwrap(), bytes, "it is kept as it was");
    }
}

#[test]
fn a_folder_in_its_place_is_moved_aside() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    check_moved_aside(&home);
}

#[test]
fn a_file_that_somebody_writes_to_can_be_opened_and_read() {
    let home = Home::new();
    let task = home.store().begin(new(Kind::Ask)).unwrap();
    let mut connection = Connection::open(home.path()).unwrap();
    let writing = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    writing.execute("UPDATE tasks SET text = 'other'", []).unwrap();
    let began = Instant::now();
    assert_eq!(home.store().list(ws()).unwrap(), [task]);
    assert!(began.elapsed() < crate::limits::STORE_WAIT, "it waited for the writer");
    writing.rollback().unwrap();
}

#[test]
fn an_empty_file_is_one_that_begins() {
    let home = Home::new();
    fs::write(home.path(), "").unwrap();
    home.store().begin(new(Kind::Ask)).unwrap();
    assert!(!aside(&home, "").exists());
}

#[track_caller]
fn check_unusable(sql: &str) {
    let home = Home::new();
    home.store().begin(new(Kind::Ask)).unwrap();
    let connection = Connection::open(home.path()).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    check_moved_aside(&home);
}

#[test]
fn another_programs_file_and_one_of_a_newer_finch_are_moved_aside() {
    check_unusable("PRAGMA application_id = 7");
    check_unusable("PRAGMA user_version = 1000");
    check_unusable("PRAGMA user_version = -1");
    check_unusable("PRAGMA user_version = 0");
    check_unusable("DROP TABLE changes");
}

#[test]
fn damaged_files_do_not_push_each_other_out_at_once() {
    let home = Home::new();
    for _ in 0..5 {
        fs::write(home.path(), "damaged").unwrap();
        home.store();
    }
    let names = ["", "2", "3"].map(|number| aside(&home, number).exists());
    assert_eq!((names, aside(&home, "4").exists()), ([true; 3], false));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_taken_away_while_in_use_begins_anew() {
    let home = Home::new();
    let (one, other) = (home.store(), home.store());
    one.begin(new(Kind::Ask)).unwrap();
    for end in ["", "-wal", "-shm"] {
        fs::rename(home.folder.path().join(format!("state.db{end}")), aside(&home, end)).unwrap();
    }
    assert_eq!(one.list(ws()).unwrap(), []);
    let task = other.begin(new(Kind::Ask)).unwrap();
    assert_eq!(one.list(ws()).unwrap(), vec![task.clone()]);
    drop(other);
    assert_eq!(home.store().list(ws()).unwrap(), [task]);
}

#[test]
fn what_is_damaged_beside_the_file_does_not_touch_what_is_in_it() {
    for end in ["-wal", "-shm", "-journal"] {
        let home = Home::new();
        let task = home.store().begin(new(Kind::Ask)).unwrap();
        fs::write(home.folder.path().join(format!("state.db{end}")), vec![0xa5; 40_000]).unwrap();
        let store = home.store();
        assert_eq!(store.list(ws()).unwrap(), [task], "{end}");
        store.begin(new(Kind::Ask)).unwrap();
        assert_eq!((store.list(ws()).unwrap().len(), aside(&home, "").exists()), (2, false), "{end}");
    }
}

#[test]
fn pages_that_are_overwritten_never_keep_anybody_from_working() {
    let (mut lost, rounds) = (0, 40);
    for round in 0..rounds {
        let home = Home::new();
        let store = home.store();
        let id = store.begin(new(Kind::Change)).unwrap().id;
        store.save(&id, &conversation()).unwrap();
        store.applying(&id, &changes()).unwrap();
        store.say(&id, &Message::User("x".repeat(50_000))).unwrap();
        drop(store);
        let mut bytes = fs::read(home.path()).unwrap();
        // A piece of a page, another one each round; and the end, cut off.
        let from = (round * 7919) % bytes.len();
        let to = (from + 64 + round * 37).min(bytes.len());
        bytes[from..to].fill(0xa5);
        if round % 8 == 7 {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(home.path(), bytes).unwrap();
        let store = home.store();
        let whole = [
            store.load(&id).is_ok_and(|loaded| loaded.messages().len() == said().len() + 1),
            store.applied(&id).is_ok_and(|applied| applied.len() == 1),
            store.say(&id, &Message::User("more".into())).is_ok(),
        ];
        lost += usize::from(whole.contains(&false));
        let next = store.begin(new(Kind::Ask)).unwrap();
        store.save(&next.id, &conversation()).unwrap();
        store.applying(&next.id, &changes()).unwrap();
        assert_eq!(store.load(&next.id).unwrap(), conversation(), "round {round}");
    }
    println!("{lost} of {rounds} damaged files lost something");
    assert!(lost > 0, "nothing was damaged");
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_of_its_task_alone() {
    let home = Home::new();
    let store = home.store();
    let (bad, good) = (store.begin(new(Kind::Ask)).unwrap().id, store.begin(new(Kind::Ask)).unwrap().id);
    store.say(&bad, &Message::User("a".into())).unwrap();
    home.sql(r#"UPDATE messages SET json = '{"v":9}'"#);
    let error = store.load(&bad).unwrap_err().to_string();
    assert!(error.contains("version 9") && error.contains(&bad.to_string()), "{error}");
    home.sql(&format!("UPDATE tasks SET state = 'dreaming' WHERE id = '{bad}'"));
    assert_eq!(store.list(ws()).unwrap().into_iter().map(|task| task.id).collect::<Vec<_>>(), [good]);
}

#[cfg(unix)]
#[test]
fn where_there_can_be_no_file_it_is_said() {
    let home = Home::new();
    fs::write(home.folder.path().join("file"), "").unwrap();
    let error = Store::open(&home.folder.path().join("file/state.db")).unwrap_err();
    assert!(error.to_string().contains("tasks do not outlive finch"), "{error}");
}
