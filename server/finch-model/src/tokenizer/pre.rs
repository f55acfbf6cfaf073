//! The table of pre-tokenizers: how text is cut into words before merging, by the name GGUF gives it.
//!
//! Only cuts that are known exactly are here. Called by `tokenizer`.

use serde_json::{Value, json};

use crate::checkpoint::{Checkpoint, CheckpointError};

/// One way of cutting text.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    names: &'static [&'static str],
    composes: bool,
    cuts: &'static [Cut],
    words: Words,
    /// A word that is a token as a whole is taken without merging.
    pub(super) whole_tokens_first: bool,
    /// Whether a text begins with the bos token where the file does not say.
    pub(super) begins_with_bos: bool,
}

#[derive(Debug)]
enum Cut {
    /// Around every match.
    Around(&'static str),
    /// Every digit by itself.
    Digits,
}

/// Whether the byte-level step cuts words in the manner of GPT-2 first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words {
    Cut,
    Whole,
}

const PRE_TOKENIZERS: [PreTokenizer; 7] = [
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen"],
        composes: true,
        cuts: &[Cut::Around(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"
        ))],
        words: Words::Whole,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        composes: false,
        cuts: &[Cut::Around(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"
        ))],
        words: Words::Whole,
        whole_tokens_first: true,
        begins_with_bos: true,
    },
    PreTokenizer {
        names: &["gpt-4o"],
        composes: false,
        cuts: &[Cut::Around(concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ))],
        words: Words::Whole,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact"],
        composes: false,
        cuts: &[Cut::Digits],
        words: Words::Cut,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
    PreTokenizer {
        names: &["gpt-2"],
        composes: false,
        cuts: &[],
        words: Words::Cut,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
    PreTokenizer {
        names: &["default"],
        composes: false,
        cuts: &[
            Cut::Around(r"[\p{P}\$\+<=>\^~\|]+"),
            Cut::Around(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"),
            Cut::Around(r"\p{N}+"),
            Cut::Around(r"[0-9][0-9][0-9]"),
        ],
        words: Words::Whole,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        composes: false,
        cuts: &[
            Cut::Around(r"[\r\n]"),
            Cut::Around(r"\s?\p{L}+"),
            Cut::Around(r"\s?\p{P}+"),
            Cut::Around("[一-龥ࠀ-一가-퟿]+"),
            Cut::Digits,
        ],
        words: Words::Whole,
        whole_tokens_first: false,
        begins_with_bos: false,
    },
];

pub(super) fn of(checkpoint: &Checkpoint) -> Result<&'static PreTokenizer, CheckpointError> {
    let Some(name) = checkpoint.text("tokenizer.ggml.pre") else {
        return Err(
            checkpoint.unsupported("its tokenizer does not say how text is cut (tokenizer.ggml.pre)".to_owned())
        );
    };
    PRE_TOKENIZERS.iter().find(|pre| pre.names.contains(&name)).ok_or_else(|| {
        let known = PRE_TOKENIZERS.iter().flat_map(|pre| pre.names).copied().collect::<Vec<_>>().join(", ");
        checkpoint.unsupported(format!("pre-tokenizer {name}, finch reads {known}"))
    })
}

impl PreTokenizer {
    pub(super) fn normalizer(&self) -> Option<Value> {
        self.composes.then(|| json!({ "type": "NFC" }))
    }

    pub(super) fn steps(&self) -> Value {
        let mut steps: Vec<Value> = self.cuts.iter().map(Cut::step).collect();
        steps.push(byte_level(self.words));
        json!({ "type": "Sequence", "pretokenizers": steps })
    }
}

impl Cut {
    fn step(&self) -> Value {
        match self {
            Cut::Digits => json!({ "type": "Digits", "individual_digits": true }),
            Cut::Around(regex) => {
                json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false })
            }
        }
    }
}

/// The step that turns bytes into the letters the vocabulary is written in.
pub(super) fn byte_level(words: Words) -> Value {
    let cuts = matches!(words, Words::Cut);
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": cuts })
}
