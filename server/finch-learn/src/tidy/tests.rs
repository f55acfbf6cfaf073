use super::*;
use crate::record::{About, Feedback, Rejected};

/// A file of a process that started at `started_ms`, with so many acts and so many words of feedback.
fn write(folder: &Path, started_ms: u64, acts: usize, said: usize) {
    let mut content = Vec::new();
    let act = || Event::Rejected(Rejected { reason: "x".repeat(100) });
    let word = || Event::Feedback(Feedback { id: started_ms, weight: 1, note: None, correction: None });
    let events = (0..acts).map(|_| act()).chain((0..said).map(|_| word()));
    for event in events {
        serde_json::to_writer(&mut content, &Record::new(started_ms, About::default(), event)).unwrap();
        content.push(b'\n');
    }
    fs::write(folder.join(format!("{started_ms:013}-1-0.jsonl")), content).unwrap();
}

/// Acts and words of feedback that are left, by the start of their process.
fn left(folder: &Path) -> Vec<(u64, usize, usize)> {
    let mut found: Vec<(u64, usize, usize)> = Vec::new();
    for segment in segment::all(folder).unwrap() {
        found.push((segment.started_ms(), 0, 0));
    }
    read::records(folder, |record| {
        let place = found.iter_mut().find(|(started, ..)| *started == record.at_ms).unwrap();
        match record.event {
            Event::Feedback(_) => place.2 += 1,
            _ => place.1 += 1,
        }
    })
    .unwrap();
    found
}

#[track_caller]
fn check(bounds: Bounds, expected: &[(u64, usize, usize)]) {
    let home = tempfile::tempdir().unwrap();
    for (started_ms, said) in [(1000, 1), (2000, 0), (3000, 1)] {
        write(home.path(), started_ms, 10, said);
    }
    shrink(home.path(), 3500, bounds).unwrap();
    assert_eq!(left(home.path()), expected);
}

const WIDE: Bounds = Bounds { bytes: u64::MAX, segments: usize::MAX, age_ms: u64::MAX };

#[test]
fn within_the_bounds_everything_stays() {
    check(WIDE, &[(1000, 10, 1), (2000, 10, 0), (3000, 10, 1)]);
}

#[test]
fn what_is_old_loses_all_but_feedback() {
    check(Bounds { age_ms: 2000, ..WIDE }, &[(1000, 0, 1), (2000, 10, 0), (3000, 10, 1)]);
    check(Bounds { age_ms: 1000, ..WIDE }, &[(1000, 0, 1), (3000, 10, 1)]);
}

#[test]
fn too_many_bytes_cost_the_oldest_files_first_and_feedback_last() {
    check(Bounds { bytes: 4000, ..WIDE }, &[(1000, 0, 1), (3000, 10, 1)]);
    check(Bounds { bytes: 400, ..WIDE }, &[(1000, 0, 1), (3000, 0, 1)]);
    check(Bounds { bytes: 200, ..WIDE }, &[(3000, 0, 1)]);
    check(Bounds { bytes: 0, ..WIDE }, &[]);
}

#[test]
fn too_many_files_cost_the_oldest() {
    check(Bounds { segments: 2, ..WIDE }, &[(1000, 0, 1), (3000, 10, 1)]);
    check(Bounds { segments: 1, ..WIDE }, &[(3000, 0, 1)]);
}

#[test]
fn a_file_that_a_process_writes_to_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), 1000, 10, 0);
    let claim = segment::all(home.path()).unwrap()[0].claim().expect("nobody else has it");
    shrink(home.path(), 3500, Bounds { bytes: 0, ..WIDE }).unwrap();
    assert_eq!(left(home.path()), [(1000, 10, 0)]);
    drop(claim);
}

#[test]
fn locks_that_are_left_over_go_when_they_are_old() {
    let home = tempfile::tempdir().unwrap();
    for name in ["0000000000001-1-0.lock", "0000100000000-1-0.lock"] {
        fs::write(home.path().join(name), "").unwrap();
    }
    tidy(home.path(), 100_000_001).unwrap();
    let names = segment::stray_locks(home.path()).unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
}
