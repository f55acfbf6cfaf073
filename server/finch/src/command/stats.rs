//! `finch stats`: what became of suggestions, counted.

use std::collections::BTreeMap;

use anyhow::Result;
use finch_learn::stats::{Counts, Stats};
use serde::Serialize;

use super::print;
use super::table::aligned;
use crate::Exit;
use crate::cli::Json;
use crate::progress::say;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: &Surroundings, arguments: &Json) -> Result<Exit> {
    let stats = finch_learn::stats::stats(&surroundings.journal_folder())?;
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(Report::of(&stats))?))?;
        return Ok(Exit::Done);
    }
    print(&table(&stats))?;
    let skipped = stats.skipped;
    if skipped.total() > 0 {
        say(&format!(
            "finch: lines of the journal that were passed over: {} torn, {} too long, {} damaged, {} of a later version",
            skipped.torn, skipped.too_long, skipped.damaged, skipped.unknown
        ));
    }
    Ok(Exit::Done)
}

/// `finch stats --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Report {
    all: Line,
    by_language: BTreeMap<String, Line>,
    by_model: BTreeMap<String, Line>,
    by_provider: BTreeMap<String, Line>,
    /// Lines of the journal that were passed over.
    skipped: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    shown: u64,
    accepted: Accepted,
    rejected: u64,
    /// Of those shown; null if there were none.
    acceptance_rate: Option<f64>,
    kept_30_s: Kept,
    kept_300_s: Kept,
    feedback: Said,
}

#[derive(Debug, Serialize)]
struct Accepted {
    full: u64,
    line: u64,
    word: u64,
}

#[derive(Debug, Serialize)]
struct Kept {
    count: u64,
    share: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Said {
    good: u64,
    bad: u64,
    bad_minor: u64,
}

impl Report {
    fn of(stats: &Stats) -> Self {
        let lines =
            |by: &BTreeMap<String, Counts>| by.iter().map(|(name, counts)| (name.clone(), counts.into())).collect();
        Self {
            all: (&stats.all).into(),
            by_language: lines(&stats.by_language),
            by_model: lines(&stats.by_model),
            by_provider: lines(&stats.by_provider),
            skipped: stats.skipped.total(),
        }
    }
}

impl From<&Counts> for Line {
    fn from(counts: &Counts) -> Self {
        Self {
            shown: counts.shown,
            accepted: Accepted { full: counts.accepted_full, line: counts.accepted_line, word: counts.accepted_word },
            rejected: counts.rejected,
            acceptance_rate: counts.acceptance_rate(),
            kept_30_s: Kept { count: counts.kept_30_s.count, share: counts.kept_30_s.share() },
            kept_300_s: Kept { count: counts.kept_300_s.count, share: counts.kept_300_s.share() },
            feedback: Said { good: counts.good, bad: counts.bad, bad_minor: counts.bad_minor },
        }
    }
}

/// A line for all suggestions, and one for each language, model and provider.
fn table(stats: &Stats) -> String {
    let mut lines = vec![
        [
            "",
            "shown",
            "accepted",
            "full",
            "line",
            "word",
            "rejected",
            "kept 30 s",
            "kept 5 min",
            "good",
            "bad",
            "minor",
        ]
        .map(str::to_owned),
    ];
    lines.push(cells("all", &stats.all));
    for (head, by) in [("language", &stats.by_language), ("model", &stats.by_model), ("provider", &stats.by_provider)] {
        lines.extend(by.iter().map(|(name, counts)| cells(&format!("{head} {name}"), counts)));
    }
    aligned(&lines, &std::array::from_fn::<_, 11, _>(|column| column + 1))
}

fn cells(name: &str, counts: &Counts) -> [String; 12] {
    let percent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
    [
        name.to_owned(),
        counts.shown.to_string(),
        percent(counts.acceptance_rate()),
        counts.accepted_full.to_string(),
        counts.accepted_line.to_string(),
        counts.accepted_word.to_string(),
        counts.rejected.to_string(),
        percent(counts.kept_30_s.share()),
        percent(counts.kept_300_s.share()),
        counts.good.to_string(),
        counts.bad.to_string(),
        counts.bad_minor.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_everything_there_is() {
        let rust = Counts { shown: 4, accepted_full: 1, rejected: 2, bad: 1, ..Counts::default() };
        let mut stats = Stats { all: rust.clone(), ..Stats::default() };
        stats.by_language.insert("rust".into(), rust.clone());
        stats.by_model.insert("m\u{1b}".into(), rust);
        let expected = "
               shown  accepted  full  line  word  rejected  kept 30 s  kept 5 min  good  bad  minor
all                4      25 %     1     0     0         2          -           -     0    1      0
language rust      4      25 %     1     0     0         2          -           -     0    1      0
model m            4      25 %     1     0     0         2          -           -     0    1      0
";
        assert_eq!(table(&stats), expected[1..]);
        assert!(table(&Stats::default()).contains("all      0         -"));
    }
}
