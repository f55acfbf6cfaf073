//! What is announced, what is refused at once, how turns are stopped, and clients that do not read.

use serde_json::{Value, json};

use super::rig::{Manner, Rig, Say, edit, say};
use crate::tests::support::Client;
use crate::wire::method;

#[tokio::test]
async fn commands_lenses_and_actions_are_announced_where_there_is_an_agent() {
    let mut rig = Rig::new(Manner::generic(), Vec::new()).await;
    let mut plain = Client::connect();
    let capabilities = plain.initialize(json!({})).await["capabilities"].clone();
    assert_eq!(capabilities["executeCommandProvider"]["commands"], json!(["finch.accept", "finch.feedback"]));
    assert_eq!((&capabilities["codeLensProvider"], &capabilities["codeActionProvider"]), (&Value::Null, &Value::Null));
    let unknown = plain.ask("workspace/executeCommand", json!({"command": "finch.plan", "arguments": [{}]})).await;
    assert_eq!(unknown["error"]["code"], -32602);
    // Every command is known.
    for command in method::AGENT_COMMANDS {
        let answer = rig.try_command(command, json!("odd")).await;
        let is_known =
            !answer["error"]["message"].as_str().is_some_and(|message| message.contains("there is no command"));
        assert!(is_known, "{command}: {answer}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused_at_once() {
    let mut rig = Rig::new(Manner::full(), Vec::new()).await;
    for command in method::AGENT_COMMANDS.into_iter().filter(|command| *command != "finch.showLog") {
        for argument in [json!("odd"), json!(7), json!({"turn": 5, "task": 5, "uri": 5, "text": 5})] {
            let answer = rig.try_command(command, argument.clone()).await;
            assert_eq!(answer["error"]["code"], -32602, "{command} {argument}: {answer}");
        }
    }
    let place = json!({"line": 0, "character": 0});
    let unknown = json!({"uri": "file:///not/open", "range": {"start": place, "end": place}});
    assert_eq!(rig.try_command("finch.explain", unknown).await["error"]["code"], -32803);
}

#[tokio::test]
async fn the_log_is_shown() {
    let mut rig = Rig::new(Manner::full(), Vec::new()).await;
    assert_eq!(rig.try_command("finch.showLog", Value::Null).await["result"], Value::Null);
    let shown = rig.until_call("window/showDocument").await;
    assert!(shown["params"]["uri"].as_str().unwrap().ends_with("finch.log"), "{shown}");
}

#[tokio::test]
async fn a_folder_is_needed() {
    let mut rig = Rig::new(Manner::full(), Vec::new()).await;
    let mut alone = Client::connect_with_agent(rig.agent(), 65_536);
    alone.initialize(json!({})).await;
    let answer =
        alone.ask("workspace/executeCommand", json!({"command": "finch.ask", "arguments": [{"text": "?"}]})).await;
    assert_eq!(answer["error"]["code"], -32803);
    assert!(answer["error"]["message"].as_str().unwrap().contains("open one in the editor"), "{answer}");
    assert_eq!(rig.client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn stopping_drops_the_work_whichever_way_it_is_said() {
    for way in 0..3 {
        let mut rig = Rig::new(Manner::full(), vec![Say::Hang]).await;
        let turn = rig.command("finch.ask", json!({"text": "?"})).await;
        let hanging = rig.hanging().await;
        match way {
            0 => drop(rig.try_command("finch.stop", json!({"turn": turn})).await),
            1 => drop(rig.try_command("finch.stop", Value::Null).await),
            _ => rig.client.notify("finch/turnCancel", json!({"turn": turn})).await,
        }
        hanging.reader_gone().await;
        assert_eq!(rig.ended().await, ("stopped".to_owned(), "Stopped".to_owned()));
    }
}

#[tokio::test]
async fn stopping_one_turn_leaves_the_others() {
    let mut rig = Rig::new(Manner::full(), vec![Say::Hang]).await;
    rig.command("finch.ask", json!({"text": "?"})).await;
    let first = rig.hanging().await;
    rig.script.add(vec![Say::Hang]);
    let other = rig.command("finch.ask", json!({"text": "?"})).await;
    let second = rig.hanging().await;
    rig.try_command("finch.stop", json!({"turn": "unknown"})).await;
    rig.try_command("finch.stop", json!({"turn": other})).await;
    second.reader_gone().await;
    let ended = rig.until_event("ended").await;
    assert_eq!(ended["turn"], other);
    assert!(futures_util::FutureExt::now_or_never(first.reader_gone()).is_none(), "it goes on");
    rig.client.ask("shutdown", Value::Null).await;
    first.reader_gone().await;
}

#[tokio::test]
async fn one_task_at_a_time_changes_files_of_a_folder() {
    let mut rig = Rig::new(Manner::full(), vec![Say::Hang]).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let place = json!({"line": 1, "character": 0});
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": "shout"});
    rig.command("finch.edit", argument.clone()).await;
    let refused = rig.try_command("finch.edit", argument.clone()).await;
    assert_eq!(refused["error"]["code"], -32803);
    assert!(refused["error"]["message"].as_str().unwrap().contains("another task is working"), "{refused}");
    rig.hanging().await;
    rig.try_command("finch.stop", json!({})).await;
    rig.ended().await;
    rig.script.add(vec![edit("a.txt", "two", "TWO"), say("Done.")]);
    rig.command("finch.edit", argument).await;
    assert_eq!(rig.ended().await.0, "done");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told() {
    let mut rig = Rig::new(Manner::full(), vec![Say::Break; 9]).await;
    rig.command("finch.ask", json!({"text": "?"})).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("the model gave no answer"), "{message}");
}

/// The model says a megabyte in small pieces, and more output than any client reads, to one that reads nothing.
#[tokio::test]
async fn a_client_that_reads_nothing_holds_no_turn_up() {
    let mut says: Vec<Say> = (0..60)
        .map(|n| Say::Call("Write", json!({"path": format!("{n}.txt"), "content": "x".repeat(9_000)})))
        .collect();
    says.push(say("Done."));
    let mut rig =
        Rig::with_pipe(Manner { edits: finch_agent::task::Edits::Review, ..Manner::full() }, says, 1024).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let place = json!({"line": 1, "character": 0});
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": "write"});
    let params = json!({"command": "finch.edit", "arguments": [argument]});
    rig.client.request("workspace/executeCommand", params).await;
    // The model is through, and nothing was read.
    while rig.script.asked() < 61 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(rig.ended().await, ("done".to_owned(), "Done.".to_owned()));
}

#[tokio::test]
async fn code_actions_are_what_the_client_can_take() {
    for (manner, command) in [(Manner::full(), "/command/command"), (Manner::generic(), "/command")] {
        let mut rig = Rig::new(manner, Vec::new()).await;
        std::fs::write(rig.path("b.rs"), "fn a() {\n    // TODO: sort them\n}\n").unwrap();
        let uri = rig.uri("b.rs");
        rig.open(&uri).await;
        let place = json!({"line": 1, "character": 8});
        let mut params = json!({
            "textDocument": {"uri": uri},
            "range": {"start": place, "end": place},
            "context": {"diagnostics": [{"range": {"start": place, "end": place}, "message": "wrong"}]},
        });
        let actions = rig.client.ask("textDocument/codeAction", params.clone()).await["result"].clone();
        let commands: Vec<&Value> =
            actions.as_array().unwrap().iter().map(|action| action.pointer(command).unwrap()).collect();
        assert_eq!(commands[..3], ["finch.fix", "finch.plan", "finch.plan"], "{actions}");
        assert!(commands.contains(&&json!("finch.explain")));
        params["context"]["only"] = json!(["quickfix"]);
        let actions = rig.client.ask("textDocument/codeAction", params.clone()).await["result"].clone();
        assert_eq!(actions.as_array().unwrap().len(), 2);
        params["textDocument"]["uri"] = json!("untitled:a");
        assert_eq!(rig.client.ask("textDocument/codeAction", params).await["result"], json!([]));
    }
}

#[tokio::test]
async fn folders_that_are_opened_and_closed_meanwhile_are_followed() {
    let rig = Rig::new(Manner::full(), Vec::new()).await;
    let mut client = Client::connect_with_agent(rig.agent(), 65_536);
    let capabilities = client.initialize(json!({})).await["capabilities"].clone();
    let expected = json!({"supported": true, "changeNotifications": true});
    assert_eq!(capabilities["workspace"]["workspaceFolders"], expected);
    let folder = json!({"uri": rig.uri(""), "name": "w"});
    let change = |added: &[&Value], removed: &[&Value]| json!({"event": {"added": added, "removed": removed}});
    let asking = json!({"command": "finch.ask", "arguments": [{"text": "?"}]});
    client.notify("workspace/didChangeWorkspaceFolders", change(&[&folder], &[])).await;
    let answer = client.ask("workspace/executeCommand", asking.clone()).await;
    assert!(answer["result"]["turn"].is_string(), "{answer}");
    client.notify("workspace/didChangeWorkspaceFolders", change(&[], &[&folder])).await;
    let answer = client.ask("workspace/executeCommand", asking).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("open one in the editor"), "{answer}");
}
