use std::{sync::Arc, time::Duration};

use finch_model::{
    manifest::{Manifest, Quant},
    tiny::TinySpec,
};
use proptest::{collection::vec, prelude::*};

use super::{Draft, Guesses, Speculator, Text};
use crate::{limits, testing::TinyModel, vocabulary::Vocabulary};

fn vocabulary() -> Vocabulary {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    Vocabulary::load(&model.dir, &Manifest::read(&model.dir).unwrap()).unwrap()
}

/// A speculator to which further rows cost next to nothing.
fn eager() -> Speculator {
    let mut speculator = Speculator::default();
    for _ in 0..100 {
        speculator.timed(1, Duration::from_millis(10));
        speculator.timed(9, Duration::from_millis(10));
    }
    speculator
}

struct Rig {
    speculator: Speculator,
    guesses: Guesses,
    vocabulary: Vocabulary,
}

impl Rig {
    fn new(speculator: Speculator, references: &[&str]) -> Self {
        let references: Vec<Arc<str>> = references.iter().map(|&text| text.into()).collect();
        let guesses = speculator.guesses(&references);
        Self { speculator, guesses, vocabulary: vocabulary() }
    }

    fn draft(&mut self, tokens: &[u32], room: usize, others: &[&[u32]]) -> Draft {
        let (&next, tokens) = tokens.split_last().unwrap();
        self.speculator.draft(Text { tokens, next, room }, &mut self.guesses, others, &self.vocabulary)
    }
}

#[test]
fn what_repeats_is_guessed_to_go_on_beyond_its_end() {
    let mut rig = Rig::new(eager(), &[]);
    let draft = rig.draft(&[9, 5, 6, 7, 5, 6, 7, 5, 6], 7, &[]);
    assert_eq!(draft.tokens, [7, 5, 6, 7, 5, 6, 7]);
}

#[test]
fn nothing_seen_before_is_nothing_guessed() {
    let mut rig = Rig::new(eager(), &["nothing like it"]);
    assert_eq!(rig.draft(&[1, 2, 3, 4, 5], 100, &[&[9, 8, 7]]), Draft::default());
    assert_eq!(rig.draft(&[1], 100, &[]), Draft::default());
}

#[test]
fn no_more_is_guessed_than_there_is_room_for() {
    let mut rig = Rig::new(eager(), &[]);
    for room in [0, 1, 3, 1000] {
        let count = rig.draft(&[1, 2, 1, 2, 1, 2], room, &[]).tokens.len();
        assert_eq!(count, room.min(limits::DRAFT_TOKENS_MAX));
    }
}

#[test]
fn the_longest_match_wins_wherever_it_is() {
    let mut rig = Rig::new(eager(), &[]);
    // Two tokens match at home, three elsewhere.
    assert_eq!(rig.draft(&[2, 3, 50, 1, 2, 3], 1, &[&[2, 3, 60], &[1, 2, 3, 70]]).tokens, [70]);
    assert_eq!(rig.draft(&[2, 3, 50, 1, 2, 3], 1, &[&[2, 3, 60]]).tokens, [50]);
}

#[test]
fn what_a_slot_lost_is_remembered_and_never_read_across_its_end() {
    let mut speculator = eager();
    speculator.remember(&[1, 2, 3, 4, 5, 6], 3);
    speculator.remember(&[7, 8, 9], 0);
    let mut rig = Rig::new(speculator, &[]);
    assert_eq!(rig.draft(&[20, 2, 3], 100, &[]).tokens, [4, 5, 6]);
    assert_eq!(rig.draft(&[20, 5, 6], 100, &[]), Draft::default());
    assert_eq!(rig.draft(&[20, 7, 8], 100, &[]).tokens, [9]);
}

#[test]
fn what_slots_lose_does_not_pile_up() {
    let mut speculator = Speculator::default();
    let tokens: Vec<u32> = (0..5000).collect();
    for _ in 0..20 {
        speculator.remember(&tokens, 1);
        assert!(speculator.dropped.len() <= limits::DROPPED_TOKENS_MAX * 2);
    }
}

#[test]
fn references_are_searched_as_text_and_guessed_as_tokens() {
    let text = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n";
    let mut rig = Rig::new(eager(), &["something else", text]);
    let (head, rest) = text.split_at(text.find("width *").unwrap());
    let draft = rig.draft(&rig.vocabulary.encode(head).unwrap(), 1000, &[]);
    let bytes: Vec<u8> = draft.tokens.iter().flat_map(|&token| rig.vocabulary.bytes(token)).copied().collect();
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), &rest[..bytes.len()]);
    assert!(bytes.len() >= 10, "{draft:?}");
}

#[test]
fn too_many_references_are_left_out() {
    let texts: Vec<Arc<str>> = vec!["x".into(); 1000];
    assert_eq!(Speculator::default().guesses(&texts).references.len(), limits::REFERENCE_TEXTS_MAX);
    let long: Arc<str> = "x".repeat(limits::REFERENCE_BYTES_MAX).into();
    assert_eq!(Speculator::default().guesses(&[long, "x".into()]).references.len(), 1);
}

#[test]
fn drafts_that_are_always_wrong_stop_and_come_again_when_they_might_pay() {
    let mut rig = Rig::new(Speculator::default(), &[]);
    let text = [1, 2, 3, 1, 2];
    let mut tries = 0;
    for _ in 0..200 {
        let draft = rig.draft(&text, 8, &[]);
        if !draft.tokens.is_empty() {
            tries += 1;
            rig.speculator.judge(&mut rig.guesses, &draft, 0);
        }
    }
    assert!((1..20).contains(&tries), "{tries} of 200 passes guessed");
    let later = (0..2000).position(|_| !rig.draft(&text, 8, &[]).tokens.is_empty());
    assert!(later.is_some(), "a kind of guess is never given up for good");
}

#[test]
fn drafts_that_are_always_right_grow_with_what_rows_cost() {
    let longest = |row_micros: u64| {
        let mut speculator = Speculator::default();
        for rows in [1, 2, 5, 9, 25] {
            for _ in 0..20 {
                speculator.timed(rows, Duration::from_micros(1000 + row_micros * (rows as u64 - 1)));
            }
        }
        let mut rig = Rig::new(speculator, &[]);
        let mut most = 0;
        for _ in 0..50 {
            let draft = rig.draft(&[1, 2, 3, 1, 2], 100, &[]);
            rig.speculator.judge(&mut rig.guesses, &draft, draft.tokens.len());
            most = draft.tokens.len();
        }
        most
    };
    assert_eq!(longest(100), limits::DRAFT_TOKENS_MAX);
    // A row that costs a pass is no gain.
    assert_eq!(longest(1000), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_draft_is_what_followed_somewhere(tokens in vec(0u32..4, 2..60), other in vec(0u32..4, 0..60)) {
        let (&next, before) = tokens.split_last().unwrap();
        let whole = super::own(Text { tokens: before, next, room: 9 }, &tokens);
        if let Some(&first) = whole.tokens.first() {
            let seen = tokens.windows(2).any(|pair| pair == [next, first]);
            prop_assert!(seen, "{tokens:?} never went on with {first}");
        }
        if let Some(found) = super::lookup::in_tokens(&other, &tokens) {
            prop_assert!(found.next < other.len());
            prop_assert_eq!(&other[found.next - found.matched..found.next], &tokens[tokens.len() - found.matched..]);
        }
    }
}
