use super::*;

/// The model says "return" at once, " a" after a step and " + b" after another.
const SLOW: &[Act] = &[
    Act::Say("return"),
    Act::Wait(STEP),
    Act::Say(" a"),
    Act::Wait(STEP),
    Act::Say(" + b"),
    Act::End(StopReason::EndOfText),
];
/// Neither says more nor ends.
const HANGS: &[Act] = &[Act::Say("re")];
const OTHER: &[Act] = &[Act::Say("pass"), Act::End(StopReason::EndOfText)];

/// The first asker leaves after half a step; what the next one gets, and how many requests that took.
#[track_caller]
fn check(
    next: &'static str,
    expected: Option<&'static str>,
    source: Source,
    requests: usize,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let rig = Rig::with(&[SLOW, OTHER]);
        rig.leave(ADD, STEP / 2).await;
        let outcome = rig.ask(next).await;
        assert_eq!((text(&outcome), outcome.source), (expected, source), "{caller}");
        assert_eq!(rig.requests().len(), requests, "{caller}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_agrees_goes_on_with_the_same_request() {
    check("def add(a, b):\n    r$0", Some("eturn a + b"), Source::InFlight, 1).await;
    check("def add(a, b):\n    return$0", Some(" a + b"), Source::InFlight, 1).await;
    check(ADD, Some("return a + b"), Source::InFlight, 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_beyond_what_was_heard_may_still_agree() {
    check("def add(a, b):\n    return a +$0", Some(" b"), Source::InFlight, 1).await;
    check("def add(a, b):\n    return b$0", Some("pass"), Source::Model, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_disagrees_starts_anew() {
    check("def add(a, b):\n    p$0", Some("pass"), Source::Model, 2).await;
    check("def add(a, b, c):\n    $0", Some("pass"), Source::Model, 2).await;
    check("def add(a, b):\n    r$0\n", Some("pass"), Source::Model, 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_typed_in_full_is_asked_anew() {
    check("def add(a, b):\n    return a + b$0", Some("pass"), Source::Model, 2).await;
}

// That the old request is gone when a new one is sent, the model itself checks.
#[tokio::test(start_paused = true)]
async fn a_shut_gate_ends_what_lingers() {
    let rig = Rig::new(HANGS);
    rig.leave(ADD, STEP).await;
    rig.ask("let val$0ue = 1;").await;
    rig.provider.gone.notified().await;
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_lingers_beyond_its_completer() {
    let rig = Rig::new(HANGS);
    rig.leave(ADD, STEP).await;
    let left = Instant::now();
    drop(rig.completer);
    rig.provider.gone.notified().await;
    assert_eq!(left.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn other_options_end_what_is_under_way() {
    let rig = Rig::new(HANGS);
    rig.leave(ADD, STEP).await;
    let left = Instant::now();
    let other = rig.completer.reconfigured(Options::default());
    rig.provider.gone.notified().await;
    assert_eq!(left.elapsed(), Duration::ZERO);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_newer_ask_takes_the_request_from_one_that_still_listens() {
    let rig = Rig::with(&[SLOW, OTHER]);
    let (older, newer) = tokio::join!(rig.ask(ADD), async {
        tokio::time::sleep(STEP / 2).await;
        rig.ask("def add(a, b):\n    re$0").await
    });
    assert_eq!((older.reason, older.timings.total), (Some(Reason::Cancelled), STEP / 2));
    assert_eq!(text(&newer), Some("turn a + b"));
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clients_do_not_take_each_others_requests() {
    let rig = Rig::with(&[SLOW, OTHER]);
    rig.leave(ADD, STEP / 2).await;
    let ask = Ask { client: ClientId::new("other"), ..asked(ADD, "src/a.py") };
    assert_eq!(text(&rig.completer.complete(ask).await), Some("pass"));
    assert_eq!(text(&rig.ask("def add(a, b):\n    r$0").await), Some("eturn a + b"));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_over_can_be_typed_through() {
    let rig = Rig::with(&[SLOW, OTHER]);
    rig.leave(ADD, STEP / 2).await;
    let first = rig.ask("def add(a, b):\n    r$0").await;
    let next = rig.ask("def add(a, b):\n    retu$0").await;
    assert_eq!((text(&next), next.source, next.id), (Some("rn a + b"), Source::TypedThrough, first.id));
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_the_newer_ask() {
    let rig = Rig::new(&[Act::Say("return"), Act::Wait(STEP * 1000)]);
    rig.leave(ADD, STEP).await;
    let outcome = rig.ask("def add(a, b):\n    r$0").await;
    assert_eq!((outcome.reason, outcome.timings.total), (Some(Reason::Deadline), crate::DEADLINE));
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_known_beforehand_whether_the_model_is_asked_anew() {
    let rig = Rig::with(&[SLOW, OTHER]);
    let has_at_hand = |marked: &str| rig.completer.has_at_hand(&asked(marked, "src/a.py"));
    assert!(!has_at_hand(ADD));
    rig.leave(ADD, STEP / 2).await;
    assert!(has_at_hand("def add(a, b):\n    ret$0"));
    assert!(!has_at_hand("def add(a, b):\n    p$0"));
    rig.completer.give_way(&ClientId::new("test"));
    assert!(!has_at_hand("def add(a, b):\n    ret$0"));
    rig.ask(ADD).await;
    assert!(has_at_hand("def add(a, b):\n    p$0"));
}

#[test]
fn without_a_runtime_nothing_lingers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let rig = Rig::new(HANGS);
    let mut ask = Box::pin(rig.ask(ADD));
    runtime.block_on(async {
        tokio::select! {
            outcome = &mut ask => panic!("{outcome:?}"),
            () = tokio::time::sleep(STEP) => {}
        }
    });
    drop(ask);
    runtime.block_on(async {
        let left = Instant::now();
        rig.provider.gone.notified().await;
        assert_eq!(left.elapsed(), Duration::ZERO);
    });
}
