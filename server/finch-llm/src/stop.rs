//! Stop texts: the answer ends before the first of them, however the text was cut into pieces.
//!
//! "First" is the one whose end comes first in the text, and of several that end together the longest. Text that
//! may be the beginning of a stop text is held back. Knows text only; whoever makes or reads an answer feeds it.

use crate::limits;

/// Lets text through up to the first stop text.
#[derive(Debug, Clone)]
pub struct StopMatcher {
    stops: Vec<String>,
    /// The end of the text so far, as far as a stop text may begin in it.
    held: String,
}

/// What a stop matcher makes of a piece of text.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// This much may be shown.
    Text(String),
    /// This much may be shown, and a stop text follows.
    Stopped(String),
}

/// The stop texts of a request are too many or too long.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {} stop texts of at most {} bytes are taken", limits::STOP_TEXTS_MAX, limits::STOP_TEXT_BYTES_MAX)]
pub struct TooManyStops;

impl StopMatcher {
    /// Empty stop texts never match.
    ///
    /// # Errors
    /// [`TooManyStops`] where they are too many or too long.
    pub fn new(stops: &[String]) -> Result<Self, TooManyStops> {
        let too_long = stops.iter().any(|stop| stop.len() > limits::STOP_TEXT_BYTES_MAX);
        if stops.len() > limits::STOP_TEXTS_MAX || too_long {
            return Err(TooManyStops);
        }
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Ok(Self { stops, held: String::new() })
    }

    /// Takes the next piece of the answer.
    pub fn push(&mut self, piece: &str) -> Passed {
        let fresh_from = self.held.len();
        self.held.push_str(piece);
        if let Some(start) = self.first_stop(fresh_from) {
            self.held.truncate(start);
            return Passed::Stopped(std::mem::take(&mut self.held));
        }
        let keep_from = self.held.len() - self.forming_bytes();
        let kept = self.held.split_off(keep_from);
        Passed::Text(std::mem::replace(&mut self.held, kept))
    }

    /// The text that was held back, when no more comes.
    #[must_use]
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the stop text begins whose end comes first behind `fresh_from`.
    fn first_stop(&self, fresh_from: usize) -> Option<usize> {
        let text = self.held.as_bytes();
        let ends_here = |end: usize| self.stops.iter().filter(move |stop| text[..end].ends_with(stop.as_bytes()));
        (fresh_from + 1..=text.len()).find_map(|end| ends_here(end).map(|stop| end - stop.len()).min())
    }

    /// The length of the longest end of the text that begins a stop text.
    fn forming_bytes(&self) -> usize {
        let text = self.held.as_bytes();
        let forming = |stop: &String| {
            let longest = text.len().min(stop.len() - 1);
            (1..=longest).rev().find(|&count| text.ends_with(&stop.as_bytes()[..count])).unwrap_or(0)
        };
        self.stops.iter().map(forming).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
