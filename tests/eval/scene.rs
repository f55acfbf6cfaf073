//! What both sides are asked and what they answer.

use std::time::Duration;

use anyhow::Result;

use crate::corpus::File;
use crate::places::Place;

/// A place, and the files that were visited before it, the nearest last.
pub(crate) struct Scene<'a> {
    pub(crate) place: &'a Place,
    pub(crate) file: &'a File,
    pub(crate) neighbours: Vec<&'a File>,
}

/// What would be shown; an empty text is silence.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// Bytes behind the cursor that the text takes the place of.
    pub(crate) replaced: usize,
    /// Why nothing is shown, where the side says so.
    pub(crate) reason: Option<String>,
    pub(crate) time: Duration,
    pub(crate) prompt_tokens: u64,
    pub(crate) generated_tokens: u64,
}

/// finch, a variant of it, or the peer.
pub(crate) trait Subject {
    fn name(&self) -> String;
    fn ask(&mut self, scene: &Scene) -> Result<Answer>;
}
