//! A graph of one product, by which a machine's speed at multiplying is measured.
//!
//! The matrix is stored as an 8-bit build stores its own. All its numbers are zero: whole numbers take as long whatever
//! they are. `finch-engine` runs it before there is a model, so it is made in memory and never lies in a file.

use prost::Message as _;

use crate::{
    onnx::{Attribute, Dim, Element, MICROSOFT, inline, model, node, proto::GraphProto, value},
    quant::BLOCK,
};

/// The activations: any number of rows, a number for each column of the matrix.
pub const INPUT: &str = "activations";
/// Their products: a number for each row of the matrix.
pub const OUTPUT: &str = "products";

/// An ONNX model that multiplies with a matrix of so many rows and columns.
///
/// # Panics
/// When the columns are not whole blocks of 32.
#[must_use]
pub fn product(rows: usize, columns: usize) -> Vec<u8> {
    assert!(columns.is_multiple_of(BLOCK), "whole blocks");
    let blocks = columns / BLOCK;
    let count = |number: usize| Attribute::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let attributes = [
        ("K", count(columns)),
        ("N", count(rows)),
        ("bits", count(8)),
        ("block_size", count(BLOCK)),
        ("accuracy_level", count(4)),
    ];
    // The code 128 stands for zero.
    let codes = vec![128; rows * columns];
    let scales = vec![0; rows * blocks * size_of::<f32>()];
    let graph = GraphProto {
        name: Some("yardstick".to_owned()),
        node: vec![node("MatMulNBits", MICROSOFT, &[INPUT, "codes", "scales"], &[OUTPUT], &attributes)],
        initializer: vec![
            inline("codes", Element::U8, &[rows, blocks, BLOCK], codes),
            inline("scales", Element::F32, &[rows * blocks], scales),
        ],
        input: vec![value(INPUT, Element::F32, &[Dim::Named("tokens"), Dim::Fixed(columns)])],
        output: vec![value(OUTPUT, Element::F32, &[Dim::Named("tokens"), Dim::Fixed(rows)])],
    };
    model(graph, env!("CARGO_PKG_VERSION")).encode_to_vec()
}
