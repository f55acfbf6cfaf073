//! What was asked, what came of it, and what there is to complain of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::feedback::Acknowledged;

/// Of the requests to this machine that were right, as many may have had a wrong answer or none.
const WRONG_SHARE_MAX: f64 = 0.005;
/// Of the answers of a cloud, as many may break off behind their first words, or be so few; twice what it was told to do.
const BROKE_OFF_SHARE_MAX: f64 = 0.1;
const BROKE_OFF_ALWAYS: usize = 3;
const SHOWN_MAX: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Of which editor.
    Suggestion(usize),
    ChatStreamed,
    ChatWhole,
    Completion,
    CloudStreamed,
    CloudWhole,
    Status,
    Feedback,
    Fault,
}

pub(super) enum Outcome {
    Right,
    /// A cloud failed, and the local model answered instead.
    Instead,
    /// A cloud's answer broke off behind its first words, and the client was told.
    BrokeOff,
    /// A wrong answer, or none.
    Wrong(String),
}

#[derive(Default)]
struct Row {
    right: usize,
    instead: usize,
    broke_off: usize,
    wrong: Vec<String>,
    times: Vec<Duration>,
}

pub(super) struct Tally {
    pub(super) acknowledged: Arc<Acknowledged>,
    rows: BTreeMap<Kind, Row>,
}

impl Kind {
    fn is_cloud(self) -> bool {
        matches!(self, Self::CloudStreamed | Self::CloudWhole)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suggestion(editor) => write!(f, "suggestion in editor {}", editor + 1),
            Self::ChatStreamed => f.write_str("chat, streamed"),
            Self::ChatWhole => f.write_str("chat, whole"),
            Self::Completion => f.write_str("completion with a suffix"),
            Self::CloudStreamed => f.write_str("chat of a cloud, streamed"),
            Self::CloudWhole => f.write_str("chat of a cloud, whole"),
            Self::Status => f.write_str("status"),
            Self::Feedback => f.write_str("feedback"),
            Self::Fault => f.write_str("faults of clients"),
        }
    }
}

impl Row {
    fn asked(&self) -> usize {
        self.right + self.instead + self.broke_off + self.wrong.len()
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

impl Tally {
    pub(super) fn new(acknowledged: Arc<Acknowledged>) -> Self {
        Self { acknowledged, rows: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, (kind, outcome, time): (Kind, Outcome, Duration)) {
        let row = self.rows.entry(kind).or_default();
        row.times.push(time);
        match outcome {
            Outcome::Right => row.right += 1,
            Outcome::Instead => row.instead += 1,
            Outcome::BrokeOff => row.broke_off += 1,
            Outcome::Wrong(how) => row.wrong.push(how),
        }
    }

    /// Sums over the rows that fit.
    fn sum(&self, fits: impl Fn(Kind) -> bool, of: impl Fn(&Row) -> usize) -> usize {
        self.rows.iter().filter(|(kind, _)| fits(**kind)).map(|(_, row)| of(row)).sum()
    }

    fn wrong_share(&self) -> f64 {
        let asked = self.sum(|kind| !kind.is_cloud(), Row::asked);
        self.sum(|kind| !kind.is_cloud(), |row| row.wrong.len()) as f64 / asked.max(1) as f64
    }

    /// Everything that must not be.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let share = self.wrong_share();
        if share >= WRONG_SHARE_MAX {
            complaints.push(format!("{:.2} % of the requests to this machine went wrong", share * 100.0));
        }
        if self.rows.is_empty() {
            complaints.push("nothing was asked".to_owned());
        }
        let (asked, wrong) = (self.sum(Kind::is_cloud, Row::asked), self.sum(Kind::is_cloud, |row| row.wrong.len()));
        if wrong > 0 {
            complaints.push(format!("{wrong} requests to a cloud had no answer of anybody"));
        }
        let broke_off = self.sum(Kind::is_cloud, |row| row.broke_off);
        if broke_off > BROKE_OFF_ALWAYS && broke_off as f64 > asked as f64 * BROKE_OFF_SHARE_MAX {
            complaints.push(format!("{broke_off} of {asked} answers of a cloud broke off"));
        }
        if self.sum(Kind::is_cloud, |row| row.right) == 0 {
            complaints.push("the cloud has answered nothing".to_owned());
        }
        complaints
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<27} {:>6} {:>6} {:>8} {:>10} {:>13} {:>8} {:>8}",
            "what", "asked", "right", "instead", "broke off", "wrong or none", "p50, ms", "p95, ms"
        )?;
        for (kind, row) in &self.rows {
            let (asked, Row { right, instead, broke_off, wrong, .. }) = (row.asked(), row);
            let (half, most) = (row.percentile_ms(50), row.percentile_ms(95));
            let kind = kind.to_string();
            writeln!(
                f,
                "{kind:<27} {asked:>6} {right:>6} {instead:>8} {broke_off:>10} {:>13} {half:>8.0} {most:>8.0}",
                wrong.len()
            )?;
        }
        writeln!(
            f,
            "wrong or none, of what this machine was asked: {:.2} % (goal below {:.1} %)",
            self.wrong_share() * 100.0,
            WRONG_SHARE_MAX * 100.0
        )?;
        let wrong = self.rows.values().flat_map(|row| &row.wrong);
        wrong.take(SHOWN_MAX).try_for_each(|how| writeln!(f, "  {how}"))
    }
}
