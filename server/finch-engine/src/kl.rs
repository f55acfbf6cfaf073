//! How far a quantised model is from its source weights: the mean divergence of their next-token distributions.
//!
//! Both models read the same text in windows; the import accepts a build by the result. Not used while serving.

use std::{ops::ControlFlow, path::Path};

use finch_model::manifest::Manifest;

use crate::{
    EngineError, EngineOptions, Runtime,
    engine::session_options,
    network::{Network, Slot},
    sampler::likeliest,
    session::{SessionOptions, Weights},
    vocabulary::Vocabulary,
};

/// Code in several languages, written for this measurement.
pub const CORPUS: &str = include_str!("kl/corpus.txt");

/// Tokens a model sees before it starts anew.
const WINDOW_TOKENS: usize = 512;
/// Tokens in one pass: their logits are all kept.
const PASS_TOKENS: usize = 64;
/// Fewer tokens say little.
const TOKENS_MIN: usize = 32;

/// The distance of a candidate from a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlReport {
    /// Mean divergence in nats a token.
    pub mean_kl: f64,
    /// Tokens compared.
    pub tokens: usize,
    /// The share of tokens whose likeliest successor is the same.
    pub top1_agreement: f64,
    /// How many tokens the candidate is undecided between, on average: `exp` of the mean surprise at the token that comes.
    pub perplexity: f64,
    /// The same of the reference.
    pub reference_perplexity: f64,
}

/// Compares two built models over a text.
pub fn measure(
    runtime: &Runtime,
    reference_dir: &Path,
    candidate_dir: &Path,
    text: &str,
) -> Result<KlReport, EngineError> {
    measure_while(runtime, (reference_dir, candidate_dir), (text, TOKENS_MIN), &mut |_, _| ControlFlow::Continue(()))
}

/// Compares a candidate with a reference over a text of at least so many tokens. `progress` hears how many of how many are
/// compared, and may break off.
pub fn measure_while(
    runtime: &Runtime,
    (reference_dir, candidate_dir): (&Path, &Path),
    (text, tokens_min): (&str, usize),
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<KlReport, EngineError> {
    // A reference in full precision may be larger than memory; a candidate is read the way it will be used.
    let mut reference = Reader::load(runtime, reference_dir, Weights::Mapped)?;
    let mut candidate = Reader::load(runtime, candidate_dir, Weights::Packed)?;
    let tokens = reference.tokens(text)?;
    if tokens.len() < tokens_min {
        return Err(EngineError::TextTooShort { tokens: tokens.len(), tokens_min });
    }
    let (rows_theirs, rows_ours) = (reference.vocab, candidate.vocab);
    // Vocabularies are padded differently by different builds; what both have is compared.
    let vocab = rows_theirs.min(rows_ours);
    let mut sums = Sums::default();
    for window in tokens.chunks(WINDOW_TOKENS) {
        reference.slot.truncate(0);
        candidate.slot.truncate(0);
        let mut next = window.iter().skip(1);
        for pass in window.chunks(PASS_TOKENS) {
            if progress(sums.compared, tokens.len()).is_break() {
                return Err(EngineError::Cancelled);
            }
            let theirs = reference.read(pass)?;
            let ours = candidate.read(pass)?;
            for (theirs, ours) in theirs.chunks_exact(rows_theirs).zip(ours.chunks_exact(rows_ours)) {
                sums.add(&theirs[..vocab], &ours[..vocab], next.next().copied());
            }
        }
    }
    Ok(sums.report())
}

/// What adds up over the tokens of a text.
#[derive(Debug, Default)]
struct Sums {
    compared: usize,
    divergence: f64,
    agreed: usize,
    /// Tokens that have a successor in their window.
    followed: usize,
    surprise: f64,
    reference_surprise: f64,
}

impl Sums {
    /// Takes in both models' logits behind one token, and the token that follows it.
    fn add(&mut self, theirs: &[f32], ours: &[f32], next: Option<u32>) {
        self.compared += 1;
        self.divergence += divergence(theirs, ours);
        self.agreed += usize::from(likeliest(theirs) == likeliest(ours));
        let surprise = |logits: &[f32]| Some(log_sum_exp(logits) - f64::from(*logits.get(next? as usize)?));
        if let (Some(theirs), Some(ours)) = (surprise(theirs), surprise(ours)) {
            self.followed += 1;
            self.reference_surprise += theirs;
            self.surprise += ours;
        }
    }

    fn report(&self) -> KlReport {
        let (compared, followed) = (self.compared as f64, self.followed.max(1) as f64);
        KlReport {
            mean_kl: self.divergence / compared,
            tokens: self.compared,
            top1_agreement: self.agreed as f64 / compared,
            perplexity: (self.surprise / followed).exp(),
            reference_perplexity: (self.reference_surprise / followed).exp(),
        }
    }
}

struct Reader {
    network: Network,
    slot: Slot,
    vocabulary: Vocabulary,
    vocab: usize,
}

impl Reader {
    fn load(runtime: &Runtime, dir: &Path, weights: Weights) -> Result<Self, EngineError> {
        let manifest = Manifest::read(dir)?;
        let options = EngineOptions { context_tokens_max: WINDOW_TOKENS, ..EngineOptions::default() };
        let options = SessionOptions { weights, ..session_options(&options) };
        let mut network = Network::load(runtime, dir, &manifest, options)?;
        let slot = network.slot();
        let vocabulary = Vocabulary::load(dir, &manifest)?;
        Ok(Self { network, slot, vocabulary, vocab: manifest.shape.vocab })
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        self.vocabulary.encode(text).map_err(|error| EngineError::Runtime { problem: error.to_string() })
    }

    /// The logits behind every token of a pass.
    fn read(&mut self, pass: &[u32]) -> Result<&[f32], EngineError> {
        self.network.forward(&mut self.slot, pass, pass.len())
    }
}

/// The Kullback-Leibler divergence of the distribution `ours` from `theirs`, in nats.
fn divergence(theirs: &[f32], ours: &[f32]) -> f64 {
    let (norm_theirs, norm_ours) = (log_sum_exp(theirs), log_sum_exp(ours));
    let terms = theirs.iter().zip(ours).map(|(&theirs, &ours)| {
        let log_theirs = f64::from(theirs) - norm_theirs;
        log_theirs.exp() * (log_theirs - (f64::from(ours) - norm_ours))
    });
    terms.sum()
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    max + logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests;
