//! One answer in JSON of a wanted schema, from whatever provider: asked, normalised, and asked once more with the error.
//!
//! A provider's own means are used where it has some, and its answer is checked all the same. What does not fit after
//! the second try is an error and never an empty result.

use serde_json::Value;

use crate::{
    Answer, Chunk, GenerateRequest, GenerateStream, LlmError, Message, OutputFormat, Progress, Provenance, Provider,
    StopReason, Usage, limits,
    normalise::{Mismatch, NormaliseError, normalise},
};

/// JSON that fits its schema, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Structured {
    pub value: Value,
    /// Something had to be done for it to fit.
    pub was_mended: bool,
    /// Items of lists that did not fit and were left out.
    pub dropped: Vec<Mismatch>,
    /// The first answer did not fit.
    pub asked_again: bool,
    /// Of both answers.
    pub usage: Usage,
    pub provenance: Option<Provenance>,
}

/// Why there is no JSON of the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StructuredError {
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// Neither answer fits; `said` is how the second one begins.
    #[error("the model was asked twice and its answer still does not fit: {problem}; it said: {said}")]
    Unfit { problem: NormaliseError, said: String },
}

struct Heard {
    text: String,
    reason: StopReason,
    progress: Progress,
    provenance: Option<Provenance>,
}

/// Asks for JSON of `schema`. Dropping the future cancels it.
///
/// # Errors
/// [`StructuredError`] if no provider answers, or none of two answers fits.
pub async fn ask(
    provider: &dyn Provider,
    mut request: GenerateRequest,
    schema: &Value,
) -> Result<Structured, StructuredError> {
    request.output = OutputFormat::JsonSchema(schema.clone());
    let first = hear(provider.generate(request.clone())).await?;
    let problem = match read(&first, schema) {
        Ok(found) => return Ok(Structured { provenance: first.provenance, ..found }),
        Err(problem) => problem,
    };
    request.messages.push(Message::Assistant(Answer::text(first.text.clone())));
    request.messages.push(Message::User(complaint(&problem)));
    let second = hear(provider.generate(request)).await?;
    match read(&second, schema) {
        Ok(found) => Ok(Structured {
            asked_again: true,
            usage: sum(first.progress.usage, second.progress.usage),
            provenance: second.provenance,
            ..found
        }),
        Err(problem) => {
            let said = second.text.chars().take(limits::REASON_CHARS_MAX).collect();
            Err(StructuredError::Unfit { problem, said })
        }
    }
}

fn complaint(problem: &NormaliseError) -> String {
    format!("That answer cannot be used: {problem}. Answer again, with the whole JSON and nothing else.")
}

fn read(heard: &Heard, schema: &Value) -> Result<Structured, NormaliseError> {
    match (normalise(&heard.text, schema), heard.reason) {
        // What was cut off may look whole.
        (_, StopReason::TokensMax | StopReason::ContextFull) => Err(NormaliseError::CutOff),
        (Ok(found), _) => Ok(Structured {
            value: found.value,
            was_mended: found.was_mended,
            dropped: found.dropped,
            asked_again: false,
            usage: heard.progress.usage,
            provenance: None,
        }),
        (Err(problem), _) => Err(problem),
    }
}

async fn hear(mut stream: GenerateStream) -> Result<Heard, LlmError> {
    let mut text = String::new();
    loop {
        match stream.next().await {
            Some(Ok(Chunk::Text(piece))) => {
                text.push_str(&piece);
                if text.len() > limits::ANSWER_BYTES_MAX {
                    return Err(LlmError::Protocol { reason: "the answer does not end".to_owned() });
                }
            }
            Some(Ok(Chunk::Reasoning(_) | Chunk::Unsure(_) | Chunk::Scored(_) | Chunk::ToolCall(_))) => {}
            Some(Ok(Chunk::Done(done))) => {
                let progress = Progress { usage: done.usage, timings: done.timings };
                return Ok(Heard { text, reason: done.reason, progress, provenance: stream.provenance() });
            }
            Some(Err(error)) => return Err(error),
            None => return Err(LlmError::Protocol { reason: "the answer stopped without an end".to_owned() }),
        }
    }
}

fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        prompt_tokens: one.prompt_tokens + other.prompt_tokens,
        cached_tokens: one.cached_tokens + other.cached_tokens,
        suffix_tokens: one.suffix_tokens + other.suffix_tokens,
        generated_tokens: one.generated_tokens + other.generated_tokens,
        drafted_tokens: one.drafted_tokens + other.drafted_tokens,
        accepted_tokens: one.accepted_tokens + other.accepted_tokens,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::{Capabilities, ClientId, Done, InfillRequest, Lane, ProviderId, Timings};

    /// Answers with one text after another.
    struct Scripted {
        answers: Mutex<Vec<(&'static str, StopReason)>>,
        asked: Mutex<Vec<GenerateRequest>>,
    }

    impl Provider for Scripted {
        fn id(&self) -> ProviderId {
            ProviderId::new("scripted")
        }

        fn capabilities(&self) -> Capabilities {
            unreachable!("nobody asks")
        }

        fn generate(&self, request: GenerateRequest) -> GenerateStream {
            self.asked.lock().unwrap().push(request);
            let (text, reason) = self.answers.lock().unwrap().remove(0);
            let (sender, stream) = crate::stream();
            let usage = Usage { generated_tokens: 3, ..Usage::default() };
            sender.try_send(Ok(Chunk::Text(text.to_owned()))).unwrap();
            sender.try_send(Ok(Chunk::Done(Done { reason, usage, timings: Timings::default() }))).unwrap();
            stream
        }

        fn infill(&self, _: InfillRequest) -> GenerateStream {
            unreachable!("nobody asks")
        }
    }

    /// What comes of answers, and how often the model was asked.
    #[track_caller]
    fn check(answers: &[&'static str], reason: StopReason, expected: Result<Value, &str>, tokens: usize) {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
        let provider = Scripted {
            answers: Mutex::new(answers.iter().map(|&answer| (answer, reason)).collect()),
            asked: Mutex::default(),
        };
        let request = GenerateRequest::new(ClientId::new("c"), Lane::Batch, vec![Message::User("Hi".to_owned())]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(ask(&provider, request, &schema));
        assert_eq!(provider.asked.lock().unwrap().len(), answers.len());
        if let Some(again) = provider.asked.lock().unwrap().get(1) {
            let Some(Message::User(complaint)) = again.messages.last() else { panic!("{again:?}") };
            assert!(complaint.starts_with("That answer cannot be used: "), "{complaint}");
        }
        match (found, expected) {
            (Ok(found), Ok(value)) => {
                assert_eq!((found.value, found.asked_again), (value, answers.len() == 2));
                assert_eq!(found.usage.generated_tokens, tokens);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_asked_for_once_more() {
        let end = StopReason::EndOfText;
        check(&["{\"a\": 1}"], end, Ok(json!({"a": 1})), 3);
        check(&["```json\n{a: '1',}\n```"], end, Ok(json!({"a": 1})), 3);
        check(&["no", "{\"a\": 2}"], end, Ok(json!({"a": 2})), 6);
        check(&["no", "no again"], end, Err("no JSON in it; it said: no again"), 0);
        check(&["{\"b\": 1}", "{\"b\": 1}"], end, Err("does not fit"), 0);
        check(&["{\"a\": 1}", "{\"a\": 1}"], StopReason::TokensMax, Err("cut off"), 0);
    }
}
