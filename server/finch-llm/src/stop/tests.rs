use proptest::prelude::*;

use super::{Passed, StopMatcher, TooManyStops};

fn owned(stops: &[&str]) -> Vec<String> {
    stops.iter().map(|&stop| stop.to_owned()).collect()
}

/// What comes through for each piece, and at the end; `!` marks the stop.
#[track_caller]
fn check(stops: &[&str], pieces: &[&str], passed: &[&str]) {
    let mut matcher = StopMatcher::new(&owned(stops)).unwrap();
    let mut seen = Vec::new();
    let mut stopped = false;
    for piece in pieces {
        match matcher.push(piece) {
            Passed::Text(text) => seen.push(text),
            Passed::Stopped(text) => {
                seen.push(text + "!");
                stopped = true;
                break;
            }
        }
    }
    if !stopped {
        seen.push(matcher.finish());
    }
    assert_eq!(seen, passed);
}

#[test]
fn text_without_a_stop_text_passes_at_once() {
    check(&["\n\n"], &["let x", " = 1;"], &["let x", " = 1;", ""]);
}

#[test]
fn what_may_become_a_stop_text_waits() {
    check(&["\n\n"], &["a\n", "b", "\n", "\n", "c"], &["a", "\nb", "", "!"]);
}

#[test]
fn what_did_not_become_a_stop_text_is_shown_at_the_end() {
    check(&["</done>"], &["x</do", "n"], &["x", "", "</don"]);
}

#[test]
fn a_stop_text_inside_one_piece_ends_the_answer() {
    check(&["END"], &["one END two"], &["one !"]);
}

#[test]
fn the_stop_text_that_ends_first_wins() {
    check(&["abcd", "bc"], &["abcd"], &["a!"]);
    check(&["abcd", "bc"], &["a", "b", "c", "d"], &["", "", "a!"]);
}

#[test]
fn of_stop_texts_that_end_together_the_longest_wins() {
    check(&["\n", "}\n"], &["x}\n"], &["x!"]);
}

#[test]
fn an_overlapping_beginning_is_not_lost() {
    check(&["aab"], &["a", "a", "a", "b"], &["", "", "a", "!"]);
}

#[test]
fn an_empty_stop_text_never_matches() {
    check(&[""], &["a", ""], &["a", "", ""]);
}

#[test]
fn a_stop_text_is_bounded() {
    let long = "x".repeat(2000);
    assert_eq!(StopMatcher::new(&[long]).unwrap_err(), TooManyStops);
    assert_eq!(StopMatcher::new(&owned(&["x"; 100])).unwrap_err(), TooManyStops);
}

/// Where the answer ends, found the slow way.
fn expected(text: &str, stops: &[String]) -> (String, bool) {
    for end in 0..=text.len() {
        let ending = |stop: &&String| !stop.is_empty() && text.as_bytes()[..end].ends_with(stop.as_bytes());
        if let Some(longest) = stops.iter().filter(ending).map(String::len).max() {
            return (text[..end - longest].to_owned(), true);
        }
    }
    (text.to_owned(), false)
}

proptest! {
    #[test]
    fn the_answer_is_the_same_however_the_text_is_cut(
        text in "[ab\né🦀]{0,40}",
        stops in prop::collection::vec("[ab\né🦀]{0,4}", 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| ends[cut.index(ends.len())]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut matcher = StopMatcher::new(&stops).unwrap();
        let mut shown = String::new();
        let mut stopped = false;
        for pair in cuts.windows(2) {
            match matcher.push(&text[pair[0]..pair[1]]) {
                Passed::Text(text) => shown.push_str(&text),
                Passed::Stopped(text) => {
                    shown.push_str(&text);
                    stopped = true;
                    break;
                }
            }
        }
        if !stopped {
            shown.push_str(&matcher.finish());
        }
        prop_assert_eq!((shown, stopped), expected(&text, &stops));
    }
}
