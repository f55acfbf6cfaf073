//! Progress on long steps: bars where stderr is a terminal, one line a step where it is not.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves when nothing else moves it. Milliseconds.
const TICK_MS: u64 = 120;

/// One step that a person waits for.
pub(crate) struct Step {
    label: String,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Announces a step. Bytes are shown once their total is known.
    pub(crate) fn start(label: impl Into<String>) -> Self {
        let label = label.into();
        if !std::io::stderr().is_terminal() {
            say(&label);
            return Self { label, bar: None };
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(label.clone());
        bar.enable_steady_tick(Duration::from_millis(TICK_MS));
        Self { label, bar: Some(bar) }
    }

    /// Shows how far the step is.
    pub(crate) fn bytes(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        match total {
            Some(total) if bar.length() != Some(total) => {
                bar.set_style(style("{msg} [{bar:28}] {bytes}/{total_bytes} {eta}").progress_chars("=> "));
                bar.set_length(total);
            }
            _ => {}
        }
        bar.set_position(done);
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
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            say(&format!("{}: done", self.label));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
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
