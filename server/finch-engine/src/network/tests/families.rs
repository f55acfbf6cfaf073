//! The table of families: what finch builds of each computes what others compute from the same file.
//!
//! A family is a row here, a row in the table of `finch-model`'s graph, and a row in its tiny models. Run with
//! `--nocapture` to see the table.

use finch_model::gguf::TensorKind;
use finch_model::manifest::Quant;
use finch_model::tiny::{TinyArchitecture as Family, TinyHead, TinyPositions as Positions, TinySpec, TinySpec as Spec};

use super::{Place, network, reference, tokens};
use crate::testing::TinyModel;

/// More than any window in the table.
const TOKENS: usize = 40;
/// What single steps may differ from one pass: the same sums in another order.
const ORDER_MAX: f32 = 1e-4;
const REFERENCE_MAX: f32 = 1e-3;
/// A 16-bit float is off by at most half a 1024th of itself, evenly spread, where a rounded activation is off by half of
/// 3/127 of the root mean square.
const HALF_TO_EIGHT_BITS: f32 = (1.0 / 1024.0) / (3.0 / 127.0);

/// Families and variants, each in a shape of its own.
fn rows() -> Vec<(&'static str, TinySpec)> {
    let of = |architecture, seed| Spec { architecture, seed, vocab: 301, window: 7, ..Spec::default() };
    let shape = |spec: Spec, layers, heads, kv_heads, hidden, ff| Spec { layers, heads, kv_heads, hidden, ff, ..spec };
    let llama = shape(of(Family::Llama, 1), 3, 3, 1, 96, 160);
    let mistral = shape(of(Family::Mistral, 2), 4, 5, 5, 96, 64);
    let phi3 = shape(of(Family::Phi3, 3), 2, 6, 2, 192, 96);
    vec![
        ("llama", llama),
        ("llama, own head, all KV heads", Spec { heads: 2, kv_heads: 2, head: TinyHead::Own, layers: 5, ..llama }),
        ("llama, heads of 12", shape(llama, 2, 8, 4, 96, 32)),
        ("llama, heads of 50", shape(Spec { hidden: 160, ..llama }, 3, 16, 2, 800, 96)),
        ("llama, linear positions", Spec { positions: Positions::Linear, ..llama }),
        ("llama, dynamic positions", Spec { positions: Positions::Dynamic, ..llama }),
        ("llama 3 positions", Spec { positions: Positions::Factors, ..llama }),
        ("mistral", Spec { head_dim: Some(32), ..mistral }),
        (
            "mistral, tied, one KV head, heads of 20",
            Spec { head_dim: Some(20), heads: 8, kv_heads: 1, head: TinyHead::Tied, ..mistral },
        ),
        ("qwen2", shape(of(Family::Qwen2, 4), 3, 7, 1, 224, 96)),
        ("qwen2, tied", Spec { head: TinyHead::Tied, ..shape(of(Family::Qwen2, 5), 2, 6, 2, 192, 64) }),
        ("qwen3", Spec { head_dim: Some(48), ..shape(of(Family::Qwen3, 6), 5, 6, 3, 64, 96) }),
        (
            "qwen3, tied, heads of 22",
            Spec { head_dim: Some(22), head: TinyHead::Tied, ..shape(of(Family::Qwen3, 7), 2, 16, 4, 96, 160) },
        ),
        ("gemma2", Spec { head_dim: Some(48), window: TOKENS, ..shape(of(Family::Gemma2, 8), 5, 2, 1, 96, 128) }),
        ("gemma3", Spec { head_dim: Some(64), ..shape(of(Family::Gemma3, 9), 13, 2, 1, 64, 96) }),
        ("gemma3, heads of 36", Spec { head_dim: Some(36), ..shape(of(Family::Gemma3, 10), 7, 8, 2, 96, 64) }),
        ("phi3", phi3),
        ("phi3, 24 of 32 rotate", Spec { rotated: Some(24), window: TOKENS, ..phi3 }),
        (
            "phi3, 20 of 24 rotate, tied",
            Spec { rotated: Some(20), window: TOKENS, hidden: 96, heads: 4, kv_heads: 4, head: TinyHead::Tied, ..phi3 },
        ),
        ("starcoder2", shape(of(Family::Starcoder2, 11), 3, 4, 2, 128, 192)),
        ("starcoder2, one KV head, heads of 32", shape(of(Family::Starcoder2, 12), 5, 3, 1, 96, 64)),
        ("granite", shape(of(Family::Granite, 13), 4, 5, 1, 160, 96)),
        ("granite, own head", Spec { head: TinyHead::Own, ..shape(of(Family::Granite, 14), 2, 4, 4, 64, 96) }),
    ]
}

/// What one row measures.
struct Measured {
    reference: f32,
    steps: f32,
    together: f32,
    half: f32,
    eight_bits: f32,
    four_bits: f32,
}

