use super::*;
use crate::limits::{AHEAD_AFTER, FIRST_ANSWER};
use crate::{Manner, Quiet};

const FIRST: &[Act] = &[Act::Say("total = a + b"), Act::End(StopReason::EndOfText)];
const SECOND: &[Act] = &[Act::Wait(STEP), Act::Say("\n    return total"), Act::End(StopReason::EndOfText)];
const HANGS: &[Act] = &[Act::Say("\n    re")];
/// A line, and the next when the first was waited for long enough.
const LINES: &[Act] = &[
    Act::Say("total = a\n"),
    Act::Wait(FIRST_ANSWER),
    Act::Say("    total += b\n"),
    Act::Wait(STEP),
    Act::Say("    return total"),
    Act::End(StopReason::EndOfText),
];
const OTHER: &[Act] = &[Act::Say("pass"), Act::End(StopReason::EndOfText)];
const ACCEPTED: &str = "def add(a, b):\n    total = a + b$0";

fn rig(scripts: &[&[Act]]) -> Rig {
    Rig::with_options(scripts, Options::default())
}

async fn idle(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn behind_a_suggestion_the_next_one_is_made() {
    let rig = rig(&[FIRST, SECOND]);
    let first = rig.ask(ADD).await;
    idle(AHEAD_AFTER + STEP * 2).await;
    assert_eq!(rig.requests()[1].prefix, "def add(a, b):\n    total = a + b");
    assert_eq!(rig.requests()[1].lane, Lane::Interactive);
    let next = rig.ask(ACCEPTED).await;
    assert_eq!((text(&next), next.source), (Some("\n    return total"), Source::Cache));
    assert_eq!((next.timings.total, rig.requests().len()), (Duration::ZERO, 2));
    assert_ne!(next.id, first.id);
}

#[tokio::test(start_paused = true)]
async fn whoever_types_on_does_not_pay_for_it() {
    let rig = rig(&[FIRST, OTHER]);
    for marked in [ADD, "def add(a, b):\n    t$0", "def add(a, b):\n    to$0"] {
        assert!(rig.ask(marked).await.suggestion.is_some());
        idle(AHEAD_AFTER - STEP).await;
    }
    assert_eq!(rig.requests().len(), 1);
    idle(STEP * 2).await;
    assert_eq!(rig.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_one_step_only() {
    let rig = rig(&[FIRST, SECOND, OTHER]);
    rig.ask(ADD).await;
    idle(AHEAD_AFTER * 10).await;
    assert_eq!(rig.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_something_else_is_asked_for() {
    let rig = rig(&[FIRST, HANGS, OTHER]);
    rig.ask(ADD).await;
    idle(AHEAD_AFTER + STEP).await;
    assert_eq!(rig.requests().len(), 2);
    // The model itself checks that nothing else goes on.
    assert_eq!(text(&rig.ask("def sub(a, b):\n    $0").await), Some("pass"));
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_over_where_it_is_asked_for() {
    let rig = rig(&[FIRST, SECOND]);
    rig.ask(ADD).await;
    idle(AHEAD_AFTER + STEP / 2).await;
    let next = rig.ask(ACCEPTED).await;
    assert_eq!((text(&next), next.source), (Some("\n    return total"), Source::InFlight));
    assert_eq!((next.timings.total, rig.requests().len()), (STEP / 2, 2));
}

#[tokio::test(start_paused = true)]
async fn windows_line_ends_are_inserted_as_an_editor_does() {
    let rig = rig(&[&[Act::Say("x = a\n    y = b"), Act::End(StopReason::EndOfText)], SECOND]);
    rig.ask("def f(a):\r\n    $0").await;
    idle(AHEAD_AFTER + STEP * 2).await;
    let next = rig.ask("def f(a):\r\n    x = a\r\n    y = b$0").await;
    assert_eq!((text(&next), next.source), (Some("\n    return total"), Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_completer() {
    let rig = rig(&[FIRST, HANGS]);
    rig.ask(ADD).await;
    rig.provider.gone.notified().await;
    idle(AHEAD_AFTER + STEP).await;
    assert_eq!(rig.requests().len(), 2);
    let left = Instant::now();
    drop(rig.completer);
    rig.provider.gone.notified().await;
    assert_eq!(left.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_shut_gate_keeps_it_from_the_model() {
    let silent = Quiet { comments: Manner::Silent, ..Quiet::default() };
    let options = Options { quiet: silent, ..Options::default() };
    let rig = Rig::with_options(&[&[Act::Say("total = a  # the"), Act::End(StopReason::EndOfText)], OTHER], options);
    assert_eq!(text(&rig.ask(ADD).await), Some("total = a  # the"));
    idle(AHEAD_AFTER * 2).await;
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_while_whole_lines_are_shown_and_the_rest_comes_behind() {
    let rig = rig(&[LINES, OTHER]);
    let first = rig.ask(ADD).await;
    assert_eq!((text(&first), first.timings.total), (Some("total = a"), FIRST_ANSWER));
    idle(STEP * 10).await;
    let next = rig.ask("def add(a, b):\n    total = a$0").await;
    assert_eq!((text(&next), next.source), (Some("\n    total += b\n    return total"), Source::Cache));
    assert_ne!(next.id, first.id);
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_rest_goes_on_while_its_beginning_is_typed() {
    let rig = rig(&[LINES, OTHER]);
    rig.ask(ADD).await;
    let typed = rig.ask("def add(a, b):\n    tot$0").await;
    assert_eq!((text(&typed), typed.source), (Some("al = a"), Source::TypedThrough));
    let next = rig.ask("def add(a, b):\n    total = a$0").await;
    assert_eq!((text(&next), next.source), (Some("\n    total += b\n    return total"), Source::InFlight));
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_line_is_waited_for() {
    let acts = [Act::Say("total ="), Act::Wait(FIRST_ANSWER * 2), Act::Say(" a\n    ret"), Act::Wait(STEP * 1000)];
    let outcome = rig(&[&acts]).ask(ADD).await;
    assert_eq!((text(&outcome), outcome.timings.total), (Some("total = a"), FIRST_ANSWER * 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_himself_gets_the_whole_answer() {
    let rig = rig(&[LINES, OTHER]);
    let ask = Ask { trigger: Trigger::Invoked, ..asked(ADD, "src/a.py") };
    let outcome = rig.completer.complete(ask).await;
    assert_eq!(text(&outcome), Some("total = a\n    total += b\n    return total"));
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off() {
    let rig = Rig::with(&[LINES, OTHER]);
    assert_eq!(text(&rig.ask(ADD).await), Some("total = a\n    total += b\n    return total"));
    idle(AHEAD_AFTER * 2).await;
    assert_eq!(rig.requests().len(), 1);
}
