//! A stream of events read in the dialect of its service, until its proper end.
//!
//! Pure. A stream that merely stops is a failure: nothing that was held back for its end goes out.

use super::{assembly::Assembly, claude, fill::Peeler, gemini, openai, service::Dialect};
use crate::{
    Chunk, GenerateRequest, Kept, LlmError, Timings, Usage,
    limits::BYTES_PER_TOKEN,
    sse::SseEvent,
    stop::{Passed, StopMatcher},
};

#[derive(Debug)]
pub(crate) struct Reader {
    tongue: Tongue,
    answer: Assembly,
    tokens_max: usize,
    /// Text at a cursor, from a conversation.
    peeler: Option<Peeler>,
    /// Services take a few stop texts or none, and some say them: the answer ends here in any case.
    stops: Option<StopMatcher>,
    has_stopped: bool,
    prompt_bytes: usize,
    text_bytes: usize,
}

#[derive(Debug)]
enum Tongue {
    OpenAi,
    Claude(claude::Reader),
    Gemini,
}

impl Reader {
    /// For a conversation. `number` tells the answers of one process apart.
    pub(crate) fn of_chat(dialect: Dialect, request: &GenerateRequest, tokens_max: usize, number: u64) -> Self {
        let tongue = match dialect {
            Dialect::OpenAi => Tongue::OpenAi,
            Dialect::Claude => Tongue::Claude(claude::Reader::new(request)),
            Dialect::Gemini => Tongue::Gemini,
        };
        Self::new(tongue, Assembly::new(number), tokens_max)
    }

    pub(crate) fn of_infill(tokens_max: usize) -> Self {
        Self::new(Tongue::OpenAi, Assembly::default(), tokens_max)
    }

    fn new(tongue: Tongue, answer: Assembly, tokens_max: usize) -> Self {
        Self {
            tongue,
            answer,
            tokens_max,
            peeler: None,
            stops: None,
            has_stopped: false,
            prompt_bytes: 0,
            text_bytes: 0,
        }
    }

    /// The same for text at a cursor behind `prefix`.
    pub(crate) fn peeling(self, prefix: &str) -> Self {
        Self { peeler: Some(Peeler::new(prefix)), ..self }
    }

    /// The same, up to the first stop text. The server tells what an answer cost when it is whole, so where it is not,
    /// that is reckoned, for a prompt of so many bytes.
    pub(crate) fn stopping(self, stops: StopMatcher, prompt_bytes: usize) -> Self {
        Self { stops: Some(stops), prompt_bytes, ..self }
    }

    /// Takes one event in and returns what may go out already.
    pub(crate) fn read(&mut self, event: &SseEvent) -> Result<Vec<Chunk>, LlmError> {
        if self.answer.has_ended {
            return Ok(Vec::new());
        }
        match &mut self.tongue {
            Tongue::OpenAi => openai::read(event, &mut self.answer, self.tokens_max)?,
            Tongue::Claude(reader) => reader.read(event, &mut self.answer, self.tokens_max)?,
            Tongue::Gemini => gemini::read(event, &mut self.answer, self.tokens_max)?,
        }
        let mut chunks = std::mem::take(&mut self.answer.chunks);
        if let Some(peeler) = &mut self.peeler {
            chunks = chunks.into_iter().filter_map(|chunk| peeled(peeler, chunk)).collect();
        }
        Ok(self.up_to_a_stop(chunks))
    }

    fn up_to_a_stop(&mut self, chunks: Vec<Chunk>) -> Vec<Chunk> {
        let mut passed = Vec::new();
        for chunk in chunks {
            match chunk {
                _ if self.has_stopped => break,
                Chunk::Text(text) => {
                    passed.extend(Some(self.before_a_stop(text)).filter(|text| !text.is_empty()).map(Chunk::Text))
                }
                other => passed.push(other),
            }
        }
        passed
    }

    fn before_a_stop(&mut self, text: String) -> String {
        let Some(stops) = &mut self.stops else { return text };
        let text = match stops.push(&text) {
            Passed::Text(text) => text,
            Passed::Stopped(text) => {
                self.has_stopped = true;
                text
            }
        };
        self.text_bytes += text.len();
        if self.has_stopped {
            let [prompt_tokens, generated_tokens] =
                [self.prompt_bytes, self.text_bytes].map(|bytes| bytes.div_ceil(BYTES_PER_TOKEN));
            self.answer.ends_at_a_stop(Usage { prompt_tokens, generated_tokens, ..Usage::default() });
        }
        text
    }

    /// Nothing more is to be read.
    pub(crate) fn has_ended(&self) -> bool {
        self.answer.has_ended
    }

    /// The model has ended its answer; the stream may say a little more, such as the usage.
    pub(crate) fn may_end(&self) -> bool {
        let is_enough = match self.tongue {
            Tongue::OpenAi | Tongue::Gemini => self.answer.reason.is_some(),
            Tongue::Claude(_) => false,
        };
        is_enough || self.answer.has_ended
    }

    pub(crate) fn usage(&self) -> Usage {
        self.answer.usage
    }

    /// The stream is over: the last chunks, or an error if the answer is not whole.
    pub(crate) fn finish(mut self, timings: Timings) -> Result<(Vec<Chunk>, Vec<Kept>), LlmError> {
        if !self.may_end() {
            return Err(LlmError::Unavailable { reason: "the stream ended before the answer did".to_owned() });
        }
        let rest = Some(self.rest()).filter(|rest| !rest.is_empty());
        let mut chunks = self.answer.finish(timings)?;
        if let Some(peeler) = &mut self.peeler {
            chunks = chunks.into_iter().filter_map(|chunk| peeled(peeler, chunk)).collect();
        }
        chunks.splice(0..0, rest.map(Chunk::Text));
        Ok((chunks, self.answer.kept))
    }

    /// Text that was held back and belongs to the answer.
    fn rest(&mut self) -> String {
        let peeled = self.peeler.as_mut().map(Peeler::finish).unwrap_or_default();
        if self.has_stopped {
            return String::new();
        }
        let mut rest = self.before_a_stop(peeled);
        if let (false, Some(stops)) = (self.has_stopped, &mut self.stops) {
            rest.push_str(&stops.finish());
        }
        rest
    }
}

/// The text that belongs to the answer; nothing but text and the end is of use at a cursor.
fn peeled(peeler: &mut Peeler, chunk: Chunk) -> Option<Chunk> {
    match chunk {
        Chunk::Text(text) => Some(peeler.push(&text)).filter(|text| !text.is_empty()).map(Chunk::Text),
        Chunk::Done(done) => Some(Chunk::Done(done)),
        Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_) => None,
    }
}
