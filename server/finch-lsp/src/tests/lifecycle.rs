//! From `initialize` to the end of the process.

use std::process::{Command, Stdio};

use finch_llm::ModelState;
use serde_json::{Value, json};

use super::support::{Client, URI};
use crate::Ended;

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer} is no error"))
}

#[tokio::test]
async fn initialize_says_what_the_server_can_do() {
    let mut client = Client::connect();
    let encodings = json!({"general": {"positionEncodings": ["utf-16", "utf-8"]}});
    let result = client.initialize(encodings).await;
    let expected = json!({
        "capabilities": {
            "positionEncoding": "utf-8",
            "textDocumentSync": {"openClose": true, "change": 2, "save": true},
            "executeCommandProvider": {"commands": ["finch.accept", "finch.feedback"]},
            "inlineCompletionProvider": {},
        },
        "serverInfo": {"name": "finch", "version": env!("CARGO_PKG_VERSION")},
    });
    assert_eq!(result, expected);
}

#[tokio::test]
async fn odd_capabilities_do_not_keep_a_session_from_starting() {
    let odd = json!({"textDocument": {"inlineCompletion": null}, "window": 7, "general": {"positionEncodings": null}});
    let result = Client::connect().initialize(odd).await;
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
    let mut client = Client::connect();
    let answer = client.ask("initialize", json!({"rootUri": 1, "processId": "x", "capabilities": []})).await;
    assert_eq!(answer["result"]["capabilities"]["inlineCompletionProvider"], json!({}));
    let answer = Client::connect().ask("initialize", Value::Null).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn a_session_starts_while_the_model_loads() {
    let mut client = Client::connect_with(ModelState::Loading { model: "parrot".to_owned() }, 64 * 1024);
    client.initialize(json!({})).await;
    client.did_open("fn main() {\n    le").await;
    let id = client.complete(1, 6).await;
    assert_eq!(client.answer_to(id).await["result"], Value::Null);
    let explanation = client.explain().await;
    assert_eq!(explanation["reason"], "model-loading");
    assert!(explanation["message"].as_str().is_some_and(|message| message.contains("wait")), "{explanation}");
}

#[tokio::test]
async fn requests_out_of_time_get_the_codes_of_the_protocol() {
    let mut client = Client::connect();
    for method in ["textDocument/inlineCompletion", "shutdown", "finch/status", "no/such", "$/no/such"] {
        let answer = client.ask(method, json!({})).await;
        assert_eq!(code(&answer), -32002, "{method}");
    }
    client.notify("textDocument/didOpen", json!({"textDocument": {"uri": URI, "text": "early"}})).await;
    client.initialize(json!({})).await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"], "NotOpen");
    assert_eq!(code(&client.ask("initialize", json!({"capabilities": {}})).await), -32600);
    assert_eq!(code(&client.ask("no/such", json!({})).await), -32601);
    assert_eq!(code(&client.ask("$/no/such", json!({})).await), -32601);
    assert_eq!(code(&client.ask("textDocument/didOpen", json!({})).await), -32600);
    assert_eq!(client.ask("shutdown", Value::Null).await["result"], Value::Null);
    for method in ["finch/status", "shutdown", "initialize", "no/such"] {
        assert_eq!(code(&client.ask(method, json!({})).await), -32600, "{method}");
    }
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended().await, Ended::Clean);
}

#[tokio::test]
async fn shutdown_is_taken_with_any_parameters() {
    for params in [json!({}), json!([]), Value::Null] {
        let mut client = Client::open("").await;
        let mut message = json!({"jsonrpc": "2.0", "id": 99, "method": "shutdown"});
        message["params"] = params;
        client.send(message).await;
        assert_eq!(client.answer_to(99).await["result"], Value::Null);
    }
}

#[tokio::test]
async fn exit_ends_the_session_though_the_input_stays_open() {
    let mut client = Client::open("fn main() {").await;
    client.request("test/wait", Value::Null).await;
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended().await, Ended::WithoutShutdown);

    let mut client = Client::open("fn main() {").await;
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", json!({})).await;
    assert_eq!(client.ended().await, Ended::Clean);

    let mut client = Client::connect();
    client.notify("exit", Value::Null).await;
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_session_with_work_in_flight() {
    let mut client = Client::open("fn main() {\n    le").await;
    client.complete(1, 6).await;
    let asked = client.asked().await;
    for _ in 0..20 {
        client.request("test/wait", Value::Null).await;
    }
    client.close_input();
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
    asked.is_cancelled().await;
    let answers = client.rest().await.into_iter().filter(|message| message.get("method").is_none());
    assert_eq!(answers.count(), 21, "every request is answered before the end");
}

#[tokio::test]
async fn the_end_of_the_input_after_shutdown_is_a_clean_end() {
    let mut client = Client::open("").await;
    client.ask("shutdown", Value::Null).await;
    client.close_input();
    assert_eq!(client.ended().await, Ended::Clean);
}

#[tokio::test]
async fn a_client_that_is_gone_ends_the_session() {
    let mut client = Client::open("").await;
    client.close_output();
    client.request("finch/status", Value::Null).await;
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_death_of_the_editor_ends_the_session_though_the_input_stays_open() {
    let mut editor = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat starts");
    let mut client = Client::connect();
    client.ask("initialize", json!({"processId": editor.id(), "capabilities": {}})).await;
    editor.kill().expect("it can be killed");
    editor.wait().expect("it is reaped");
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
}

#[tokio::test]
async fn a_process_that_was_never_seen_ends_nothing() {
    let mut client = Client::connect();
    client.ask("initialize", json!({"processId": u32::MAX, "capabilities": {}})).await;
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_not_the_session() {
    let mut client = Client::open("text").await;
    for method in ["test/panic", "test/panicInPrologue"] {
        let id = client.request(method, Value::Null).await;
        let answer = client.answer_to(id).await;
        assert_eq!((code(&answer), &answer["id"]), (-32603, &json!(id)));
    }
    client.notify("test/panicInNotification", Value::Null).await;
    client.type_at(0, 4, "!").await;
    assert_eq!(client.ask("test/version", json!({"uri": URI})).await["result"]["text"], "text!");
}
