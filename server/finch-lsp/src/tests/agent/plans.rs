//! A plan from its first word to its end, as the editor sees it.

use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, Say, edit, planning, say};

async fn lenses(rig: &mut Rig, uri: &str) -> Vec<(String, Value)> {
    let answer = rig.client.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).await;
    let lens = |lens: &Value| (lens["command"]["title"].as_str().unwrap().to_owned(), lens["command"].clone());
    answer["result"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(lens).collect()
}

fn titles(lenses: &[(String, Value)]) -> Vec<&str> {
    lenses.iter().map(|(title, _)| title.as_str()).collect()
}

fn argument(lenses: &[(String, Value)], title: &str) -> Value {
    lenses.iter().find(|(other, _)| other == title).unwrap().1["arguments"][0].clone()
}

/// Makes a plan and gives its document.
async fn planned(rig: &mut Rig) -> String {
    rig.command("finch.plan", json!({"task": "Shout"})).await;
    let ended = rig.until_event("ended").await;
    assert_eq!(ended["outcome"], "done", "{ended}");
    ended["uri"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plan_is_shown_approved_carried_out_ticked_and_taken_back() {
    let mut says = planning("grep -q TWO a.txt");
    says.extend([edit("a.txt", "two", "TWO"), say("Done.")]);
    let mut rig = Rig::new(Manner::full(), says).await;
    let open = rig.uri("a.txt");
    rig.open(&open).await;
    let uri = planned(&mut rig).await;
    assert_eq!(rig.kinds(), ["began", "text", "plan", "ended"]);
    let shown = rig.find(|call| call["method"] == "window/showDocument").await;
    assert_eq!(shown["params"]["uri"], uri);
    let lens = lenses(&mut rig, &uri).await;
    assert_eq!(titles(&lens), ["Approve and carry out", "Revise…"]);
    assert_eq!(argument(&lens, "Revise…"), json!({"uri": uri}));
    rig.seen.clear();
    let turn = rig.command("finch.approve", argument(&lens, "Approve and carry out")).await;
    assert_eq!(rig.ended().await, ("done".to_owned(), "All steps are done".to_owned()));
    let kinds = rig.kinds();
    assert_eq!(kinds[..3], ["began", "plan", "step"], "{kinds:?}");
    let asked = rig.find(|call| call["method"] == "finch/approve").await;
    assert!(asked["params"]["effect"].as_str().unwrap().contains("grep -q TWO a.txt"), "{asked}");
    assert_eq!(rig.text("a.txt"), CODE.replace("two", "TWO"));
    assert!(Rig::read(&uri).contains("## 1. [x] Change two"), "{}", Rig::read(&uri));
    let lens = lenses(&mut rig, &uri).await;
    assert_eq!(titles(&lens), ["Revise…", "Undo this turn"]);
    assert_eq!(argument(&lens, "Undo this turn"), json!({"turn": turn}));
    rig.command("finch.undoTurn", json!({"turn": turn})).await;
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!((rig.text("a.txt").as_str(), rig.documents[&open].1.as_str()), (CODE, CODE));
    assert_eq!(titles(&lenses(&mut rig, &uri).await), ["Revise…"]);
}

#[tokio::test]
async fn an_approval_is_for_the_plan_that_the_user_sees() {
    let mut rig = Rig::new(Manner::full(), planning("")).await;
    let uri = planned(&mut rig).await;
    let on_disk = argument(&lenses(&mut rig, &uri).await, "Approve and carry out");
    rig.open(&uri).await;
    let edited = Rig::read(&uri).replace("Make it TWO.", "Make it ZWEI.");
    rig.change(&uri, &edited).await;
    let seen = argument(&lenses(&mut rig, &uri).await, "Approve and carry out");
    assert_ne!(on_disk["hash"], seen["hash"]);
    // The plan that was shown first is not the one that stands there now.
    rig.command("finch.approve", on_disk).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("is not the plan that was approved"), "{message}");
    rig.script.add(vec![edit("a.txt", "two", "ZWEI"), say("Done.")]);
    rig.command("finch.approve", seen).await;
    assert_eq!(rig.ended().await.0, "done");
    assert!(rig.script.told().contains("Make it ZWEI.") && rig.text("a.txt") == CODE.replace("two", "ZWEI"));
}

#[tokio::test]
async fn a_text_that_is_no_plan_says_where() {
    let mut rig = Rig::new(Manner::full(), planning("")).await;
    let uri = planned(&mut rig).await;
    rig.open(&uri).await;
    rig.change(&uri, "# Plan\n\n## a step\n").await;
    let lens = lenses(&mut rig, &uri).await;
    assert_eq!(titles(&lens), ["finch: line 3: a step begins with `## 1. [ ] Title`"]);
    let refused = rig.try_command("finch.revise", json!({"uri": uri})).await;
    assert_eq!(refused["error"]["code"], -32803, "{refused}");
}

#[tokio::test]
async fn a_plan_that_is_being_made_can_be_stopped_or_steered() {
    let finding = json!({"findings": [{
        "concern": "too big", "step_ref": 1, "severity": 9, "confidence": 9, "file": "", "line": 0, "quote": "",
    }]});
    let mut says = planning("");
    says.truncate(2);
    says.push(Say::Hang);
    let mut rig = Rig::new(Manner::full(), says).await;
    let turn = rig.command("finch.plan", json!({"task": "Shout"})).await;
    let plan = rig.until_event("plan").await;
    assert_eq!((&plan["state"], &plan["round"]), (&json!("attacking"), &json!(1)));
    let uri = plan["uri"].as_str().unwrap().to_owned();
    let lens = lenses(&mut rig, &uri).await;
    assert_eq!(titles(&lens), ["Stop", "Revise…"]);
    assert_eq!(argument(&lens, "Stop"), json!({"turn": turn}));
    let heard = rig.command("finch.revise", json!({"uri": uri, "direction": "use sed"})).await;
    assert_eq!(heard, turn, "no turn of its own");
    let revised = planning("");
    rig.script.add(vec![Say::Text(finding.to_string()); 6]);
    rig.script.add(revised[1..].to_vec());
    drop(rig.hanging().await);
    rig.ended().await;
    let told = rig.script.told();
    assert!(told.contains("The user says:\nuse sed") && told.contains("too big"), "{told}");
}

#[tokio::test]
async fn a_plan_that_is_there_can_be_revised_in_a_direction() {
    let mut rig = Rig::new(Manner::full(), planning("")).await;
    let uri = planned(&mut rig).await;
    rig.script.add(planning(""));
    rig.command("finch.revise", json!({"uri": uri, "direction": "think of Windows"})).await;
    let ended = rig.until_event("ended").await;
    assert_eq!(ended["outcome"], "done", "{ended}");
    assert_ne!(ended["uri"], uri, "the old plan stays");
    assert!(Rig::read(ended["uri"].as_str().unwrap()).contains("Make it TWO."));
}

#[tokio::test]
async fn a_task_is_taken_from_the_text_at_a_place() {
    let mut rig = Rig::new(Manner::full(), planning("")).await;
    std::fs::write(rig.path("b.rs"), "fn a() {}\n// TODO: sort them\n").unwrap();
    let uri = rig.uri("b.rs");
    rig.open(&uri).await;
    let place = json!({"line": 1, "character": 4});
    rig.command("finch.plan", json!({"uri": uri, "range": {"start": place, "end": place}})).await;
    rig.ended().await;
    assert!(rig.script.told().contains("// TODO: sort them\n\n(It stands in b.rs, line 2.)"));
    let nothing = rig.try_command("finch.plan", json!({})).await;
    assert_eq!(nothing["error"]["code"], -32602);
}

#[tokio::test]
async fn what_is_no_plan_is_not_carried_out() {
    let mut rig = Rig::new(Manner::full(), Vec::new()).await;
    std::fs::write(rig.path("p.md"), "# Plan\n\n> x\n\n## 1. [ ] a\n\nb\n").unwrap();
    for uri in [rig.uri("p.md"), "file:///etc/passwd.md".to_owned(), "untitled:a".to_owned()] {
        let refused = rig.try_command("finch.approve", json!({"uri": uri, "hash": "x"})).await;
        assert_eq!(refused["error"]["code"], -32803, "{refused}");
        assert_eq!(lenses(&mut rig, &uri).await, []);
    }
}

/// A plan whose carrying out hung when its session ended, in a new session that asks about it.
async fn after_an_interruption(answer: &str) -> (Rig, String, String) {
    let mut says = planning("");
    says.push(Say::Hang);
    let mut rig = Rig::new(Manner::full(), says).await;
    let uri = planned(&mut rig).await;
    let approval = argument(&lenses(&mut rig, &uri).await, "Approve and carry out");
    let turn = rig.command("finch.approve", approval).await;
    let hanging = rig.hanging().await;
    rig.client.ask("shutdown", Value::Null).await;
    rig.client.notify("exit", Value::Null).await;
    rig.client.ended().await;
    hanging.reader_gone().await;
    rig.script.add(vec![edit("a.txt", "two", "TWO"), say("Done.")]);
    rig.reconnect().await;
    rig.by_hand.push("window/showMessageRequest");
    let asked = rig.until_call("window/showMessageRequest").await;
    assert!(asked["params"]["message"].as_str().unwrap().contains("Shout"), "{asked}");
    assert_eq!(asked["params"]["actions"], json!([{"title": "Not now"}, {"title": "Go on"}]));
    rig.answer(&asked, json!({"title": answer})).await;
    (rig, uri, turn)
}

#[tokio::test]
async fn an_interrupted_task_goes_on_if_the_user_says_so() {
    let (mut rig, uri, turn) = after_an_interruption("Go on").await;
    let ended = rig.until_event("ended").await;
    assert_eq!((&ended["outcome"], &ended["turn"]), (&json!("done"), &json!(turn)));
    assert_eq!(rig.text("a.txt"), CODE.replace("two", "TWO"));
    assert!(Rig::read(&uri).contains("[x] Change two"));
}

#[tokio::test]
async fn an_interrupted_task_rests_until_it_is_resumed() {
    let (mut rig, _, turn) = after_an_interruption("Not now").await;
    assert_eq!(rig.client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
    assert_eq!(rig.text("a.txt"), CODE);
    let unknown = rig.try_command("finch.resume", json!({"turn": "0123456789abcdef"})).await;
    assert_eq!(unknown["error"]["code"], -32803);
    let odd = rig.try_command("finch.resume", json!({"turn": "../x"})).await;
    assert_eq!(odd["error"]["code"], -32602);
    rig.command("finch.resume", json!({"turn": turn})).await;
    assert_eq!(rig.ended().await.0, "done");
}

#[tokio::test]
async fn an_approval_says_how_much_is_open() {
    let grave = json!({
        "concern": "It shouts.", "step_ref": 1, "severity": 9, "confidence": 9, "file": "", "line": 0, "quote": "",
    });
    let mut says = planning("");
    says[2] = say(&json!({"findings": [grave]}).to_string());
    says[3] = Say::Break;
    // What comes next is no plan, twice: the first one stays.
    let mut rig = Rig::new(Manner::full(), says).await;
    let uri = planned(&mut rig).await;
    let open = ["Approve and carry out (2 findings open)", "Revise…"];
    assert_eq!(titles(&lenses(&mut rig, &uri).await), open, "{}", Rig::read(&uri));
    rig.reconnect().await;
    assert_eq!(titles(&lenses(&mut rig, &uri).await), open, "after a restart");
    rig.open(&uri).await;
    // Of the same steps it is what finch has written down that counts.
    std::fs::write(uri.strip_prefix("file://").unwrap(), Rig::read(&uri).replace(" **must be addressed**", ""))
        .unwrap();
    assert_eq!(titles(&lenses(&mut rig, &uri).await)[0], "Approve and carry out (1 finding open)");
}
