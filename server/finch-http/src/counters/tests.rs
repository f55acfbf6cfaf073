use finch_llm::{Done, Progress, StopReason, Timings, stream};

use super::*;

fn usage(prompt_tokens: usize, cached_tokens: usize, generated_tokens: usize) -> Usage {
    Usage { prompt_tokens, cached_tokens, generated_tokens, ..Usage::default() }
}

#[tokio::test]
async fn tokens_are_counted_as_they_come_and_once() {
    let counters = Arc::new(Counters::default());
    let tally = Tally::new(&counters);
    let (sender, stream) = stream();
    let mut watched = tally.watch(stream);
    sender.report(Progress { usage: usage(10, 4, 1), timings: Timings::default() });
    sender.send(Ok(Chunk::Text("a".into()))).await.unwrap();
    watched.next().await.unwrap().unwrap();
    let now = counters.numbers();
    assert_eq!((now.prompt, now.cached, now.generated, now.running), (10, 4, 1, 1));
    let done = Done { reason: StopReason::EndOfText, usage: usage(10, 4, 3), timings: Timings::default() };
    sender.send(Ok(Chunk::Done(done))).await.unwrap();
    watched.next().await.unwrap().unwrap();
    drop((watched, tally));
    let now = counters.numbers();
    assert_eq!((now.prompt, now.cached, now.generated, now.running, now.total), (10, 4, 3, 0, 1));
    assert_eq!(now.first.within.iter().sum::<u64>(), 1);
    assert!((now.tokens_per_second - 3.0).abs() < 0.001, "{}", now.tokens_per_second);
}

#[tokio::test]
async fn what_nobody_waited_for_is_counted_too() {
    let counters = Arc::new(Counters::default());
    let (sender, stream) = stream();
    let watched = Tally::new(&counters).watch(stream);
    sender.report(Progress { usage: usage(7, 0, 2), timings: Timings::default() });
    drop(watched);
    let now = counters.numbers();
    assert_eq!((now.prompt, now.generated, now.running), (7, 2, 0));
}

#[tokio::test]
async fn a_request_fails_once_and_not_by_its_own_client() {
    let counters = Arc::new(Counters::default());
    for (error, failed) in [
        (LlmError::Cancelled, 0),
        (LlmError::Overloaded, 0),
        (LlmError::Protocol { reason: "x".into() }, 1),
        (LlmError::Unavailable { reason: "x".into() }, 2),
    ] {
        let tally = Tally::new(&counters);
        let mut watched = tally.watch(GenerateStream::failed(error));
        watched.next().await.unwrap().unwrap_err();
        if failed > 0 {
            tally.has_failed();
        }
        assert_eq!(counters.numbers().failed, failed);
    }
    let kinds: Vec<_> = counters.numbers().by_error.into_iter().collect();
    assert_eq!(kinds, [("cancelled", 1), ("overloaded", 1), ("protocol", 1), ("unavailable", 1)]);
}

#[tokio::test]
async fn a_request_that_is_mended_has_not_failed() {
    let counters = Arc::new(Counters::default());
    let broke_off = LlmError::Unavailable { reason: "x".into() };
    let mut watched = Tally::new(&counters).watch(GenerateStream::failed(broke_off));
    watched.is_told_by_status();
    watched.next().await.unwrap().unwrap_err();
    let now = counters.numbers();
    assert_eq!((now.failed, now.by_error["unavailable"]), (0, 1));
}

#[test]
fn the_rate_is_that_of_the_last_minute() {
    let mut rate = Rate { seconds: [(0, 0); RATE_SECONDS] };
    rate.add(0, 30);
    assert_eq!(rate.per_second(2), 10.0);
    rate.add(59, 30);
    assert_eq!(rate.per_second(59), 1.0);
    assert_eq!(rate.per_second(60), 0.5);
    rate.add(60, 90);
    assert_eq!(rate.per_second(60), 2.0);
    assert_eq!(rate.per_second(300), 0.0);
}

#[test]
fn whatever_is_asked_for_there_are_few_names() {
    let counters = Counters::default();
    for n in 0..1000 {
        counters.answered(&format!("/{n}"), 404);
        counters.answered(&format!("/v1/models/{n}"), 200);
    }
    counters.answered("/health", 200);
    let answers: Vec<_> = counters.numbers().by_answer.into_iter().collect();
    assert_eq!(answers, [(("/health", 200), 1), (("/v1/models", 200), 1000), (("other", 404), 1000)]);
}
