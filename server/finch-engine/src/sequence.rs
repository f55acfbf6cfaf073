//! One request at work: its prompt, what it has said, and what its reader has not taken yet.
//!
//! Turns sampled tokens into chunks. Knows nothing about sessions: the worker computes, this decides what the
//! result means.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use finch_llm::{
    Chunk, ChunkSender, ClientId, Done, Lane, LlmError, NotSent, Progress, ScoredToken, StopReason, Timings,
    TokenScore, Usage,
};

use crate::{
    lanes::Job,
    limits,
    prompt::{Prompt, Prompts},
    sampler::{Sampler, Scores},
    speculation::Guesses,
    task::Task,
    vocabulary::Vocabulary,
    watch::{Pass, YieldsTo},
    writer::Writer,
};

/// A request that holds a slot.
pub(crate) struct Sequence {
    pub(crate) client: ClientId,
    pub(crate) lane: Lane,
    /// Its slot.
    pub(crate) slot: usize,
    pub(crate) prompt: Prompt,
    /// The token to compute next; none while the prompt is.
    pub(crate) next: Option<u32>,
    /// What it guesses from; none if nothing is guessed.
    pub(crate) guesses: Option<Guesses>,
    /// When it computed last.
    pub(crate) turn: u64,
    pub(crate) outbox: Outbox,
    tokens_max: usize,
    sampler: Sampler,
    writer: Writer,
    usage: Usage,
    timings: Timings,
}

/// Chunks on their way to a reader that may be slow.
pub(crate) struct Outbox {
    reader: ChunkSender,
    waiting: VecDeque<Result<Chunk, LlmError>>,
    moved: Instant,
}

/// What the worker does with a sequence after a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Continue,
    /// The answer is complete.
    Ended(StopReason),
}

impl Sequence {
    /// `cached` prompt tokens are in the slot already.
    pub(crate) fn begin(job: Job, task: Task, slot: usize, cached: usize) -> Self {
        let Task { prompt, sampler, writer } = task;
        let usage = Usage {
            prompt_tokens: prompt.tokens.len(),
            cached_tokens: cached,
            suffix_tokens: prompt.suffix,
            ..Usage::default()
        };
        Self {
            client: job.ask.client().clone(),
            lane: job.ask.lane(),
            slot,
            prompt,
            next: None,
            guesses: None,
            turn: 0,
            tokens_max: match job.ask.lane() {
                Lane::Interactive | Lane::Batch => job.ask.sampling().tokens_max,
                Lane::Warm => 0,
            },
            sampler,
            writer,
            usage,
            timings: Timings { queued: job.arrived.elapsed(), ..Timings::default() },
            outbox: Outbox { reader: job.reader, waiting: VecDeque::new(), moved: Instant::now() },
        }
    }

    /// What a watch needs to know while this sequence computes. Without a free slot nobody can take its turn.
    pub(crate) fn pass(&self, free_slots: usize) -> Pass {
        let yields_to = match self.lane {
            Lane::Interactive => YieldsTo::Client(self.client.clone()),
            Lane::Batch if free_slots > 0 => YieldsTo::Interactive,
            Lane::Batch => YieldsTo::Nobody,
            Lane::Warm => YieldsTo::Anybody,
        };
        Pass { reader: self.outbox.reader.clone(), yields_to }
    }

    pub(crate) fn tokens_max(&self) -> usize {
        self.tokens_max
    }

    /// Tokens that may come behind the next one.
    pub(crate) fn tokens_left(&self) -> usize {
        self.tokens_max.saturating_sub(self.usage.generated_tokens + 1)
    }

    /// Notes what became of guessed tokens.
    pub(crate) fn guessed(&mut self, drafted: usize, accepted: usize) {
        self.usage.drafted_tokens += drafted;
        self.usage.accepted_tokens += accepted;
        self.outbox.reader.report(Progress { usage: self.usage, timings: self.timings });
    }

