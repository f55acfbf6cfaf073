//! The answer of a provider: chunks on a bounded channel, ended by exactly one `Done` or one error.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use crate::{CHUNKS_MAX, Kept, LlmError, ProviderId, ToolCall};

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// Text of the answer. Always whole characters; empty texts are not sent.
    Text(String),
    /// What the model thinks before it answers; not part of the answer. Never empty.
    Reasoning(String),
    /// A tool that the model wants called, whole.
    ToolCall(ToolCall),
    /// How probable the model held what comes next: a token less so than [`crate::Sampling::unsure_below`].
    Unsure(f32),
    /// A token of the answer and how probable it was; its text comes behind it, or later.
    Scored(ScoredToken),
    /// The last chunk.
    Done(Done),
}

/// A token that was chosen, beside those that could have been.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredToken {
    pub chosen: TokenScore,
    /// The likeliest tokens in its place, the likeliest first.
    pub likeliest: Vec<TokenScore>,
}

/// A token and the natural logarithm of the probability that the model gave it, whatever the sampling.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenScore {
    /// What the token stands for. A character may be spread over several tokens.
    pub bytes: Vec<u8>,
    pub log_probability: f32,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model ended its answer.
    EndOfText,
    /// The model ended its answer with tool calls and waits for their results.
    ToolCalls,
    /// A stop text was about to appear; it is not part of the answer.
    StopText,
    /// `tokens_max` was reached. The answer is cut off, JSON too.
    TokensMax,
    /// The model's context is full. The answer is cut off, JSON too.
    ContextFull,
}

/// True token counts of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: usize,
    /// Prompt tokens that were not computed again.
    pub cached_tokens: usize,
    /// Prompt tokens that stand for the text behind the cursor, its marker included.
    pub suffix_tokens: usize,
    pub generated_tokens: usize,
    /// Tokens that were guessed ahead, and how many of them were what the model then chose.
    pub drafted_tokens: usize,
    pub accepted_tokens: usize,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the arrival of the request to the start of its work.
    pub queued: Duration,
    pub prefill: Duration,
    pub decode: Duration,
}

/// How an answer ended and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub reason: StopReason,
    pub usage: Usage,
    pub timings: Timings,
}

/// What a request has cost so far. A reader that stops before `Done` knows its price by this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub usage: Usage,
    pub timings: Timings,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub provider: ProviderId,
    pub model: String,
}

/// The reading end. Dropping it cancels the request.
#[derive(Debug)]
pub struct GenerateStream {
    chunks: mpsc::Receiver<Result<Chunk, LlmError>>,
    progress: watch::Receiver<Progress>,
    kept: Arc<Mutex<Vec<Kept>>>,
    provenance: Arc<OnceLock<Provenance>>,
}

/// The writing end, held by the provider.
#[derive(Debug, Clone)]
pub struct ChunkSender {
    chunks: mpsc::Sender<Result<Chunk, LlmError>>,
    progress: watch::Sender<Progress>,
    kept: Arc<Mutex<Vec<Kept>>>,
    provenance: Arc<OnceLock<Provenance>>,
}

/// The reader dropped its stream: stop working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader is gone")]
pub struct ReaderGone;

/// Why a chunk was not handed over at once.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotSent {
    /// The reader is slow: keep the chunk and try again.
    #[error("the reader has not caught up")]
    Full(Box<Result<Chunk, LlmError>>),
    /// The reader dropped its stream: stop working.
    #[error("the reader is gone")]
    ReaderGone,
}

/// A bounded stream and the end that fills it.
#[must_use]
pub fn stream() -> (ChunkSender, GenerateStream) {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let (progress_sender, progress) = watch::channel(Progress::default());
    let (kept, provenance) = (Arc::default(), Arc::default());
    let writer = ChunkSender {
        chunks: sender,
        progress: progress_sender,
        kept: Arc::clone(&kept),
        provenance: Arc::clone(&provenance),
    };
    (writer, GenerateStream { chunks: receiver, progress, kept, provenance })
}

impl GenerateStream {
    /// A stream that holds one error and ends.
    #[must_use]
    pub fn failed(error: LlmError) -> Self {
        let (sender, stream) = stream();
        let sent = sender.chunks.try_send(Err(error));
        debug_assert!(sent.is_ok(), "a new channel has room for one chunk");
        stream
    }

    /// The next chunk; `None` after `Done`, after an error, or when the provider ended without either.
    pub async fn next(&mut self) -> Option<Result<Chunk, LlmError>> {
        self.chunks.recv().await
    }

    /// The same, from a thread outside the runtime.
    pub fn next_blocking(&mut self) -> Option<Result<Chunk, LlmError>> {
        self.chunks.blocking_recv()
    }

    /// What the provider last reported; all zero from a provider that does not.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Who answers, once that is known and if more than one may: at the latest with the first chunk.
    #[must_use]
    pub fn provenance(&self) -> Option<Provenance> {
        self.provenance.get().cloned()
    }

    /// The same stream, said to come from there.
    #[must_use]
    pub fn of(self, provenance: Provenance) -> Self {
        // Who is known to answer stays known.
        self.provenance.get_or_init(|| provenance);
        self
    }

    /// What has to go into [`crate::Answer::kept`] when the answer goes back; complete once `Done` was read.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ChunkSender {
    /// Waits for room, from a thread outside the runtime.
    ///
    /// # Errors
    /// [`ReaderGone`] when the stream was dropped.
    pub fn send_blocking(&self, chunk: Result<Chunk, LlmError>) -> Result<(), ReaderGone> {
        self.chunks.blocking_send(chunk).map_err(|_| ReaderGone)
    }

    /// Waits for room, from a task.
    ///
    /// # Errors
    /// [`ReaderGone`] when the stream was dropped.
    pub async fn send(&self, chunk: Result<Chunk, LlmError>) -> Result<(), ReaderGone> {
        self.chunks.send(chunk).await.map_err(|_| ReaderGone)
    }

    /// Hands a chunk over if there is room, and gives it back if there is none. Never waits.
    ///
    /// # Errors
    /// [`NotSent`] says whether to try again or to stop.
    pub fn try_send(&self, chunk: Result<Chunk, LlmError>) -> Result<(), NotSent> {
        self.chunks.try_send(chunk).map_err(|error| match error {
            mpsc::error::TrySendError::Full(chunk) => NotSent::Full(Box::new(chunk)),
            mpsc::error::TrySendError::Closed(_) => NotSent::ReaderGone,
        })
    }

    /// Tells what the request has cost so far: after prefill, and with each chunk. Never waits.
    pub fn report(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// Hands over what the provider wants back, before `Done` is sent. Never waits.
    pub fn keep(&self, parts: Vec<Kept>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    /// Tells who answers, before the first chunk. The first word on it holds.
    pub fn comes_from(&self, provenance: Provenance) {
        self.provenance.get_or_init(|| provenance);
    }

    /// Whether the reader dropped its stream.
    #[must_use]
    pub fn is_reader_gone(&self) -> bool {
        self.chunks.is_closed()
    }

    /// Waits until the reader drops its stream.
    pub async fn reader_gone(&self) {
        self.chunks.closed().await;
    }
}
