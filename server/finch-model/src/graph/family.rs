//! The table of model families: one row says how a family differs from the plain decoder.
//!
//! A row is all a family is; `graph` holds no family's name. Called by `graph`.

use crate::checkpoint::{Checkpoint, CheckpointError};

/// How a family's files and layers differ.
#[derive(Debug)]
pub(super) struct Family {
    /// The value of `general.architecture`.
    pub(super) name: &'static str,
    pub(super) rotary_rows: RotaryRows,
    pub(super) attention_bias: Bias,
}

/// How the query and key rows of a head are ordered in a GGUF file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RotaryRows {
    /// The two rows that rotate into each other are neighbours.
    PairsTogether,
    /// They lie half a head apart, as the graph wants them.
    PairsApart,
}

/// Which projections of attention add a bias.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bias {
    None,
    Qkv,
}

const FAMILIES: [Family; 2] = [
    Family { name: "llama", rotary_rows: RotaryRows::PairsTogether, attention_bias: Bias::None },
    Family { name: "qwen2", rotary_rows: RotaryRows::PairsApart, attention_bias: Bias::Qkv },
];

pub(super) fn of(checkpoint: &Checkpoint) -> Result<&'static Family, CheckpointError> {
    let Some(name) = checkpoint.text("general.architecture") else {
        return Err(checkpoint.broken("it does not say its architecture (general.architecture)".to_owned()));
    };
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| {
        let known = FAMILIES.each_ref().map(|family| family.name).join(", ");
        checkpoint.unsupported(format!("architecture {name}, finch builds {known}"))
    })
}
