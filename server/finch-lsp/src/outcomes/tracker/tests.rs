use std::time::Duration;

use finch_learn::record::AcceptedKind::{Full, Word};

use super::*;

const A: &str = "file:///a.rs";
const B: &str = "file:///b.rs";

/// One thing that happens. Offers are at byte 10 of document A, unless they say otherwise.
#[derive(Clone)]
enum Do {
    Offer(u64, &'static str),
    /// Several for one place, numbered from 1.
    OfferAll(&'static [&'static str]),
    OfferAt(usize, u64, &'static str),
    Ask(usize),
    AskInB,
    Put(usize, &'static str),
    Cut(usize, usize),
    PutInB(usize, &'static str),
    Close,
    Lose,
    Show(u64),
    Accept(u64, AcceptedKind, u64),
    Command(u64),
    Reject(u64),
    Wait(u64),
}

use Do::{
    Accept, Ask, AskInB, Close, Command, Cut, Lose, Offer as Offered, OfferAll, OfferAt, Put, PutInB, Reject, Show,
    Wait,
};

fn act(tracker: &mut Tracker, now: &mut Instant, what: &Do) {
    let splice = |range, text: &str| Splice { range, text: text.to_owned() };
    match *what {
        Offered(id, text) => tracker.offered(vec![offer(10, id, text)], *now),
        OfferAll(texts) => tracker.offered((1..).zip(texts).map(|(id, text)| offer(10, id, text)).collect(), *now),
        OfferAt(start, id, text) => tracker.offered(vec![offer(start, id, text)], *now),
        Ask(offset) => tracker.asked(A, offset, *now),
        AskInB => tracker.asked(B, 10, *now),
        Put(at, text) => tracker.changed(A, &[splice(at..at, text)], *now),
        Cut(start, end) => tracker.changed(A, &[splice(start..end, "")], *now),
        PutInB(at, text) => tracker.changed(B, &[splice(at..at, text)], *now),
        Close => tracker.closed(A, *now),
        Lose => tracker.lost(A),
        Show(id) => tracker.shown(id),
        Accept(id, kind, length) => tracker.told_accepted(id, kind, length),
        Command(id) => tracker.accepted(id, Full, 0),
        Reject(id) => tracker.rejected(id, "dismissed".to_owned(), *now),
        Wait(ms) => {
            *now += Duration::from_millis(ms);
            if tracker.due().is_some_and(|due| due <= *now) {
                tracker.tick(*now);
            }
        }
    }
}

fn offer(start: usize, id: u64, text: &str) -> Offer {
    let origin = Arc::new(Origin { id, about: About::default(), texts: None });
    Offer { origin, uri: A.to_owned(), start, replaced: String::new(), text: text.to_owned() }
}

fn line(told: &Told) -> String {
    let id = told.origin.id;
    match &told.what {
        What::Shown => format!("{id} shown"),
        What::Accepted { kind, length } => format!("{id} accepted {kind:?} {length}"),
        What::Rejected { reason } => format!("{id} rejected {reason}"),
        What::Due { after_s, inserted, now } => format!("{id} after {after_s} {inserted:?} is {now:?}"),
    }
}

fn run(steps: &[Do]) -> (Tracker, Vec<String>) {
    let (mut tracker, mut now, mut lines) = (Tracker::default(), Instant::now(), Vec::new());
    for step in steps {
        act(&mut tracker, &mut now, step);
        lines.extend(tracker.take_told().iter().map(line));
    }
    (tracker, lines)
}

#[track_caller]
fn check(steps: &[Do], told: &[&str]) {
    assert_eq!(run(steps).1, told);
}

#[test]
fn without_reports_what_stands_long_enough_was_seen() {
    check(&[Offered(1, "price;"), Wait(149)], &[]);
    check(&[Offered(1, "price;"), Wait(150)], &["1 shown"]);
    check(&[Offered(1, "price;"), Wait(100), Offered(2, "count;"), Wait(150)], &["2 shown"]);
    check(&[Offered(1, "price;"), Wait(20), Put(10, "x"), Wait(500)], &[]);
    check(&[Offered(1, "price;"), Wait(20), Close, Wait(500)], &[]);
    check(&[Offered(1, "price;"), Wait(20), Lose, Wait(500)], &[]);
}

#[test]
fn of_a_client_that_reports_only_that_counts() {
    check(&[Offered(1, "price;"), Show(1), Offered(2, "count;"), Wait(500), Put(10, "x")], &["1 shown"]);
    check(&[Offered(1, "price;"), Show(1), Show(1), Put(10, "x")], &["1 shown", "1 rejected typed-over"]);
    check(&[Show(7), Reject(7), Command(7), Wait(500)], &[]);
}

#[test]
fn acceptances_are_inferred_from_changes() {
    check(&[Offered(1, "price;"), Put(10, "price;")], &["1 shown", "1 accepted Full 6"]);
    check(&[Offered(1, "one;\ntwo;"), Put(10, "one;")], &["1 shown", "1 accepted Line 4"]);
    check(
        &[Offered(1, "one + two"), Put(10, "one"), Put(13, " +"), Put(15, " two")],
        &["1 shown", "1 accepted Word 3", "1 accepted Full 9"],
    );
    check(&[Offered(1, "price;"), Put(10, "p"), Put(11, "rice;")], &["1 shown", "1 accepted Full 6"]);
    check(&[Offered(1, "price;"), PutInB(10, "price;")], &[]);
}

#[test]
fn what_is_inferred_and_reported_counts_once() {
    check(&[Offered(1, "price;"), Put(10, "price;"), Command(1)], &["1 shown", "1 accepted Full 6"]);
    check(&[Offered(1, "price;"), Command(1), Put(10, "price;")], &["1 shown", "1 accepted Full 6"]);
    check(
        &[Offered(1, "price;"), Show(1), Accept(1, Full, 6), Command(1), Put(10, "price;")],
        &["1 shown", "1 accepted Full 6"],
    );
    check(
        &[Offered(1, "one two"), Show(1), Put(10, "one"), Accept(1, Word, 3), Put(13, " two"), Accept(1, Full, 7)],
        &["1 shown", "1 accepted Word 3", "1 accepted Full 7"],
    );
    // Too short to be told from typing, but the command says so.
    check(&[Offered(1, ");"), Wait(200), Put(10, ");"), Command(1), Ask(12)], &["1 shown", "1 accepted Full 2"]);
    // Inserted by something else: this client would have said so.
    check(&[Offered(1, "price;"), Show(1), Put(10, "price;"), Wait(400_000)], &["1 shown"]);
}

#[test]
fn rejections_say_how() {
    let shown = [Offered(1, "price;"), Wait(200)];
    let then = |steps: &[Do], told: &str| check(&[&shown[..], steps].concat(), &["1 shown", told]);
    then(&[Put(10, "x")], "1 rejected typed-over");
    then(&[Put(10, "p"), Put(11, "x"), Put(12, "y")], "1 rejected typed-over");
    then(&[Cut(8, 12)], "1 rejected typed-over");
    then(&[Ask(40)], "1 rejected moved-on");
    then(&[AskInB], "1 rejected moved-on");
    then(&[Close, Close], "1 rejected closed");
    then(&[Reject(1), Reject(1), Put(10, "x")], "1 rejected dismissed");
    then(&[Put(10, "pri"), Put(13, "ce"), Put(15, ";"), Ask(16)], "1 rejected typed-through");
    then(&[Put(10, "pri"), Put(13, "ce"), Put(15, ";"), Put(16, "\n")], "1 rejected typed-through");
    then(&[Put(10, "pri"), Put(13, "ce"), Put(15, ";"), Offered(2, "x")], "1 rejected typed-through");
}

#[test]
fn what_is_no_rejection_is_none() {
    let shown = [Offered(1, "price;"), Wait(200)];
    for steps in [
        &[Put(10, "p"), Put(11, "r"), Cut(11, 12)][..],
        &[Put(10, "p"), Ask(11), Offered(1, "rice;")],
        &[Ask(10), Offered(2, "count;"), Put(10, "count;"), Wait(1)],
        &[PutInB(10, "x"), Put(90, "x"), Cut(0, 5)],
        &[Lose, Put(10, "x")],
    ] {
        let (_, told) = run(&[&shown[..], steps].concat());
        assert!(!told.iter().any(|line| line.starts_with("1 rejected")), "{told:?}");
    }
    // What was accepted in part is not rejected for the rest.
    check(&[Offered(1, "one two"), Put(10, "one"), Put(13, "!"), Wait(1)], &["1 shown", "1 accepted Word 3"]);
}

#[test]
fn what_is_kept_is_looked_at_twice() {
    check(
        &[
            Offered(1, "price;"),
            Put(10, "price;"),
            Wait(29_999),
            Put(0, "ab"),
            Cut(12, 13),
            Wait(1),
            Put(12, "P"),
            Wait(270_000),
        ],
        &["1 shown", "1 accepted Full 6", r#"1 after 30 "price;" is "rice;""#, r#"1 after 300 "price;" is "Price;""#],
    );
    check(
        &[Offered(1, "price;"), Put(10, "p"), Put(11, "rice;"), Cut(9, 16), Wait(400_000), Wait(400_000)],
        &["1 shown", "1 accepted Full 6", r#"1 after 30 "rice;" is """#, r#"1 after 300 "rice;" is """#],
    );
    // Word by word it is one text, and time counts from the last.
    check(
        &[Offered(1, "one two"), Put(10, "one"), Wait(20_000), Put(13, " two"), Wait(20_000), Wait(10_000)],
        &["1 shown", "1 accepted Word 3", "1 accepted Full 7", r#"1 after 30 "one two" is "one two""#],
    );
}

#[test]
fn what_is_not_known_is_not_measured() {
    for end in [Close, Lose] {
        check(
            &[Offered(1, "price;"), Put(10, "price;"), Wait(20_000), end, Wait(400_000)],
            &["1 shown", "1 accepted Full 6"],
        );
    }
}

#[track_caller]
fn check_subject(steps: &[Do], id: Option<u64>, expected: Option<(u64, Option<&str>)>) {
    let subject = run(steps).0.subject(id);
    let seen = subject.as_ref().map(|subject| (subject.origin.id, subject.correction.as_deref()));
    assert_eq!(seen, expected);
}

#[test]
fn a_person_speaks_of_the_last_that_was_seen_or_of_any() {
    check_subject(&[], None, None);
    check_subject(&[Offered(1, "price;")], None, None);
    check_subject(&[Offered(1, "price;")], Some(1), Some((1, None)));
    check_subject(&[Offered(1, "price;"), Show(1), Offered(2, "count;")], None, Some((1, None)));
    check_subject(&[Offered(1, "price;"), Show(1)], Some(9), None);
}

#[test]
fn what_was_typed_instead_is_the_correction() {
    let shown = [Offered(1, "price;"), Wait(200)];
    let typed = [Put(10, "c"), Put(11, "ount"), Put(15, ";"), Put(16, "\n"), Put(17, "next")];
    check_subject(&[&shown[..], &typed[..]].concat(), None, Some((1, Some("count;\n"))));
    check_subject(&[&shown[..], &[Reject(1), Put(10, "co")]].concat(), None, Some((1, Some("co"))));
    check_subject(&[&shown[..], &[Put(10, "price;")]].concat(), None, Some((1, None)));
    check_subject(
        &[&shown[..], &[Put(10, "price;"), Cut(10, 11), Put(10, "P")]].concat(),
        None,
        Some((1, Some("Price;"))),
    );
    check_subject(&[&shown[..], &[Put(10, "price;"), Put(13, "X")]].concat(), None, Some((1, Some("priXce;"))));
    check_subject(&[&shown[..], &[Put(10, "x"), Close]].concat(), None, Some((1, None)));
}

#[test]
fn everything_is_bounded() {
    let mut steps = Vec::new();
    for id in 0..3 * WATCHES_MAX as u64 {
        steps.push(OfferAt(10, id, "price;"));
        steps.push(Put(10, "price;"));
    }
    let (mut tracker, told) = run(&steps);
    assert_eq!((tracker.watches.len(), tracker.known.len()), (WATCHES_MAX, SUGGESTIONS_MAX));
    assert_eq!(told.len(), 2 * 3 * WATCHES_MAX);
    assert!(tracker.subject(Some(0)).is_none());
    let long: &'static str = Box::leak("x".repeat(REGION_BYTES_MAX).into_boxed_str());
    let (tracker, told) = run(&[Offered(1, long), Put(10, long)]);
    assert_eq!((tracker.watches.len(), told.len()), (0, 2));
}

#[test]
fn a_line_of_several_is_accepted_after_it_was_begun_by_hand() {
    check(
        &[Offered(1, "one;\ntwo;\n"), Put(10, "o"), Put(11, "ne;"), Put(14, "\ntwo;")],
        &["1 shown", "1 accepted Line 4", "1 accepted Line 9"],
    );
}

#[test]
fn of_several_the_first_is_seen_until_the_client_tells_of_another() {
    const ALL: Do = OfferAll(&["price;", "count;"]);
    check(&[ALL, Wait(150)], &["1 shown"]);
    check(&[ALL, Show(1), Show(2), Put(10, "x")], &["1 shown", "2 shown", "2 rejected typed-over"]);
    check(&[ALL, Show(1), Show(2), Show(1), Put(10, "x")], &["1 shown", "2 shown", "1 rejected typed-over"]);
    check(&[ALL, Show(1), Put(10, "x")], &["1 shown", "1 rejected typed-over"]);
    check(&[ALL, Show(1), Show(2), Reject(2)], &["1 shown", "2 shown", "2 rejected dismissed"]);
}

#[test]
fn who_takes_one_of_several_rejects_none_of_them() {
    const ALL: Do = OfferAll(&["price;", "count;"]);
    check(&[ALL, Wait(150), Put(10, "count;"), Put(16, "\n")], &["1 shown", "2 shown", "2 accepted Full 6"]);
    check(
        &[ALL, Wait(150), Put(10, "count;"), Command(2), Put(16, "\n")],
        &["1 shown", "2 shown", "2 accepted Full 6"],
    );
    check(
        &[ALL, Wait(150), Command(2), Put(10, "count;"), Put(16, "\n")],
        &["1 shown", "2 shown", "2 accepted Full 6"],
    );
    let told = [Show(1), Show(2), Accept(2, Full, 6), Put(10, "count;"), Put(16, "\n"), Ask(3)];
    check(&[&[ALL], told.as_slice()].concat(), &["1 shown", "2 shown", "2 accepted Full 6"]);
    // Too short to be told from typing.
    check(&[OfferAll(&["ab", "x"]), Wait(150), Put(10, "x"), Command(2)], &["1 shown", "2 shown", "2 accepted Full 1"]);
}

#[test]
fn what_was_offered_before_is_forgotten_with_the_next_offer() {
    check(&[OfferAll(&["price;", "count;"]), Offered(3, "total;"), Show(2), Put(10, "x")], &["2 shown"]);
}
