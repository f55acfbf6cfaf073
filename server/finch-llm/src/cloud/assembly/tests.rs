use super::*;

/// Calls as (id, arguments), and what becomes of them.
#[track_caller]
fn check(calls: &[(&str, &str)], reason: Option<StopReason>, outcome: Result<(&[&str], StopReason), &str>) {
    let mut assembly = Assembly::new(10);
    for (index, (id, arguments)) in calls.iter().enumerate() {
        let call = assembly.call(index as u64).unwrap();
        (call.id, call.name) = ((*id).to_owned(), "f".to_owned());
        assembly.arguments(index as u64, arguments).unwrap();
    }
    assembly.reason = reason;
    let found = assembly.finish(Timings::default()).map_err(|error| error.to_string());
    let found = found.map(|mut chunks| {
        let Some(Chunk::Done(done)) = chunks.pop() else { panic!("no end") };
        let ids: Vec<String> = chunks
            .into_iter()
            .map(|chunk| match chunk {
                Chunk::ToolCall(call) => call.id,
                other => panic!("{other:?}"),
            })
            .collect();
        (ids, done.reason)
    });
    let outcome = outcome.map(|(ids, reason)| (ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>(), reason));
    assert_eq!(found, outcome.map_err(str::to_owned));
}

#[test]
fn a_call_is_handed_out_whole_or_not_at_all() {
    use StopReason::{ContextFull, EndOfText, TokensMax, ToolCalls};
    check(&[("1", "{}")], Some(ToolCalls), Ok((&["1"], ToolCalls)));
    check(&[("1", "{}")], Some(EndOfText), Ok((&["1"], ToolCalls)));
    check(&[("1", "{}")], None, Ok((&["1"], ToolCalls)));
    check(&[("1", "{}"), ("2", r#"{"a": "#)], Some(TokensMax), Ok((&["1"], TokensMax)));
    check(&[("1", r#"{"a": "#), ("2", "{}")], Some(ContextFull), Ok((&[], ContextFull)));
    check(&[("1", r#"{"a": "#)], None, Err("protocol error: the stream ended within a tool call"));
    check(&[], Some(ToolCalls), Err("protocol error: it stopped to call tools and named none"));
    check(&[], None, Ok((&[], EndOfText)));
}

#[test]
fn invalid_arguments_of_an_ended_call_are_told_not_replaced() {
    check(&[("1", "{broken")], Some(StopReason::ToolCalls), Ok((&["1"], StopReason::ToolCalls)));
    check(&[("1", "")], Some(StopReason::ToolCalls), Ok((&["1"], StopReason::ToolCalls)));
}

#[test]
fn calls_without_an_id_of_their_own_get_one() {
    let calls = [("", "{}"), ("7", "{}"), ("7", "{}")];
    check(&calls, Some(StopReason::ToolCalls), Ok((&["call_a_0", "7", "call_a_2"], StopReason::ToolCalls)));
}

#[test]
fn a_flood_of_calls_is_refused() {
    let mut assembly = Assembly::new(0);
    for index in 0..limits::TOOL_CALLS_MAX as u64 {
        assembly.call(index).unwrap();
    }
    assert!(assembly.call(9_999).is_err());
    let piece = "x".repeat(1 << 20);
    assert!((0..100).any(|_| assembly.arguments(0, &piece).is_err()));
}
