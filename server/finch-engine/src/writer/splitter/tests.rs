use proptest::prelude::*;

use super::{Part, Splitter};
use crate::{
    chat::dialect::{Dialect, THOUGHTS, Thought},
    writer::calls::RawCall,
};

const THINK: Thought = THOUGHTS[0];

fn dialect(tag: &str) -> &'static Dialect {
    Dialect::of(tag, |_| false)
}

/// The parts of an answer that comes in these pieces, neighbours of one kind put together.
fn split(mut splitter: Splitter, pieces: &[&str]) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut parts);
    }
    splitter.finish(&mut parts);
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) | (Some(Part::Reasoning(text)), Part::Reasoning(more)) => {
                text.push_str(&more);
            }
            (_, part) => joined.push(part),
        }
    }
    joined
}

/// Whole and one character at a time: the same parts.
#[track_caller]
fn check(opened: Option<Thought>, tools: Option<&str>, answer: &str, expected: &[Part]) {
    let splitter = || Splitter::new(opened, tools.map(dialect));
    assert_eq!(split(splitter(), &[answer]), expected);
    let pieces: Vec<String> = answer.chars().map(String::from).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(split(splitter(), &pieces), expected, "in pieces");
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn thought(text: &str) -> Part {
    Part::Reasoning(text.to_owned())
}

fn call(name: &str, arguments: &str) -> Part {
    Part::Call(RawCall { name: name.to_owned(), arguments_json: arguments.to_owned() })
}

#[test]
fn reasoning_is_told_from_the_answer() {
    check(None, None, "<think>\nhm, so\n</think>\n\nYes.", &[thought("hm, so"), text("Yes.")]);
    check(None, None, "\n<think>a\n b</think> Yes", &[thought("a\n b"), text("Yes")]);
    check(None, None, "<think>\n\n</think>\n\nYes", &[text("Yes")]);
    check(None, None, "[THINK]a[/THINK]Yes", &[thought("a"), text("Yes")]);
    check(Some(THINK), None, "hm\n</think>\n\nYes", &[thought("hm"), text("Yes")]);
    check(Some(THINK), None, "a < b, a </ b</think>", &[thought("a < b, a </ b")]);
}

#[test]
fn reasoning_that_never_ends_stays_reasoning() {
    check(None, None, "<think>hm, so", &[thought("hm, so")]);
    check(Some(THINK), None, "hm </thi", &[thought("hm </thi")]);
    check(Some(THINK), None, "", &[]);
}

#[test]
fn what_only_looks_like_a_thought_is_text() {
    check(None, None, "<thin", &[text("<thin")]);
    check(None, None, " <b>bold</b>", &[text(" <b>bold</b>")]);
    check(None, None, "Use <think> tags</think>", &[text("Use <think> tags</think>")]);
    check(None, None, "  ", &[text("  ")]);
    check(
        None,
        None,
        "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>",
        &[text("<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>")],
    );
}

#[test]
fn calls_in_tags_are_read() {
    let hermes = Some("<tool_call>");
    let one = "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a.rs\"}}\n</tool_call>";
    let read = call("read", "{\"path\": \"a.rs\"}");
    check(None, hermes, one, std::slice::from_ref(&read));
    check(None, hermes, &format!("I look.\n{one}\n{one}"), &[text("I look.\n"), read.clone(), read.clone()]);
    check(Some(THINK), hermes, &format!("hm\n</think>\n\n{one}\n"), &[thought("hm"), read.clone()]);
    check(None, hermes, one.strip_suffix("\n</tool_call>").unwrap(), &[read]);
    let tag_inside = "<tool_call>{\"name\": \"w\", \"arguments\": {\"t\": \"</tool_call>\"}}</tool_call>";
    check(None, hermes, tag_inside, &[call("w", "{\"t\": \"</tool_call>\"}")]);
}

#[test]
fn calls_of_the_other_families_are_read() {
    let read = call("read", "{\"path\": \"a\"}");
    let llama = Some("<|python_tag|>");
    check(None, llama, "{\"name\": \"read\", \"parameters\": {\"path\": \"a\"}}", std::slice::from_ref(&read));
    let tagged = "<|python_tag|>{\"type\": \"function\", \"function\": \"read\", \"parameters\": {\"path\": \"a\"}}";
    check(None, llama, tagged, std::slice::from_ref(&read));
    let two = "{\"name\": \"read\", \"parameters\": {\"path\": \"a\"}}; {\"name\": \"b\", \"parameters\": {}}";
    check(None, llama, two, &[read.clone(), call("b", "{}")]);
    let mistral = Some("[TOOL_CALLS]");
    let list = "[TOOL_CALLS] [{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}]";
    check(None, mistral, list, std::slice::from_ref(&read));
    let named = "[TOOL_CALLS]read[ARGS]{\"path\": \"a\"}[TOOL_CALLS]b[CALL_ID]123456789[ARGS]{}";
    check(None, mistral, named, &[read.clone(), call("b", "{}")]);
    let phi = "<|tool_call|>[{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}]<|/tool_call|>";
    check(None, Some("<|tool_call|>"), phi, &[read]);
}

#[test]
fn what_is_no_call_stays_the_text_it_was() {
    for (tools, broken) in [
        ("<tool_call>", "<tool_call>{\"name\": \"read\", \"arguments\": {\"path\": </tool_call> so"),
        ("<tool_call>", "<tool_call>{\"name\": \"read\"}</tool_call>"),
        ("<tool_call>", "<tool_call>{\"name\": \"read\", \"arguments\": null}</tool_call>"),
        ("<tool_call>", "<tool_call>{\"name\": \"read\", \"arguments\": \"no object\"}</tool_call>"),
        ("<tool_call>", "<tool_call>{\"name\": \"\", \"arguments\": {}}</tool_call>"),
        ("<tool_call>", "<tool_call>{\"arguments\": {}}</tool_call>"),
        ("<tool_call>", "<tool_call>read it</tool_call> and <tool_call"),
        ("<tool_call>", "a <tool_call>"),
        ("<|python_tag|>", "{\"path\": \"a\"}"),
        ("<|python_tag|>", "{\"name\": \"read\", \"parameters\": {\"path\": \"a\"}} and more"),
        ("<|python_tag|>", "<|python_tag|>print(1)"),
        ("[TOOL_CALLS]", "[TOOL_CALLS] [{\"name\": \"a\", \"arguments\": {}}, {\"name\": 1}]"),
        ("[TOOL_CALLS]", "[TOOL_CALLS]"),
        ("<|tool_call|>", "<|tool_call|>[]<|/tool_call|>"),
    ] {
        check(None, Some(tools), broken, &[text(broken)]);
    }
}

fn answers() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "{\"name\": \"a\", \"arguments\": {}}",
        "<",
        "</",
        ">",
        "\n",
        " ",
        "text",
        "é",
        "{",
        "}",
        "<thi",
        "[TOOL_CALLS]",
        "\"",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn plain_text_comes_through_as_it_is(answer in answers()) {
        let expected: Vec<Part> = if answer.is_empty() { Vec::new() } else { vec![text(&answer)] };
        prop_assert_eq!(split(Splitter::plain(), &[&answer]), expected);
    }

    #[test]
    fn pieces_never_change_the_parts(
        answer in answers(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        opened in prop::option::of(Just(THINK)),
        tools in prop::option::of(prop::sample::select(vec!["<tool_call>", "[TOOL_CALLS]", "<|python_tag|>"])),
    ) {
        let splitter = || Splitter::new(opened, tools.map(dialect));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| answer.floor_char_boundary(cut.index(answer.len() + 1))).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| &answer[pair[0]..pair[1]]).collect();
        prop_assert_eq!(split(splitter(), &pieces), split(splitter(), &[&answer]));
    }

    #[test]
    fn without_tags_of_thought_or_call_nothing_is_lost(answer in answers()) {
        prop_assume!(!answer.trim_start().starts_with("<think>"));
        let parts = split(Splitter::new(None, None), &[&answer]);
        let expected: Vec<Part> = if answer.is_empty() { Vec::new() } else { vec![text(&answer)] };
        prop_assert_eq!(parts, expected);
    }
}
