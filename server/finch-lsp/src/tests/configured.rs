//! Settings that change behind the session's back, and who hears which folder is open.

use std::path::PathBuf;

use finch_complete::Options;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::support::Client;
use crate::{Configuration, Configured, Settings};

const CODE: &str = "fn total(price: u32) -> u32 {\n    let sum = 1 + \n}\n";

struct Rig {
    client: Client,
    files: watch::Sender<Configured>,
    folder: oneshot::Receiver<Option<PathBuf>>,
}

fn rig() -> Rig {
    let (files, changes) = watch::channel(Configured::default());
    let (sender, folder) = oneshot::channel();
    let began = Box::new(move |folder| sender.send(folder).expect("the test listens"));
    Rig { client: Client::connect_configured(Configuration { began, changes }), files, folder }
}

impl Rig {
    async fn initialize(&mut self, options: Value) {
        let params = json!({"capabilities": {}, "rootUri": "file:///w/a%20b", "initializationOptions": options});
        self.client.ask("initialize", params).await;
        self.client.notify("initialized", json!({})).await;
        self.client.did_open(CODE).await;
    }

    /// Tells what the files say now, and waits until it was heard.
    async fn say(&mut self, tokens_max: usize) {
        let options = Options { tokens_max, ahead: false, ..Options::default() };
        let complaint = Some(format!("{tokens_max}"));
        self.files.send_replace(Configured { options, settings: Settings::default(), complaint });
        let shown = self.client.call("window/showMessage").await;
        assert_eq!(shown["params"], json!({"type": 2, "message": tokens_max.to_string()}));
    }

    async fn tokens_max(&mut self) -> usize {
        self.client.complete(1, 18).await;
        self.client.asked().await.request.sampling.tokens_max
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_is_told_once_it_is_known() {
    let mut rig = rig();
    rig.initialize(Value::Null).await;
    assert_eq!(rig.folder.await, Ok(Some(PathBuf::from("/w/a b"))));
}

#[tokio::test]
async fn what_the_files_say_reaches_the_model_and_complaints_the_user() {
    let mut rig = rig();
    rig.initialize(Value::Null).await;
    rig.say(7).await;
    assert_eq!(rig.tokens_max().await, 7);
    rig.say(9).await;
    assert_eq!(rig.tokens_max().await, 9);
}

#[tokio::test]
async fn what_the_editor_has_set_goes_before_the_files() {
    let mut rig = rig();
    rig.initialize(json!({"completion": {"tokens_max": 5}})).await;
    rig.say(7).await;
    assert_eq!(rig.tokens_max().await, 5);
    // What it sets later leaves what it has set before.
    let later = json!({"settings": {"finch": {"completion": {"deadline_ms": 900}}}});
    rig.client.notify("workspace/didChangeConfiguration", later).await;
    rig.say(8).await;
    assert_eq!(rig.tokens_max().await, 5);
}
