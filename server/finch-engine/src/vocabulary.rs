//! Text to tokens and tokens to bytes.
//!
//! Text from outside is only ever text: no spelling of a control token in it becomes that token. The tokenizer that
//! encodes has no control tokens, and a second look at the ids holds even for a vocabulary that could merge one.
//! Control tokens are asked for by name, by the prompt templates alone.

mod spelling;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use finch_model::manifest::{Manifest, TOKENIZER_FILE};
use serde::de::IgnoredAny;
use tokenizers::{AddedToken, AddedVocabulary, Tokenizer};

use crate::{EngineError, error::one_line, limits};
use spelling::Spelling;

/// The vocabulary of one model.
pub(crate) struct Vocabulary {
    encoder: Tokenizer,
    /// The bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<u32>,
    /// Tokens with a meaning of their own, by name.
    control: HashMap<String, u32>,
    names: HashMap<u32, String>,
    /// Control tokens that swallow the white space on one side of them.
    swallowing: HashSet<(u32, Side)>,
    is_control: Vec<bool>,
    /// The token of each single byte, where there is one.
    single: Vec<Option<u32>>,
}

/// A side of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Before,
    Behind,
}

/// Text that the tokenizer could not take.
#[derive(Debug, thiserror::Error)]
#[error("the text could not be encoded: {0}")]
pub(crate) struct NotEncoded(String);

impl Vocabulary {
    pub(crate) fn load(dir: &Path, manifest: &Manifest) -> Result<Self, EngineError> {
        let path = dir.join(TOKENIZER_FILE);
        let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
        let bytes = fs::metadata(&path).map_err(|error| problem(error.to_string()))?.len();
        if bytes > limits::TOKENIZER_BYTES_MAX {
            return Err(problem(format!("{bytes} bytes are too many for a tokenizer")));
        }
        let text = fs::read(&path).map_err(|error| problem(error.to_string()))?;
        // The tokenizer's own reader panics at what is no JSON.
        serde_json::from_slice::<IgnoredAny>(&text).map_err(|error| problem(format!("is no JSON: {error}")))?;
        let tokenizer = Tokenizer::from_bytes(&text).map_err(|error| problem(one_line(&error.to_string())))?;
        Self::new(tokenizer, manifest).map_err(problem)
    }

    fn new(mut tokenizer: Tokenizer, manifest: &Manifest) -> Result<Self, String> {
        let spelling = Spelling::of(&tokenizer).ok_or("is neither a byte-level vocabulary nor one of pieces")?;
        let size = manifest.shape.vocab;
        if let Some(beyond) = tokenizer.get_vocab(true).into_values().find(|&id| id as usize >= size) {
            return Err(format!("has the token {beyond} where the model knows {size}"));
        }
        let added: HashMap<u32, AddedToken> = tokenizer.get_added_tokens_decoder().into_iter().collect();
        let (bytes, ends) = token_bytes(&tokenizer, size, &added, &spelling);
        let mut is_control = vec![false; size];
        let (mut control, mut names, mut swallowing) = (HashMap::new(), HashMap::new(), HashSet::new());
        for (&id, token) in added.iter().filter(|(_, token)| !is_text(token)) {
            is_control[id as usize] = true;
            control.insert(token.content.clone(), id);
            names.insert(id, token.content.clone());
            swallowing.extend(token.lstrip.then_some((id, Side::Before)));
            swallowing.extend(token.rstrip.then_some((id, Side::Behind)));
        }
        let tokens = &manifest.tokens;
        let fim = tokens.fim.map(|fim| [fim.prefix, fim.suffix, fim.middle]);
        for id in tokens.stop.iter().copied().chain(tokens.bos).chain(fim.into_iter().flatten()) {
            is_control[id as usize] = true;
        }
        keep_text_tokens(&mut tokenizer, &added).map_err(|error| one_line(&error.to_string()))?;
        let mut vocabulary =
            Self { encoder: tokenizer, bytes, ends, control, names, swallowing, is_control, single: vec![None; 256] };
        vocabulary.find_single_bytes();
        Ok(vocabulary)
    }

