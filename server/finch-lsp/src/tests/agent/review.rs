//! Edits that the user looks at first: taken or left place by place.

use finch_agent::task::Edits;
use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, edit, say};

/// A turn with two staged places, its review's document, and what can be done with it.
async fn staged() -> (Rig, String, Vec<Value>) {
    let says = vec![edit("a.txt", "one", "ONE"), edit("a.txt", "five", "FIVE"), say("Done.")];
    let mut rig = Rig::new(Manner { edits: Edits::Review, ..Manner::full() }, says).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let place = json!({"line": 0, "character": 0});
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": "shout"});
    rig.command("finch.edit", argument).await;
    let review = rig.until_event("review").await["uri"].as_str().unwrap().to_owned();
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), CODE, "nothing is in the files yet");
    let lenses = lenses(&mut rig, &review).await;
    (rig, review, lenses)
}

async fn lenses(rig: &mut Rig, uri: &str) -> Vec<Value> {
    let answer = rig.client.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).await;
    answer["result"].as_array().unwrap().clone()
}

fn find<'a>(lenses: &'a [Value], command: &str, at: usize) -> &'a Value {
    lenses.iter().filter(|lens| lens["command"]["command"] == command).nth(at).unwrap()
}

async fn run(rig: &mut Rig, lens: &Value) -> (String, String) {
    let command = lens["command"]["command"].as_str().unwrap().to_owned();
    rig.command(&command, lens["command"]["arguments"][0].clone()).await;
    rig.ended().await
}

#[tokio::test]
async fn one_place_is_taken_and_the_other_left() {
    let (mut rig, review, first) = staged().await;
    let text = Rig::read(&review);
    for (at, lens) in first.iter().enumerate() {
        let line =
            text.lines().nth(usize::try_from(lens["range"]["start"]["line"].as_u64().unwrap()).unwrap()).unwrap();
        let start = ["#", "#", "---", "---", "@@", "@@", "@@", "@@"][at];
        assert!(line.starts_with(start), "{at}: {line}");
    }
    let done = run(&mut rig, find(&first, "finch.acceptHunk", 1)).await;
    assert_eq!(done, ("done".to_owned(), "The edits are in the files".to_owned()));
    assert_eq!(rig.text("a.txt"), CODE.replace("five", "FIVE"));
    // What was shown before is not what stands there now.
    let (outcome, message) = run(&mut rig, find(&first, "finch.acceptHunk", 0)).await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("look at them again"), "{message}");
    assert_eq!(rig.text("a.txt"), CODE.replace("five", "FIVE"));
    let second = lenses(&mut rig, &review).await;
    assert_eq!(run(&mut rig, find(&second, "finch.rejectHunk", 0)).await.0, "done");
    assert_eq!(Rig::read(&review), "# Nothing is staged any more.\n");
    assert_eq!(rig.text("a.txt"), CODE.replace("five", "FIVE"));
}

#[tokio::test]
async fn all_is_taken_and_taken_back() {
    let (mut rig, _, lenses) = staged().await;
    assert_eq!(run(&mut rig, find(&lenses, "finch.acceptAll", 0)).await.0, "done");
    assert_eq!(rig.text("a.txt"), CODE.replace("one", "ONE").replace("five", "FIVE"));
    rig.command("finch.undoTurn", json!({})).await;
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), CODE);
}

#[tokio::test]
async fn a_review_that_somebody_changed_offers_nothing() {
    let (mut rig, review, _) = staged().await;
    rig.open(&review).await;
    assert_eq!(lenses(&mut rig, &review).await.len(), 8);
    let edited = Rig::read(&review).replace("+ONE", "+EVIL");
    rig.change(&review, &edited).await;
    assert_eq!(lenses(&mut rig, &review).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_turn_that_staged_nothing_has_nothing_to_decide_about() {
    let (mut rig, _, lenses) = staged().await;
    let mut argument = find(&lenses, "finch.rejectFile", 0)["command"]["arguments"][0].clone();
    argument["turn"] = json!("0123456789abcdef");
    let refused = rig.try_command("finch.rejectFile", argument).await;
    assert_eq!(refused["error"]["code"], -32803, "{refused}");
}