    /// Notes how long a pass took.
    pub(crate) fn spent(&mut self, time: Duration) {
        match self.next {
            None => self.timings.prefill += time,
            Some(_) => self.timings.decode += time,
        }
    }

    /// Chooses the next token from logits and puts its text out. `room` is how many more tokens the slot holds.
    pub(crate) fn advance(&mut self, logits: &[f32], room: usize, prompts: &Prompts) -> Result<Step, LlmError> {
        if self.tokens_max == 0 {
            self.outbox.reader.report(Progress { usage: self.usage, timings: self.timings });
            return Ok(Step::Ended(StopReason::TokensMax));
        }
        let token = self.sampler.choose(logits)?;
        self.usage.generated_tokens += 1;
        self.outbox.reader.report(Progress { usage: self.usage, timings: self.timings });
        if prompts.is_stop(token) {
            return Ok(Step::Ended(StopReason::EndOfText));
        }
        let mut chunks: Vec<Chunk> = self.sampler.doubt(logits, token).map(Chunk::Unsure).into_iter().collect();
        chunks.extend(self.sampler.scores(logits, token).map(|scores| scored(&scores, prompts.vocabulary())));
        let written = self.writer.token(prompts.vocabulary(), token, &mut chunks);
        self.outbox.put(chunks);
        if let ControlFlow::Break(reason) = written {
            return Ok(Step::Ended(reason));
        }
        self.next = Some(token);
        Ok(if self.sampler.is_over() {
            Step::Ended(StopReason::EndOfText)
        } else if self.usage.generated_tokens >= self.tokens_max {
            Step::Ended(StopReason::TokensMax)
        } else if room == 0 {
            Step::Ended(StopReason::ContextFull)
        } else {
            Step::Continue
        })
    }

    /// Puts out what was held back, and the end.
    pub(crate) fn finish(mut self, reason: StopReason) -> Outbox {
        let mut chunks = Vec::new();
        let reason = self.writer.finish(reason, &mut chunks);
        self.outbox.put(chunks);
        self.outbox.waiting.push_back(Ok(Chunk::Done(Done { reason, usage: self.usage, timings: self.timings })));
        self.outbox
    }

    /// Ends with an error instead of an answer.
    pub(crate) fn fail(mut self, error: LlmError) -> Outbox {
        self.outbox.waiting.push_back(Err(error));
        self.outbox
    }
}

/// Scores as texts.
fn scored(scores: &Scores, vocabulary: &Vocabulary) -> Chunk {
    let score = |&(token, log_probability): &(u32, f32)| {
        // A control token stands for no text, and is told by its name.
        let bytes = match vocabulary.bytes(token) {
            [] => vocabulary.name(token).unwrap_or_default().as_bytes(),
            bytes => bytes,
        };
        TokenScore { bytes: bytes.to_vec(), log_probability }
    };
    let likeliest = scores.likeliest.iter().map(score).collect();
    Chunk::Scored(ScoredToken { chosen: score(&scores.chosen), likeliest })
}

impl Outbox {
    fn put(&mut self, chunks: Vec<Chunk>) {
        for chunk in chunks {
            // A pass may give several tokens: one chunk is enough for their text.
            match (self.waiting.back_mut(), chunk) {
                (Some(Ok(Chunk::Text(before))), Chunk::Text(text)) => before.push_str(&text),
                (_, chunk) => self.waiting.push_back(Ok(chunk)),
            }
        }
    }

    /// Hands over what the reader takes without waiting.
    pub(crate) fn flush(&mut self) {
        while let Some(chunk) = self.waiting.pop_front() {
            match self.reader.try_send(chunk) {
                Ok(()) => self.moved = Instant::now(),
                Err(NotSent::Full(chunk)) => return self.waiting.push_front(*chunk),
                Err(NotSent::ReaderGone) => self.waiting.clear(),
            }
        }
        self.moved = Instant::now();
    }

    /// Nothing waits: more may be computed.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nobody will take anything any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reader.is_reader_gone() || (!self.waiting.is_empty() && self.moved.elapsed() > limits::READER_STALL_MAX)
    }
}
