//! Reads a family's metadata keys, each within its bounds.
//!
//! A key that is there and makes no sense is an error that names it; what a key means is its reader's knowledge. Called by
//! `shape` and `positions`.

use super::family::Family;
use crate::checkpoint::{Checkpoint, CheckpointError};

/// The keys below one family's name.
pub(super) struct Keys<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) family: &'static Family,
}

impl Keys<'_> {
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.family.name)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        let name = self.name(key);
        self.checkpoint.keys().any(|key| key == name)
    }

    pub(super) fn size(&self, key: &str, max: usize) -> Result<usize, CheckpointError> {
        let name = self.name(key);
        if !self.has(key) {
            return Err(self.checkpoint.broken(format!("it has no {name}")));
        }
        let size = self.checkpoint.number(&name).and_then(|size| usize::try_from(size).ok());
        size.filter(|size| (1..=max).contains(size))
            .ok_or_else(|| self.checkpoint.unsupported(format!("{name} is not one whole number from 1 to {max}")))
    }

    pub(super) fn size_or(&self, key: &str, max: usize, default: usize) -> Result<usize, CheckpointError> {
        if self.has(key) { self.size(key, max) } else { Ok(default) }
    }

    pub(super) fn float(&self, key: &str) -> Result<f64, CheckpointError> {
        let name = self.name(key);
        let number = self.checkpoint.float(&name).or_else(|| self.checkpoint.number(&name).map(|number| number as f64));
        match number {
            Some(number) if number.is_finite() && number > 0.0 => Ok(number),
            _ => Err(self.checkpoint.broken(format!("{name} is not a positive number"))),
        }
    }

    pub(super) fn float_or(&self, key: &str, default: f64) -> Result<f64, CheckpointError> {
        if self.has(key) { self.float(key) } else { Ok(default) }
    }

    /// A number that may be absent.
    pub(super) fn float_if(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        if self.has(key) { self.float(key).map(Some) } else { Ok(None) }
    }

    /// A text that may be absent.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, CheckpointError> {
        let name = self.name(key);
        match self.checkpoint.text(&name) {
            None if self.has(key) => Err(self.checkpoint.broken(format!("{name} is not text"))),
            text => Ok(text),
        }
    }
}
