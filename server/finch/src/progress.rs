//! Progress on long steps: how far, and for how long. Bars where stderr is a terminal, plain lines now and then where not.

use std::cell::Cell;
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves when nothing else moves it. Milliseconds.
const TICK_MS: u64 = 120;
/// The least time between two lines about one step where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One step that a person waits for.
pub(crate) struct Step {
    label: String,
    started: Instant,
    bar: Option<ProgressBar>,
    far: Cell<Far>,
    /// When the last line was said.
    said: Cell<Instant>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Far {
    done: u64,
    total: Option<u64>,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Tokens,
}

impl Step {
    /// Announces a step. How far it is, is shown once that is known.
    pub(crate) fn start(label: impl Into<String>) -> Self {
        let (label, started) = (label.into(), Instant::now());
        let far = Cell::new(Far { done: 0, total: None, unit: Unit::Bytes });
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        match &bar {
            Some(bar) => {
                bar.set_style(style("{spinner} {msg} {elapsed}"));
                bar.set_message(label.clone());
                bar.enable_steady_tick(Duration::from_millis(TICK_MS));
            }
            None => say(&label),
        }
        Self { label, started, bar, far, said: Cell::new(started) }
    }

    /// Shows how many bytes are done.
    pub(crate) fn bytes(&self, done: u64, total: Option<u64>) {
        self.show(Far { done, total, unit: Unit::Bytes });
    }

    /// Shows how many tokens are done.
    pub(crate) fn tokens(&self, done: usize, total: usize) {
        self.show(Far { done: done as u64, total: Some(total as u64), unit: Unit::Tokens });
    }

    fn show(&self, far: Far) {
        self.far.set(far);
        let Some(bar) = &self.bar else {
            if self.said.get().elapsed() >= LINE_EVERY {
                self.said.set(Instant::now());
                say(&format!("{}: {far}, {}", self.label, Elapsed(self.started.elapsed())));
            }
            return;
        };
        match far.total {
            Some(total) if bar.length() != Some(total) => {
                let count = match far.unit {
                    Unit::Bytes => "{bytes}/{total_bytes}",
                    Unit::Tokens => "{pos}/{len} tokens",
                };
                let template = format!("{{msg}} [{{bar:28}}] {count} {{elapsed}}, {{eta}} left");
                bar.set_style(style(&template).progress_chars("=> "));
                bar.set_length(total);
            }
            _ => {}
        }
        bar.set_position(far.done);
    }

    /// Says something without disturbing the bar.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Ends the step; the bar gives way to one line.
    pub(crate) fn done(self) {
        let far = self.far.get();
        let what = if far.done == 0 { "done".to_owned() } else { format!("{}, done", far.whole()) };
        self.end(&what);
    }

    /// Ends the step before it is done.
    pub(crate) fn stopped(self) {
        let far = self.far.get();
        self.end(&format!("stopped at {far}"));
    }

    fn end(self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(&format!("{}: {what} in {}", self.label, Elapsed(self.started.elapsed())));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Far {
    /// What there is of it when all is done.
    fn whole(self) -> String {
        self.count(self.total.unwrap_or(self.done))
    }

    fn count(self, number: u64) -> String {
        match self.unit {
            Unit::Bytes if number < 10_000_000 => format!("{:.1} MB", number as f64 / 1e6),
            Unit::Bytes => format!("{} MB", number / 1_000_000),
            Unit::Tokens => format!("{number} tokens"),
        }
    }
}

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "{} of {}", self.count(self.done), self.count(total)),
            None => f.write_str(&self.count(self.done)),
        }
    }
}

struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// One line to stderr, for people.
pub(crate) fn say(text: &str) {
    if writeln!(std::io::stderr(), "{text}").is_err() {
        tracing::debug!("stderr is closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_step_is_can_be_read() {
        let check = |done, total, unit, text: &str| assert_eq!(Far { done, total, unit }.to_string(), text);
        check(0, None, Unit::Bytes, "0.0 MB");
        check(1_250_000, Some(9_876_543), Unit::Bytes, "1.2 MB of 9.9 MB");
        check(412_000_000, Some(988_000_000), Unit::Bytes, "412 MB of 988 MB");
        check(64, Some(2560), Unit::Tokens, "64 tokens of 2560 tokens");
        let elapsed = |seconds| Elapsed(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!([elapsed(0.04), elapsed(59.04), elapsed(61.0)], ["0.0 s", "59.0 s", "1 min 1 s"]);
    }
}
