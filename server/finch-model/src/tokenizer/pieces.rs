//! SentencePiece vocabularies: pieces of text with scores, the best pair of neighbours put together first.
//!
//! A space is written `▁`, and what no piece spells is written byte by byte. Scores become an order of merges, since that
//! is what `tokenizer.json` can say. Called by `tokenizer`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::token_kind;
use crate::checkpoint::{Checkpoint, CheckpointError};

const SCORES: &str = "tokenizer.ggml.scores";
const SPACE: &str = "▁";

/// What a vocabulary of pieces has beside its tokens.
#[derive(Debug)]
pub(super) struct Pieces {
    scores: Vec<f64>,
    /// Whether a text begins with a space of its own.
    begins_with_space: bool,
}

impl Pieces {
    pub(super) fn read(checkpoint: &Checkpoint, tokens: usize) -> Result<Pieces, CheckpointError> {
        let scores = checkpoint.floats(SCORES)?.unwrap_or_else(|| vec![0.0; tokens]);
        if scores.len() != tokens || scores.iter().any(|score| score.is_nan()) {
            return Err(checkpoint.broken(format!("{SCORES} are not {tokens} numbers")));
        }
        let begins_with_space = checkpoint.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
        Ok(Pieces { scores, begins_with_space })
    }

    /// The halves of every piece that has any, the best piece first.
    pub(super) fn merges<'a>(&self, tokens: &[&'a str], kinds: &[i64]) -> Vec<(&'a str, &'a str)> {
        let is_piece = |kind: i64| matches!(kind, token_kind::NORMAL | token_kind::USER_DEFINED);
        let pieces = tokens.iter().zip(kinds).zip(&self.scores).filter(|((_, kind), _)| is_piece(**kind));
        let ids: HashMap<&str, usize> = pieces.clone().enumerate().map(|(id, ((token, _), _))| (*token, id)).collect();
        let mut merges = Vec::new();
        for ((piece, _), score) in pieces {
            let halves = piece.char_indices().skip(1).map(|(at, _)| piece.split_at(at));
            let known = halves.filter_map(|(left, right)| Some(((ids.get(left)?, ids.get(right)?), (left, right))));
            merges.extend(known.map(|(ids, halves)| (*score, ids, halves)));
        }
        merges.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        merges.into_iter().map(|(_, _, halves)| halves).collect()
    }

    pub(super) fn normalizer(&self) -> Value {
        let mut steps = vec![json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE })];
        if self.begins_with_space {
            steps.insert(0, json!({ "type": "Prepend", "prepend": SPACE }));
        }
        json!({ "type": "Sequence", "normalizers": steps })
    }
}

/// From pieces back to text.
pub(super) fn decoder() -> Value {
    let space = json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " });
    json!({ "type": "Sequence", "decoders": [space, { "type": "ByteFallback" }, { "type": "Fuse" }] })
}
