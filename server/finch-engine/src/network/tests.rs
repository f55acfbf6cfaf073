mod families;
mod reference;

use finch_model::{
    manifest::{Manifest, Quant},
    tiny::TinySpec,
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
