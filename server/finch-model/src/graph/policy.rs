//! How many bits which linear gets.
//!
//! A build is accepted by its measured distance from the source weights, so this is where a build is made better or
//! smaller: everything that decides about precision is here. Called by the graph builder.

use crate::gguf::TensorKind;
use crate::quant::Layout;

/// What each kind of matrix in a graph is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precisions {
    pub(crate) layers: Precision,
    /// Otherwise what suits the layers.
    pub(crate) head: Option<Precision>,
    /// Otherwise what suits the layers, or the head's where both are the same rows.
    pub(crate) embeddings: Option<Precision>,
}

impl From<Precision> for Precisions {
    fn from(layers: Precision) -> Self {
        Self { layers, head: None, embeddings: None }
    }
}

/// What matrices are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Int4,
    Int8,
    /// 16-bit floats in the file; ONNX Runtime has no product of them on a processor and widens them once, at load.
    Half,
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

/// The place of a matrix in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A linear inside a layer.
    Layer,
    /// The head; with tied weights also the embedding.
    Head,
    /// An embedding of its own.
    Embedding,
}

/// How a weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Floats(Rounding),
    Half,
    Blocks(Layout),
}

pub(super) fn store(precisions: &Precisions, slot: Slot, sources: &[TensorKind]) -> Store {
    let wished = match slot {
        Slot::Layer => None,
        Slot::Head => precisions.head,
        Slot::Embedding => precisions.embeddings,
    };
    let sources = sources.iter().copied();
    match (wished.unwrap_or(precisions.layers), slot) {
        (Precision::Half, _) => Store::Half,
        (Precision::Int4, _) if wished.is_some() => Store::Blocks(Layout::four(sources)),
        (Precision::Floats(rounding), slot) => Store::Floats(rounding_of(rounding, slot)),
        (Precision::Int4, Slot::Layer) => Store::Blocks(Layout::four(sources)),
        // What is next to the vocabulary stays at 8 bits unless asked otherwise: in some models 4 there cost more quality
        // than the rest together. The importer asks for 4 and measures.
        (Precision::Int4, Slot::Head | Slot::Embedding) | (Precision::Int8, _) => Store::Blocks(Layout::eight(sources)),
    }
}

/// A plain 4-bit file keeps its head at 8 bits.
fn rounding_of(rounding: Rounding, slot: Slot) -> Rounding {
    match (rounding, slot) {
        (Rounding::Q4Zero, Slot::Head) => Rounding::Q8Zero,
        (rounding, Slot::Head | Slot::Layer | Slot::Embedding) => rounding,
    }
}
