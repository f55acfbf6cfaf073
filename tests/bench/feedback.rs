//! Feedback that finch said it has: whether all of it is in the journal in the end.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// The notes of all feedback that was acknowledged. Each note is said once.
#[derive(Default)]
pub(crate) struct Acknowledged(Mutex<BTreeSet<String>>);

/// What became of it.
pub(crate) struct Kept {
    acknowledged: usize,
    found: usize,
}

/// The body of a request that says something bad.
pub(crate) fn body(note: &str) -> String {
    json!({"verdict": "bad", "severity": "minor", "note": note, "language": "python", "source": "model"}).to_string()
}

impl Acknowledged {
    pub(crate) fn add(&self, note: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(note);
    }

    /// Looks for it as its user would, once nobody writes any more.
    pub(crate) fn kept_in(&self, home: &Path) -> Result<Kept> {
        let listed = Command::new(env!("CARGO_BIN_EXE_finch"))
            .args(["feedback", "list", "--json"])
            .env("FINCH_HOME", home)
            .output()?;
        ensure!(listed.status.success(), "finch feedback list: {}", String::from_utf8_lossy(&listed.stderr));
        let listed: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
        let notes: BTreeSet<&str> = listed.iter().filter_map(|one| one["note"].as_str()).collect();
        let acknowledged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = acknowledged.iter().filter(|note| notes.contains(note.as_str())).count();
        Ok(Kept { acknowledged: acknowledged.len(), found })
    }
}

impl Kept {
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    pub(crate) fn lost(&self) -> usize {
        self.acknowledged - self.found
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, found } = self;
        write!(f, "feedback records acknowledged {acknowledged}, found {found}, lost {}", self.lost())
    }
}
