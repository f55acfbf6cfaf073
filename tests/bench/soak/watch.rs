//! The daemon from outside: its memory over time, and its file descriptors before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;

use crate::editor::resident_kib;

/// Between two looks at its memory.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// MiB in ten minutes by which it may grow, once it is warm.
const SLOPE_MAX: f64 = 1.0;
/// As much of the time, from the start on, is for growing warm.
const WARM_UP_SHARE: f64 = 0.25;

pub(super) struct Watch {
    pid: u32,
    /// Seconds and MiB.
    seen: Vec<(f64, f64)>,
    pub(super) fds_before: usize,
    pub(super) fds_after: usize,
}

impl Watch {
    pub(super) fn start(pid: u32) -> Result<Self> {
        let fds = fds(pid)?;
        Ok(Self { pid, seen: Vec::new(), fds_before: fds, fds_after: fds })
    }

    /// Looks at its memory, if that was not just done.
    pub(super) fn look(&mut self, at: Duration) -> Result<()> {
        let at = at.as_secs_f64();
        if self.seen.last().is_none_or(|(last, _)| at - last >= LOOK_EVERY.as_secs_f64()) {
            self.seen.push((at, resident_kib(self.pid)? as f64 / 1024.0));
        }
        Ok(())
    }

    pub(super) fn count_fds(&mut self, pid: u32) -> Result<usize> {
        self.fds_after = fds(pid)?;
        Ok(self.fds_after)
    }

    /// MiB in ten minutes: the line that is nearest to the least of each minute once it was warm. What is computed of
    /// prompts comes and goes; what never goes is in the least.
    fn slope(&self) -> f64 {
        let warm_from = self.seen.last().map_or(0.0, |(last, _)| last * WARM_UP_SHARE);
        let mut minutes: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for &(at, mib) in self.seen.iter().filter(|(at, _)| *at >= warm_from) {
            let least = minutes.entry((at / 60.0) as u64).or_insert((at, mib));
            if mib < least.1 {
                *least = (at, mib);
            }
        }
        slope(&minutes.into_values().collect::<Vec<_>>()) * 600.0
    }

    pub(super) fn slope_complaint(&self) -> Option<String> {
        let slope = self.slope();
        // What is no number is none that is small enough.
        let is_flat = slope < SLOPE_MAX;
        (!is_flat).then(|| format!("the daemon grows by {slope:.2} MiB in 10 minutes, more than {SLOPE_MAX}"))
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.seen.iter().map(|(_, mib)| *mib);
        let (first, last) = (all().next().unwrap_or_default(), all().next_back().unwrap_or_default());
        let most = all().fold(0.0, f64::max);
        writeln!(
            f,
            "the daemon's memory: {first:.1} MiB at first, {last:.1} at last, {most:.1} at most; {:+.2} MiB in 10 minutes once \
             it was warm (goal {SLOPE_MAX})",
            self.slope()
        )?;
        let tenths = (0..=10).filter_map(|tenth| self.seen.get(self.seen.len().saturating_sub(1) * tenth / 10));
        let tenths: Vec<String> = tenths.map(|(_, mib)| format!("{mib:.0}")).collect();
        writeln!(f, "  at each tenth of the time: {} MiB", tenths.join(", "))?;
        write!(f, "its file descriptors: {} at first, {} at last", self.fds_before, self.fds_after)
    }
}

fn fds(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Of the least squares line through points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let up: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    up / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
