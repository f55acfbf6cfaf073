//! Requests to tokens: what goes into the model, and how it is cut to size.
//!
//! A prefix loses its head, a suffix its tail. A prefix is cut at line starts and in coarse steps counted from its
//! beginning, so while it grows key by key the cut stays where it is and the tokens in front stay the same: that
//! is what the key-value cache lives on. Knows nothing about sessions or slots.

mod context;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use finch_llm::{GenerateRequest, InfillRequest, LlmError, ToolChoice};
use finch_model::{
    chat::ChatTemplates,
    manifest::{InfillStyle, Manifest, Tokens},
};

use crate::{
    chat::{self, Chat, Opening},
    limits,
    structure::{Constraint, Structures},
    vocabulary::{NotEncoded, Vocabulary},
    writer::Splitter,
};
use context::Files;

/// A prompt, ready for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) tokens: Vec<u32>,
    /// Tokens in front that the next request of the same kind will probably share.
    pub(crate) stable: usize,
    /// Tokens that stand for the text behind the cursor, its marker included.
    pub(crate) suffix: usize,
}

/// A conversation, ready for the model, and how its answer is read.
pub(crate) struct Conversation {
    pub(crate) prompt: Prompt,
    pub(crate) splitter: Splitter,
    /// What the answer has to look like.
    pub(crate) form: Option<Constraint>,
    /// The number of its first tool call.
    pub(crate) first_call: u64,
}

/// Makes prompts for one model.
pub(crate) struct Prompts {
    vocabulary: Vocabulary,
    chat: Chat,
    structures: Structures,
    /// Numbers tool calls, from the time of loading on, so that they differ from those of an earlier run.
    calls: AtomicU64,
    tokens: Tokens,
    files: Files,
    style: InfillStyle,
    capacity: usize,
}

impl Prompts {
    /// `style` overrides the manifest; without fill-in-the-middle tokens it is always the prefix.
    pub(crate) fn new(
        vocabulary: Vocabulary,
        manifest: &Manifest,
        style: Option<InfillStyle>,
        capacity: usize,
    ) -> Self {
        let wanted = style.unwrap_or(manifest.infill);
        let style = if manifest.tokens.fim.is_some() { wanted } else { InfillStyle::Prefix };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let calls = AtomicU64::new(u64::try_from(now.as_millis()).unwrap_or(0));
        let chat = Chat::new(ChatTemplates::default(), manifest, &vocabulary);
        let (tokens, structures) = (manifest.tokens.clone(), Structures::default());
        let files = Files::of(&vocabulary);
        Self { vocabulary, chat, structures, calls, tokens, files, style, capacity }
    }

    /// The same, with the chat templates that the model brings.
    pub(crate) fn with_templates(self, templates: ChatTemplates, manifest: &Manifest) -> Self {
        Self { chat: Chat::new(templates, manifest, &self.vocabulary), ..self }
    }

    pub(crate) fn chat(&self) -> &Chat {
        &self.chat
    }

