use proptest::prelude::*;

use super::*;
use crate::ToolCall;

const RULES: HistoryRules = HistoryRules { images_max: 2, image_bytes_max: 8, answer_after_results: false };
const STRICT: HistoryRules = HistoryRules { answer_after_results: true, ..RULES };

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

fn system(text: &str) -> Message {
    Message::System(text.to_owned())
}

fn says(text: &str) -> Message {
    Message::Assistant(Answer::text(text))
}

fn calls(ids: &[&str]) -> Message {
    let call = |id: &&str| ToolCall { id: (*id).to_owned(), name: "f".to_owned(), arguments_json: "{}".to_owned() };
    Message::Assistant(Answer { tool_calls: ids.iter().map(call).collect(), ..Answer::default() })
}

fn gives(id: &str) -> Message {
    Message::ToolResult(ToolResult { call_id: id.to_owned(), text: "r".to_owned(), is_error: false })
}

fn image(bytes: usize) -> Message {
    Message::Image(Image { media_type: "image/png".to_owned(), base64: "A".repeat(bytes).into() })
}

#[track_caller]
fn check_by(rules: &HistoryRules, messages: &[Message], valid: &[Message]) {
    assert_eq!(valid_for(messages, rules), valid);
    assert_eq!(valid_for(valid, rules), valid, "a second time");
}

#[track_caller]
fn check(messages: &[Message], valid: &[Message]) {
    check_by(&RULES, messages, valid);
}

#[test]
fn what_is_valid_stays_as_it_is() {
    let talk = [system("s"), user("a"), calls(&["1", "2"]), gives("1"), gives("2"), says("b"), user("c")];
    check(&talk, &talk);
}

#[test]
fn a_call_has_a_result_and_a_result_a_call() {
    check(&[user("a"), calls(&["1"]), user("b")], &[user("a"), calls(&["1"]), not_run("1"), user("b")]);
    check(&[user("a"), calls(&["1"])], &[user("a"), calls(&["1"]), not_run("1")]);
    check(&[gives("0"), user("a"), gives("9")], &[user("a")]);
    check(
        &[user("a"), calls(&["1", "2"]), gives("2"), user("b"), gives("1"), gives("1")],
        &[user("a"), calls(&["1", "2"]), gives("1"), gives("2"), user("b")],
    );
    check(
        &[user("a"), calls(&["1"]), says("b"), gives("1"), user("c")],
        &[user("a"), calls(&["1"]), not_run("1"), says("b"), user("c")],
    );
    check(&[user("a"), calls(&["1", "1", ""]), gives("1")], &[user("a"), calls(&["1"]), gives("1")]);
}

#[test]
fn turns_begin_and_end_with_the_user_and_alternate() {
    check(&[says("a")], &[user("Go on."), says("a"), user("Go on.")]);
    check(&[], &[user("Go on.")]);
    check(&[user("a"), user("b"), says("c"), says("d"), user("e")], &[user("a\n\nb"), says("c\n\nd"), user("e")]);
    check(&[user("a"), says(" "), user(" \n"), user("b")], &[user("a\n\nb")]);
    check(&[user("a"), system("s"), system(""), system("t")], &[system("s\n\nt"), user("a")]);
}

#[test]
fn some_want_an_answer_after_results() {
    let talk = [user("a"), calls(&["1"]), gives("1"), user("b")];
    check_by(&STRICT, &talk, &[user("a"), calls(&["1"]), gives("1"), says(SEEN), user("b")]);
}

#[test]
fn pictures_are_bounded_and_the_newest_stay() {
    check(
        &[image(4), image(8), user("a"), image(4)],
        &[user("(a picture of 3 bytes, not shown)"), image(8), user("a"), image(4)],
    );
    check(&[user("a"), image(9)], &[user("a\n\n(a picture of 6 bytes, too large)")]);
}

fn a_message() -> impl Strategy<Value = Message> {
    let id = prop::sample::select(vec!["", "1", "2", "3"]);
    prop_oneof![
        "[ a]{0,2}".prop_map(|text| user(&text)),
        "[ s]{0,2}".prop_map(|text| system(&text)),
        "[ b]{0,2}".prop_map(|text| says(&text)),
        prop::collection::vec(id.clone(), 0..4).prop_map(|ids| calls(&ids)),
        id.prop_map(gives),
        (0_usize..12).prop_map(image),
    ]
}

/// What every provider asks of a conversation.
fn complaint(messages: &[Message], rules: &HistoryRules) -> Option<String> {
    let begin = usize::from(matches!(messages.first(), Some(Message::System(_))));
    let talk = &messages[begin..];
    if !matches!(talk.first(), Some(Message::User(_) | Message::Image(_))) {
        return Some("it does not begin with the user".to_owned());
    }
    if matches!(talk.last(), Some(Message::Assistant(_)) | None) {
        return Some("it does not end with the user".to_owned());
    }
    let mut open: Vec<String> = Vec::new();
    for (at, message) in talk.iter().enumerate() {
        if !open.is_empty() && !matches!(message, Message::ToolResult(_)) {
            return Some(format!("{open:?} have no result at {at}"));
        }
        match message {
            Message::System(_) => return Some(format!("the system speaks at {at}")),
            Message::User(text) if text.trim().is_empty() => return Some(format!("nothing is said at {at}")),
            Message::User(_) | Message::Image(_) => {
                if rules.answer_after_results && at > 0 && matches!(talk[at - 1], Message::ToolResult(_)) {
                    return Some(format!("the user speaks after a result at {at}"));
                }
            }
            Message::Assistant(answer) => {
                if matches!(talk[at - 1], Message::Assistant(_)) {
                    return Some(format!("the model speaks twice at {at}"));
                }
                if answer.text.trim().is_empty() && answer.tool_calls.is_empty() {
                    return Some(format!("an empty answer at {at}"));
                }
                open = answer.tool_calls.iter().map(|call| call.id.clone()).collect();
            }
            Message::ToolResult(result) => match open.iter().position(|id| *id == result.call_id) {
                Some(at) => drop(open.remove(at)),
                None => return Some(format!("a result without a call at {at}")),
            },
        }
    }
    let images = talk.iter().filter_map(|message| match message {
        Message::Image(image) => Some(image.base64.len()),
        _ => None,
    });
    let images: Vec<usize> = images.collect();
    (!open.is_empty() || images.len() > rules.images_max || images.iter().any(|&bytes| bytes > rules.image_bytes_max))
        .then(|| format!("open calls {open:?}, pictures {images:?}"))
}

proptest! {
    #[test]
    fn any_history_becomes_valid_and_then_stays(messages in prop::collection::vec(a_message(), 0..24), strict in any::<bool>()) {
        let rules = if strict { STRICT } else { RULES };
        let valid = valid_for(&messages, &rules);
        prop_assert_eq!(complaint(&valid, &rules), None, "{:?}", valid);
        prop_assert_eq!(valid_for(&valid, &rules), valid);
    }
}