fn measure(spec: TinySpec) -> Measured {
    let tokens = tokens(TOKENS, spec.vocab);
    let model = TinyModel::new(spec, Quant::Fp32);
    let whole = read(&model, &[&tokens]);
    let theirs = reference::logits(&model, &spec, &tokens);
    let single: Vec<&[u32]> = tokens.chunks(1).collect();
    Measured {
        reference: furthest(&whole, &theirs),
        steps: furthest(&read(&model, &single), &whole),
        together: side_by_side(&model, spec.vocab, &tokens, &whole),
        half: rounding(spec, TensorKind::F32, Quant::Fp16),
        eight_bits: rounding(spec, TensorKind::Q8_0, Quant::Int8),
        four_bits: rounding(spec, TensorKind::Q4_0, Quant::Int4),
    }
}

/// The logits behind every token, read in these passes.
fn read(model: &TinyModel, passes: &[&[u32]]) -> Vec<f32> {
    let (mut network, mut slot) = network(model);
    let pass = |pass: &&[u32]| network.forward(&mut slot, pass, pass.len()).unwrap().to_vec();
    passes.iter().flat_map(pass).collect()
}

/// How far logits are from those of one pass, where three sequences of different lengths take a token each in one pass.
fn side_by_side(model: &TinyModel, vocab: usize, tokens: &[u32], whole: &[f32]) -> f32 {
    let (mut network, _) = network(model);
    let mut slots = network.slots(3);
    let lengths = [3, tokens.len() - 1, 11];
    for (slot, length) in slots.iter_mut().zip(lengths) {
        network.forward(slot, &tokens[..length], 1).unwrap();
    }
    let places = slots.iter_mut().zip(lengths).map(|(slot, length)| Place::Takes(slot, tokens[length]));
    network.forward_each(&mut places.collect::<Vec<_>>()).unwrap();
    let behind =
        |(row, length): (usize, usize)| furthest(network.logits(row), &whole[length * vocab..(length + 1) * vocab]);
    lengths.into_iter().enumerate().map(behind).fold(0.0, f32::max)
}

fn furthest(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().all(|logit| logit.is_finite()));
    assert!(ours.iter().any(|logit| logit.abs() > 0.1), "the logits say something");
    ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max)
}

/// How far a build is from the same weights in floats, as a share of the logits' root mean square.
///
/// A file's blocks are carried over exactly, so all that differs then is that activations are rounded.
fn rounding(spec: TinySpec, tensor_type: TensorKind, quant: Quant) -> f32 {
    let mut model = TinyModel::new(TinySpec { tensor_type, ..spec }, Quant::Fp32);
    let tokens = tokens(TOKENS, spec.vocab);
    let exact = read(&model, &[&tokens]);
    model.dir = model.build("rounded", quant);
    let rounded = read(&model, &[&tokens]);
    let power = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|number| f64::from(number).powi(2)).sum::<f64>();
    let error = power(&mut exact.iter().zip(&rounded).map(|(exact, rounded)| exact - rounded));
    (error / power(&mut exact.iter().copied())).sqrt() as f32
}

/// The bound on [`rounding`].
///
/// Activations are rounded in blocks to whole 127ths of the largest of them, which is seldom more than 3 times their root
/// mean square: an error of 3/127/sqrt(12) = 0.7 % of it, evenly spread. A linear adds errors up like it adds up
/// activations, so its output is off by the same share, whatever its size. From a token to its logits lead four linears a
/// layer and the head, whose errors are independent: shares add up in squares. Norms keep a share as it is. Twice that is
/// left for what attention, gates and caps make of it.
fn rounding_max(spec: &TinySpec) -> f32 {
    let of_one = 3.0 / 127.0 / 12.0_f32.sqrt();
    2.0 * of_one * ((4 * spec.layers + 1) as f32).sqrt()
}

#[test]
fn every_family_computes_what_its_reference_computes() {
    println!(
        "| family | layers, heads, KV heads | from candle | in steps | side by side | 16 bits, bound | 8 bits | 4 bits, bound |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    for (name, spec) in rows() {
        let Measured { reference, steps, together, half, eight_bits, four_bits } = measure(spec);
        let (TinySpec { layers, heads, kv_heads, .. }, bound) = (spec, rounding_max(&spec));
        let half_max = bound * HALF_TO_EIGHT_BITS;
        println!(
            "| {name} | {layers}, {heads}, {kv_heads} | {reference:.1e} | {steps:.1e} | {together:.1e} | {half:.1e}, {half_max:.1e} | {eight_bits:.3} | {four_bits:.3}, {bound:.3} |"
        );
        let right = reference < REFERENCE_MAX
            && steps.max(together) < ORDER_MAX
            && eight_bits.max(four_bits) < bound
            && half < half_max;
        if !right {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_family_has_a_row() {
    let covered = |family: &Family| rows().iter().any(|(_, spec)| spec.architecture == *family);
    assert!(Family::ALL.iter().all(covered));
}
