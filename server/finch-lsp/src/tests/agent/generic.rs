//! An editor that knows nothing beyond the standard, and little of that.

use finch_llm::{Chunk, Done, StopReason, Timings, Usage};
use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, Say, edit, planning, say};

async fn begin(rig: &mut Rig, instruction: &str) {
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let place = json!({"line": 1, "character": 0});
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": instruction});
    rig.command("finch.edit", argument).await;
}

fn by_message(rig: &mut Rig) {
    rig.by_hand.push("window/showMessageRequest");
}

#[tokio::test]
async fn permission_is_asked_by_a_message_with_the_refusal_first() {
    let manner = Manner { rules: "", ..Manner::generic() };
    let mut rig = Rig::new(manner, vec![edit("a.txt", "two", "TWO"), say("Done.")]).await;
    by_message(&mut rig);
    begin(&mut rig, "shout").await;
    let asked = rig.until_call("window/showMessageRequest").await;
    let message = asked["params"]["message"].as_str().unwrap();
    assert!(message.contains("-two") && message.contains("+TWO"), "{message}");
    assert_eq!(asked["params"]["actions"], json!([{"title": "Deny"}, {"title": "Read on"}]));
    rig.answer(&asked, json!({"title": "Read on"})).await;
    let asked = rig.until_call("window/showMessageRequest").await;
    assert!(asked["params"]["message"].as_str().unwrap().contains("Why it is asked"), "{asked}");
    assert_eq!(asked["params"]["actions"][0], json!({"title": "Deny"}));
    rig.answer(&asked, json!({"title": "Allow once"})).await;
    // Nothing can save but the user.
    let told = rig.until_call("window/showMessage").await;
    assert!(told["params"]["message"].as_str().unwrap().contains("save all files"), "{told}");
    let uri = rig.uri("a.txt");
    rig.save(&uri);
    let told = rig.until_call("window/showMessage").await;
    assert_eq!(told["params"], json!({"type": 3, "message": "finch: Done."}));
    assert_eq!(rig.text("a.txt"), CODE.replace("two", "TWO"));
}

#[tokio::test]
async fn a_message_that_is_closed_or_answered_with_something_else_is_a_no() {
    for answer in [Value::Null, json!({"title": "Allow"}), json!({"title": ""}), json!({"title": "Deny"})] {
        let manner = Manner { rules: "", ..Manner::generic() };
        let mut rig = Rig::new(manner, vec![edit("a.txt", "two", "TWO"), say("It was denied.")]).await;
        by_message(&mut rig);
        begin(&mut rig, "shout").await;
        let asked = rig.until_call("window/showMessageRequest").await;
        rig.answer(&asked, answer).await;
        rig.until_call("window/showMessage").await;
        assert_eq!(rig.text("a.txt"), CODE);
        assert!(rig.script.told().contains("the user said no"));
    }
}

#[tokio::test]
async fn files_that_nobody_saves_are_an_error_in_the_end() {
    let mut rig = Rig::new(Manner::generic(), vec![edit("a.txt", "two", "TWO"), say("Done.")]).await;
    begin(&mut rig, "shout").await;
    let told = rig.until_call("window/showMessage").await;
    assert!(told["params"]["message"].as_str().unwrap().contains("save all files"), "{told}");
    tokio::time::pause();
    tokio::time::sleep(crate::limits::SAVED_BY_HAND_WAIT + std::time::Duration::from_secs(10)).await;
    let told = rig.until_call("window/showMessage").await;
    let message = told["params"]["message"].as_str().unwrap();
    assert_eq!(told["params"]["type"], 1);
    assert!(message.contains("are made and not saved after 300 s") && message.contains("a.txt"), "{message}");
}