    fn find_single_bytes(&mut self) {
        for id in 0..self.ends.len() {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            if let &[byte] = self.bytes(id)
                && !self.is_control[id as usize]
            {
                self.single[usize::from(byte)].get_or_insert(id);
            }
        }
    }

    /// The tokens of a text, none of them a control token.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, NotEncoded> {
        let encoding =
            self.encoder.encode_fast(text, false).map_err(|error| NotEncoded(one_line(&error.to_string())))?;
        let ids = encoding.get_ids();
        if !ids.iter().any(|&id| self.is_control[id as usize]) {
            return Ok(ids.to_vec());
        }
        Ok(ids.iter().flat_map(|&id| self.as_text(id)).collect())
    }

    /// A token as its text, byte by byte if it is a control token.
    fn as_text(&self, id: u32) -> Vec<u32> {
        if !self.is_control[id as usize] {
            return vec![id];
        }
        // A special token stands for no bytes, but its name in a text does.
        let bytes = self.names.get(&id).map_or(self.bytes(id), |name| name.as_bytes());
        bytes.iter().filter_map(|&byte| self.single[usize::from(byte)]).collect()
    }

    /// The bytes a token stands for. Special tokens stand for none, as in decoding without them.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let index = id as usize;
        let end = self.ends.get(index).copied().unwrap_or(0);
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// All control tokens that have a name.
    pub(crate) fn controls(&self) -> impl Iterator<Item = (&str, u32)> {
        self.control.iter().map(|(name, &token)| (name.as_str(), token))
    }

    /// The name of a control token.
    pub(crate) fn name(&self, token: u32) -> Option<&str> {
        self.names.get(&token).map(String::as_str)
    }

    /// The text between two control tokens as the tokenizer takes it: some of them swallow the space beside them.
    pub(crate) fn stripped<'t>(&self, text: &'t str, before: Option<u32>, behind: Option<u32>) -> &'t str {
        let swallows = |token: Option<u32>, side: Side| token.is_some_and(|it| self.swallowing.contains(&(it, side)));
        let text = if swallows(before, Side::Behind) { text.trim_start() } else { text };
        if swallows(behind, Side::Before) { text.trim_end() } else { text }
    }

    /// Whether this token has a meaning of its own.
    pub(crate) fn is_control(&self, token: u32) -> bool {
        self.is_control.get(token as usize).copied().unwrap_or(false)
    }

    /// How many tokens the model knows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The control token of this name.
    pub(crate) fn control(&self, name: &str) -> Option<u32> {
        self.control.get(name).copied()
    }
}

/// Vocabularies list runs of spaces as added tokens; those are text. Everything else that was added is control.
fn is_text(token: &AddedToken) -> bool {
    !token.special && token.content.chars().all(|letter| letter.is_whitespace() || letter == spelling::SPACE)
}

fn keep_text_tokens(tokenizer: &mut Tokenizer, added: &HashMap<u32, AddedToken>) -> tokenizers::Result<()> {
    let mut text: Vec<(u32, AddedToken)> = Vec::new();
    text.extend(added.iter().filter(|(_, token)| is_text(token)).map(|(&id, token)| (id, token.clone())));
    text.sort_by_key(|(id, _)| *id);
    tokenizer.with_added_vocabulary(AddedVocabulary::new());
    tokenizer.add_tokens(text.into_iter().map(|(_, token)| token))?;
    Ok(())
}

/// The bytes of every token, and where each ends.
fn token_bytes(
    tokenizer: &Tokenizer,
    size: usize,
    added: &HashMap<u32, AddedToken>,
    spelling: &Spelling,
) -> (Vec<u8>, Vec<u32>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(size);
    for id in 0..u32::try_from(size).unwrap_or(u32::MAX) {
        match added.get(&id) {
            Some(token) if token.special => {}
            found => {
                let text = found.map(|token| token.content.clone()).or_else(|| tokenizer.id_to_token(id));
                bytes.extend(spelling.bytes(&text.unwrap_or_default()));
            }
        }
        ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }
    (bytes, ends)
}

#[cfg(test)]
mod tests;
