//! Writes `tokenizer.json`, and finds the tokens with a meaning of their own.
//!
//! A hub directory brings the file; for a GGUF file it is rebuilt from the vocabulary inside.
//! The text is the format of the `tokenizers` crate. There are two kinds: byte-level BPE, where how text is cut before
//! merging is looked up by name in [`pre`], and an unknown name is an error, since a wrong cut gives wrong tokens without
//! any other sign; and SentencePiece's, in [`pieces`]. Called by the importer.

mod hub;
mod pieces;
mod pre;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::{Value, json};

use self::hub::HubVocabulary;
use self::pieces::Pieces;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::manifest::{FimTokens, Tokens};

const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";

/// Kinds of tokens by their number in the format.
pub(crate) mod token_kind {
    pub(crate) const NORMAL: i64 = 1;
    pub(crate) const UNKNOWN: i64 = 2;
    pub(crate) const CONTROL: i64 = 3;
    pub(crate) const USER_DEFINED: i64 = 4;
    pub(crate) const UNUSED: i64 = 5;
    pub(crate) const BYTE: i64 = 6;
}

/// Metadata keys of ids that end a text.
const STOP_KEYS: [&str; 6] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Tokens after which what follows is another text, where the vocabulary has them as control or user-defined tokens.
const STOP_TEXTS: [&str; 22] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
    "<EOT>",
    "<|EOT|>",
    "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",
    "<fim_pad>",
    "<fim-pad>",
    "<|repo_name|>",
    "<repo_name>",
    "<reponame>",
    "<|file_sep|>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
];

/// One fill-in-the-middle token: the metadata keys that may name it, then the texts it may have.
struct FimPlace {
    keys: [&'static str; 2],
    texts: [&'static str; 5],
}

const FIM_PREFIX: FimPlace = FimPlace {
    keys: ["tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"],
    texts: ["<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>", "<PRE>"],
};
const FIM_SUFFIX: FimPlace = FimPlace {
    keys: ["tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"],
    texts: ["<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<｜fim▁hole｜>", "<SUF>"],
};
const FIM_MIDDLE: FimPlace = FimPlace {
    keys: ["tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"],
    texts: ["<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<｜fim▁end｜>", "<MID>"],
};

/// The tokenizer of a checkpoint.
#[derive(Debug)]
pub(crate) enum Tokenizer<'a> {
    Gguf(Vocabulary<'a>),
    Hub(HubVocabulary<'a>),
}

impl<'a> Tokenizer<'a> {
    /// Reads the tokenizer of a model with `ids` token ids.
    pub(crate) fn read(checkpoint: &'a Checkpoint, ids: usize) -> Result<Self, CheckpointError> {
        match checkpoint {
            Checkpoint::Gguf(_) => Vocabulary::read(checkpoint, ids).map(Tokenizer::Gguf),
            Checkpoint::Hub(hub) => HubVocabulary::read(hub, checkpoint, ids).map(Tokenizer::Hub),
        }
    }

    /// The tokens with a meaning of their own.
    pub(crate) fn special(&self) -> Tokens {
        match self {
            Tokenizer::Gguf(vocabulary) => vocabulary.special(),
            Tokenizer::Hub(vocabulary) => vocabulary.special(),
        }
    }

    /// Writes `tokenizer.json`.
    pub(crate) fn write_json(&self, out: impl Write) -> std::io::Result<()> {
        match self {
            Tokenizer::Gguf(vocabulary) => vocabulary.write_json(out),
            Tokenizer::Hub(vocabulary) => vocabulary.write_json(out),
        }
    }
}

/// The vocabulary of a GGUF file. Invariant: as many kinds as tokens, and no more tokens than ids of the model.
#[derive(Debug)]
pub(crate) struct Vocabulary<'a> {
    checkpoint: &'a Checkpoint,
    tokens: Vec<&'a str>,
    kinds: Vec<i64>,
    merging: Merging<'a>,
}

/// How letters become tokens.
#[derive(Debug)]
enum Merging<'a> {
    /// Inside words, in the order of a list.
    Words { merges: Vec<&'a str>, pre: &'static pre::PreTokenizer },
    /// Over the whole text, in the order of scores.
    Pieces(Pieces),
}

impl<'a> Vocabulary<'a> {
    /// Reads the vocabulary of a model with `ids` token ids.
    pub(crate) fn read(checkpoint: &'a Checkpoint, ids: usize) -> Result<Self, CheckpointError> {
        let missing = |key: &str| checkpoint.broken(format!("it has no {key}"));
        let tokens = checkpoint.texts(TOKENS)?.ok_or_else(|| missing(TOKENS))?;
        let kinds = checkpoint.numbers(KINDS)?.unwrap_or_else(|| vec![token_kind::NORMAL; tokens.len()]);
        if kinds.len() != tokens.len() || tokens.len() > ids {
            let what = format!("{} tokens with {} types for {ids} ids", tokens.len(), kinds.len());
            return Err(checkpoint.broken(what));
        }
        let merging = match checkpoint.text("tokenizer.ggml.model") {
            Some("gpt2") => Merging::Words {
                merges: checkpoint.texts(MERGES)?.ok_or_else(|| missing(MERGES))?,
                pre: pre::of(checkpoint)?,
            },
            Some("llama") => Merging::Pieces(Pieces::read(checkpoint, tokens.len())?),
            Some(other) => {
                let known = "finch reads gpt2 (byte-level BPE) and llama (SentencePiece)";
                return Err(checkpoint.unsupported(format!("a {other} tokenizer, {known}")));
            }
            None => return Err(checkpoint.broken("it has no tokenizer (tokenizer.ggml.model)".to_owned())),
        };
        Ok(Self { checkpoint, tokens, kinds, merging })
    }

