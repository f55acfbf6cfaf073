use std::time::Instant;

use finch_llm::{ClientId, GenerateRequest, GenerateStream, Lane, LaneLoad, LlmError, Load, stream};

use super::{Ask, Job, Lanes};
use crate::{
    limits,
    testing::{read, wait_for},
};

fn submit(lanes: &Lanes, client: &str, lane: Lane) -> GenerateStream {
    let (reader, stream) = stream();
    let ask = Ask::Generate(GenerateRequest::new(ClientId::new(client), lane, Vec::new()));
    lanes.submit(Job { ask, reader, arrived: Instant::now() });
    stream
}

fn next_client(lanes: &Lanes, lane: Lane) -> Option<String> {
    lanes.take(lane).map(|job| job.ask.client().as_str().to_owned())
}

#[track_caller]
fn error(stream: GenerateStream) -> LlmError {
    read(stream).unwrap_err()
}

#[test]
fn the_newest_job_of_a_client_takes_the_place_of_the_older() {
    let lanes = Lanes::default();
    let older = submit(&lanes, "a", Lane::Interactive);
    let _other = submit(&lanes, "b", Lane::Interactive);
    let _newer = submit(&lanes, "a", Lane::Interactive);
    assert_eq!(error(older), LlmError::Cancelled);
    assert!(lanes.is_replaced(&ClientId::new("a")));
    assert_eq!(next_client(&lanes, Lane::Interactive).as_deref(), Some("a"));
    assert!(!lanes.is_replaced(&ClientId::new("a")));
    assert_eq!(next_client(&lanes, Lane::Interactive).as_deref(), Some("b"));
    assert_eq!(next_client(&lanes, Lane::Interactive), None);
}

#[test]
fn a_full_batch_lane_is_overloaded_until_somebody_leaves() {
    let lanes = Lanes::default();
    let greedy: Vec<GenerateStream> =
        (0..limits::BATCH_JOBS_PER_CLIENT_MAX).map(|_| submit(&lanes, "a", Lane::Batch)).collect();
    assert_eq!(error(submit(&lanes, "a", Lane::Batch)), LlmError::Overloaded);
    let mut others: Vec<GenerateStream> = (limits::BATCH_JOBS_PER_CLIENT_MAX..limits::BATCH_JOBS_MAX)
        .map(|at| submit(&lanes, &format!("other {at}"), Lane::Batch))
        .collect();
    assert_eq!(error(submit(&lanes, "late", Lane::Batch)), LlmError::Overloaded);
    others.clear();
    let mut late = submit(&lanes, "late", Lane::Batch);
    // In turns, however many one of them has waiting.
    assert_eq!(next_client(&lanes, Lane::Batch).as_deref(), Some("a"));
    assert_eq!(next_client(&lanes, Lane::Batch).as_deref(), Some("late"));
    for _ in 1..greedy.len() {
        assert_eq!(next_client(&lanes, Lane::Batch).as_deref(), Some("a"));
    }
    assert_eq!(next_client(&lanes, Lane::Batch), None);
    assert_eq!(wait_for(late.next()), None);
}

#[test]
fn too_many_clients_are_overloaded_and_known_ones_are_not() {
    let lanes = Lanes::default();
    let waiting: Vec<GenerateStream> =
        (0..limits::CLIENTS_MAX).map(|at| submit(&lanes, &format!("client {at}"), Lane::Interactive)).collect();
    assert_eq!(error(submit(&lanes, "one more", Lane::Interactive)), LlmError::Overloaded);
    let _again = submit(&lanes, "client 0", Lane::Interactive);
    assert_eq!(error(waiting.into_iter().next().unwrap()), LlmError::Cancelled);
}

#[test]
fn closed_lanes_take_nothing_and_give_back_what_they_hold() {
    let lanes = Lanes::default();
    let _waiting = [submit(&lanes, "a", Lane::Interactive), submit(&lanes, "b", Lane::Batch)];
    lanes.close();
    assert!(lanes.is_closed());
    assert_eq!(lanes.drain().len(), 2);
    assert!(matches!(error(submit(&lanes, "c", Lane::Batch)), LlmError::Unavailable { .. }));
    // Closed lanes are never waited for.
    lanes.wait(None);
}

#[test]
fn batch_jobs_are_taken_in_turns_between_clients_and_in_order_within_one() {
    let lanes = Lanes::default();
    let _waiting: Vec<GenerateStream> =
        ["a", "a", "a", "b", "c", "b"].map(|client| submit(&lanes, client, Lane::Batch)).into();
    let order: Vec<String> = std::iter::from_fn(|| next_client(&lanes, Lane::Batch)).collect();
    assert_eq!(order, ["a", "b", "c", "a", "b", "a"]);
}

#[test]
fn warm_ups_are_no_work_that_anything_gives_way_to() {
    let lanes = Lanes::default();
    let older = submit(&lanes, "a", Lane::Warm);
    let _newer = submit(&lanes, "a", Lane::Warm);
    assert_eq!(error(older), LlmError::Cancelled);
    assert!(!lanes.is_work_waiting() && !lanes.is_interactive_waiting() && !lanes.is_replaced(&ClientId::new("a")));
    let _batch = submit(&lanes, "a", Lane::Batch);
    assert!(lanes.is_work_waiting());
    assert_eq!(next_client(&lanes, Lane::Warm).as_deref(), Some("a"));
    assert_eq!(lanes.drain().len(), 1);
}

#[test]
fn what_waits_is_told_by_its_lane_and_what_nobody_waits_for_is_not() {
    let lanes = Lanes::default();
    let streams = [
        submit(&lanes, "a", Lane::Interactive),
        submit(&lanes, "a", Lane::Batch),
        submit(&lanes, "a", Lane::Batch),
        submit(&lanes, "b", Lane::Warm),
    ];
    drop(submit(&lanes, "c", Lane::Batch));
    let waits = |waiting| LaneLoad { running: 0, waiting };
    assert_eq!(lanes.load(), Load { interactive: waits(1), batch: waits(2), warm: waits(1) });
    lanes.take(Lane::Batch).unwrap();
    lanes.runs([Lane::Batch].into_iter());
    assert_eq!(lanes.load().batch, LaneLoad { running: 1, waiting: 1 });
    lanes.runs(std::iter::empty());
    assert_eq!(lanes.load().batch, LaneLoad { running: 0, waiting: 1 });
    drop(streams);
    assert_eq!(lanes.load(), Load::default());
}
