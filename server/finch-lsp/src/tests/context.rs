//! What is known beyond the document at the cursor, on its way to the model.

use std::fs;
use std::time::Duration;

use finch_llm::InfillContext;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::support::{Client, URI};

const CODE: &str = "fn main() {\n    let total = sum_of(rows, ";
const OTHER: &str = "fn sum_of(rows: &Rows, from: usize) -> u64 {\n    rows.len()\n}\n";
/// What takes longer never comes.
const WAIT: Duration = Duration::from_secs(20);

/// The context of the next request, which is answered with nothing.
async fn context(client: &mut Client) -> InfillContext {
    let id = client.complete(1, 29).await;
    let asked = client.asked().await;
    let context = asked.request.context.clone();
    asked.say("\n").await;
    client.answer_to(id).await;
    context
}

fn excerpts(context: &InfillContext) -> Vec<(&str, &str)> {
    context.excerpts.iter().map(|excerpt| (excerpt.name.as_str(), &*excerpt.text)).collect()
}

async fn open_other(client: &mut Client, uri: &str) {
    let other = json!({"uri": uri, "languageId": "rust", "version": 1, "text": OTHER});
    client.notify("textDocument/didOpen", json!({"textDocument": other})).await;
}

#[tokio::test]
async fn other_documents_tell_what_names_mean_and_how_they_are_used() {
    let mut client = Client::connect();
    client.ask("initialize", json!({"capabilities": {}, "rootUri": "file:///project"})).await;
    client.notify("initialized", json!({})).await;
    open_other(&mut client, "file:///project/src/sum.rs").await;
    client.did_open(CODE).await;
    let context = context(&mut client).await;
    assert_eq!((context.repository.as_deref(), context.path.as_deref()), (Some("project"), Some("a.rs")));
    let definition = ("src/sum.rs", "fn sum_of(rows: &Rows, from: usize) -> u64");
    assert_eq!(excerpts(&context), [definition, ("src/sum.rs", OTHER.trim_end())]);
}

#[tokio::test]
async fn what_the_editor_tells_is_part_of_it() {
    let mut client = Client::open(CODE).await;
    let told = json!({
        "uri": URI,
        "diagnostics": [{"line": 0, "message": "main is never used"}],
        "definitions": [{"name": "sum_of", "uri": "file:///lib/sum.rs", "text": "pub fn sum_of();"}],
    });
    client.notify("finch/context", told).await;
    let errors = ("a.rs.errors", "fn main() {: main is never used\n");
    assert_eq!(excerpts(&context(&mut client).await), [("sum.rs", "pub fn sum_of();"), errors]);
}

#[tokio::test]
async fn each_source_can_be_switched_off_by_the_editor() {
    let mut client = Client::open(CODE).await;
    open_other(&mut client, "file:///project/src/sum.rs").await;
    let off = json!({"definitions": false, "recent": false, "path": false});
    let settings = json!({"finch": {"completion": {"context": off}}});
    client.notify("workspace/didChangeConfiguration", json!({"settings": settings})).await;
    let context = context(&mut client).await;
    assert_eq!((excerpts(&context), &context.path, &context.repository), (Vec::new(), &None, &None));
}

#[tokio::test]
async fn nothing_of_a_document_that_may_hold_secrets_is_told() {
    let mut client = Client::open(CODE).await;
    open_other(&mut client, "file:///project/.env.rs").await;
    assert_eq!(excerpts(&context(&mut client).await), []);
}

#[tokio::test]
async fn files_that_the_document_imports_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("sum.rs"), OTHER).expect("the file can be written");
    let root = format!("file://{}", folder.path().display());
    let mut client = Client::connect();
    client.ask("initialize", json!({"capabilities": {}, "rootUri": root})).await;
    client.notify("initialized", json!({})).await;
    let text = format!("use crate::sum::sum_of; {CODE}");
    let document = json!({"uri": URI, "languageId": "rust", "version": 1, "text": text});
    client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let until = Instant::now() + WAIT;
    let found = timeout_at(until, async {
        while !excerpts(&context(&mut client).await).iter().any(|(name, _)| *name == "sum.rs") {}
    });
    found.await.expect("the file is read");
    assert_eq!(client.ask("shutdown", Value::Null).await["result"], Value::Null);
}
