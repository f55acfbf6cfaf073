use finch_llm::Sampling;

use super::{NoChoice, NoNumber, Sampler, SplitMix64};

const LOGITS: [f32; 5] = [0.0, 3.0, 1.0, 3.0, 2.0];

fn drawn(sampling: &Sampling, logits: &[f32], count: usize) -> Vec<u32> {
    let mut sampler = Sampler::new(sampling);
    (0..count).map(|_| sampler.choose(logits).unwrap()).collect()
}

fn warm(seed: u64) -> Sampling {
    Sampling { temperature: 1.0, seed, ..Sampling::default() }
}

#[test]
fn greedy_takes_the_first_of_the_likeliest() {
    assert_eq!(drawn(&Sampling::default(), &LOGITS, 3), [1, 1, 1]);
}

#[test]
fn infinities_and_not_a_number_are_never_chosen() {
    let logits = [f32::NAN, f32::INFINITY, -1.0, f32::NEG_INFINITY];
    assert_eq!(drawn(&Sampling::default(), &logits, 1), [2]);
    assert!(drawn(&warm(3), &[f32::NAN, f32::NEG_INFINITY, -1.0, -2.0], 100).iter().all(|&id| id >= 2));
}

#[test]
fn logits_without_a_number_are_an_error() {
    for logits in [&[][..], &[f32::NAN, f32::NAN], &[f32::NEG_INFINITY]] {
        assert_eq!(Sampler::new(&Sampling::default()).choose(logits), Err(NoChoice::NoNumber(NoNumber)));
        assert_eq!(Sampler::new(&warm(1)).choose(logits), Err(NoChoice::NoNumber(NoNumber)));
    }
}

#[test]
fn the_same_seed_draws_the_same_tokens_and_another_draws_others() {
    assert_eq!(drawn(&warm(7), &LOGITS, 50), drawn(&warm(7), &LOGITS, 50));
    assert_ne!(drawn(&warm(7), &LOGITS, 50), drawn(&warm(8), &LOGITS, 50));
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_likely() {
    // Weights 1 : 3 as logits.
    let logits = [0.0, 3f32.ln()];
    let ones = drawn(&warm(42), &logits, 20_000).iter().filter(|&&id| id == 1).count();
    assert!((14_600..15_400).contains(&ones), "{ones} of 20000 where 15000 are expected");
}

#[test]
fn top_k_leaves_only_the_likeliest() {
    let sampling = Sampling { top_k: Some(2), ..warm(5) };
    let mut seen = drawn(&sampling, &LOGITS, 200);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [1, 3]);
    assert_eq!(drawn(&Sampling { top_k: Some(0), ..warm(5) }, &LOGITS, 3), [1, 1, 1]);
}

#[test]
fn top_p_leaves_the_likeliest_share() {
    // Shares of 0.5, 0.25, 0.125, 0.125.
    let logits = [4f32.ln(), 2f32.ln(), 0.0, 0.0];
    let mut seen = drawn(&Sampling { top_p: 0.75, ..warm(5) }, &logits, 300);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1]);
    for none in [0.0, -1.0] {
        assert_eq!(drawn(&Sampling { top_p: none, ..warm(5) }, &logits, 3), [0, 0, 0]);
    }
    for all in [1.0, 2.0, f32::NAN] {
        assert_eq!(drawn(&Sampling { top_p: all, ..warm(5) }, &logits, 50), drawn(&warm(5), &logits, 50));
    }
}

#[test]
fn a_low_temperature_is_nearly_greedy() {
    let sampling = Sampling { temperature: 0.01, ..warm(9) };
    assert!(drawn(&sampling, &[0.0, 1.0, 0.5], 200).iter().all(|&id| id == 1));
}

#[test]
fn the_generator_gives_the_published_numbers() {
    // The first outputs for seed 1234567 in the reference implementation.
    let mut random = SplitMix64(1_234_567);
    assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
}

#[track_caller]
fn check_doubt(logits: &[f32], token: u32, unsure_below: f32, expected: Option<f32>) {
    let doubt = Sampler::new(&Sampling { unsure_below, ..Sampling::default() }).doubt(logits, token);
    let is_near = |(found, wanted): (f32, f32)| (found - wanted).abs() < 1e-6;
    assert_eq!(doubt.is_some(), expected.is_some(), "{doubt:?}");
    assert!(doubt.zip(expected).is_none_or(is_near), "{doubt:?}, not {expected:?}");
}

#[test]
fn a_doubt_is_the_softmax_of_what_was_chosen() {
    let half = [1.0, 1.0, -90.0];
    check_doubt(&half, 0, 0.95, Some(0.5));
    check_doubt(&half, 0, 0.5, None);
    check_doubt(&half, 0, 0.0, None);
    check_doubt(&[0.0, 3.0_f32.ln()], 0, 0.95, Some(0.25));
    check_doubt(&[0.0, 3.0_f32.ln()], 1, 0.95, Some(0.75));
    check_doubt(&[f32::INFINITY, 1.0, f32::NAN, 1.0], 1, 0.95, Some(0.5));
    check_doubt(&[1.0], 7, 0.95, None);
}

#[test]
fn scores_are_logarithms_of_the_softmax_the_likeliest_first() {
    // Shares of 0.5, 0.25, 0.25 and none.
    let logits = [1.0 + 2f32.ln(), 1.0, f32::NEG_INFINITY, 1.0];
    #[track_caller]
    fn check(logits: &[f32], alternatives: Option<usize>, token: u32, expected: Option<(f32, &[(u32, f32)])>) {
        // Whatever is drawn by: the model's own probabilities are told.
        let sampling = Sampling { temperature: 0.3, top_k: Some(1), alternatives, ..Sampling::default() };
        let scores = Sampler::new(&sampling).scores(logits, token);
        assert_eq!(scores.is_some(), expected.is_some(), "{scores:?}");
        let (Some(scores), Some((chosen, likeliest))) = (scores, expected) else { return };
        let is_near = |found: f32, share: f32| (found.exp() - share).abs() < 1e-6;
        assert_eq!(scores.chosen.0, token);
        assert!(is_near(scores.chosen.1, chosen), "{scores:?}");
        let ids = |tokens: &[(u32, f32)]| tokens.iter().map(|(token, _)| *token).collect::<Vec<_>>();
        assert_eq!(ids(&scores.likeliest), ids(likeliest));
        assert!(scores.likeliest.iter().zip(likeliest).all(|(found, wanted)| is_near(found.1, wanted.1)), "{scores:?}");
    }
    check(&logits, None, 0, None);
    check(&logits, Some(0), 1, Some((0.25, &[])));
    check(&logits, Some(2), 3, Some((0.25, &[(0, 0.5), (1, 0.25)])));
    check(&logits, Some(99), 0, Some((0.5, &[(0, 0.5), (1, 0.25), (3, 0.25)])));
    check(&logits, Some(1), 9, None);
    check(&[f32::NAN], Some(1), 0, None);
}
