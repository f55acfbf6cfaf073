//! What the client is told about the model.

use finch_llm::ModelState;
use serde_json::{Value, json};

use super::support::Client;

fn downloading(bytes_done: u64) -> ModelState {
    ModelState::Downloading { file: "parrot.gguf".to_owned(), bytes_done, bytes_total: Some(200_000_000) }
}

fn loading() -> ModelState {
    ModelState::Loading { model: "parrot".to_owned() }
}

fn ready() -> ModelState {
    ModelState::Ready { model: "parrot".to_owned() }
}

async fn status(client: &mut Client) -> Value {
    client.call("finch/status").await["params"].clone()
}

#[tokio::test]
async fn every_kind_of_state_is_told() {
    let mut client = Client::connect_with(ModelState::Starting, 64 * 1024);
    client.initialize(json!({})).await;
    let told = json!({"state": "starting", "provider": "scripted", "reason": "model-loading"});
    assert_eq!(status(&mut client).await, told);
    let steps = [
        (
            ModelState::Absent { next: "run `finch setup`".to_owned() },
            json!({"state": "absent", "reason": "no-model", "next": "run `finch setup`"}),
        ),
        (
            downloading(50_000_000),
            json!({"state": "downloading", "reason": "model-loading", "file": "parrot.gguf", "done": 50_000_000,
                   "total": 200_000_000}),
        ),
        (
            ModelState::Importing { bytes_done: 1, bytes_total: 2 },
            json!({"state": "importing", "reason": "model-loading", "done": 1, "total": 2}),
        ),
        (loading(), json!({"state": "loading", "reason": "model-loading", "model": "parrot"})),
        (
            ModelState::Failed { error: "no runtime".to_owned(), next: "run `finch doctor`".to_owned() },
            json!({"state": "failed", "reason": "no-model", "error": "no runtime", "next": "run `finch doctor`"}),
        ),
        (ready(), json!({"state": "ready", "model": "parrot"})),
    ];
    for (state, mut told) in steps {
        told["provider"] = json!("scripted");
        client.state.send_replace(state);
        assert_eq!(status(&mut client).await, told);
        assert_eq!(client.ask("finch/status", json!({})).await["result"], told);
    }
}

#[tokio::test]
async fn a_client_without_progress_is_never_asked_for_it() {
    let mut client = Client::connect_with(loading(), 64 * 1024);
    client.initialize(json!({"window": {"workDoneProgress": false}})).await;
    status(&mut client).await;
    client.state.send_replace(ready());
    status(&mut client).await;
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null).await;
    assert_eq!(client.rest().await, Vec::<Value>::new());
}

#[tokio::test]
async fn progress_is_created_begun_reported_and_ended() {
    let mut client = Client::connect_with(downloading(50_000_000), 64 * 1024);
    client.initialize(json!({"window": {"workDoneProgress": true}})).await;
    let create = client.call("window/workDoneProgress/create").await;
    assert_eq!(create["params"], json!({"token": "finch-model-1"}));
    client.send(json!({"jsonrpc": "2.0", "id": create["id"], "result": null})).await;
    let begin = json!({
        "kind": "begin", "title": "finch", "message": "downloading parrot.gguf: 50 of 200 MB", "percentage": 25,
    });
    assert_eq!(client.call("$/progress").await["params"], json!({"token": "finch-model-1", "value": begin}));
    client.state.send_replace(loading());
    let report = json!({"kind": "report", "message": "loading parrot"});
    assert_eq!(client.call("$/progress").await["params"]["value"], report);
    client.state.send_replace(ready());
    assert_eq!(client.call("$/progress").await["params"]["value"], json!({"kind": "end"}));
    // The next piece of work has a bar of its own.
    client.state.send_replace(loading());
    let create = client.call("window/workDoneProgress/create").await;
    assert_eq!(create["params"], json!({"token": "finch-model-2"}));
}

#[tokio::test]
async fn a_bar_that_was_allowed_too_late_is_begun_and_ended() {
    let mut client = Client::connect_with(loading(), 64 * 1024);
    client.initialize(json!({"window": {"workDoneProgress": true}})).await;
    let create = client.call("window/workDoneProgress/create").await;
    client.state.send_replace(ready());
    while status(&mut client).await["state"] != "ready" {}
    client.send(json!({"jsonrpc": "2.0", "id": create["id"], "result": null})).await;
    for kind in ["begin", "end"] {
        assert_eq!(client.call("$/progress").await["params"]["value"]["kind"], kind);
    }
}

#[tokio::test]
async fn a_client_that_refuses_a_bar_gets_none_and_all_else_goes_on() {
    let mut client = Client::connect_with(loading(), 64 * 1024);
    client.initialize(json!({"window": {"workDoneProgress": true}})).await;
    let create = client.call("window/workDoneProgress/create").await;
    client.send(json!({"jsonrpc": "2.0", "id": create["id"], "error": {"code": -32601, "message": "no"}})).await;
    client.state.send_replace(ready());
    while status(&mut client).await["state"] != "ready" {}
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null).await;
    let progress: Vec<Value> = client.rest().await.into_iter().filter(|m| m["method"] == "$/progress").collect();
    assert_eq!(progress, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_download_is_reported_in_steps_and_its_end_at_once() {
    let mut client = Client::connect_with(downloading(0), 64 * 1024);
    client.initialize(json!({})).await;
    assert_eq!(status(&mut client).await["done"], 0);
    for done in 1..=1_000 {
        client.state.send_replace(downloading(done));
        // Lets the server see each of them.
        client.ask("finch/explainLast", Value::Null).await;
    }
    client.state.send_replace(ready());
    let mut told = Vec::new();
    loop {
        let status = status(&mut client).await;
        if status["state"] == "ready" {
            break;
        }
        told.push(status);
    }
    assert!(told.len() < 10, "{} reports for 1,000 steps in no time", told.len());
}

#[tokio::test(start_paused = true)]
async fn the_newest_step_of_a_download_is_told_in_the_end() {
    let mut client = Client::connect_with(downloading(0), 64 * 1024);
    client.initialize(json!({})).await;
    status(&mut client).await;
    client.state.send_replace(downloading(1));
    client.state.send_replace(downloading(2));
    assert_eq!(status(&mut client).await["done"], 2);
}
