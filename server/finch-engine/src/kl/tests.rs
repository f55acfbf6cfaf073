use std::ops::ControlFlow;

use finch_model::{
    import::{ImportRequest, KL_TOKENS_MIN, import},
    manifest::{Quant, TOKENIZER_FILE},
    tiny::{TinyArchitecture, TinySpec, TinyVocabulary},
};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer};

use super::{CORPUS, Sums, divergence, measure, measure_while};
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
fn perplexity_is_the_number_of_tokens_a_model_wavers_between() {
    let logits = |shares: &[f32]| -> Vec<f32> { shares.iter().map(|share| share.ln() - 2.0).collect() };
    let (even, sure) = (logits(&[0.25; 4]), logits(&[0.5, 0.5, 1e-9, 1e-9]));
    let mut sums = Sums::default();
    for next in [Some(0), Some(1), None] {
        sums.add(&even, &sure, next);
    }
    let report = sums.report();
    assert!((report.reference_perplexity - 4.0).abs() < 1e-5, "{report:?}");
    assert!((report.perplexity - 2.0).abs() < 1e-5, "{report:?}");
    assert_eq!(report.tokens, 3);
}

#[test]
fn a_build_is_as_near_as_its_quantisation_lets_it_be() {
    let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
    let text = &CORPUS[..1500];
    let same = measure(&runtime(), &model.dir, &model.dir, text).unwrap();
    assert!(same.mean_kl.abs() < 1e-9 && same.top1_agreement == 1.0, "{same:?}");
    assert!(same.tokens > 700 && same.perplexity == same.reference_perplexity, "{same:?}");
    let int8 = measure(&runtime(), &model.dir, &model.build("int8", Quant::Int8), text).unwrap();
    assert!(int8.mean_kl > 1e-9 && int8.mean_kl < 0.02, "{int8:?}");
    assert!(int8.top1_agreement > 0.9 && int8.tokens == same.tokens, "{int8:?}");
}

/// The divergence of a build with so many bits for the layers, the head and the embeddings.
#[track_caller]
fn check_build(model: &TinyModel, quants: (Quant, Option<Quant>, Option<Quant>), range: std::ops::Range<f64>) {
    let (quant, head, embeddings) = quants;
    let request = ImportRequest { head, embeddings, ..model.request("other", quant) };
    let dir = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let report = measure(&runtime(), &model.dir, &dir, &CORPUS[..400]).unwrap();
    assert!(range.contains(&report.mean_kl), "{quants:?}: {report:?}");
}

#[test]
fn layers_head_and_embeddings_have_the_bits_they_were_given() {
    use Quant::{Fp16, Fp32, Int4, Int8};
    for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2] {
        let model = TinyModel::new(TinySpec { architecture, ..TinySpec::default() }, Fp32);
        check_build(&model, (Fp32, None, None), -1e-9..1e-9);
        check_build(&model, (Fp16, None, None), 1e-10..1e-5);
        check_build(&model, (Fp32, Some(Fp16), None), 1e-10..1e-5);
        check_build(&model, (Fp32, None, Some(Fp16)), 1e-10..1e-5);
        check_build(&model, (Fp32, Some(Int8), None), 1e-6..5e-3);
        check_build(&model, (Fp32, None, Some(Int8)), 1e-6..5e-3);
        check_build(&model, (Int8, None, None), 1e-6..2e-2);
        check_build(&model, (Fp32, None, Some(Int4)), 1e-3..0.5);
        check_build(&model, (Int8, Some(Int4), Some(Int4)), 1e-3..0.5);
        check_build(&model, (Int4, Some(Int8), Some(Fp16)), 1e-3..0.5);
    }
}

#[test]
fn a_text_that_says_little_is_refused() {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Fp32);
    let error = measure(&runtime(), &model.dir, &model.dir, "0 1").unwrap_err();
    assert!(matches!(error, EngineError::TextTooShort { tokens: 3, .. }), "{error}");
    let dirs = (&*model.dir, &*model.dir);
    let error = measure_while(&runtime(), dirs, (&CORPUS[..1500], 2_000), &mut |_, _| panic!("nothing is compared"));
    assert!(matches!(error, Err(EngineError::TextTooShort { tokens_min: 2_000, .. })), "{error:?}");
}

#[test]
fn a_measurement_says_how_far_it_is_and_can_be_broken_off() {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Fp32);
    let mut heard = Vec::new();
    let mut hear = |done, total| {
        heard.push((done, total));
        if heard.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let error = measure_while(&runtime(), (&model.dir, &model.dir), (&CORPUS[..1500], 700), &mut hear).unwrap_err();
    assert!(matches!(error, EngineError::Cancelled), "{error}");
    let total = heard[0].1;
    assert_eq!(heard, [(0, total), (64, total), (128, total)]);
    assert!(total > 700, "{total}");
}

/// The corpus is cut into words before letters are merged, so there are no fewer tokens than words, whatever the merges.
#[test]
fn the_corpus_has_enough_words_in_every_cut() {
    for cut in ["qwen2", "llama-bpe", "gpt-4o", "smollm", "gpt-2", "default", "deepseek-coder"] {
        let vocabulary = TinyVocabulary::BytesCutAs(cut);
        let model = TinyModel::new(TinySpec { layers: 1, vocabulary, ..TinySpec::default() }, Quant::Fp32);
        let tokenizer = Tokenizer::from_file(model.dir.join(TOKENIZER_FILE)).unwrap();
        let mut words = PreTokenizedString::from(CORPUS);
        tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut words).unwrap();
        let words = words.get_splits(OffsetReferential::Original, OffsetType::Byte).len();
        assert!(words >= KL_TOKENS_MIN, "{cut}: {words} words");
    }
}

/// Pieces are not bound to words, but none runs over from a letter to a space, a line's end, or a bracket.
#[test]
fn the_corpus_has_enough_pieces() {
    let kind = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '_' => 0,
        '0'..='9' => 1,
        ' ' => 2,
        '\n' => 3,
        _ => 4,
    };
    let kinds: Vec<i32> = CORPUS.chars().map(kind).collect();
    // A space may be the beginning of the piece behind it.
    let ends = kinds.windows(2).filter(|pair| pair[0] != pair[1] && pair[0] != 2).count();
    assert!(ends >= KL_TOKENS_MIN, "{ends}");
}
