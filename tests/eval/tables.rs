//! Answers added up and printed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::language::Language;
use crate::places::Kind;
use crate::scene::Answer;
use crate::score::Judged;

#[derive(Default)]
pub(crate) struct Tally {
    places: usize,
    shown: usize,
    exact: usize,
    whole: usize,
    likeness: f64,
    first_word: usize,
    kept: f64,
    parses: usize,
    prompt_tokens: u64,
    times: Vec<Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, judged: &Judged, answer: &Answer) {
        self.places += 1;
        self.exact += usize::from(judged.exact);
        self.whole += usize::from(judged.whole);
        self.likeness += judged.likeness;
        self.first_word += usize::from(judged.first_word);
        self.prompt_tokens += answer.prompt_tokens;
        self.times.push(answer.time);
        if !answer.text.is_empty() {
            self.shown += 1;
            self.kept += judged.kept;
            self.parses += usize::from(judged.parses);
        }
    }

    pub(crate) fn exact_share(&self) -> f64 {
        share(self.exact, self.places)
    }
}

/// Parts of a whole; nothing of nothing is nothing.
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The time below which a share of them lies, in milliseconds.
pub(crate) fn percentile_ms(times: &[Duration], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = (sorted.len().saturating_sub(1) as f64 * share).round();
    sorted.get(at as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

pub(crate) fn head(name: &str) {
    println!("\n{name}");
    println!(
        "{:<28}{:>5}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>8}{:>8}{:>8}",
        "", "n", "shown", "exact", "whole", "like", "word", "kept", "parses", "p50 ms", "p95 ms", "prompt"
    );
}

pub(crate) fn row(name: &str, tally: &Tally) {
    if tally.places == 0 {
        return;
    }
    let n = tally.places as f64;
    let shown = tally.shown.max(1) as f64;
    println!(
        "{name:<28}{:>5}{:>7.2}{:>7.3}{:>7.3}{:>7.3}{:>7.3}{:>7.3}{:>7.3}{:>8.0}{:>8.0}{:>8.0}",
        tally.places,
        share(tally.shown, tally.places),
        tally.exact_share(),
        share(tally.whole, tally.places),
        tally.likeness / n,
        tally.first_word as f64 / n,
        tally.kept / shown,
        share(tally.parses, tally.shown),
        percentile_ms(&tally.times, 0.5),
        percentile_ms(&tally.times, 0.95),
        tally.prompt_tokens as f64 / n,
    );
}

/// Tallies by language and kind; `None` is all of them.
pub(crate) type Cells = BTreeMap<(Option<Language>, Option<Kind>), Tally>;

/// Each kind in each language, then each language, each kind, and all.
pub(crate) fn print(name: &str, cells: &Cells) {
    head(name);
    for (&(language, kind), tally) in cells.iter().rev() {
        let language = language.map_or("all", Language::id);
        row(&format!("{language}, {}", kind.map_or("all", Kind::name)), tally);
    }
}

/// The figure that counts: exact ends of lines, ours beside theirs.
pub(crate) fn compare(ours: &Cells, theirs: &Cells, names: (&str, &str)) {
    println!("\nexact rest of line: {} / {}", names.0, names.1);
    for (&(language, kind), tally) in ours {
        if kind == Some(Kind::Rest)
            && let Some(other) = theirs.get(&(language, kind))
        {
            let (us, them) = (tally.exact_share(), other.exact_share());
            println!("  {:<12}{us:.3} / {them:.3} = {:.2}", language.map_or("all", Language::id), us / them);
        }
    }
}
