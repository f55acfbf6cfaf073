//! When a plan is enough: nothing that must be addressed is open, everybody was heard, and it stays as it is.
//!
//! Pure. Whether a plan stays as it is is told by what its steps say, never by how long it is.

use std::collections::HashSet;

use super::{Plan, Review, Step, Weight};
use crate::limits::PLAN_STABLE_PERCENT;

/// Whether no more rounds are needed. `before` is the plan of the round before.
pub(super) fn is_settled(before: Option<&Plan>, plan: &Plan, reviews: &[Review]) -> bool {
    let is_open = reviews.iter().any(|review| match review {
        Review::Failed { .. } => true,
        Review::Findings(findings) => findings.iter().any(|finding| finding.weight() == Weight::MustAddress),
    });
    // A plan that nobody objects to would only be written again.
    !is_open && before.is_none_or(|before| is_stable(before, plan))
}

/// Whether most of what the two say is the same, step by step and in order.
fn is_stable(before: &Plan, after: &Plan) -> bool {
    let pairs = before.steps.len().max(after.steps.len());
    let alike: usize = before.steps.iter().zip(&after.steps).map(|(one, other)| likeness(one, other)).sum();
    alike >= PLAN_STABLE_PERCENT * pairs
}

/// 0 to 100: the share of words that both have.
fn likeness(one: &Step, other: &Step) -> usize {
    let (one, other) = (words(one), words(other));
    // Two steps without a word are the same.
    (100 * one.intersection(&other).count()).checked_div(one.union(&other).count()).unwrap_or(100)
}

fn words(step: &Step) -> HashSet<String> {
    let texts = [step.title.as_str(), &step.what, &step.check].into_iter().chain(step.files.iter().map(String::as_str));
    let words = texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Finding, Persona};

    fn plan(steps: &[&str]) -> Plan {
        let step = |what: &&str| Step { what: (*what).to_owned(), ..Step::default() };
        Plan { task: String::new(), steps: steps.iter().map(step).collect() }
    }

    fn finding(severity: u8, confidence: u8) -> Review {
        Review::Findings(vec![Finding {
            persona: Persona::Security,
            concern: "c".to_owned(),
            step: None,
            severity,
            confidence,
            evidence: None,
            is_unfounded: false,
        }])
    }

    #[track_caller]
    fn check(before: Option<&[&str]>, plan_now: &[&str], reviews: &[Review], settled: bool) {
        assert_eq!(is_settled(before.map(plan).as_ref(), &plan(plan_now), reviews), settled);
    }

    const NOW: &[&str] = &["mend the parser in src a rs", "run the tests"];

    #[test]
    fn nothing_grave_may_be_open_and_everybody_must_be_heard() {
        check(None, NOW, &[], true);
        check(None, NOW, &[finding(7, 10), finding(10, 4)], true);
        check(None, NOW, &[finding(8, 7)], false);
        check(None, NOW, &[Review::Failed { persona: Persona::Security, why: String::new() }], false);
    }

    #[test]
    fn another_plan_of_the_same_length_is_another_plan() {
        check(Some(NOW), NOW, &[], true);
        check(Some(&["melt the carrots on src z js", "eat the lunch"]), NOW, &[], false);
        check(Some(&["mend the parser in src a rs"]), NOW, &[], false);
        check(Some(&["run the tests", "mend the parser in src a rs"]), NOW, &[], false);
        check(Some(&["Mend the parser, in `src/a.rs`.", "Run the tests!"]), NOW, &[], true);
    }
}
