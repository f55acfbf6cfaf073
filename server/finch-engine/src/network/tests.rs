mod exports;
mod families;
#[path = "../../../../tests/support/llama.rs"]
#[expect(dead_code, reason = "the end-to-end tests ask the server more")]
mod llama;
mod peer;
mod reference;

use finch_model::{
    gguf::TensorKind,
    manifest::{Manifest, Quant},
    tiny::{TinyArchitecture, TinySpec},
};

use super::{Network, Place, SessionOptions, Slot};
use crate::{
    Kernels,
    device::Devices,
    session::Weights,
    testing::{TinyModel, runtime},
};

const CAPACITY: usize = 64;

fn network(model: &TinyModel) -> (Network, Slot) {
    let manifest = Manifest::read(&model.dir).unwrap();
    let mut network = Network::load(
        &runtime(),
        &model.dir,
        &manifest,
        SessionOptions {
            threads: 1,
            capacity: CAPACITY,
            kernels: Kernels::Auto,
            devices: Devices::default(),
            weights: Weights::Packed,
        },
    )
    .unwrap();
    let slot = network.slot();
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
    let (mut network, _) = network(&model);
    let [mut source, mut target] = <[Slot; 2]>::try_from(network.slots(2)).unwrap();
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

/// Slots side by side, each holding so many tokens of its own.
fn neighbours(network: &mut Network, lengths: &[usize]) -> Vec<Slot> {
    let mut slots = network.slots(lengths.len());
    for (at, (slot, &length)) in slots.iter_mut().zip(lengths).enumerate() {
        if length > 0 {
            network.forward(slot, &tokens(length + at, 500)[at..], 1).unwrap();
        }
    }
    slots
}

#[test]
fn neighbours_take_a_token_each_in_one_pass_as_they_would_alone() {
    for quant in [Quant::Fp32, Quant::Int8] {
        let model = TinyModel::new(TinySpec { layers: 3, ..TinySpec::default() }, quant);
        let (mut network, _) = network(&model);
        let lengths = [20, 1, 63, 0, 7];
        let mut alone = neighbours(&mut network, &lengths);
        let mut together = neighbours(&mut network, &lengths);
        for next in [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]] {
            // A row that is full lies outside.
            let run = if together[2].tokens().len() < CAPACITY { 0..5 } else { 3..5 };
            let mut places: Vec<Place<'_>> = (together[run.clone()]
                .iter_mut()
                .zip(&next[run.clone()])
                .map(|(slot, &token)| Place::Takes(slot, token)))
            .collect();
            network.forward_each(&mut places).unwrap();
            let rows: Vec<Vec<f32>> = (0..run.len()).map(|row| network.logits(row).to_vec()).collect();
            for (row, at) in run.enumerate() {
                let single = network.forward(&mut alone[at], &[next[at]], 1).unwrap();
                assert_close(&rows[row], single, 1e-4);
                assert_eq!(together[at].tokens(), alone[at].tokens());
            }
        }
    }
}

#[test]
fn a_slot_between_others_keeps_what_it_holds() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let (mut network, _) = network(&model);
    let mut slots = neighbours(&mut network, &[4, 9, 6]);
    let held = slots[1].tokens().to_vec();
    for token in [1, 2] {
        let [first, between, last] = &mut slots[..] else { unreachable!() };
        network
            .forward_each(&mut [Place::Takes(first, token), Place::Between(between), Place::Takes(last, token)])
            .unwrap();
    }
    assert_eq!(slots[1].tokens(), held);
    let expected = fresh(&model, &[&held[..], &[7]].concat());
    assert_close(network.forward(&mut slots[1], &[7], 1).unwrap(), &expected, 1e-4);
    assert_eq!(slots.iter().map(|slot| slot.tokens().len()).collect::<Vec<_>>(), [6, 10, 8]);
}

#[test]
fn an_interrupted_pass_over_neighbours_changes_none() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let (mut network, _) = network(&model);
    let mut slots = neighbours(&mut network, &[4, 9]);
    network.interrupter().interrupt();
    let mut places: Vec<Place<'_>> = slots.iter_mut().map(|slot| Place::Takes(slot, 1)).collect();
    assert!(network.forward_each(&mut places).is_err());
    network.interrupter().clear();
    assert_eq!(slots.iter().map(|slot| slot.tokens().len()).collect::<Vec<_>>(), [4, 9]);
}

#[test]
fn released_memory_is_written_again_and_what_stays_is_whole() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let manifest = Manifest::read(&model.dir).unwrap();
    // Pages are released only where a head holds more than one.
    let options = SessionOptions {
        threads: 1,
        capacity: 100_000,
        kernels: Kernels::Auto,
        devices: Devices::default(),
        weights: Weights::Packed,
    };
    let mut network = Network::load(&runtime(), &model.dir, &manifest, options).unwrap();
    let mut slots = network.slots(2);
    let tokens = tokens(300, 500);
    for slot in &mut slots {
        network.forward(slot, &tokens, 1).unwrap();
    }
    slots[0].truncate(30);
    network.release(&mut slots[0]);
    assert_eq!((slots[0].touched(), slots[1].touched()), (30, 300));
    let mut whole = network.slot();
    let expected = network.forward(&mut whole, &tokens, 1).unwrap().to_vec();
    assert_close(network.forward(&mut slots[0], &tokens[30..], 1).unwrap(), &expected, 1e-3);
    slots[1].truncate(299);
    assert_close(network.forward(&mut slots[1], &tokens[299..], 1).unwrap(), &expected, 1e-3);
}

/// The same rounding of the same numbers, so all that may differ is the order of sums: and, where that moves an activation
/// over the edge between two codes, a code in 127. That is rare, so two of them are more than happens.
#[track_caller]
fn assert_kernels_agree(spec: TinySpec, quant: Quant) {
    let model = TinyModel::new(spec, quant);
    let manifest = Manifest::read(&model.dir).unwrap();
    let answers = [Kernels::Auto, Kernels::OnnxRuntime].map(|kernels| {
        let options = SessionOptions {
            threads: 2,
            capacity: CAPACITY,
            kernels,
            devices: Devices::default(),
            weights: Weights::Packed,
        };
        let mut network = Network::load(&runtime(), &model.dir, &manifest, options).unwrap();
        let mut slot = network.slot();
        let tokens = tokens(60, 500);
        let mut logits = Vec::new();
        for pass in [&tokens[..40], &tokens[40..41], &tokens[41..45], &tokens[45..60]] {
            logits.extend_from_slice(network.forward(&mut slot, pass, pass.len()).unwrap());
        }
        logits
    });
    let largest = answers[1].iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let codes = if quant == Quant::Fp32 { 0.0 } else { 2.0 };
    assert_close(&answers[0], &answers[1], 1e-4 + codes * largest / 127.0);
}

#[test]
fn our_kernels_come_to_the_logits_of_onnx_runtime() {
    for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2] {
        for quant in [Quant::Int4, Quant::Int8, Quant::Fp32] {
            assert_kernels_agree(TinySpec { architecture, ..TinySpec::default() }, quant);
            assert_kernels_agree(
                TinySpec { architecture, tensor_type: TensorKind::Q4_0, ..TinySpec::default() },
                quant,
            );
        }
    }
}