    pub(crate) fn style(&self) -> InfillStyle {
        self.style
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(crate) fn is_stop(&self, token: u32) -> bool {
        self.tokens.stop.contains(&token)
    }

    /// The prompt for the text between a prefix and a suffix. It always leaves room for an answer.
    pub(crate) fn infill(&self, request: &InfillRequest) -> Result<Prompt, LlmError> {
        let answer = request.sampling.tokens_max.clamp(1, self.capacity / 2);
        let budget = request.prompt_tokens_max.min(self.capacity - answer);
        let fim = self.tokens.fim.filter(|_| self.style == InfillStyle::Fim || line_goes_on(&request.suffix));
        let bos = self.tokens.bos.filter(|_| self.tokens.add_bos);
        let markers = usize::from(bos.is_some()) + if fim.is_some() { 3 } else { 0 };
        let room = budget.saturating_sub(markers);
        if room == 0 {
            return Err(LlmError::ContextTooLong { tokens: markers + 1, tokens_max: budget });
        }
        let head = self.files.head(&request.context, &self.vocabulary, room - 1)?;
        let room = room - head.len();
        let Some(fim) = fim else {
            let prefix = self.prefix(&request.prefix, room)?;
            let tokens: Vec<u32> = bos.into_iter().chain(head).chain(prefix).collect();
            return Ok(Prompt { stable: tokens.len(), suffix: 0, tokens: self.not_empty(tokens)? });
        };
        let mut suffix = self.suffix(&request.suffix, room)?;
        let mut prefix = self.prefix(&request.prefix, room - suffix.len().min(room / limits::SUFFIX_SHARE_PARTS))?;
        suffix.truncate(room - prefix.len());
        let mut tokens: Vec<u32> = bos.into_iter().chain(head).chain([fim.prefix]).collect();
        tokens.append(&mut prefix);
        let (stable, suffix_tokens) = (tokens.len(), suffix.len() + 1);
        tokens.push(fim.suffix);
        tokens.append(&mut suffix);
        tokens.push(fim.middle);
        Ok(Prompt { tokens, stable, suffix: suffix_tokens })
    }

    /// The prompt of an infill as a person can read it: control tokens stand there by their names.
    pub(crate) fn spell(&self, request: &InfillRequest) -> Result<String, LlmError> {
        let mut text = Vec::new();
        for token in self.infill(request)?.tokens {
            match self.vocabulary.name(token).filter(|_| self.vocabulary.is_control(token)) {
                Some(name) => text.extend(name.as_bytes()),
                None => text.extend(self.vocabulary.bytes(token)),
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The prompt for a conversation, and how its answer is held to a form and read.
    pub(crate) fn generate(&self, request: &GenerateRequest) -> Result<Conversation, LlmError> {
        let too_long = |tokens| LlmError::ContextTooLong { tokens, tokens_max: self.capacity - 1 };
        // No need to encode what cannot fit; code has three to four bytes a token.
        let bytes = chat::bytes(request);
        if bytes > self.capacity * limits::BYTES_PER_TOKEN_MAX * 4 {
            return Err(too_long(bytes / 4));
        }
        let Opening { tokens, thought } = self.chat.open(request, &self.vocabulary)?;
        if tokens.len() >= self.capacity {
            return Err(too_long(tokens.len()));
        }
        let dialect = self.chat.dialect();
        let eos = self.tokens.eos.or(self.tokens.stop.first().copied());
        let form = self.structures.constraint(request, thought, dialect, &self.vocabulary, eos)?;
        let may_call = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
        let prompt = Prompt { stable: tokens.len(), suffix: 0, tokens: self.not_empty(tokens)? };
        let splitter = match self.chat.is_taught() || may_call {
            true => Splitter::new(thought, may_call.then_some(dialect)),
            false => Splitter::plain(),
        };
        let first_call = self.calls.fetch_add(limits::CALLS_OF_AN_ANSWER, Ordering::Relaxed);
        Ok(Conversation { prompt, splitter, form, first_call })
    }

    /// A model needs one token to begin with.
    fn not_empty(&self, tokens: Vec<u32>) -> Result<Vec<u32>, LlmError> {
        if !tokens.is_empty() {
            return Ok(tokens);
        }
        match self.tokens.bos.or(self.tokens.stop.first().copied()) {
            Some(token) => Ok(vec![token]),
            None => Ok(self.encode("\n")?),
        }
    }

    /// The end of the text before the cursor, within `room` tokens.
    fn prefix(&self, text: &str, room: usize) -> Result<Vec<u32>, LlmError> {
        let bytes_max = room * limits::BYTES_PER_TOKEN_MAX;
        let mut text = text;
        if text.len() > bytes_max {
            let step = (bytes_max / limits::PREFIX_CUT_PARTS).max(1);
            text = &text[line_start(text, (text.len() - bytes_max).next_multiple_of(step))..];
        }
        let mut tokens = self.encode(text)?;
        if tokens.len() > room {
            let step = (room / limits::PREFIX_CUT_PARTS).max(1);
            let excess = (tokens.len() - room).next_multiple_of(step).min(tokens.len());
            let bytes: usize = tokens[..excess].iter().map(|&token| self.vocabulary.bytes(token).len()).sum();
            tokens = self.encode(&text[line_start(text, bytes)..])?;
        }
        // Cut text can need a token more at the seam, and a line longer than the room is cut anywhere.
        tokens.drain(..tokens.len().saturating_sub(room));
        Ok(tokens)
    }

    /// The beginning of the text behind the cursor, within `room` tokens.
    fn suffix(&self, text: &str, room: usize) -> Result<Vec<u32>, LlmError> {
        let end = floor_char(text, room * limits::BYTES_PER_TOKEN_MAX);
        let mut tokens = self.encode(&text[..end])?;
        tokens.truncate(room);
        Ok(tokens)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, LlmError> {
        encode(&self.vocabulary, text)
    }
}

fn encode(vocabulary: &Vocabulary, text: &str) -> Result<Vec<u32>, LlmError> {
    vocabulary.encode(text).map_err(|error: NotEncoded| LlmError::Protocol { reason: error.to_string() })
}

/// Whether more than white space stands behind the cursor on its line. What belongs between two texts on one line is hard
/// to tell without the second, for whatever model.
fn line_goes_on(suffix: &str) -> bool {
    suffix.split('\n').next().is_some_and(|tail| !tail.trim().is_empty())
}

/// The first line start at or behind `at`; without one, the first character start.
fn line_start(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    // The byte before `at` counts: a line that starts exactly there is whole.
    let behind = &text.as_bytes()[at.saturating_sub(1)..];
    match behind.iter().position(|&byte| byte == b'\n').map(|newline| at.saturating_sub(1) + newline + 1) {
        Some(start) if start < text.len() => start,
        Some(_) | None => (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len()),
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
