//! Questions, and work without a plan.

use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, Say, edit, say};

fn range(start: (u32, u32), end: (u32, u32)) -> Value {
    let place = |(line, character)| json!({"line": line, "character": character});
    json!({"start": place(start), "end": place(end)})
}

#[tokio::test]
async fn an_answer_comes_as_events_and_as_a_document_of_its_own() {
    let mut rig = Rig::new(Manner::full(), vec![say("It counts.\n")]).await;
    let turn = rig.command("finch.ask", json!({"text": "What is a.txt?"})).await;
    assert_eq!(rig.ended().await, ("done".to_owned(), "The question is answered".to_owned()));
    assert_eq!(rig.kinds(), ["began", "text", "answer", "ended"]);
    assert!(
        rig.seen.iter().filter(|call| call["method"] == "finch/turnEvent").all(|call| call["params"]["turn"] == turn)
    );
    let answer = rig.seen.iter().find(|call| call["params"]["kind"] == "answer").unwrap()["params"]["uri"].clone();
    assert_eq!(Rig::read(answer.as_str().unwrap()), "> What is a.txt?\n\nIt counts.\n\n");
    let shown = rig.find(|call| call["method"] == "window/showDocument").await;
    assert_eq!(shown["params"]["uri"], answer);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = answer.as_str().unwrap().strip_prefix("file://").unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn what_a_command_is_about_is_the_text_as_it_is_in_the_editor() {
    let mut rig = Rig::new(Manner::full(), vec![say("It is a number.")]).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    rig.change(&uri, "one\nzwei\nthree\n").await;
    rig.command("finch.explain", json!({"uri": uri, "range": range((1, 0), (2, 0))})).await;
    rig.ended().await;
    assert!(rig.script.told().contains("This is about a.txt, line 2:\n\nzwei"), "{}", rig.script.told());
}

/// Each command that changes files, and words of what the model is told.
#[track_caller]
fn check(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word} is not in {told}");
    }
}

#[tokio::test]
async fn commands_that_edit_change_the_document_and_save_it() {
    let place = range((1, 0), (1, 3));
    let diagnostic = json!({"message": "two is lower case", "source": "lint", "range": place});
    for (command, more, words) in [
        ("finch.edit", json!({"instruction": "shout"}), ["shout", "a.txt, line 2"]),
        ("finch.fix", json!({"diagnostic": diagnostic}), ["two is lower case [lint]", "in line 2"]),
        ("finch.test", json!({}), ["Write a test", "a.txt, line 2"]),
        ("finch.document", json!({}), ["Document this code", "a.txt, line 2"]),
    ] {
        let mut rig = Rig::new(Manner::full(), vec![edit("a.txt", "two", "TWO"), say("Done.\nReally.")]).await;
        let uri = rig.uri("a.txt");
        rig.open(&uri).await;
        let mut argument = json!({"uri": uri, "range": place});
        argument.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rig.command(command, argument).await;
        assert_eq!(rig.ended().await, ("done".to_owned(), "Done.".to_owned()), "{command}");
        check(&rig.script.told(), &words);
        assert_eq!(rig.kinds(), ["began", "call", "called", "text", "applied", "ended"]);
        assert_eq!((rig.text("a.txt"), &rig.documents[&uri].1), (CODE.replace("two", "TWO"), &rig.text("a.txt")));
    }
}

#[tokio::test]
async fn undo_restores_exactly_and_keeps_what_was_typed_elsewhere() {
    let mut rig = Rig::new(Manner::full(), vec![edit("a.txt", "two", "TWO"), say("Done.")]).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let turn =
        rig.command("finch.edit", json!({"uri": uri, "range": range((1, 0), (1, 3)), "instruction": "shout"})).await;
    rig.ended().await;
    rig.change(&uri, "one\nTWO\nthree\nfour\nfive\nsix\n").await;
    rig.command("finch.undoTurn", json!({"turn": turn})).await;
    assert_eq!(rig.ended().await, ("done".to_owned(), "Taken back in one file".to_owned()));
    assert_eq!(rig.text("a.txt"), format!("{CODE}six\n"));
    rig.command("finch.undoTurn", json!({})).await;
    assert_eq!(rig.ended().await, ("failed".to_owned(), "there is nothing to take back".to_owned()));
}

#[tokio::test]
async fn the_model_may_ask_the_user() {
    let questions =
        json!({"questions": [{"question": "Which\u{202e}?", "options": ["left", "right"]}, {"question": "Why?"}]});
    let mut rig = Rig::new(Manner::full(), vec![Say::Call("AskUser", questions), say("Done.")]).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    rig.by_hand.push("finch/askUser");
    let turn = rig.command("finch.edit", json!({"uri": uri, "range": range((1, 0), (1, 3)), "instruction": "?"})).await;
    let asked = rig.until_call("finch/askUser").await;
    let expected = json!([
        {"text": "Which\\u{202E}?", "options": ["left", "right"], "several": false},
        {"text": "Why?", "options": [], "several": false},
    ]);
    assert_eq!(asked["params"], json!({"turn": turn, "questions": expected}));
    rig.answer(&asked, json!({"answers": ["left", "because"]})).await;
    rig.ended().await;
    assert!(rig.script.told().contains("→ left") && rig.script.told().contains("→ because"));
}

#[tokio::test]
async fn diagnostics_come_from_the_editor_with_places_in_characters() {
    let says = vec![Say::Call("Diagnostics", json!({"path": "a.txt"})), say("Done.")];
    let mut rig = Rig::new(Manner::full(), says).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    rig.change(&uri, "one\n𝄞𝄞two\n").await;
    rig.by_hand.push("finch/diagnostics");
    rig.command("finch.edit", json!({"uri": uri, "range": range((0, 0), (0, 3)), "instruction": "look"})).await;
    let asked = rig.until_call("finch/diagnostics").await;
    assert_eq!(asked["params"], json!({"uris": [uri]}));
    let found =
        json!({"uri": uri, "range": range((1, 4), (1, 7)), "severity": 1, "message": "wrong", "source": "lint"});
    rig.answer(&asked, json!({"diagnostics": [found]})).await;
    rig.ended().await;
    assert!(rig.script.told().contains("a.txt:2:3: error: wrong [lint]"), "{}", rig.script.told());
}
