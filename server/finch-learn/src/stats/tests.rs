use super::*;
use crate::record::{Accepted, Feedback, Forgotten, Kept, Rejected, Shown};

fn shown() -> Event {
    Event::Shown(Shown::default())
}

fn accepted(kind: AcceptedKind) -> Event {
    Event::Accepted(Accepted { kind, length: 1 })
}

fn rejected() -> Event {
    Event::Rejected(Rejected::default())
}

fn kept(after_s: u32, share: f64) -> Event {
    Event::Kept(Kept { after_s, share, text: None })
}

fn said(id: u64, weight: i32) -> Event {
    Event::Feedback(Feedback { id, weight, note: None, correction: None })
}

fn forgotten(feedback: u64) -> Event {
    Event::Forgotten(Forgotten { feedback })
}

fn count(events: Vec<(u64, Event)>) -> Stats {
    let mut tally = Tally::default();
    for (at_ms, (suggestion, event)) in events.into_iter().enumerate() {
        let language = if suggestion == 9 { "python" } else { "rust" }.to_owned();
        let about = About { session: "s".into(), suggestion, language, model: "m".into(), ..About::default() };
        tally.see(Record::new(at_ms as u64, about, event));
    }
    tally.finish()
}

#[track_caller]
fn check(events: Vec<(u64, Event)>, expected: Counts) {
    assert_eq!(count(events).all, expected);
}

#[test]
fn a_suggestion_counts_once_by_the_most_that_was_accepted() {
    use AcceptedKind::{Full, Line, Word};
    let one = Counts { shown: 1, ..Counts::default() };
    check(vec![(1, shown()), (1, shown())], one.clone());
    let full = Counts { accepted_full: 1, ..one.clone() };
    check(vec![(1, shown()), (1, accepted(Word)), (1, accepted(Full)), (1, accepted(Word))], full);
    check(vec![(1, accepted(Line))], Counts { accepted_line: 1, ..one.clone() });
    check(vec![(1, shown()), (1, accepted(Word)), (1, rejected())], Counts { accepted_word: 1, ..one.clone() });
    check(vec![(1, rejected())], Counts { rejected: 1, ..one });
}

#[test]
fn the_last_word_on_a_suggestion_counts_unless_it_was_taken_back() {
    check(vec![(1, said(1, 1)), (1, said(2, -10))], Counts { bad: 1, ..Counts::default() });
    check(vec![(1, said(1, 1)), (1, said(2, -10)), (1, forgotten(2))], Counts { good: 1, ..Counts::default() });
    check(vec![(1, forgotten(1)), (1, said(1, 1))], Counts::default());
    check(vec![(1, said(1, -3)), (2, said(2, 1))], Counts { good: 1, bad_minor: 1, ..Counts::default() });
}

#[test]
fn rates_are_of_what_there_is() {
    let stats = count(vec![
        (1, accepted(AcceptedKind::Full)),
        (1, kept(30, 1.0)),
        (1, kept(300, 0.5)),
        (2, accepted(AcceptedKind::Full)),
        (2, kept(30, 0.5)),
        (3, shown()),
        (9, rejected()),
    ]);
    assert_eq!(stats.all.acceptance_rate(), Some(0.5));
    assert_eq!((stats.all.kept_30_s.share(), stats.all.kept_300_s.share()), (Some(0.75), Some(0.5)));
    assert_eq!(stats.by_language.keys().collect::<Vec<_>>(), ["python", "rust"]);
    assert_eq!(stats.by_language["python"].acceptance_rate(), Some(0.0));
    assert_eq!((stats.by_model.len(), stats.by_provider["unknown"].shown), (1, 4));
    assert_eq!((Counts::default().acceptance_rate(), Mean::default().share()), (None, None));
}
