use std::fs::File;

use candle_core::{
    Device, Tensor,
    quantized::gguf_file::{Content, Value},
};
use candle_transformers::models::{quantized_llama, quantized_qwen2};
use finch_model::{
    manifest::{Manifest, Quant},
    tiny::{TinyArchitecture, TinySpec},
};

use super::{Network, SessionOptions, Slot};
use crate::testing::{TinyModel, runtime};

const CAPACITY: usize = 64;

fn network(model: &TinyModel) -> (Network, Slot) {
    let manifest = Manifest::read(&model.dir).unwrap();
    let network =
        Network::load(&runtime(), &model.dir, &manifest, SessionOptions { threads: 1, capacity: CAPACITY }).unwrap();
    let slot = network.slot().unwrap();
    (network, slot)
}

/// Tokens without any pattern.
fn tokens(count: usize, vocab: usize) -> Vec<u32> {
    (0..count).map(|at| u32::try_from((at * 7919 + at * at * 31 + 5) % vocab).unwrap()).collect()
}

#[track_caller]
fn assert_close(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < tolerance, "logits differ by {worst}");
    assert!(ours.iter().any(|logit| logit.abs() > 0.1), "the logits say something");
}

enum Theirs {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
}

impl Theirs {
    fn load(model: &TinyModel, spec: &TinySpec) -> Self {
        let mut file = File::open(&model.gguf).unwrap();
        let mut content = Content::read(&mut file).unwrap();
        let head_dim = u32::try_from(spec.hidden / spec.heads).unwrap();
        content.metadata.insert("llama.rope.dimension_count".to_owned(), Value::U32(head_dim));
        match spec.architecture {
            TinyArchitecture::Llama => {
                Self::Llama(quantized_llama::ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap())
            }
            TinyArchitecture::Qwen2 => {
                Self::Qwen2(quantized_qwen2::ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap())
            }
        }
    }

    /// The logits behind each token.
    fn read(&mut self, tokens: &[u32]) -> Vec<f32> {
        let step = |(at, &token): (usize, &u32)| {
            let input = Tensor::new(&[[token]], &Device::Cpu).unwrap();
            let logits = match self {
                Self::Llama(model) => model.forward(&input, at).unwrap(),
                Self::Qwen2(model) => model.forward(&input, at).unwrap(),
            };
            logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        tokens.iter().enumerate().flat_map(step).collect()
    }
}

/// Another implementation, reading the same file, computes the same logits.
#[track_caller]
fn check_against_candle(spec: TinySpec) {
    let model = TinyModel::new(spec, Quant::Fp32);
    let tokens = tokens(24, spec.vocab);
    let theirs = Theirs::load(&model, &spec).read(&tokens);
    let (mut network, mut slot) = network(&model);
    assert_close(network.forward(&mut slot, &tokens, tokens.len()).unwrap(), &theirs, 1e-3);
}

#[test]
fn llama_computes_what_candle_computes() {
    let llama = TinySpec { architecture: TinyArchitecture::Llama, ..TinySpec::default() };
    check_against_candle(llama);
    check_against_candle(TinySpec {
        layers: 1,
        hidden: 32,
        heads: 2,
        kv_heads: 2,
        ff: 64,
        vocab: 300,
        seed: 2,
        ..llama
    });
    check_against_candle(TinySpec {
        layers: 4,
        hidden: 128,
        heads: 8,
        kv_heads: 1,
        ff: 160,
        vocab: 700,
        seed: 3,
        ..llama
    });
    check_against_candle(TinySpec {
        layers: 3,
        hidden: 192,
        heads: 3,
        kv_heads: 3,
        ff: 96,
        vocab: 320,
        seed: 4,
        ..llama
    });
}

#[test]
fn qwen2_computes_what_candle_computes() {
    let qwen2 = TinySpec { architecture: TinyArchitecture::Qwen2, ..TinySpec::default() };
    check_against_candle(qwen2);
    check_against_candle(TinySpec {
        layers: 1,
        hidden: 32,
        heads: 1,
        kv_heads: 1,
        ff: 32,
        vocab: 300,
        seed: 5,
        ..qwen2
    });
    check_against_candle(TinySpec {
        layers: 4,
        hidden: 128,
        heads: 4,
        kv_heads: 4,
        ff: 96,
        vocab: 600,
        seed: 6,
        ..qwen2
    });
    check_against_candle(TinySpec {
        layers: 2,
        hidden: 192,
        heads: 6,
        kv_heads: 2,
        ff: 224,
        vocab: 512,
        seed: 7,
        ..qwen2
    });
}

fn fresh(model: &TinyModel, tokens: &[u32]) -> Vec<f32> {
    let (mut network, mut slot) = network(model);
    network.forward(&mut slot, tokens, 1).unwrap().to_vec()
}

#[test]
fn passes_of_any_length_come_to_the_same_logits() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let tokens = tokens(40, 500);
    let expected = fresh(&model, &tokens);
    for lengths in [&[1; 40][..], &[39, 1], &[13, 26, 1], &[8, 8, 8, 8, 8]] {
        let (mut network, mut slot) = network(&model);
        let mut rest = &tokens[..];
        let mut logits = Vec::new();
        for &length in lengths {
            let (pass, after) = rest.split_at(length);
            rest = after;
            logits = network.forward(&mut slot, pass, usize::from(rest.is_empty())).unwrap().to_vec();
        }
        assert_eq!(slot.tokens(), tokens);
        assert_close(&logits, &expected, 1e-4);
    }
}

