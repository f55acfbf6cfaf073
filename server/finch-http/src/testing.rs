//! A provider that says what a test wants it to say, and remembers what it was asked.

pub(crate) mod door;

use std::sync::Mutex;

use finch_llm::{
    Capabilities, Chunk, ChunkSender, Done, GenerateRequest, GenerateStream, InfillRequest, LlmError, Origin, Progress,
    Provider, ProviderId, StopReason, Timings, Usage,
};

/// What a provider is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    Chat(GenerateRequest),
    Infill(InfillRequest),
}

/// What becomes of a stream when the script has no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    /// Nothing, until its reader goes.
    Hang,
}

/// What is said to a question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) chunks: Vec<Result<Chunk, LlmError>>,
    pub(crate) then: Then,
}

type Script = Box<dyn Fn(&Question) -> Said + Send + Sync>;

/// A provider with a script.
pub(crate) struct Scripted {
    script: Script,
    asked: Mutex<Vec<Question>>,
    hanging: Mutex<Vec<ChunkSender>>,
}

/// What every answer of a script costs.
pub(crate) const USAGE: Usage = Usage {
    prompt_tokens: 7,
    cached_tokens: 4,
    suffix_tokens: 0,
    generated_tokens: 3,
    drafted_tokens: 0,
    accepted_tokens: 0,
};

/// The end of an answer.
pub(crate) fn done(reason: StopReason) -> Result<Chunk, LlmError> {
    Ok(Chunk::Done(Done { reason, usage: USAGE, timings: Timings::default() }))
}

/// An answer of texts that ends as it should.
pub(crate) fn texts(texts: &[&str]) -> Said {
    let said = texts.iter().map(|text| Ok(Chunk::Text((*text).to_owned())));
    Said { chunks: said.chain([done(StopReason::EndOfText)]).collect(), then: Then::Close }
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(&Question) -> Said + Send + Sync + 'static) -> Self {
        Self { script: Box::new(script), asked: Mutex::default(), hanging: Mutex::default() }
    }

    /// What it was asked since it was asked that the last time.
    pub(crate) fn take_asked(&self) -> Vec<Question> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The writing ends of streams that hang.
    pub(crate) fn take_hanging(&self) -> Vec<ChunkSender> {
        std::mem::take(&mut *self.hanging.lock().unwrap())
    }

    fn answer(&self, question: Question) -> GenerateStream {
        let said = (self.script)(&question);
        self.asked.lock().unwrap().push(question);
        let (sender, stream) = finch_llm::stream();
        let usage = Usage { generated_tokens: 0, ..USAGE };
        sender.report(Progress { usage, timings: Timings::default() });
        for chunk in said.chunks {
            sender.try_send(chunk).expect("a script is short");
        }
        if said.then == Then::Hang {
            self.hanging.lock().unwrap().push(sender);
        }
        stream
    }
}

impl Provider for Scripted {
    fn id(&self) -> ProviderId {
        ProviderId::new("scripted")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "tiny".to_owned(),
            fill_in_the_middle: true,
            chat: true,
            tools: true,
            structured_output: true,
            context_tokens_max: 64,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.answer(Question::Chat(request))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        self.answer(Question::Infill(request))
    }

    fn tokens_of(&self, _origin: &Origin, text: &str) -> Option<usize> {
        Some(text.split_whitespace().count())
    }
}