#[tokio::test]
async fn the_model_gets_its_choice_by_buttons_and_nothing_else() {
    let choice = json!({"questions": [{"question": "Which?", "options": ["left", "right"]}]});
    let free = json!({"questions": [{"question": "Why?"}]});
    let several = json!({"questions": [{"question": "Which?", "options": ["a", "b"], "several": true}]});
    let says = ["AskUser"; 3].into_iter().zip([free, several, choice]).map(|(name, call)| Say::Call(name, call));
    let mut rig = Rig::new(Manner::generic(), says.chain([say("Done.")]).collect()).await;
    by_message(&mut rig);
    begin(&mut rig, "ask").await;
    let asked = rig.until_call("window/showMessageRequest").await;
    assert_eq!(asked["params"]["message"], "The model asks:\n\nWhich?");
    let titles = json!([{"title": "Do not answer"}, {"title": "1. left"}, {"title": "2. right"}]);
    assert_eq!(asked["params"]["actions"], titles);
    rig.answer(&asked, json!({"title": "2. right"})).await;
    rig.until_call("window/showMessage").await;
    let told = rig.script.told();
    assert!(told.contains("→ right") && told.contains("this editor can only be asked"), "{told}");
}

#[tokio::test]
async fn where_a_document_is_is_said_to_an_editor_that_cannot_show_it() {
    let mut rig = Rig::new(Manner::generic(), planning("")).await;
    rig.command("finch.plan", json!({"task": "Shout"})).await;
    let told = rig.until_call("window/showMessage").await;
    let message = told["params"]["message"].as_str().unwrap().to_owned();
    let path = message.strip_prefix("finch: the plan is in ").unwrap_or_else(|| panic!("{message}"));
    let told = rig.until_call("window/showMessage").await;
    assert_eq!(told["params"]["message"], "finch: The plan is settled");
    assert!(std::fs::read_to_string(path).unwrap().contains("Make it TWO."));
    // The same can be done as with lenses, by code actions; they are plain commands here.
    let actions = actions(&mut rig, &format!("file://{path}")).await;
    let commands: Vec<&Value> = actions.iter().map(|action| &action["command"]).collect();
    assert_eq!(commands, ["finch.approve", "finch.revise"]);
}

#[tokio::test]
async fn an_editor_that_ticks_nothing_by_itself_does_not_lose_what_is_done() {
    let steps: Vec<Value> =
        (1..=2).map(|n| json!({"title": format!("Step {n}"), "what": "Do it.", "files": [], "check": ""})).collect();
    let mut says = vec![say("Notes."), Say::Text(json!({"steps": steps}).to_string())];
    says.extend(std::iter::repeat_n(say("{\"findings\": []}"), 7));
    says.extend([say("Did 1."), say("Did 2.")]);
    let mut rig = Rig::new(Manner::full(), says).await;
    rig.command("finch.plan", json!({"task": "Two steps"})).await;
    let uri = rig.until_event("ended").await["uri"].as_str().unwrap().to_owned();
    // Open, and never read again.
    rig.open(&uri).await;
    let lens = rig.client.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).await;
    rig.command("finch.approve", lens["result"][0]["command"]["arguments"][0].clone()).await;
    assert_eq!(rig.ended().await.0, "done");
    let text = Rig::read(&uri);
    assert!(text.contains("## 1. [x] Step 1") && text.contains("## 2. [x] Step 2"), "{text}");
}

#[tokio::test]
async fn progress_can_be_cancelled_where_there_is_some() {
    let mut manner = Manner::generic();
    manner.capabilities = json!({"window": {"workDoneProgress": true}});
    let mut rig = Rig::new(manner, vec![Say::Hang]).await;
    let turn = rig.command("finch.ask", json!({"text": "?"})).await;
    let create = rig.until(|call| call["method"] == "window/workDoneProgress/create").await;
    let token = create["params"]["token"].clone();
    let token = token.as_str().unwrap();
    assert!(token.starts_with(&format!("finch-turn-{turn}-")), "{token}");
    let begin = rig.until(|call| call["params"]["token"] == token && call["method"] == "$/progress").await;
    assert_eq!(
        (&begin["params"]["value"]["kind"], &begin["params"]["value"]["cancellable"]),
        (&json!("begin"), &json!(true))
    );
    let hanging = rig.hanging().await;
    rig.client.notify("window/workDoneProgress/cancel", json!({"token": token})).await;
    hanging.reader_gone().await;
    let is_end = |call: &Value| call["params"]["token"] == token && call["params"]["value"]["kind"] == "end";
    assert_eq!(rig.until(is_end).await["params"]["value"]["message"], "Stopped");
}