    /// The tokens with a meaning of their own.
    pub(crate) fn special(&self) -> Tokens {
        let fim = match (self.fim(&FIM_PREFIX), self.fim(&FIM_SUFFIX), self.fim(&FIM_MIDDLE)) {
            (Some(prefix), Some(suffix), Some(middle)) => Some(FimTokens { prefix, suffix, middle }),
            _ => None,
        };
        let by_key = STOP_KEYS.iter().filter_map(|key| self.id_at(key));
        let by_text = self.added().filter(|(_, token, _)| STOP_TEXTS.contains(token)).map(|(id, _, _)| id);
        let of_fim = fim.into_iter().flat_map(|fim| [fim.prefix, fim.suffix, fim.middle]);
        let stop: BTreeSet<u32> = by_key.chain(by_text).chain(of_fim).collect();
        let eos = self.id_at("tokenizer.ggml.eos_token_id");
        let bos = self.id_at("tokenizer.ggml.bos_token_id");
        let add_bos = self.checkpoint.flag("tokenizer.ggml.add_bos_token").unwrap_or(match &self.merging {
            Merging::Words { pre, .. } => pre.begins_with_bos,
            Merging::Pieces(_) => true,
        });
        Tokens { stop: stop.into_iter().collect(), eos, bos, add_bos: add_bos && bos.is_some(), fim }
    }

    fn id_at(&self, key: &str) -> Option<u32> {
        let id = self.checkpoint.number(key).and_then(|id| u32::try_from(id).ok())?;
        ((id as usize) < self.tokens.len()).then_some(id)
    }

    fn fim(&self, place: &FimPlace) -> Option<u32> {
        let by_key = place.keys.iter().find_map(|key| self.id_at(key));
        by_key.or_else(|| self.added().find(|(_, token, _)| place.texts.contains(token)).map(|(id, _, _)| id))
    }

    /// Tokens that are matched in the text as a whole: id, text, kind.
    fn added(&self) -> impl Iterator<Item = (u32, &'a str, i64)> + '_ {
        let tokens = (0_u32..).zip(&self.tokens).zip(&self.kinds).map(|((id, token), kind)| (id, *token, *kind));
        tokens.filter(|(_, _, kind)| matches!(*kind, token_kind::CONTROL | token_kind::USER_DEFINED))
    }

    /// Writes `tokenizer.json`.
    pub(crate) fn write_json(&self, out: impl Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer(out, &File::of(self))?)
    }
}

/// `tokenizer.json`; fields in the order the format is usually written.
#[derive(Serialize)]
struct File<'a> {
    version: &'static str,
    truncation: Option<()>,
    padding: Option<()>,
    #[serde(serialize_with = "added_tokens")]
    added_tokens: &'a Vocabulary<'a>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<()>,
    decoder: Value,
    model: Model<'a>,
}

#[derive(Serialize)]
struct Model<'a> {
    r#type: &'static str,
    dropout: Option<f32>,
    unk_token: Option<&'a str>,
    continuing_subword_prefix: Option<&'a str>,
    end_of_word_suffix: Option<&'a str>,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    #[serde(serialize_with = "vocab")]
    vocab: &'a Vocabulary<'a>,
    merges: Merges<'a>,
}

/// A merge is a text with a space in it, or its two sides.
#[derive(Serialize)]
#[serde(untagged)]
enum Merges<'a> {
    Texts(&'a [&'a str]),
    Sides(Vec<(&'a str, &'a str)>),
}

impl<'a> File<'a> {
    fn of(vocabulary: &'a Vocabulary<'a>) -> Self {
        let (normalizer, pre_tokenizer, decoder) = match &vocabulary.merging {
            Merging::Words { pre, .. } => (pre.normalizer(), Some(pre.steps()), pre::byte_level(pre::Words::Whole)),
            Merging::Pieces(pieces) => (Some(pieces.normalizer()), None, pieces::decoder()),
        };
        File {
            version: "1.0",
            truncation: None,
            padding: None,
            added_tokens: vocabulary,
            normalizer,
            pre_tokenizer,
            post_processor: None,
            decoder,
            model: Model::of(vocabulary),
        }
    }
}

impl<'a> Model<'a> {
    fn of(vocabulary: &'a Vocabulary<'a>) -> Self {
        let plain = Model {
            r#type: "BPE",
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: vocabulary,
            merges: Merges::Texts(&[]),
        };
        match &vocabulary.merging {
            Merging::Words { merges, pre } => {
                Model { ignore_merges: pre.whole_tokens_first, merges: Merges::Texts(merges), ..plain }
            }
            Merging::Pieces(pieces) => Model {
                unk_token: vocabulary.id_at("tokenizer.ggml.unknown_token_id").map(|id| vocabulary.tokens[id as usize]),
                fuse_unk: true,
                byte_fallback: true,
                merges: Merges::Sides(pieces.merges(&vocabulary.tokens, &vocabulary.kinds)),
                ..plain
            },
        }
    }
}

fn added_tokens<S: Serializer>(vocabulary: &Vocabulary<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for (id, content, kind) in vocabulary.added() {
        list.serialize_element(&json!({
            "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": kind == token_kind::CONTROL,
        }))?;
    }
    list.end()
}

fn vocab<S: Serializer>(vocabulary: &Vocabulary<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let tokens = vocabulary.tokens.iter().zip(0_u32..).zip(&vocabulary.kinds);
    // Unused ids only pad the vocabulary; as tokens their names would match text.
    serializer.collect_map(tokens.filter(|(_, kind)| **kind != token_kind::UNUSED).map(|(token, _)| token))
}
