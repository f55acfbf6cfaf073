//! What the wire order decides: which text a request sees, and that cancels and answers never wait.

use serde_json::{Value, json};

use super::support::{Client, URI, inline_params};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_changes_are_applied_in_order_and_each_request_sees_its_own_version() {
    const CHANGES: usize = 5_000;
    let mut client = Client::open("").await;
    let mut ids = Vec::new();
    for n in 0..CHANGES {
        let letter = char::from(b'a' + u8::try_from(n % 26).unwrap());
        client.type_at(0, u32::try_from(n).unwrap(), &letter.to_string()).await;
        ids.push((n, client.request("test/version", json!({"uri": URI})).await));
        // Many are in flight at once, and their texts still fit into memory.
        if ids.len() == 50 {
            for (n, id) in ids.drain(..) {
                let seen = client.answer_to(id).await["result"].clone();
                assert_eq!(seen["version"], n + 2);
                assert_eq!(seen["text"].as_str().map(str::len), Some(n + 1));
            }
        }
    }
    let seen = client.ask("test/version", json!({"uri": URI})).await["result"].clone();
    let expected: String = (0..CHANGES).map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap())).collect();
    assert_eq!(seen, json!({"version": CHANGES + 1, "text": expected}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sees_the_text_before_it_and_not_the_text_after_it() {
    let mut client = Client::open("").await;
    let mut ids = Vec::new();
    for n in 0..200 {
        client.type_at(0, n, "x").await;
        ids.push(client.request("test/version", json!({"uri": URI})).await);
    }
    for (n, id) in ids.into_iter().enumerate() {
        let seen = client.answer_to(id).await["result"].clone();
        assert_eq!(seen, json!({"version": n + 2, "text": "x".repeat(n + 1)}));
    }
}

#[tokio::test]
async fn a_cancel_acts_at_once_however_many_handlers_are_busy() {
    let mut client = Client::open("text").await;
    let mut busy = Vec::new();
    for _ in 0..500 {
        busy.push(client.request("test/wait", Value::Null).await);
    }
    client.cancel(busy[250]).await;
    assert_eq!(client.answer_to(busy[250]).await["error"]["code"], -32800);
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn cancels_of_nothing_are_ignored() {
    let mut client = Client::open("text").await;
    for id in [json!(12345), json!("x"), json!(null), json!(1.5), json!({}), json!(i64::MAX)] {
        client.notify("$/cancelRequest", json!({"id": id})).await;
    }
    client.notify("$/cancelRequest", Value::Null).await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"]["text"], "text");
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused_and_the_first_request_lives() {
    let mut client = Client::open("text").await;
    let wait = json!({"jsonrpc": "2.0", "id": "twice", "method": "test/wait"});
    client.send(wait.clone()).await;
    client.send(wait).await;
    let refused = client.wait_for(|message| message["id"] == "twice").await;
    assert_eq!(refused["error"]["code"], -32600);
    client.notify("$/cancelRequest", json!({"id": "twice"})).await;
    let cancelled = client.wait_for(|message| message["id"] == "twice").await;
    assert_eq!(cancelled["error"]["code"], -32800);
    // An id that was answered may be used again.
    client.send(json!({"jsonrpc": "2.0", "id": "twice", "method": "finch/status"})).await;
    assert_eq!(client.wait_for(|message| message["id"] == "twice").await["result"]["state"], "ready");
}

#[tokio::test]
async fn more_requests_than_can_be_in_flight_are_refused_and_cancels_still_arrive() {
    let mut client = Client::open("text").await;
    let first = client.request("test/wait", Value::Null).await;
    for _ in 1..crate::limits::REQUESTS_IN_FLIGHT_MAX {
        client.request("test/wait", Value::Null).await;
    }
    assert_eq!(client.ask("finch/status", Value::Null).await["error"]["code"], -32803);
    client.cancel(first).await;
    assert_eq!(client.answer_to(first).await["error"]["code"], -32800);
    client.type_at(0, 0, "more ").await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"]["text"], "more text");
}

#[tokio::test]
async fn changes_that_do_not_fit_never_show_a_wrong_text() {
    let mut client = Client::open("abc").await;
    let change = |version: Value, text: &str| json!({"textDocument": {"uri": URI, "version": version}, "contentChanges": [{"text": text}]});
    client.notify("textDocument/didChange", change(json!(7), "seven")).await;
    client.notify("textDocument/didChange", change(json!(6), "six")).await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"], "OutOfStep");
    let told = client.call("window/logMessage").await;
    assert!(told["params"]["message"].as_str().is_some_and(|line| line.contains("reopen")), "{told}");
    let id = client.complete(0, 3).await;
    assert_eq!(client.answer_to(id).await["result"], Value::Null);
    assert_eq!(client.explain().await["reason"], "error:out-of-step");
    client.notify("textDocument/didChange", change(json!(8), "eight")).await;
    let seen = client.ask("test/version", json!({"uri": URI})).await["result"].clone();
    assert_eq!(seen, json!({"version": 8, "text": "eight"}));
}

#[tokio::test]
async fn unreadable_document_notifications_lose_their_document_and_nothing_else() {
    let negative = json!({"start": {"line": -1, "character": 0}, "end": {"line": 0, "character": 0}});
    for params in [
        json!({"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": negative, "text": "x"}]}),
        json!({"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"noText": 1}]}),
        json!({"textDocument": {"uri": URI, "version": 2}}),
        json!({"textDocument": {"uri": URI, "version": "two"}, "contentChanges": []}),
    ] {
        let mut client = Client::open("abc").await;
        client.notify("textDocument/didChange", params).await;
        assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"], "OutOfStep");
    }
    let mut client = Client::open("abc").await;
    for params in [Value::Null, json!({}), json!([1]), json!({"textDocument": {"uri": 5}})] {
        for method in ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"] {
            client.notify(method, params.clone()).await;
        }
    }
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"]["text"], "abc");
}

#[tokio::test]
async fn opening_and_closing_twice_is_survived() {
    let mut client = Client::open("one").await;
    client.did_open("two").await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"]["text"], "two");
    let close = json!({"textDocument": {"uri": URI}});
    client.notify("textDocument/didClose", close.clone()).await;
    client.notify("textDocument/didClose", close).await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"], "NotOpen");
    client.type_at(0, 0, "x").await;
    let answer = client.ask("textDocument/inlineCompletion", inline_params(URI, 0, 0)).await;
    assert_eq!(answer["result"], Value::Null);
    assert_eq!(client.explain().await["reason"], "error:unknown-document");
}
