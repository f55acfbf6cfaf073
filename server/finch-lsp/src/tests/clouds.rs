//! What the client is told and asked of providers beyond this machine.

use std::path::Path;
use std::sync::Arc;

use finch_llm::router::{Consent, RouterEvent};
use finch_llm::{ModelState, Origin, Provenance, ProviderId, Task};
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::support::Client;
use crate::Clouds;
use crate::wire::status::Left;

struct Rig {
    client: Client,
    events: broadcast::Sender<RouterEvent>,
    answers: mpsc::UnboundedReceiver<(String, Consent)>,
}

async fn rig(keeps: Result<(), String>) -> Rig {
    let (events, receiver) = broadcast::channel(16);
    let (sender, answers) = mpsc::unbounded_channel();
    let agree = Arc::new(move |folder: &Path, consent| {
        sender.send((folder.display().to_string(), consent)).expect("the test listens");
        keeps.clone()
    });
    let left = Arc::new(|| Left { requests: 3, bytes: 4096, cost: None });
    let clouds = Clouds { events: receiver, agree, left };
    let ready = ModelState::Ready { model: "parrot".to_owned() };
    let mut client = Client::connect_to(ready, 64 * 1024, None, Some(clouds));
    client.initialize(json!({})).await;
    client.call("finch/status").await;
    Rig { client, events, answers }
}

fn wanted(folder: Option<&str>) -> RouterEvent {
    let origin = Origin { workspace: folder.map(|folder| Path::new(folder).into()), ..Origin::default() };
    RouterEvent::ConsentWanted { origin, provider: ProviderId::new("groq"), host: "api.groq.com".to_owned() }
}

fn answered(provider: &str) -> RouterEvent {
    let provenance = Provenance { provider: ProviderId::new(provider), model: "m".to_owned() };
    RouterEvent::Answered { provenance, task: Task::Completion, instead_of: Some("local: late".to_owned()) }
}

impl Rig {
    fn happens(&self, event: RouterEvent) {
        self.events.send(event).expect("the session listens");
    }

    async fn question(&mut self) -> Value {
        self.client.call("window/showMessageRequest").await
    }

    async fn answer(&mut self, question: &Value, title: Option<&str>) {
        let result = title.map_or(Value::Null, |title| json!({"title": title}));
        self.client.send(json!({"jsonrpc": "2.0", "id": question["id"], "result": result})).await;
    }
}

#[tokio::test]
async fn consent_is_asked_for_once_a_folder_with_no_as_the_first_answer() {
    let mut rig = rig(Ok(())).await;
    for _ in 0..3 {
        rig.happens(wanted(Some("/w")));
    }
    rig.happens(wanted(None));
    let question = rig.question().await;
    let message = question["params"]["message"].as_str().expect("it says what for");
    assert!(message.contains("text of /w ") && message.contains("groq (api.groq.com)"), "{message}");
    assert_eq!(question["params"]["actions"][0]["title"], "Not now");
    rig.answer(&question, Some("Allow for this folder")).await;
    assert_eq!(rig.answers.recv().await, Some(("/w".to_owned(), Consent::Given)));
    // The next question is about another folder, so there was no second one about this.
    rig.happens(wanted(Some("/v")));
    let question = rig.question().await;
    assert!(question["params"]["message"].as_str().is_some_and(|message| message.contains("text of /v ")));
    rig.answer(&question, Some("Never for this folder")).await;
    assert_eq!(rig.answers.recv().await, Some(("/v".to_owned(), Consent::Refused)));
}

#[tokio::test]
async fn nobody_is_asked_because_a_model_takes_a_moment_to_load() {
    let mut rig = rig(Ok(())).await;
    for (folder, state) in [("/a", ModelState::Starting), ("/b", ModelState::Loading { model: "parrot".to_owned() })] {
        rig.client.state.send_replace(state);
        rig.happens(wanted(Some(folder)));
        // What comes behind it is told, so it was heard.
        rig.happens(answered(folder));
        while rig.client.call("finch/status").await["params"]["answered"]["provider"] != folder {}
    }
    rig.client.state.send_replace(ModelState::Absent { next: String::new() });
    rig.happens(wanted(Some("/a")));
    let question = rig.question().await;
    assert!(question["params"]["message"].as_str().is_some_and(|message| message.contains("text of /a ")));
}

#[tokio::test]
async fn whatever_is_no_clear_answer_counts_as_none() {
    let mut rig = rig(Ok(())).await;
    for (folder, answer) in [("/a", Some("Not now")), ("/b", None), ("/c", Some("Yes"))] {
        rig.happens(wanted(Some(folder)));
        let question = rig.question().await;
        rig.answer(&question, answer).await;
    }
    rig.happens(wanted(Some("/d")));
    let question = rig.question().await;
    rig.answer(&question, Some("Allow for this folder")).await;
    assert_eq!(rig.answers.recv().await, Some(("/d".to_owned(), Consent::Given)));
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_said() {
    let mut rig = rig(Err("the disk is full".to_owned())).await;
    rig.happens(wanted(Some("/w")));
    let question = rig.question().await;
    rig.answer(&question, Some("Allow for this folder")).await;
    let said = rig.client.call("window/showMessage").await;
    assert_eq!(said["params"]["message"], "finch could not keep your answer: the disk is full");
}

#[tokio::test]
async fn who_answers_and_what_left_is_in_the_status() {
    let mut rig = rig(Ok(())).await;
    rig.happens(answered("groq"));
    let told = rig.client.call("finch/status").await["params"].clone();
    assert_eq!(told["answered"], json!({"provider": "groq", "model": "m", "instead_of": "local: late"}));
    assert_eq!(told["left"], json!({"requests": 3, "bytes": 4096}));
    assert_eq!(rig.client.ask("finch/status", json!({})).await["result"], told);
    // What says nothing new is not told.
    rig.happens(answered("groq"));
    rig.happens(answered("local"));
    assert_eq!(rig.client.call("finch/status").await["params"]["answered"]["provider"], "local");
}

#[tokio::test]
async fn that_nobody_answers_is_shown() {
    let mut rig = rig(Ok(())).await;
    rig.happens(RouterEvent::AllFailed { reason: "groq: down".to_owned() });
    let said = rig.client.call("window/showMessage").await;
    assert_eq!(said["params"], json!({"type": 2, "message": "finch has no answer: groq: down"}));
}

#[tokio::test]
async fn who_answers_is_told_though_the_model_will_not_change_any_more() {
    let mut rig = rig(Ok(())).await;
    drop(std::mem::replace(&mut rig.client.state, finch_llm::state_channel().0));
    for provider in ["groq", "claude"] {
        rig.happens(answered(provider));
        assert_eq!(rig.client.call("finch/status").await["params"]["answered"]["provider"], provider);
    }
}
