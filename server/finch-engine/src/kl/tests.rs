use finch_model::{manifest::Quant, tiny::TinySpec};

use super::{CORPUS, divergence, measure};
use crate::{
    EngineError,
    testing::{TinyModel, runtime},
};

#[test]
fn divergence_is_the_expected_difference_of_log_probabilities() {
    let logits = |shares: &[f32]| -> Vec<f32> { shares.iter().map(|share| share.ln() + 3.0).collect() };
    let ours = logits(&[0.25, 0.25, 0.5]);
    assert!(divergence(&ours, &ours).abs() < 1e-12);
    let expected = 0.5 * (0.5f64 / 0.25).ln() + 0.25 * (0.25f64 / 0.5).ln();
    assert!((divergence(&logits(&[0.5, 0.25, 0.25]), &ours) - expected).abs() < 1e-6);
}

#[test]
fn a_build_is_as_near_as_its_quantisation_lets_it_be() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let text = &CORPUS[..1500];
    let same = measure(&runtime(), &model.dir, &model.dir, text).unwrap();
    assert!(same.mean_kl.abs() < 1e-9 && same.top1_agreement == 1.0, "{same:?}");
    assert!(same.tokens > 700, "{same:?}");
    let int8 = measure(&runtime(), &model.dir, &model.build("int8", Quant::Int8), text).unwrap();
    assert!(int8.mean_kl > 1e-9 && int8.mean_kl < 0.02, "{int8:?}");
    assert!(int8.top1_agreement > 0.9 && int8.tokens == same.tokens, "{int8:?}");
}

#[test]
fn a_text_that_says_little_is_refused() {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Fp32);
    let error = measure(&runtime(), &model.dir, &model.dir, "0 1").unwrap_err();
    assert!(matches!(error, EngineError::TextTooShort { tokens: 3, .. }), "{error}");
}

#[test]
fn the_corpus_is_long_enough() {
    assert!(CORPUS.len() > 10_000 && CORPUS.is_ascii());
}
