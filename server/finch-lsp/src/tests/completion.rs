//! Ghost text end to end: from a request through the model to the item and its explanation.

use serde_json::{Value, json};

use super::support::{Client, URI, inline_params};

const CODE: &str = "fn main() {\n    let total = ";

#[tokio::test]
async fn a_suggestion_carries_its_text_its_place_and_where_it_came_from() {
    let mut client = Client::open(CODE).await;
    let id = client.complete(1, 16).await;
    let asked = client.asked().await;
    assert_eq!(asked.request.prefix, CODE);
    asked.say("price * count;").await;
    let at = json!({"line": 1, "character": 16});
    let item = json!({
        "insertText": "price * count;",
        "range": {"start": at, "end": at},
        "command": {
            "title": "Accept suggestion",
            "command": "finch.accept",
            "arguments": [{"id": 1, "provider": "scripted", "model": "parrot"}],
        },
    });
    assert_eq!(client.answer_to(id).await["result"], json!({"items": [item]}));
}

#[tokio::test]
async fn a_newer_request_elsewhere_stops_the_older_one_at_once() {
    let mut client = Client::open(CODE).await;
    let older = client.complete(1, 15).await;
    let stopped = client.asked().await;
    let newer = client.complete(1, 16).await;
    assert_eq!(client.answer_to(older).await["result"], Value::Null);
    stopped.is_cancelled().await;
    client.asked().await.say("price;").await;
    assert_eq!(client.answer_to(newer).await["result"]["items"][0]["insertText"], "price;");
    let explanation = client.explain().await;
    assert_eq!((explanation.get("reason"), &explanation["source"]), (None, &json!("model")));
}

#[tokio::test]
async fn what_the_model_is_saying_goes_to_the_newest_request_that_agrees() {
    let mut client = Client::open(CODE).await;
    let older = client.complete(1, 16).await;
    let asked = client.asked().await;
    client.type_at(1, 16, "pr").await;
    let newer = client.complete(1, 18).await;
    assert_eq!(client.answer_to(older).await["result"], Value::Null);
    asked.say("price;").await;
    assert_eq!(client.answer_to(newer).await["result"]["items"][0]["insertText"], "ice;");
    assert_eq!(client.explain().await["source"], "in-flight");
}

#[tokio::test]
async fn a_change_stops_the_request_on_the_text_before_it() {
    let mut client = Client::open(CODE).await;
    let id = client.complete(1, 16).await;
    let stopped = client.asked().await;
    client.type_at(1, 16, "p").await;
    assert_eq!(client.answer_to(id).await["result"], Value::Null);
    stopped.is_cancelled().await;
    let explanation = client.explain().await;
    assert_eq!((&explanation["reason"], &explanation["version"]), (&json!("cancelled"), &json!(1)));
}

#[tokio::test]
async fn a_change_elsewhere_stops_nothing() {
    let mut client = Client::open(CODE).await;
    let other = json!({"uri": "file:///project/b.rs", "version": 1, "text": "b"});
    let id = client.complete(1, 16).await;
    let asked = client.asked().await;
    client.notify("textDocument/didOpen", json!({"textDocument": other})).await;
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": "file:///project/b.rs"}})).await;
    asked.say("price;").await;
    assert_eq!(client.answer_to(id).await["result"]["items"][0]["insertText"], "price;");
}

#[tokio::test]
async fn a_cancel_stops_the_model() {
    let mut client = Client::open(CODE).await;
    let id = client.complete(1, 16).await;
    let stopped = client.asked().await;
    client.cancel(id).await;
    assert_eq!(client.answer_to(id).await["error"]["code"], -32800);
    stopped.is_cancelled().await;
    assert_eq!(client.explain().await["reason"], "cancelled");
}

