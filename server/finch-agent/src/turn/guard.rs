//! Notices a model that does the same thing again and again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use finch_llm::ToolCall;

use crate::{
    Access, Outcome,
    limits::{REPEATS_MAX, REPEATS_TOLD},
};

/// What is to be done about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// The model is told that it repeats itself.
    Warn {
        times: usize,
    },
    /// The turn ends.
    Stop,
}

#[derive(Debug)]
struct Repeat {
    result: u64,
    revision: u64,
    times: usize,
}

/// Counts calls that came to the same as before.
#[derive(Debug, Default)]
pub(crate) struct LoopGuard {
    seen: HashMap<(String, String), Repeat>,
}

impl LoopGuard {
    /// Takes note of a call and what it came to. A call that only looks or runs something counts anew once files have
    /// changed (`revision`): testing again after an edit is no loop. An edit and a restart count on.
    pub(crate) fn saw(&mut self, call: &ToolCall, access: &[Access], outcome: &Outcome, revision: u64) -> Verdict {
        let mut hasher = DefaultHasher::new();
        (&outcome.text, outcome.is_error).hash(&mut hasher);
        let result = hasher.finish();
        let counts_on = access.iter().any(|access| matches!(access, Access::Write { .. } | Access::Restart { .. }));
        let repeat = self.seen.entry((call.name.clone(), call.arguments_json.clone())).or_insert(Repeat {
            result,
            revision,
            times: 0,
        });
        let same = repeat.result == result && (counts_on || repeat.revision == revision);
        *repeat = Repeat { result, revision, times: if same { repeat.times + 1 } else { 1 } };
        match repeat.times {
            times if times >= REPEATS_MAX => Verdict::Stop,
            times if times >= REPEATS_TOLD => Verdict::Warn { times },
            _ => Verdict::Fine,
        }
    }

    /// The model has lost sight of what it saw: it may look again.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "1".to_owned(), name: "Read".to_owned(), arguments_json: arguments.to_owned() }
    }

    /// What comes of calls: arguments, result, revision.
    #[track_caller]
    fn check(access: &[Access], calls: &[(&str, &str, u64)], expected: &[Verdict]) {
        let mut guard = LoopGuard::default();
        let verdicts: Vec<Verdict> = calls
            .iter()
            .map(|(arguments, result, revision)| {
                guard.saw(&call(arguments), access, &Outcome::done(*result), *revision)
            })
            .collect();
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn the_same_call_with_the_same_result_is_told_and_then_stopped() {
        use Verdict::{Fine, Stop, Warn};
        let read = [Access::Read { path: "a".into() }];
        let write = [Access::Write { path: "a".into(), diff: String::new() }];
        check(&read, &[("a", "x", 0); 5], &[Fine, Fine, Warn { times: 3 }, Warn { times: 4 }, Stop]);
        check(&read, &[("a", "x", 0), ("b", "x", 0), ("a", "x", 0), ("b", "x", 0), ("c", "x", 0)], &[Fine; 5]);
        check(&read, &[("a", "x", 0), ("a", "y", 0), ("a", "x", 0), ("a", "y", 0), ("a", "x", 0)], &[Fine; 5]);
        check(&read, &[("a", "x", 0), ("a", "x", 1), ("a", "x", 2), ("a", "x", 3), ("a", "x", 4)], &[Fine; 5]);
        let edits = [("a", "x", 0), ("a", "x", 1), ("a", "x", 2), ("a", "x", 3), ("a", "x", 4)];
        check(
            &[Access::Restart { reason: "a".into() }],
            &edits,
            &[Fine, Fine, Warn { times: 3 }, Warn { times: 4 }, Stop],
        );
        check(&write, &edits, &[Fine, Fine, Warn { times: 3 }, Warn { times: 4 }, Stop]);
    }
}