#[test]
fn what_was_forgotten_is_never_read_again() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let (mut network, mut slot) = network(&model);
    let tokens = tokens(50, 500);
    network.forward(&mut slot, &tokens, 1).unwrap();
    slot.truncate(20);
    let other: Vec<u32> = tokens[..20].iter().copied().chain([7, 8, 9]).collect();
    let logits = network.forward(&mut slot, &[7, 8, 9], 1).unwrap().to_vec();
    assert_close(&logits, &fresh(&model, &other), 1e-4);
}

#[test]
fn a_copied_prefix_continues_like_the_original() {
    let model = TinyModel::new(TinySpec { layers: 3, ..TinySpec::default() }, Quant::Fp32);
    let (mut network, mut source) = network(&model);
    let mut target = network.slot().unwrap();
    let tokens = tokens(30, 500);
    network.forward(&mut source, &tokens, 1).unwrap();
    // What the target held is in the way.
    network.forward(&mut target, &[1, 2, 3], 1).unwrap();
    network.copy_prefix(&mut target, &source, 25);
    assert_eq!(target.tokens(), &tokens[..25]);
    let logits = network.forward(&mut target, &tokens[25..], 1).unwrap().to_vec();
    assert_close(&logits, &fresh(&model, &tokens), 1e-4);
    assert_eq!(source.tokens(), tokens);
}

#[test]
fn a_token_outside_the_vocabulary_is_an_error_and_changes_nothing() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let (mut network, mut slot) = network(&model);
    network.forward(&mut slot, &[1, 2], 1).unwrap();
    let error = network.forward(&mut slot, &[u32::MAX], 1).unwrap_err().to_string();
    assert!(error.starts_with("ONNX Runtime failed: ") && !error.contains('\n'), "{error}");
    assert_eq!(slot.tokens(), [1, 2]);
    let logits = network.forward(&mut slot, &[3], 1).unwrap().to_vec();
    assert_close(&logits, &fresh(&model, &[1, 2, 3]), 1e-4);
}

#[test]
fn an_interrupted_pass_changes_nothing_and_the_next_one_runs() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let (mut network, mut slot) = network(&model);
    network.forward(&mut slot, &[1, 2], 1).unwrap();
    let interrupter = network.interrupter();
    interrupter.interrupt();
    assert!(network.forward(&mut slot, &tokens(30, 500), 1).is_err());
    assert_eq!(slot.tokens(), [1, 2]);
    interrupter.clear();
    let logits = network.forward(&mut slot, &[3], 1).unwrap().to_vec();
    assert_close(&logits, &fresh(&model, &[1, 2, 3]), 1e-4);
}
