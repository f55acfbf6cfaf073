use super::*;
use crate::limits::ALTERNATIVES_WAIT;

const FIRST: &[Act] = &[Act::Say("return a + b"), Act::End(StopReason::EndOfText)];
const SECOND: &[Act] = &[Act::Wait(STEP), Act::Say("return sum((a, b))"), Act::End(StopReason::EndOfText)];
const THIRD: &[Act] = &[Act::Wait(STEP), Act::Say("return b + a"), Act::End(StopReason::EndOfText)];
const HANGS: &[Act] = &[Act::Say("re")];

fn invoked(marked: &str) -> Ask {
    Ask { trigger: Trigger::Invoked, alternatives: 2, ..asked(marked, "src/a.py") }
}

/// The texts that are offered for `ask`, the first first.
#[track_caller]
fn check(ask: Ask, scripts: &[&[Act]], texts: &'static [&'static str], total: Duration) -> impl Future<Output = Rig> {
    let (rig, caller) = (Rig::with(scripts), std::panic::Location::caller());
    async move {
        let outcome = rig.completer.complete(ask).await;
        let others = outcome.alternatives.iter().map(|alternative| alternative.text.as_str());
        let offered: Vec<&str> = text(&outcome).into_iter().chain(others).collect();
        assert_eq!((offered.as_slice(), outcome.timings.total), (texts, total), "{caller}");
        rig
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_himself_may_choose() {
    let texts = &["return a + b", "return sum((a, b))", "return b + a"];
    let rig = check(invoked(ADD), &[FIRST, SECOND, THIRD], texts, STEP * 2).await;
    let drawn: Vec<_> = rig.requests().iter().map(|it| (it.sampling.temperature, it.sampling.seed)).collect();
    assert_eq!(drawn, [(0.0, 0), (0.6, 1), (0.6, 2)]);
    let same_prompt = |request: &InfillRequest| request.prefix == rig.requests()[0].prefix;
    assert!(rig.requests().iter().all(same_prompt));
}

#[tokio::test(start_paused = true)]
async fn what_comes_by_itself_comes_alone() {
    let ask = Ask { trigger: Trigger::Automatic, ..invoked(ADD) };
    check(ask, &[FIRST, SECOND, THIRD], &["return a + b"], Duration::ZERO).await;
    let ask = Ask { alternatives: 0, ..invoked(ADD) };
    check(ask, &[FIRST, SECOND, THIRD], &["return a + b"], Duration::ZERO).await;
    let ask = Ask { alternatives: 9, ..invoked(ADD) };
    let texts = &["return a + b", "return sum((a, b))", "return b + a"];
    check(ask, &[FIRST, SECOND, THIRD], texts, STEP * 2).await;
}

#[tokio::test(start_paused = true)]
async fn equal_texts_are_offered_once() {
    check(invoked(ADD), &[FIRST, FIRST, THIRD], &["return a + b", "return b + a"], STEP).await;
    check(invoked(ADD), &[FIRST, THIRD, THIRD], &["return a + b", "return b + a"], STEP * 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_does_not_wait_long_for_the_others() {
    check(invoked(ADD), &[FIRST, SECOND, HANGS], &["return a + b", "return sum((a, b))"], ALTERNATIVES_WAIT).await;
    check(invoked(ADD), &[FIRST, HANGS], &["return a + b"], ALTERNATIVES_WAIT).await;
}

#[tokio::test(start_paused = true)]
async fn each_has_its_number_and_can_be_typed_through() {
    let rig = Rig::with(&[FIRST, SECOND, THIRD]);
    let outcome = rig.completer.complete(invoked(ADD)).await;
    let ids: Vec<u64> = outcome.alternatives.iter().map(|alternative| alternative.id).collect();
    assert_eq!((outcome.id, ids), (1, vec![2, 3]));
    let first = rig.ask("def add(a, b):\n    return$0").await;
    assert_eq!((text(&first), first.id), (Some(" a + b"), 1));
    let other = rig.ask("def add(a, b):\n    return b$0").await;
    assert_eq!((text(&other), other.id, rig.requests().len()), (Some(" + a"), 3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_already_gets_its_alternatives_when_asked_for() {
    let rig = Rig::with(&[FIRST, SECOND, THIRD]);
    rig.ask(ADD).await;
    let outcome = rig.completer.complete(invoked(ADD)).await;
    assert_eq!((text(&outcome), outcome.id, outcome.source), (Some("return a + b"), 1, Source::Cache));
    assert_eq!(outcome.alternatives.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_drawn_does_not_linger() {
    let rig = Rig::with(&[FIRST, HANGS]);
    tokio::select! {
        outcome = rig.completer.complete(invoked(ADD)) => panic!("{outcome:?}"),
        () = tokio::time::sleep(STEP) => {}
    }
    let left = Instant::now();
    rig.provider.gone.notified().await;
    rig.provider.gone.notified().await;
    assert_eq!(left.elapsed(), Duration::ZERO);
}
