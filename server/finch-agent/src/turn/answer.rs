//! One answer of the model, heard to its end.

use finch_llm::{Answer, Chunk, GenerateStream, LlmError, StopReason, ToolCall, Usage};

use super::events::{Gone, Teller};
use crate::limits::{ANSWER_BYTES_MAX, CALLS_IN_ANSWER_MAX};

/// An answer that came to its end. What broke off before is an error, and no call of it counts.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) answer: Answer,
    pub(crate) reason: StopReason,
    pub(crate) usage: Usage,
}

/// Hears an answer. Dropping the future cancels it.
pub(crate) async fn hear(mut stream: GenerateStream, teller: &mut Teller<'_>) -> Result<Result<Heard, LlmError>, Gone> {
    let mut answer = Answer::default();
    let mut bytes = 0;
    loop {
        match stream.next().await {
            Some(Ok(Chunk::Text(piece))) => {
                teller.text(&piece).await?;
                bytes += piece.len();
                answer.text.push_str(&piece);
            }
            Some(Ok(Chunk::Reasoning(piece))) => {
                teller.reasoning(&piece).await?;
                bytes += piece.len();
                answer.reasoning.push_str(&piece);
            }
            Some(Ok(Chunk::ToolCall(call))) => {
                bytes += call.arguments_json.len();
                answer.tool_calls.push(with_own_id(call, &answer.tool_calls));
            }
            Some(Ok(Chunk::Unsure(_) | Chunk::Scored(_))) => {}
            Some(Ok(Chunk::Done(done))) => {
                answer.kept = stream.kept();
                return Ok(Ok(Heard { answer, reason: done.reason, usage: done.usage }));
            }
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Err(protocol("the answer stopped without an end"))),
        }
        if bytes > ANSWER_BYTES_MAX || answer.tool_calls.len() > CALLS_IN_ANSWER_MAX {
            return Ok(Err(protocol("the answer does not end")));
        }
    }
}

pub(crate) fn protocol(reason: &str) -> LlmError {
    LlmError::Protocol { reason: reason.to_owned() }
}

/// The call with an id that no other one of the answer has: results go by it.
fn with_own_id(mut call: ToolCall, others: &[ToolCall]) -> ToolCall {
    if call.id.is_empty() || others.iter().any(|other| other.id == call.id) {
        call.id = format!("{}-call-{}", call.id, others.len() + 1);
    }
    call
}
