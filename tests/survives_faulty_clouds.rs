//! A cloud that goes wrong in any way ends in an error of the right kind, soon, and never in half an answer.
//!
//! `cargo bench --bench bench -- faults` prints the same table with finch's own waits.

use std::time::Duration;

use finch_llm::cloud::Waits;

use crate::support::cloud_faults::{Ask, Fault, Observed, all, next_answers, observe};

/// No user waits in a test, but all its faults happen at once, beside other tests.
const WAITS: Waits = Waits {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(2),
    between_bytes: Duration::from_secs(1),
};
/// Two seconds of patience, and what a busy machine adds.
const COMPLETION_MAX: Duration = Duration::from_secs(3);

/// Every fault at once, for most of the time is waiting.
async fn observed(ask: Ask) -> Vec<(Fault, Observed)> {
    let mut running = tokio::task::JoinSet::new();
    for fault in all() {
        running.spawn(async move {
            let observed = observe(&fault, ask, WAITS).await.unwrap();
            (fault, observed)
        });
    }
    running.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_ends_as_it_has_to() {
    let mut complaints = Vec::new();
    for (fault, observed) in observed(Ask::Chat).await {
        let (found, wanted) =
            ((observed.end.as_str(), observed.shown.as_str(), observed.tries), (fault.end, fault.shown, fault.tries));
        // An error names who is to blame; a pause that is asked for has no words.
        let is_named = observed.said.is_empty() || fault.end == "rate-limited" || observed.said.contains("faulty: ");
        if found != wanted || observed.has_leaked || !is_named {
            complaints.push(format!("{}: {observed:?} instead of {wanted:?}", fault.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_ends_the_same_and_soon() {
    let mut complaints = Vec::new();
    for (fault, observed) in observed(Ask::Completion).await {
        let is_right = observed.end == fault.end && observed.shown == fault.shown && observed.tries <= fault.tries;
        if !is_right || observed.has_leaked || observed.time > COMPLETION_MAX {
            complaints.push(format!("{}: {observed:?}", fault.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_provider_answers_soon_whatever_befell_the_first() {
    let mut running = tokio::task::JoinSet::new();
    for fault in all() {
        running.spawn(async move { (next_answers(&fault, Waits::default()).await, fault) });
    }
    let mut complaints = Vec::new();
    for (found, fault) in running.join_all().await {
        // What was shown of the first is not taken back.
        let is_right = match &found {
            Ok(Some(time)) => fault.shown.is_empty() && *time < COMPLETION_MAX,
            Ok(None) => !fault.shown.is_empty() || ["cut off, no call", "bad arguments"].contains(&fault.end),
            Err(_) => false,
        };
        if !is_right {
            complaints.push(format!("{}: {found:?}", fault.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
