//! A whole answer of a provider, as its reader hears it.

use finch_llm::{Answer, Chunk, Done, GenerateStream, Kept, LlmError, StopReason, ToolCall};

/// The pieces in their order, and how it ended.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) pieces: Vec<String>,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) end: Result<Done, LlmError>,
}

impl Heard {
    /// Reads to the end; every stream has exactly one.
    pub(crate) async fn of(mut stream: GenerateStream) -> Self {
        let (mut pieces, mut reasoning, mut calls) = (Vec::new(), String::new(), Vec::new());
        let end = loop {
            match stream.next().await.expect("an end") {
                Ok(Chunk::Text(text)) => pieces.push(text),
                Ok(Chunk::Reasoning(text)) => reasoning.push_str(&text),
                Ok(Chunk::ToolCall(call)) => calls.push(call),
                Ok(Chunk::Unsure(_) | Chunk::Scored(_)) => {}
                Ok(Chunk::Done(done)) => break Ok(done),
                Err(error) => break Err(error),
            }
        };
        let kept = stream.kept();
        assert!(stream.next().await.is_none(), "something came after the end");
        Self { pieces, reasoning, calls, kept, end }
    }

    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// Why the model stopped; the answer was whole.
    #[track_caller]
    pub(crate) fn reason(&self) -> StopReason {
        self.done().reason
    }

    #[track_caller]
    pub(crate) fn done(&self) -> Done {
        *self.end.as_ref().unwrap_or_else(|error| panic!("{}: {error} behind {:?}", error.kind(), self.text()))
    }

    /// The error that it ended with.
    #[track_caller]
    pub(crate) fn error(&self) -> &LlmError {
        self.end.as_ref().expect_err("an answer that is not whole")
    }

    /// As it goes back into the conversation.
    pub(crate) fn answer(&self) -> Answer {
        Answer {
            text: self.text(),
            reasoning: self.reasoning.clone(),
            tool_calls: self.calls.clone(),
            kept: self.kept.clone(),
        }
    }
}
