use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::read::{self, Skipped};
use crate::record::{About, Event, Feedback, Rejected, Shown, Texts};

const HANG: Duration = Duration::from_secs(60);

fn shown(journal: &Journal, number: u64) -> Record {
    let about = About { session: journal.session().to_owned(), suggestion: number, ..About::default() };
    let text = Some(Texts { offered: "secret".into(), ..Texts::default() });
    Record::new(number, about, Event::Shown(Shown { text }))
}

fn note(number: u64) -> Record {
    let note = Some(format!("note {number}"));
    let feedback = Feedback { id: number, weight: 1, note, correction: Some("secret".into()) };
    Record::new(number, About::default(), Event::Feedback(feedback))
}

/// Records it and waits until that is done.
fn record(journal: &Journal, record: Record) -> Result<(), JournalError> {
    let (sender, done) = mpsc::channel();
    journal.record_then(record, move |result| sender.send(result).unwrap());
    done.recv_timeout(HANG).expect("an answer")
}

fn content(folder: &Path) -> (Vec<Record>, Skipped) {
    let mut records = Vec::new();
    let skipped = read::records(folder, |record| records.push(record)).unwrap();
    (records, skipped)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn nothing_is_made_before_the_first_record() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    Journal::open(folder.clone(), Collect::Counts, 1).close();
    assert!(!folder.exists());
}

#[test]
fn what_was_recorded_is_there_when_the_journal_is_closed() {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path().join("j"), Collect::Text, 1);
    (0..100).for_each(|number| journal.record(shown(&journal, number)));
    journal.clone().close();
    let (records, skipped) = content(&home.path().join("j"));
    assert_eq!(records.iter().map(|record| record.at_ms).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert_eq!(skipped, Skipped::default());
    assert_eq!(record(&journal, note(1)), Err(JournalError::NotTaken));
}

#[test]
fn texts_are_collected_only_if_the_user_wants_it() {
    for (collect, texts) in [(Collect::Counts, 0), (Collect::Text, 2)] {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(home.path().to_owned(), collect, 1);
        journal.record(shown(&journal, 1));
        record(&journal, note(2)).unwrap();
        journal.close();
        let (records, _) = content(home.path());
        assert_eq!(records.iter().filter(|record| record.has_text()).count(), texts);
        assert!(records.iter().any(|record| format!("{record:?}").contains("note 2")));
    }
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    let journal = Journal::open(folder.clone(), Collect::Counts, 1);
    record(&journal, note(1)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in files(&folder) {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn two_processes_do_not_write_one_file_and_leave_no_locks() {
    let home = tempfile::tempdir().unwrap();
    // The same start and the same process: only the last number is left to tell them apart.
    let journals = [1, 1].map(|started| Journal::open(home.path().to_owned(), Collect::Counts, started));
    journals.iter().for_each(|journal| record(journal, note(1)).unwrap());
    journals.iter().for_each(Journal::close);
    let mut names = files(home.path());
    names.retain(|name| name != ".tidy.lock");
    let stem = format!("0000000000001-{}", std::process::id());
    assert_eq!(names, [format!("{stem}-0.jsonl"), format!("{stem}-1.jsonl")]);
}

#[test]
fn a_journal_whose_files_were_removed_goes_on_in_a_new_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    let journal = Journal::open(folder.clone(), Collect::Counts, 1);
    record(&journal, note(1)).unwrap();
    // Moved in one step: the journal may be tidying its folder, and would add files to one that is being emptied.
    std::fs::rename(&folder, home.path().join("elsewhere")).unwrap();
    record(&journal, note(2)).unwrap();
    assert_eq!(content(&folder).0.len(), 1);
}

#[test]
fn a_folder_that_cannot_be_is_an_error_for_who_waits_and_others_wait_for_better_times() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    std::fs::write(&folder, "in the way").unwrap();
    let journal = Journal::open(folder.clone(), Collect::Counts, 1);
    journal.record(shown(&journal, 1));
    let refused = record(&journal, note(2));
    assert!(matches!(refused, Err(JournalError::Disk { .. })), "{refused:?}");
    std::fs::remove_file(&folder).unwrap();
    record(&journal, note(3)).unwrap();
    let (records, _) = content(&folder);
    assert_eq!(records.iter().map(|record| record.at_ms).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_file_that_is_full_is_followed_by_another() {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path().to_owned(), Collect::Counts, 1);
    let reason = "x".repeat(256);
    // A line is longer than 256 bytes.
    let count = 8 * 1024 * 1024 / 256;
    for number in 0..count {
        let rejected = Event::Rejected(Rejected { reason: reason.clone() });
        journal.record(Record::new(number, About::default(), rejected));
        if number % 1000 == 0 {
            record(&journal, note(number)).unwrap();
        }
    }
    journal.close();
    let names = files(home.path());
    assert_eq!(names.iter().filter(|name| name.ends_with(".jsonl")).count(), 2, "{names:?}");
    let (records, skipped) = content(home.path());
    assert_eq!((records.len() as u64, skipped), (count + count.div_ceil(1000), Skipped::default()));
}

#[test]
fn feedback_numbers_are_never_given_twice() {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path().to_owned(), Collect::Counts, 1);
    let mut ids: Vec<u64> = [5, 5, 5, 4, 6].map(|now_ms| journal.feedback_id(now_ms)).to_vec();
    let given = ids.len();
    assert!(ids.is_sorted());
    ids.dedup();
    assert_eq!(ids.len(), given);
}
