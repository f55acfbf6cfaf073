use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::record::{About, Feedback, Shown, Texts};
use crate::{Collect, Journal};

fn about(suggestion: u64) -> About {
    About { session: "s".into(), suggestion, ..About::default() }
}

fn sight(suggestion: u64) -> Record {
    let text = Texts { offered: format!("offer-{suggestion}"), ..Texts::default() };
    Record::new(suggestion, about(suggestion), Event::Shown(Shown { text: Some(text) }))
}

fn said(suggestion: u64) -> Record {
    let note = Some(format!("note-{suggestion}"));
    let feedback = Feedback { id: 100 + suggestion, weight: 1, note, correction: None };
    Record::new(suggestion, about(suggestion), Event::Feedback(feedback))
}

/// Sights of the suggestions 1 to 3 and feedback on them, written by a process that started at `started_ms`.
fn write(folder: &Path, started_ms: u64) -> Journal {
    let journal = Journal::open(folder.to_owned(), Collect::Text, started_ms);
    let (sender, done) = mpsc::channel();
    for suggestion in 1..=3 {
        journal.record(sight(suggestion));
        let sender = sender.clone();
        journal.record_then(said(suggestion), move |result| sender.send(result).unwrap());
    }
    for _ in 0..3 {
        done.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    }
    journal
}

/// Everything in the files.
fn bytes(folder: &Path) -> String {
    let mut all = String::new();
    for segment in crate::segment::all(folder).unwrap() {
        all.push_str(&std::fs::read_to_string(segment.path).unwrap());
    }
    all
}

fn listed(folder: &Path) -> Vec<u64> {
    past::feedback(folder).unwrap().0.iter().filter_map(past::id_of).collect()
}

#[test]
fn what_is_forgotten_is_in_no_file_any_more() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), 1).close();
    assert_eq!(listed(home.path()), [101, 102, 103]);
    let forgot = forget(home.path(), Which::One(102), 10).unwrap();
    assert_eq!(forgot, Forgot { hidden: 1, waits_for_a_process: false });
    assert_eq!(listed(home.path()), [101, 103]);
    let left = bytes(home.path());
    assert!(!left.contains("note-2") && !left.contains("offer-2"), "{left}");
    assert!(left.contains("note-1") && left.contains("offer-1"), "{left}");
    assert_eq!(crate::stats::stats(home.path()).unwrap().all.shown, 3);
    assert_eq!(forget(home.path(), Which::One(102), 11), Err(JournalError::NoFeedback { id: 102 }));
    assert_eq!(forget(home.path(), Which::All, 12).unwrap().hidden, 2);
    assert!(listed(home.path()).is_empty() && !bytes(home.path()).contains("note-"));
    assert_eq!(forget(home.path(), Which::All, 13).unwrap(), Forgot { hidden: 0, waits_for_a_process: false });
}

#[test]
fn a_file_of_a_running_process_is_left_to_it_until_it_ends() {
    let home = tempfile::tempdir().unwrap();
    let running = write(home.path(), 1);
    let forgot = forget(home.path(), Which::One(102), 10).unwrap();
    assert_eq!(forgot, Forgot { hidden: 1, waits_for_a_process: true });
    assert_eq!(listed(home.path()), [101, 103]);
    assert!(bytes(home.path()).contains("note-2"));
    running.close();
    // The next finch that writes something removes it.
    let next = Journal::open(home.path().to_owned(), Collect::Text, 20);
    next.record(sight(9));
    next.close();
    let left = bytes(home.path());
    assert!(!left.contains("note-2") && !left.contains("offer-2") && left.contains("note-1"), "{left}");
    assert_eq!(listed(home.path()), [101, 103]);
}

#[test]
fn a_damaged_piece_of_what_is_forgotten_goes_too() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), 1).close();
    let path = crate::segment::all(home.path()).unwrap().remove(0).path;
    let torn = format!("{}{{\"schema\":1,\"note\":\"note-2", std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, torn).unwrap();
    forget(home.path(), Which::One(102), 10).unwrap();
    assert!(!bytes(home.path()).contains("note-2"));
}
