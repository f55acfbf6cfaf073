//! Recorded streams, read at every way to cut them in two.

use std::fmt::Write;

use super::{reader::Reader, service::Dialect};
use crate::{
    Chunk, ClientId, GenerateRequest, Kept, Lane, LlmError, Message, Timings,
    sse::{SseParser, SseTooLong},
    stop::StopMatcher,
};

pub(crate) fn request(messages: Vec<Message>) -> GenerateRequest {
    GenerateRequest::new(ClientId::new("test"), Lane::Batch, messages)
}

/// What a reader makes of a stream: chunks, neighbours of one kind joined, and what is kept.
pub(crate) fn replay(
    dialect: Dialect,
    request: &GenerateRequest,
    pieces: &[&[u8]],
) -> Result<(Vec<Chunk>, Vec<Kept>), LlmError> {
    let stops = StopMatcher::new(&request.sampling.stop).unwrap();
    let mut reader = Reader::of_chat(dialect, request, 8192, 1).stopping(stops, 13);
    let (mut parser, mut events, mut chunks) = (SseParser::default(), Vec::new(), Vec::new());
    let too_long = |SseTooLong| LlmError::Protocol { reason: "too long".to_owned() };
    for piece in pieces {
        parser.push(piece, &mut events).map_err(too_long)?;
    }
    parser.finish(&mut events).map_err(too_long)?;
    for event in &events {
        chunks.extend(reader.read(event)?);
    }
    let (last, kept) = reader.finish(Timings::default())?;
    Ok((joined(chunks.into_iter().chain(last)), kept))
}

fn joined(chunks: impl Iterator<Item = Chunk>) -> Vec<Chunk> {
    let mut out: Vec<Chunk> = Vec::new();
    for chunk in chunks {
        match (out.last_mut(), chunk) {
            (Some(Chunk::Text(before)), Chunk::Text(text)) => before.push_str(&text),
            (Some(Chunk::Reasoning(before)), Chunk::Reasoning(text)) => before.push_str(&text),
            (_, chunk) => out.push(chunk),
        }
    }
    out
}

/// One line a chunk.
pub(crate) fn told(outcome: &Result<(Vec<Chunk>, Vec<Kept>), LlmError>) -> String {
    let mut out = String::new();
    match outcome {
        Err(error) => write!(out, "{}: {error}", error.kind()).unwrap(),
        Ok((chunks, kept)) => {
            for chunk in chunks {
                match chunk {
                    Chunk::Text(text) => writeln!(out, "text {text:?}").unwrap(),
                    Chunk::Reasoning(text) => writeln!(out, "thought {text:?}").unwrap(),
                    Chunk::ToolCall(call) => {
                        writeln!(out, "call {} {} {}", call.id, call.name, call.arguments_json).unwrap();
                    }
                    Chunk::Unsure(probability) => writeln!(out, "unsure {probability}").unwrap(),
                    Chunk::Scored(token) => writeln!(out, "scored {token:?}").unwrap(),
                    Chunk::Done(done) => {
                        let usage = done.usage;
                        let counts = (usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens);
                        write!(out, "{:?} {counts:?}", done.reason).unwrap();
                    }
                }
            }
            for part in kept {
                write!(out, "\nkept {} {}", part.before_call, part.json).unwrap();
            }
        }
    }
    out
}

/// The outcome of a stream, the same wherever it is cut and whatever its line ends are.
#[track_caller]
pub(crate) fn check(dialect: Dialect, request: &GenerateRequest, stream: &str, outcome: &str) {
    let bytes = stream.as_bytes();
    for at in 0..=bytes.len() {
        let found = told(&replay(dialect, request, &[&bytes[..at], &bytes[at..]]));
        assert_eq!(found, outcome, "cut at {at}");
    }
    let windows = stream.replace('\n', "\r\n");
    assert_eq!(told(&replay(dialect, request, &[windows.as_bytes()])), outcome, "with CRLF");
}

/// A stream that stops anywhere before its end is a failure, and no call of a tool comes out of it.
#[track_caller]
pub(crate) fn check_truncated(dialect: Dialect, request: &GenerateRequest, stream: &str, end: &str) {
    let end = stream.find(end).expect("the stream has such an end");
    for at in 0..=end {
        let found = replay(dialect, request, &[&stream.as_bytes()[..at]]);
        assert!(found.is_err(), "whole at {at} of {end}: {}", told(&found));
    }
}