#[tokio::test]
async fn a_request_for_another_version_is_answered_with_nothing() {
    let mut client = Client::open(CODE).await;
    let mut params = inline_params(URI, 1, 16);
    params["textDocument"]["version"] = json!(7);
    assert_eq!(client.ask("textDocument/inlineCompletion", params).await["result"], Value::Null);
    assert_eq!(client.explain().await["reason"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_thousand_changes_the_suggestion_belongs_to_the_last_text() {
    let mut client = Client::open(CODE).await;
    let mut stale = Vec::new();
    for n in 0..1_000 {
        client.type_at(1, 16 + n, "x").await;
        if n % 100 == 0 {
            stale.push(client.complete(1, 17 + n).await);
        }
    }
    let id = client.complete(1, 1016).await;
    let wanted = format!("{CODE}{}", "x".repeat(1_000));
    let asked = loop {
        let asked = client.asked().await;
        if wanted.ends_with(&asked.request.prefix) {
            break asked;
        }
    };
    asked.say(" + 1;").await;
    assert_eq!(client.answer_to(id).await["result"]["items"][0]["insertText"], " + 1;");
    for id in stale {
        assert_eq!(client.answer_to(id).await["result"], Value::Null, "a stale answer");
    }
    assert_eq!(client.explain().await["version"], 1_001);
}

/// Completes behind `text` at a UTF-16 or UTF-8 column; the range of the item must come back at `column`.
async fn check_column(encodings: Value, text: &str, asked_at: u32, prefix: &str, column: u32) {
    let mut client = Client::connect();
    client.initialize(json!({"general": {"positionEncodings": encodings}})).await;
    client.did_open(text).await;
    let mut params = inline_params(URI, 0, asked_at);
    params["context"]["triggerKind"] = json!(1);
    let id = client.request("textDocument/inlineCompletion", params).await;
    let asked = client.asked().await;
    assert_eq!(asked.request.prefix, prefix);
    asked.say("count;").await;
    let item = client.answer_to(id).await["result"]["items"][0].clone();
    let at = json!({"line": 0, "character": column});
    assert_eq!(item["range"], json!({"start": at, "end": at}));
}

#[tokio::test]
async fn columns_count_in_the_negotiated_encoding_and_never_split_a_character() {
    let text = "// 😀 = ";
    let utf16 = || json!(["utf-16"]);
    check_column(utf16(), text, 8, text, 8).await;
    check_column(utf16(), text, 500, text, 8).await;
    check_column(utf16(), text, u32::MAX, text, 8).await;
    // In the middle of the surrogate pair.
    check_column(utf16(), text, 4, "// ", 3).await;
    check_column(json!(["utf-8", "utf-16"]), text, 10, text, 10).await;
    check_column(json!(["utf-8"]), text, 5, "// ", 3).await;
}

#[tokio::test]
async fn impossible_positions_are_refused_or_clamped() {
    let mut client = Client::open("let x = ").await;
    for (line, character) in
        [(json!(-1), json!(0)), (json!(0), json!(-5)), (json!(0), json!(1.5)), (json!("0"), json!(0))]
    {
        let mut params = inline_params(URI, 0, 0);
        params["position"] = json!({"line": line, "character": character});
        assert_eq!(client.ask("textDocument/inlineCompletion", params).await["error"]["code"], -32602);
    }
    let id = client.complete(u32::MAX, 2_147_483_648).await;
    let asked = client.asked().await;
    assert_eq!(asked.request.prefix, "let x = ");
    asked.say("1;").await;
    let at = json!({"line": 0, "character": 8});
    assert_eq!(client.answer_to(id).await["result"]["items"][0]["range"], json!({"start": at, "end": at}));
}

#[tokio::test]
async fn the_selected_entry_of_the_completion_list_is_continued() {
    let mut client = Client::open("fn main() {\n    tot").await;
    let range = json!({"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 7}});
    let mut params = inline_params(URI, 1, 7);
    params["context"]["selectedCompletionInfo"] = json!({"range": range, "text": "total_price"});
    let id = client.request("textDocument/inlineCompletion", params).await;
    let asked = client.asked().await;
    assert_eq!(asked.request.prefix, "fn main() {\n    total_price");
    asked.say(" += 1;").await;
    let item = client.answer_to(id).await["result"]["items"][0].clone();
    assert_eq!((&item["insertText"], &item["range"]), (&json!("total_price += 1;"), &range));
}

#[tokio::test]
async fn documents_of_any_kind_are_served() {
    for uri in ["untitled:Untitled-1", "vscode-notebook-cell:/a.ipynb#W0", "no uri at all", "", "file:///a%20b.rs"] {
        let mut client = Client::connect();
        client.initialize(json!({})).await;
        let document = json!({"uri": uri, "version": 1, "text": CODE});
        client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
        let id = client.request("textDocument/inlineCompletion", inline_params(uri, 1, 16)).await;
        client.asked().await.say("price;").await;
        assert_eq!(client.answer_to(id).await["result"]["items"][0]["insertText"], "price;", "{uri}");
    }
}

#[tokio::test]
async fn files_that_may_hold_secrets_are_not_read() {
    for uri in ["file:///project/.env", "untitled:.env", "vscode-remote://host/work/.env", "file:///project/%2Eenv"] {
        let mut client = Client::connect();
        client.initialize(json!({})).await;
        let document = json!({"uri": uri, "version": 1, "text": "SECRET="});
        client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
        let answer = client.ask("textDocument/inlineCompletion", inline_params(uri, 0, 7)).await;
        assert_eq!(answer["result"], Value::Null, "{uri}");
        assert_eq!(client.explain().await["reason"], "excluded", "{uri}");
    }
}

#[tokio::test]
async fn suggestions_can_be_switched_off_and_on() {
    let mut client = Client::open(CODE).await;
    let switch = |enabled: bool| json!({"settings": {"finch": {"completion": {"enabled": enabled}}}});
    client.notify("workspace/didChangeConfiguration", switch(false)).await;
    let id = client.complete(1, 16).await;
    assert_eq!(client.answer_to(id).await["result"], Value::Null);
    let explanation = client.explain().await;
    assert_eq!(explanation["reason"], "gate");
    assert_eq!(explanation["message"], "suggestions are switched off: set finch.completion.enabled to true");
    client.notify("workspace/didChangeConfiguration", switch(true)).await;
    let id = client.complete(1, 16).await;
    client.asked().await.say("price;").await;
    assert!(client.answer_to(id).await["result"].is_object());
}

#[tokio::test]
async fn settings_of_the_editor_reach_the_model() {
    let mut client = Client::connect();
    let options = json!({"finch": {"completion": {"tokens_max": 7, "speed": 1}}});
    client.ask("initialize", json!({"capabilities": {}, "initializationOptions": options})).await;
    client.notify("initialized", json!({})).await;
    client.did_open(CODE).await;
    client.complete(1, 16).await;
    assert_eq!(client.asked().await.request.sampling.tokens_max, 7);
    let told = client.call("window/logMessage").await;
    assert!(told["params"]["message"].as_str().is_some_and(|line| line.contains("finch.completion.speed")), "{told}");
}

#[tokio::test]
async fn ids_stay_apart_when_the_settings_change() {
    let mut client = Client::open(CODE).await;
    let mut ids = Vec::new();
    for tokens_max in [10, 20, 30] {
        let settings = json!({"settings": {"finch": {"completion": {"tokens_max": tokens_max}}}});
        client.notify("workspace/didChangeConfiguration", settings).await;
        client.type_at(1, 16, " ").await;
        let id = client.complete(1, 17).await;
        client.asked().await.say("price;").await;
        let item = client.answer_to(id).await["result"]["items"][0].clone();
        ids.push(item["command"]["arguments"][0]["id"].as_u64().expect("an id"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test]
async fn the_last_request_is_explained_in_full() {
    let mut client = Client::open(CODE).await;
    let nothing_yet = client.explain().await;
    assert_eq!((nothing_yet.get("reason"), nothing_yet.get("uri")), (None, None));
    assert_eq!((&nothing_yet["provider"], &nothing_yet["model"]), (&json!("scripted"), &json!("parrot")));

    let id = client.complete(1, 16).await;
    client.asked().await.say("price;").await;
    let item = client.answer_to(id).await["result"]["items"][0].clone();
    let mut explanation = client.explain().await;
    let ms = explanation["ms"].take();
    assert!(ms["total"].as_f64().is_some_and(|total| total >= 0.0), "{ms}");
    let expected = json!({
        "id": 1, "message": "the model made a suggestion", "uri": URI, "version": 1,
        "provider": "scripted", "model": "parrot", "source": "model",
        "prompt_tokens": 20, "cached_tokens": 15, "suffix_tokens": 3, "generated_tokens": 5, "ms": null,
        "fate": {"shown": false, "accepted_length": 0},
    });
    assert_eq!(explanation, expected);

    client.notify("finch/didShow", json!({"id": 1})).await;
    client.notify("finch/didAccept", json!({"id": 1, "length": 5, "kind": "word"})).await;
    client.notify("finch/didReject", json!({"id": 1, "reason": "dismissed"})).await;
    let fate = json!({"shown": true, "accepted_length": 5, "accepted": "word", "rejected": "dismissed"});
    assert_eq!(client.explain().await["fate"], fate);

    let accept = json!({"command": item["command"]["command"], "arguments": item["command"]["arguments"]});
    assert_eq!(client.ask("workspace/executeCommand", accept).await["result"], Value::Null);
    assert_eq!(client.explain().await["fate"]["accepted"], "full");
}

#[tokio::test]
async fn reports_on_what_is_not_known_and_odd_reports_are_ignored() {
    let mut client = Client::open(CODE).await;
    for method in ["finch/didShow", "finch/didAccept", "finch/didReject"] {
        for params in
            [json!({"id": 77, "length": 1, "kind": "full", "reason": "x"}), json!({"id": -1}), json!([]), Value::Null]
        {
            client.notify(method, params).await;
        }
    }
    let unknown = client.ask("workspace/executeCommand", json!({"command": "finch.nothing"})).await;
    assert_eq!(unknown["error"]["code"], -32602);
    let bare = client.ask("workspace/executeCommand", json!({"command": "finch.accept", "arguments": []})).await;
    assert_eq!(bare["error"]["code"], -32602);
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn who_asks_himself_gets_alternatives_with_numbers_of_their_own() {
    let mut client = Client::open(CODE).await;
    let mut params = inline_params(URI, 1, 16);
    params["context"]["triggerKind"] = json!(1);
    let id = client.request("textDocument/inlineCompletion", params).await;
    for text in ["price;", "count;", "price;"] {
        client.asked().await.say(text).await;
    }
    let answer = client.answer_to(id).await;
    let items = answer["result"]["items"].as_array().expect("there are items").iter();
    let offered: Vec<_> = items.map(|item| (&item["insertText"], &item["command"]["arguments"][0]["id"])).collect();
    assert_eq!(offered, [(&json!("price;"), &json!(1)), (&json!("count;"), &json!(2))]);
}

#[tokio::test(start_paused = true)]
async fn in_a_burst_of_keys_the_model_is_asked_once() {
    let mut client = Client::open(CODE).await;
    for (at, key) in (16..).zip(["p", "r", "i"]) {
        client.complete(1, at).await;
        client.type_at(1, at, key).await;
    }
    let id = client.complete(1, 19).await;
    let asked = client.asked().await;
    assert_eq!(asked.request.prefix, format!("{CODE}pri"));
    asked.say("ce;").await;
    assert_eq!(client.answer_to(id).await["result"]["items"][0]["insertText"], "ce;");
}
