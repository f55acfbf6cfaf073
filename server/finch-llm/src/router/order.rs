//! Who is asked, in which order: policy, task, place, consent and health make candidates out of providers.
//!
//! Pure. It opens nothing and remembers nothing; who asks goes on to the next candidate only before the first chunk.
//! That a policy of `local-only` lets nothing out is not left to this order: the gate of each provider holds it.

use std::time::Duration;

use crate::{ProviderId, Task};

/// What the user wants of local and cloud. The default asks a cloud only where the user has agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing leaves this machine.
    LocalOnly,
    #[default]
    LocalFirst,
    CloudFirst,
    /// What costs least, local included.
    Cheapest,
}

/// Whether text of this workspace may go to a cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consent {
    /// The user was not asked yet. It counts as no.
    #[default]
    Unknown,
    Given,
    Refused,
}

/// A policy for some tasks and some files. The first one that matches holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Any task if it is empty.
    pub tasks: Vec<Task>,
    /// Paths in the workspace, with `*` for a part of a name and `**` for any folders; any path if it is `None`.
    pub glob: Option<String>,
    pub policy: Policy,
}

/// A provider as the router sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub id: ProviderId,
    /// It is on this machine, so that nothing leaves.
    pub is_local: bool,
    /// It can do the task at all.
    pub is_able: bool,
    /// How long it is not to be asked.
    pub pause: Option<Duration>,
    /// What a million tokens cost, in whatever the user counts in.
    pub cost: f64,
}

/// The policy for a task on a file; `path` is relative to the workspace and has `/` between its parts.
#[must_use]
pub fn policy(rules: &[Rule], default: Policy, task: Task, path: Option<&str>) -> Policy {
    let holds = |rule: &&Rule| {
        let is_task = rule.tasks.is_empty() || rule.tasks.contains(&task);
        // A rule for files says nothing of a request without one.
        let is_place = match (&rule.glob, path) {
            (None, _) => true,
            (Some(glob), Some(path)) => matches(glob, path),
            (Some(_), None) => false,
        };
        is_task && is_place
    };
    rules.iter().find(holds).map_or(default, |rule| rule.policy)
}

/// Whom to ask, in order. The order of `providers` is the user's and settles what the policy leaves open.
#[must_use]
pub fn candidates(providers: &[Candidate], policy: Policy, consent: Consent) -> Vec<ProviderId> {
    let may_leave = policy != Policy::LocalOnly && consent == Consent::Given;
    let mut order: Vec<&Candidate> =
        providers.iter().filter(|one| one.is_able && one.pause.is_none() && (one.is_local || may_leave)).collect();
    match policy {
        Policy::LocalOnly | Policy::LocalFirst => order.sort_by_key(|one| !one.is_local),
        Policy::CloudFirst => order.sort_by_key(|one| one.is_local),
        Policy::Cheapest => order.sort_by(|one, other| one.cost.total_cmp(&other.cost)),
    }
    order.into_iter().map(|one| one.id.clone()).collect()
}

/// Whether a path matches: `*` and `?` within a part, `**` over parts. A glob without `/` matches the last part.
fn matches(glob: &str, path: &str) -> bool {
    if !glob.contains('/') {
        return part_matches(glob.as_bytes(), path.rsplit('/').next().unwrap_or_default().as_bytes());
    }
    let glob: Vec<&str> = glob.trim_start_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    wild(&glob, &path, |part| *part == "**", |part, name| part_matches(part.as_bytes(), name.as_bytes()))
}

fn part_matches(glob: &[u8], name: &[u8]) -> bool {
    wild(glob, name, |byte| *byte == b'*', |byte, other| *byte == b'?' || byte == other)
}

/// Matching with one kind of wildcard, in time that is bounded by the product of the lengths.
fn wild<T>(glob: &[T], text: &[T], is_any: impl Fn(&T) -> bool, fits: impl Fn(&T, &T) -> bool) -> bool {
    let (mut at, mut here, mut back) = (0, 0, None);
    while here < text.len() {
        match glob.get(at) {
            Some(part) if is_any(part) => {
                back = Some((at, here));
                at += 1;
            }
            Some(part) if fits(part, &text[here]) => {
                at += 1;
                here += 1;
            }
            _ => {
                // The last wildcard takes one more.
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                at = star + 1;
                here = from + 1;
            }
        }
    }
    glob[at..].iter().all(is_any)
}

#[cfg(test)]
mod tests;
