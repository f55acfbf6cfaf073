//! Much of everything: floods, large files, a client that does not read.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::support::{Client, URI, inline_params};
use crate::Ended;
use crate::limits::DOCUMENT_BYTES_MAX;

/// A fixed series of numbers that looks random.
struct Series(u64);

impl Series {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_and_a_thousand_cancels_get_a_thousand_answers() {
    const REQUESTS: usize = 1_000;
    for seed in 1..=3 {
        let mut series = Series(seed);
        let mut client = Client::open("fn main() {\n    let x = ").await;
        let mut cancels: Vec<i64> = (1..=i64::try_from(REQUESTS).unwrap()).collect();
        let (mut ids, mut asked) = (Vec::new(), 0);
        while asked < REQUESTS || !cancels.is_empty() {
            if asked < REQUESTS && series.below(2) == 0 {
                let method = ["textDocument/inlineCompletion", "test/wait", "finch/explainLast"][series.below(3)];
                ids.push(client.request(method, inline_params(URI, 1, 12)).await);
                asked += 1;
            } else if !cancels.is_empty() {
                // Many of these name requests that are not there yet, or not there any more.
                let at = series.below(cancels.len());
                client.cancel(cancels.swap_remove(at)).await;
            }
        }
        // Whatever is left waits for ever otherwise.
        for id in &ids {
            client.cancel(*id).await;
        }
        client.ask("shutdown", Value::Null).await;
        client.notify("exit", Value::Null).await;
        assert_eq!(client.ended().await, Ended::Clean);
        let mut answers: HashMap<i64, usize> = HashMap::new();
        for message in client.rest().await.iter().filter(|message| message.get("method").is_none()) {
            *answers.entry(message["id"].as_i64().expect("an id")).or_default() += 1;
        }
        let unanswered_or_twice: Vec<&i64> = ids.iter().filter(|id| answers.get(id) != Some(&1)).collect();
        assert_eq!(unanswered_or_twice, Vec::<&i64>::new(), "with seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_meets_pressure_and_the_session_still_ends() {
    let mut client = Client::open("text").await;
    // Far more answers than the pipe, the queue and the requests in flight can hold.
    let flood = async {
        for _ in 0..20_000 {
            client.request("finch/status", Value::Null).await;
        }
    };
    // The clock stands still until nobody can go on.
    let pressure = tokio::time::timeout(std::time::Duration::from_secs(1), flood).await;
    assert!(pressure.is_err(), "the server took everything in");
    client.close_output();
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
}

#[tokio::test]
async fn a_file_above_the_limit_is_not_served_and_others_are() {
    let mut client = Client::open("let a = ").await;
    let large = "x = 1\n".repeat(DOCUMENT_BYTES_MAX / 6 + 1);
    let uri = "file:///project/large.py";
    let document = json!({"uri": uri, "version": 1, "text": large});
    client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    assert_eq!(client.ask("textDocument/inlineCompletion", inline_params(uri, 5, 5)).await["result"], Value::Null);
    assert_eq!(client.explain().await["reason"], "excluded");
    let id = client.complete(0, 8).await;
    client.asked().await.say("1;").await;
    assert!(client.answer_to(id).await["result"].is_object());
}

#[tokio::test]
async fn a_line_of_ten_megabytes_and_a_binary_file_are_survived() {
    let binary: String = (0_u8..=255).cycle().take(100_000).map(char::from).collect();
    for text in ["y".repeat(10_000_000), "y ".repeat(5_000_000), "\u{1F600}".repeat(2_500_000), binary] {
        let mut client = Client::open(&text).await;
        client.type_at(0, 5_000_001, "z").await;
        let id = client.complete(0, 5_000_002).await;
        let answered = client.ask("finch/status", Value::Null).await;
        assert_eq!(answered["result"]["state"], "ready");
        client.cancel(id).await;
        client.answer_to(id).await;
        assert!(client.explain().await["uri"].is_string());
    }
}

#[tokio::test]
async fn changes_of_a_large_file_keep_their_places() {
    const LINES: u32 = 50_000;
    let mut client = Client::open(&"let value = 1;\n".repeat(usize::try_from(LINES).unwrap())).await;
    for n in 0..1_000 {
        client.type_at((n * 7919) % LINES, 3, "_").await;
    }
    let seen = client.ask("test/version", json!({"uri": URI})).await["result"]["text"].clone();
    let text = seen.as_str().expect("a text");
    assert_eq!(text.matches("let_ value").count(), 1_000);
    assert_eq!(text.lines().count(), usize::try_from(LINES).unwrap());
}
