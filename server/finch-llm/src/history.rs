//! A conversation made valid for the provider it goes to.
//!
//! Pure. What was trimmed, broken off or said to another provider leaves calls without results, results without calls,
//! pictures nobody can see and turns out of order, and a provider refuses the whole conversation for one of them.

use std::collections::{HashMap, HashSet};

use crate::{Answer, Image, Message, ToolResult};

/// What a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRules {
    /// Pictures at most, the newest first; 0 if the model cannot see.
    pub images_max: usize,
    /// Bytes of one picture in base64.
    pub image_bytes_max: usize,
    /// After the results of tools the model speaks before the user does.
    pub answer_after_results: bool,
}

/// The result of a call that has none.
const NOT_RUN: &str = "the tool was not run: the conversation was broken off";
/// What the user says where the user has to say something.
const GO_ON: &str = "Go on.";
/// What the model says where the model has to say something.
const SEEN: &str = "I have read the results.";

/// The conversation as the provider takes it: what the system says first, then turns that begin and end with the user,
/// every call followed by its result and every result after its call, nothing empty, no picture too many.
#[must_use]
pub fn valid_for(messages: &[Message], rules: &HistoryRules) -> Vec<Message> {
    let messages = with_fitting_images(messages, rules);
    let mut out = Vec::new();
    let system: Vec<&str> = messages.iter().filter_map(system_text).collect();
    if !system.is_empty() {
        out.push(Message::System(system.join("\n\n")));
    }
    let begin = out.len();
    let results = results(&messages);
    let mut turn = 0;
    for message in &messages {
        match message {
            Message::System(_) | Message::ToolResult(_) => {}
            Message::User(text) if text.trim().is_empty() => {}
            Message::User(_) | Message::Image(_) => add_user(&mut out, message.clone(), rules),
            Message::Assistant(answer) => {
                add_answer(&mut out, answer, results.get(turn), begin);
                turn += 1;
            }
        }
    }
    // A conversation that ends with the model asks for nothing.
    if out.len() == begin || matches!(out.last(), Some(Message::Assistant(_))) {
        out.push(Message::User(GO_ON.to_owned()));
    }
    out
}

fn system_text(message: &Message) -> Option<&str> {
    match message {
        Message::System(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// For each answer the results that came for it before the next one, the first of each id.
fn results(messages: &[Message]) -> Vec<HashMap<&str, &ToolResult>> {
    let mut turns: Vec<HashMap<&str, &ToolResult>> = Vec::new();
    for message in messages {
        match message {
            Message::Assistant(_) => turns.push(HashMap::new()),
            Message::ToolResult(result) => {
                if let Some(turn) = turns.last_mut() {
                    turn.entry(&result.call_id).or_insert(result);
                }
            }
            Message::System(_) | Message::User(_) | Message::Image(_) => {}
        }
    }
    turns
}

fn add_user(out: &mut Vec<Message>, message: Message, rules: &HistoryRules) {
    if rules.answer_after_results && matches!(out.last(), Some(Message::ToolResult(_))) {
        out.push(Message::Assistant(Answer::text(SEEN)));
    }
    match (out.last_mut(), message) {
        (Some(Message::User(before)), Message::User(text)) => {
            before.push_str("\n\n");
            before.push_str(&text);
        }
        (_, message) => out.push(message),
    }
}

fn add_answer(out: &mut Vec<Message>, answer: &Answer, results: Option<&HashMap<&str, &ToolResult>>, begin: usize) {
    let mut answer = answer.clone();
    let mut seen = HashSet::new();
    let whole = answer.tool_calls.len();
    answer.tool_calls.retain(|call| !call.id.is_empty() && !call.name.is_empty() && seen.insert(call.id.clone()));
    if answer.tool_calls.len() < whole {
        // What is kept counts the calls.
        answer.kept.clear();
    }
    if answer.text.trim().is_empty() && answer.tool_calls.is_empty() {
        return;
    }
    if out.len() == begin {
        out.push(Message::User(GO_ON.to_owned()));
    }
    let given: Vec<Message> = answer
        .tool_calls
        .iter()
        .map(|call| match results.and_then(|results| results.get(call.id.as_str())) {
            Some(&result) => Message::ToolResult(result.clone()),
            None => not_run(&call.id),
        })
        .collect();
    match out.last_mut() {
        // Results follow an answer with calls, so this one has none.
        Some(Message::Assistant(before)) => join(before, answer),
        _ => out.push(Message::Assistant(answer)),
    }
    out.extend(given);
}

fn join(before: &mut Answer, answer: Answer) {
    before.text.push_str("\n\n");
    before.text.push_str(&answer.text);
    before.reasoning.push_str(&answer.reasoning);
    before.tool_calls = answer.tool_calls;
    before.kept = answer.kept;
}

fn not_run(call_id: &str) -> Message {
    Message::ToolResult(ToolResult { call_id: call_id.to_owned(), text: NOT_RUN.to_owned(), is_error: true })
}

/// The newest pictures that fit; a note for each of the others.
fn with_fitting_images(messages: &[Message], rules: &HistoryRules) -> Vec<Message> {
    let mut left = rules.images_max;
    let mut out: Vec<Message> = messages
        .iter()
        .rev()
        .map(|message| match message {
            Message::Image(image) if left == 0 => left_out(image, "not shown"),
            Message::Image(image) if image.base64.len() > rules.image_bytes_max => left_out(image, "too large"),
            Message::Image(_) => {
                left -= 1;
                message.clone()
            }
            other => other.clone(),
        })
        .collect();
    out.reverse();
    out
}

fn left_out(image: &Image, why: &str) -> Message {
    Message::User(format!("(a picture of {} bytes, {why})", image.base64.len() / 4 * 3))
}

#[cfg(test)]
mod tests;