#[tokio::test]
async fn what_is_too_long_for_a_message_is_asked_in_parts_and_granted_at_the_end_alone() {
    let long: Vec<String> = (1..=40).map(|n| format!("line {n} of it")).collect();
    let write = Say::Call("Write", json!({"path": "long.txt", "content": long.join("\n")}));
    let edits = json!({"documentChanges": true, "resourceOperations": ["create"]});
    let capabilities = json!({"workspace": {"workspaceEdit": edits}});
    let manner = Manner { rules: "", capabilities, ..Manner::generic() };
    for yes in [true, false] {
        let mut rig = Rig::new(manner.clone(), vec![write.clone(), say("Done.")]).await;
        by_message(&mut rig);
        begin(&mut rig, "write").await;
        let mut whole = String::new();
        loop {
            let asked = rig.until_call("window/showMessageRequest").await;
            let message = asked["params"]["message"].as_str().unwrap().to_owned();
            assert!(message.lines().count() <= crate::limits::MESSAGE_ROWS_MAX, "{message}");
            let (title, part) = message.split_once("\n\n").unwrap();
            assert!(title.starts_with("finch wants to change a file ("), "{title}");
            whole.push_str(part);
            whole.push('\n');
            let actions = asked["params"]["actions"].as_array().unwrap();
            if actions[1] != json!({"title": "Read on"}) {
                assert!(
                    actions[0] == json!({"title": "Deny"}) && actions[1] == json!({"title": "Allow once"}),
                    "{actions:?}"
                );
                rig.answer(&asked, json!({"title": if yes { "Allow once" } else { "Deny" }})).await;
                break;
            }
            assert_eq!(*actions, [json!({"title": "Deny"}), json!({"title": "Read on"})]);
            rig.answer(&asked, json!({"title": "Read on"})).await;
        }
        assert!(long.iter().all(|line| whole.contains(&format!("+{line}\n"))), "{whole}");
        let told = rig.until_call("window/showMessage").await;
        let is_asked_to_save = told["params"]["message"].as_str().unwrap().contains("save all files");
        assert_eq!(is_asked_to_save, yes, "{told}");
    }
}

#[tokio::test]
async fn a_part_that_is_not_read_on_from_is_a_no() {
    let write = Say::Call("Write", json!({"path": "long.txt", "content": "line\n".repeat(40)}));
    for answer in [Value::Null, json!({"title": "Deny"}), json!({"title": "Allow once"})] {
        let manner = Manner { rules: "", ..Manner::generic() };
        let mut rig = Rig::new(manner, vec![write.clone(), say("Done.")]).await;
        by_message(&mut rig);
        begin(&mut rig, "write").await;
        let asked = rig.until_call("window/showMessageRequest").await;
        rig.answer(&asked, answer).await;
        let told = rig.until_call("window/showMessage").await;
        assert_eq!(told["params"]["message"], "finch: Done.");
        assert!(rig.script.told().contains("the user said no") && !rig.path("long.txt").exists());
    }
}

#[tokio::test]
async fn a_command_that_cannot_begin_is_said_to_be_so() {
    let mut rig = Rig::new(Manner::generic(), Vec::new()).await;
    let nowhere = json!({"uri": "file:///nowhere.md", "hash": "x"});
    for (command, argument, why) in
        [("finch.approve", nowhere, "is no plan of a folder that is open"), ("finch.plan", json!({}), "needs a task")]
    {
        let refused = rig.try_command(command, argument).await;
        assert!(refused["error"]["message"].to_string().contains(why), "{refused}");
        let told = rig.until_call("window/showMessage").await;
        assert_eq!(told["params"]["type"], 1);
        assert!(told["params"]["message"].as_str().unwrap().contains(why), "{told}");
    }
}

