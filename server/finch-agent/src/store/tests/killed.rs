//! A process that is killed while it writes, and who may go on with its task.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use super::*;

/// Names the file in the environment of a writer.
const FILE: &str = "FINCH_TEST_STATE_DB";

/// A test of this program as a process of its own; it prints a line for each thing that is kept.
struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Writer {
    fn start(home: &Home, test: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(FILE, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that the writer itself printed.
    fn next(&mut self) -> String {
        loop {
            let line = self.lines.next().expect("the writer goes on").unwrap();
            if let Some((_, said)) = line.split_once("kept ") {
                return said.to_owned();
            }
        }
    }

    fn kill(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "kept {text}").unwrap();
    out.flush().unwrap();
}

/// Fills a store until it is killed.
fn write_on(path: &str) {
    let store = Store::open(Path::new(path)).unwrap();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    tell(&id.to_string());
    for number in 0.. {
        store.say(&id, &Message::User(format!("{number} {}", "x".repeat(number * 97 % 20_000)))).unwrap();
        store.applying(&id, &changes()).unwrap();
        if number % 7 == 6 {
            let last = store.load(&id).unwrap().messages().last().cloned().unwrap();
            store.compact(&id, &format!("up to {number}"), &[last]).unwrap();
        }
        tell(&number.to_string());
    }
}

#[test]
fn nothing_that_was_kept_is_lost_when_the_writer_is_killed() {
    if let Ok(path) = std::env::var(FILE) {
        return write_on(&path);
    }
    let home = Home::new();
    let here = "store::tests::killed::nothing_that_was_kept_is_lost_when_the_writer_is_killed";
    for round in 0..12 {
        let mut writer = Writer::start(&home, here);
        let id: TaskId = writer.next().parse().unwrap();
        assert_eq!(home.store().task(&id).unwrap().state, State::Working);
        let mut told = 0;
        for _ in 0..=(round * 5) {
            told = writer.next().parse::<usize>().unwrap();
        }
        // Somewhere in the middle of what comes next.
        std::thread::sleep(std::time::Duration::from_micros(round as u64 * 431));
        writer.kill();

        let store = home.store();
        assert_eq!(store.task(&id).unwrap().state, State::Interrupted);
        let conversation = store.load(&id).unwrap();
        let numbers: Vec<usize> = conversation
            .messages()
            .iter()
            .map(|message| {
                let Message::User(text) = message else { panic!("{message:?}") };
                text.split(' ').next().unwrap().parse().unwrap()
            })
            .collect();
        let last = *numbers.last().unwrap();
        assert!(last >= told, "{told} was kept, and {last} is the last");
        assert_eq!(numbers, (numbers[0]..=last).collect::<Vec<_>>());
        if let Some(summary) = &conversation.summary {
            assert_eq!(*summary, format!("up to {}", numbers[0]), "a summary comes with what it leaves");
        }
        let applied = store.applied(&id).unwrap();
        assert!((told + 1..=last + 1).contains(&applied.len()), "{} of {told}", applied.len());
        assert!(applied.iter().all(|set| set.changes == ChangeSet::from_plain(changes().to_plain())), "half a set");
        store.set_state(&id, State::Working).unwrap();
        store.set_state(&id, State::Done).unwrap();
    }
    assert!(!home.folder.path().join("state.db.bad").exists());
    assert_eq!(home.store().unfinished(ws()).unwrap(), []);
}

#[test]
fn a_task_that_another_process_is_at_is_left_to_it_until_that_is_gone() {
    if let Ok(path) = std::env::var(FILE) {
        let store = Store::open(Path::new(&path)).unwrap();
        tell(&store.begin(new(Kind::Plan)).unwrap().id.to_string());
        // Until it is killed.
        loop {
            std::thread::park();
        }
    }
    let home = Home::new();
    let here = "store::tests::killed::a_task_that_another_process_is_at_is_left_to_it_until_that_is_gone";
    let mut writer = Writer::start(&home, here);
    let id: TaskId = writer.next().parse().unwrap();
    let (store, pid) = (home.store(), writer.child.id());
    let held = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Held { pid: by, .. }) if by == pid);
    assert_eq!(store.task(&id).unwrap().state, State::Planning);
    assert!(held(store.set_state(&id, State::Working)));
    assert!(held(store.say(&id, &Message::User("a".into()))));
    assert!(held(store.applying(&id, &changes()).map(|_| ())));
    writer.kill();
    assert_eq!(store.unfinished(ws()).unwrap()[0].state, State::Interrupted);
    store.set_state(&id, State::Working).unwrap();
    assert_eq!(store.task(&id).unwrap().owner_pid, Some(std::process::id()));
}

#[test]
fn work_that_breaks_off_leaves_nothing_of_itself() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin(new(Kind::Change)).unwrap().id;
    store.save(&id, &conversation()).unwrap();
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.file.change::<()>(|db| {
            db.execute("DELETE FROM messages", [])?;
            panic!("in the middle")
        })
    }));
    assert!(broken.is_err());
    check_loaded(&home, &id, &conversation());
    store.say(&id, &Message::User("the same store goes on".into())).unwrap();
}
