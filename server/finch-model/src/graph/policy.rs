//! How many bits which linear gets.
//!
//! A build is accepted by its measured distance from the source weights, so this is where a build is made better or
//! smaller: everything that decides about precision is here. Called by the graph builder.

use crate::gguf::TensorKind;
use crate::quant::Layout;

/// What a graph's linears are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Int4,
    Int8,
    Floats(Rounding),
}

/// What is done to the numbers of a float build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Nothing.
    None,
    /// Each is what a plain 4-bit GGUF file would hold.
    Q4Zero,
    /// Each is what a plain 8-bit GGUF file would hold.
    Q8Zero,
}

/// The place of a linear in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Qkv {
        layer: usize,
        layers: usize,
    },
    AttentionOutput,
    FeedForwardIn,
    FeedForwardOut {
        layer: usize,
        layers: usize,
    },
    /// The head; with tied weights also the embedding.
    Head,
    /// An embedding of its own.
    Embedding,
}

/// How a weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Floats(Rounding),
    Blocks(Layout),
}

pub(super) fn store(precision: Precision, slot: Slot, sources: &[TensorKind]) -> Store {
    let sources = sources.iter().copied();
    match precision {
        Precision::Floats(rounding) => Store::Floats(rounding_of(rounding, slot)),
        Precision::Int8 => Store::Blocks(Layout::eight(sources)),
        Precision::Int4 if wants_eight_bits(slot) => Store::Blocks(Layout::eight(sources)),
        Precision::Int4 => Store::Blocks(Layout::four(sources)),
    }
}

fn wants_eight_bits(slot: Slot) -> bool {
    match slot {
        Slot::Head | Slot::Embedding => true,
        Slot::Qkv { .. } | Slot::AttentionOutput | Slot::FeedForwardIn | Slot::FeedForwardOut { .. } => false,
    }
}

/// A plain 4-bit file keeps its head at 8 bits.
fn rounding_of(rounding: Rounding, slot: Slot) -> Rounding {
    match (rounding, slot) {
        (Rounding::Q4Zero, Slot::Head) => Rounding::Q8Zero,
        (rounding, _) => rounding,
    }
}