/// What can be done with a plan: plain commands for an editor that has no others.
async fn actions(rig: &mut Rig, uri: &str) -> Vec<Value> {
    let place = json!({"line": 0, "character": 0});
    let params = json!({
        "textDocument": {"uri": uri}, "range": {"start": place, "end": place}, "context": {"diagnostics": []},
    });
    let answer = rig.client.ask("textDocument/codeAction", params).await;
    answer["result"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

async fn approval(rig: &mut Rig, uri: &str) -> Value {
    let first = actions(rig, uri).await.swap_remove(0);
    assert_eq!(first["command"], "finch.approve");
    first["arguments"][0].clone()
}

#[tokio::test]
async fn a_plan_that_the_editor_shows_in_an_older_text_is_not_carried_out() {
    let draft = |what: &str| {
        let step = json!({"title": "Change two", "what": what, "files": ["a.txt"], "check": ""});
        Say::Text(json!({"steps": [step]}).to_string())
    };
    let revised = draft("Look into the file first, then write it in capitals, and leave every other line alone.");
    let mut says = vec![say("Notes."), draft("Make it TWO."), Say::Hang];
    says.extend(std::iter::repeat_n(say("{\"findings\": []}"), 6));
    says.push(revised.clone());
    says.extend(std::iter::repeat_n(say("{\"findings\": []}"), 7));
    says.push(revised);
    let mut manner = Manner::generic();
    manner.capabilities = json!({"window": {"showDocument": {"support": true}}});
    let mut rig = Rig::new(manner, says).await;
    rig.command("finch.plan", json!({"task": "Shout"})).await;
    let shown = rig.until_call("window/showDocument").await;
    let uri = shown["params"]["uri"].as_str().unwrap().to_owned();
    // As it was when it was opened, and never read again.
    rig.open(&uri).await;
    let grave = json!({
        "concern": "too big", "step_ref": 1, "severity": 9, "confidence": 9, "file": "", "line": 0, "quote": "",
    });
    let critic = rig.hanging().await;
    critic.try_send(Ok(Chunk::Text(json!({"findings": [grave]}).to_string()))).unwrap();
    let (reason, usage, timings) = (StopReason::EndOfText, Usage::default(), Timings::default());
    critic.try_send(Ok(Chunk::Done(Done { reason, usage, timings }))).unwrap();
    let told = rig.until_call("window/showMessage").await;
    let message = told["params"]["message"].as_str().unwrap();
    assert_eq!(message, "finch: The plan is settled; the editor has an older text of the document: reload it");
    let stale = approval(&mut rig, &uri).await;
    let refused = rig.try_command("finch.approve", stale).await;
    assert!(refused["error"]["message"].to_string().contains("shows an older text of this plan"), "{refused}");
    rig.until_call("window/showMessage").await;
    let newest = Rig::read(&uri);
    assert!(newest.contains("in capitals"), "{newest}");
    rig.change(&uri, &newest).await;
    let fresh = approval(&mut rig, &uri).await;
    rig.script.add(vec![say("Did it.")]);
    rig.command("finch.approve", fresh).await;
    let told = rig.until_call("window/showMessage").await;
    let message = told["params"]["message"].as_str().unwrap();
    assert!(message.starts_with("finch: All steps are done; the editor has an older text"), "{message}");
    // What is ticked on the disk is done, whatever the editor shows.
    let actions = actions(&mut rig, &uri).await;
    let commands: Vec<&Value> = actions.iter().map(|action| &action["command"]).collect();
    assert_eq!(commands, ["finch.revise", "finch.undoTurn"]);
}
