//! An editor in which somebody types, asks for suggestions, and says what they are worth.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::sync::oneshot;

use super::tally::Outcome;
use crate::editor::{self, Server};
use crate::feedback::Acknowledged;

/// Lines of a document, and suggestions after which the next one is opened.
const LINES: usize = 60;
const DOCUMENT_ASKS: usize = 50;
/// Each so many suggestions somebody says what the last one was worth.
const WORTH_EVERY: usize = 4;
/// And so many are accepted: who takes none is asked more and more rarely.
const ACCEPTED_EVERY: usize = 2;
const END_MAX: Duration = Duration::from_secs(30);
const POLL_PAUSE: Duration = Duration::from_millis(20);

type Ask = (usize, oneshot::Sender<Result<Outcome>>);

/// The editor on a thread of its own; it is asked one thing after the other.
pub(super) struct Typist {
    asks: mpsc::Sender<Ask>,
    thread: std::thread::JoinHandle<()>,
}

impl Typist {
    pub(super) fn start(home: &Path, acknowledged: Arc<Acknowledged>) -> Result<Self> {
        let mut server = Server::start_with_daemon(home)?;
        server.initialize()?;
        server.wait_until_ready()?;
        let (asks, wanted) = mpsc::channel::<Ask>();
        let thread = std::thread::spawn(move || {
            let mut desk = Desk { server, acknowledged, uri: String::new(), version: 0, asked: 0 };
            for (number, answer) in wanted {
                // Who does not wait any more has counted it as no answer.
                drop(answer.send(desk.ask(number)));
            }
        });
        Ok(Self { asks, thread })
    }

    pub(super) async fn ask(&self, number: usize) -> Result<Outcome> {
        let (sender, answer) = oneshot::channel();
        self.asks.send((number, sender)).ok().context("the editor has ended")?;
        answer.await?
    }

    /// Waits until the editor is closed. One that does not close is left to end with this process.
    pub(super) async fn end(self) -> Result<()> {
        drop(self.asks);
        let started = Instant::now();
        while !self.thread.is_finished() {
            ensure!(started.elapsed() < END_MAX, "an editor has not ended after {END_MAX:?}");
            tokio::time::sleep(POLL_PAUSE).await;
        }
        ensure!(self.thread.join().is_ok(), "an editor has failed");
        Ok(())
    }
}

struct Desk {
    server: Server,
    acknowledged: Arc<Acknowledged>,
    uri: String,
    version: usize,
    asked: usize,
}

impl Desk {
    fn ask(&mut self, number: usize) -> Result<Outcome> {
        if self.asked.is_multiple_of(DOCUMENT_ASKS) {
            self.open(number)?;
        }
        self.asked += 1;
        self.version += 1;
        let line = self.asked * 7 % LINES;
        let typed = format!("result_{number} = compute(");
        let at = json!({"line": line, "character": 0});
        let change = json!({"range": {"start": at, "end": at}, "text": format!("{typed}\n")});
        let document = json!({"uri": self.uri, "version": self.version});
        self.server.notify("textDocument/didChange", &json!({"textDocument": document, "contentChanges": [change]}))?;
        let suggested = self.server.request(
            "textDocument/inlineCompletion",
            &json!({
                "textDocument": {"uri": self.uri}, "position": {"line": line, "character": typed.len()},
                "context": {"triggerKind": 2},
            }),
        )?;
        let explained = self.server.request("finch/explainLast", &json!({}))?;
        let is_answered = explained["generated_tokens"].as_u64() > Some(0) && explained["provider"] == "local";
        ensure!(is_answered, "no answer of the local model: {explained}");
        let items = suggested.get("items").unwrap_or(&suggested);
        let item = &items[0];
        if let Some(id) = item["command"]["arguments"][0]["id"].as_u64() {
            self.server.notify("finch/didShow", &json!({"id": id}))?;
            if self.asked.is_multiple_of(ACCEPTED_EVERY) {
                let length = item["insertText"].as_str().map_or(0, |text| text.encode_utf16().count());
                self.server.notify("finch/didAccept", &json!({"id": id, "length": length, "kind": "full"}))?;
            }
            if self.asked.is_multiple_of(WORTH_EVERY) {
                let note = format!("soak, in an editor, {number}");
                self.server.request("finch/feedback", &json!({"verdict": "good", "note": note, "id": id}))?;
                self.acknowledged.add(note);
            }
        }
        Ok(Outcome::Right)
    }

    fn open(&mut self, number: usize) -> Result<()> {
        if !self.uri.is_empty() {
            self.server.notify("textDocument/didClose", &json!({"textDocument": {"uri": self.uri}}))?;
        }
        (self.uri, self.version) = (format!("file:///soak/{number}.py"), 0);
        let text = editor::python(LINES);
        let document = json!({"uri": self.uri, "languageId": "python", "version": 0, "text": text});
        self.server.notify("textDocument/didOpen", &json!({"textDocument": document}))
    }
}
