use super::*;

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments_json: arguments.to_owned() }
}

fn result(id: &str, text: &str, is_error: bool) -> ToolResult {
    ToolResult { call_id: id.to_owned(), text: text.to_owned(), is_error }
}

#[test]
fn what_the_system_says_stands_apart_and_the_user_has_one_turn() {
    let answer = Answer { tool_calls: vec![call("1", "read", "{}"), call("2", "list", "{}")], ..Answer::default() };
    let (first, second) = (result("2", "b", false), result("1", "a", false));
    let messages = [
        Message::System("Be brief.".to_owned()),
        Message::User("a".to_owned()),
        Message::User("b".to_owned()),
        Message::Assistant(answer.clone()),
        Message::ToolResult(first.clone()),
        Message::ToolResult(second.clone()),
        Message::System("Go on.".to_owned()),
        Message::User("c".to_owned()),
    ];
    let turns = vec![
        Turn::User(vec![Part::Text("a"), Part::Text("b")]),
        Turn::Assistant(&answer),
        Turn::User(vec![Part::Result(&first, "list"), Part::Result(&second, "read"), Part::Text("c")]),
    ];
    assert_eq!(Conversation::of(&messages), Conversation { system: "Be brief.\n\nGo on.".to_owned(), turns });
}

#[test]
fn invalid_arguments_go_back_as_what_they_are() {
    assert_eq!(Value::Object(arguments_back(&call("1", "f", r#"{"a": 1}"#))), json!({"a": 1}));
    assert_eq!(Value::Object(arguments_back(&call("1", "f", r#"{"a": "#))), json!({"invalid_arguments": "{\"a\": "}));
}

#[test]
fn a_result_is_never_empty_and_an_error_says_so() {
    assert_eq!(result_text(&result("1", " ", false)), "(no output)");
    assert_eq!(result_text(&result("1", "ok", false)), "ok");
    assert_eq!(result_text(&result("1", "no such file", true)), "Error: no such file");
}
