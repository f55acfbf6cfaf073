//! One of the two that somebody types with: what an editor tells it and what it shows.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What was shown when the typist looked up, and how long after the last key.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) text: String,
    /// Bytes behind the cursor that the text takes the place of.
    pub(crate) replaced: usize,
    pub(crate) time: Duration,
}

pub(crate) trait Side {
    /// A key: the text changes and the cursor stands at `cursor`.
    fn edit(&mut self, range: Range<usize>, text: &str, cursor: usize) -> Result<()>;
    /// The next key comes after so long.
    fn pause(&mut self, gap: Duration) -> Result<()>;
    /// Waits until it is known what is shown at this place.
    fn look(&mut self) -> Result<Look>;
    /// What is shown is taken; the edit follows.
    fn accept(&mut self) -> Result<()>;
    /// Requests made so far.
    fn requests(&self) -> usize;
    /// Processor time of the server so far.
    fn cpu(&self) -> Result<Duration>;
}

/// Processor time of a process, all its threads together.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    const MS_PER_TICK: u64 = 10;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("no fields")?.split_whitespace().collect();
    Ok(Duration::from_millis(MS_PER_TICK * (fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)))
}
