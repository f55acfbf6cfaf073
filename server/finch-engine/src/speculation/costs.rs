//! What a pass of several rows takes, in passes of one row, as measured on this machine with this model.
//!
//! Each count of rows has its own figure, since kernels work in steps; counts that were never run are estimated by a
//! straight line through those that were.

use std::time::Duration;

use crate::limits;

/// Rows whose costs are kept: a full draft and the token before it.
const ROWS_MAX: usize = limits::DRAFT_TOKENS_MAX + 1;
/// What each further row is taken to cost before anything is measured.
const EXPECTED_ROW: f64 = 0.2;
/// What that expectation weighs, in passes of nine rows.
const EXPECTED_WEIGHT: f64 = 0.5;
/// A pass that lies so many passes back weighs a third.
const MEMORY: f64 = 30.0;
/// What the line weighs beside the figures of one count of rows, in passes.
const LINE_WEIGHT: f64 = 2.0;
/// A pass that took so many times what was expected was disturbed, and counts as this much.
const DISTURBED: f64 = 3.0;

/// The measured costs.
#[derive(Debug, Clone)]
pub(crate) struct Costs {
    /// Seconds of a pass of one row.
    single: Option<f64>,
    /// By rows: the mean, relative to `single`, and the passes it is of.
    means: [(f64, f64); ROWS_MAX + 1],
    /// A line through (1 row, 1): sums of rows times cost, and rows squared, both counted from there.
    products: f64,
    squares: f64,
    /// A test counts passes, and how many there are must not depend on the time they took.
    #[cfg(test)]
    is_frozen: bool,
}

impl Default for Costs {
    fn default() -> Self {
        let squares = EXPECTED_WEIGHT * 64.0;
        Self {
            single: None,
            means: [(0.0, 0.0); ROWS_MAX + 1],
            products: squares * EXPECTED_ROW,
            squares,
            #[cfg(test)]
            is_frozen: false,
        }
    }
}

impl Costs {
    /// What a pass of so many rows costs, in passes of one.
    pub(crate) fn of(&self, rows: usize) -> f64 {
        let rows = rows.clamp(1, ROWS_MAX);
        let line = self.line(rows);
        let (mean, passes) = self.means[rows];
        (mean * passes + line * LINE_WEIGHT) / (passes + LINE_WEIGHT)
    }

    fn line(&self, rows: usize) -> f64 {
        1.0 + (rows - 1) as f64 * (self.products / self.squares).max(0.0)
    }

    /// What is expected before anything is measured, for good.
    #[cfg(test)]
    pub(crate) fn frozen() -> Self {
        Self { is_frozen: true, ..Self::default() }
    }

    /// Learns from a pass.
    pub(crate) fn learn(&mut self, rows: usize, time: Duration) {
        #[cfg(test)]
        if self.is_frozen {
            return;
        }
        let time = time.as_secs_f64();
        let fading = 1.0 / MEMORY;
        match (rows, self.single) {
            (1, None) => self.single = Some(time),
            (1, Some(single)) => {
                let time = time.min(single * DISTURBED);
                self.single = Some(single + (time - single) * fading * 4.0);
            }
            (2..=ROWS_MAX, Some(single)) if single > 0.0 => {
                let cost = (time / single).min(self.of(rows) * DISTURBED);
                let further = (rows - 1) as f64;
                self.products += further * (cost - 1.0) - self.products * fading;
                self.squares += further * further - self.squares * fading;
                let (mean, passes) = &mut self.means[rows];
                *passes = (*passes + 1.0).min(MEMORY / 4.0);
                *mean += (cost - *mean) / *passes;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Costs, ROWS_MAX};

    fn learned(passes: &[(usize, u64)]) -> Costs {
        let mut costs = Costs::default();
        for &(rows, micros) in passes {
            costs.learn(rows, Duration::from_micros(micros));
        }
        costs
    }

    #[track_caller]
    fn check(costs: &Costs, rows: usize, expected: f64) {
        let cost = costs.of(rows);
        assert!((cost - expected).abs() < expected * 0.1, "{rows} rows cost {cost} where {expected} is expected");
    }

    #[test]
    fn one_row_costs_one_and_more_rows_cost_more() {
        let costs = Costs::default();
        check(&costs, 1, 1.0);
        assert!((2..=ROWS_MAX).all(|rows| costs.of(rows) > costs.of(rows - 1)));
    }

    #[test]
    fn what_is_measured_counts_and_what_is_not_lies_on_its_line() {
        let costs = learned(&[[(1, 1000), (3, 2000), (9, 5000)]; 20].concat());
        check(&costs, 3, 2.0);
        check(&costs, 9, 5.0);
        check(&costs, 5, 3.0);
        check(&costs, 17, 9.0);
    }

    #[test]
    fn a_step_in_the_kernels_is_seen() {
        let costs = learned(&[[(1, 1000), (4, 1500), (5, 4000)]; 20].concat());
        check(&costs, 4, 1.6);
        assert!(costs.of(5) > 3.4, "{}", costs.of(5));
    }

    #[test]
    fn a_disturbed_pass_does_not_stick() {
        let mut costs = learned(&[[(1, 1000), (5, 2000)]; 30].concat());
        costs.learn(5, Duration::from_secs(60));
        assert!(costs.of(5) < 3.5, "{}", costs.of(5));
        for _ in 0..30 {
            costs.learn(5, Duration::from_micros(2000));
        }
        check(&costs, 5, 2.0);
    }

    #[test]
    fn passes_without_a_measure_and_none_at_all_teach_nothing() {
        let costs = learned(&[(5, 9000), (0, 9000), (1000, 9000)]);
        assert_eq!(costs.of(5).to_bits(), Costs::default().of(5).to_bits());
    }
}
