//! The next token from logits: the likeliest, or one drawn with a seed.
//!
//! The same seed and logits give the same tokens on every machine: the generator is our own SplitMix64 and ties go
//! to the smaller id. Where the answer has to have a form, only tokens that keep to it are chosen from. Knows numbers
//! only; the sequence calls it.

use std::cmp::Ordering;

use finch_llm::{ALTERNATIVES_MAX, LlmError, Sampling};

use crate::structure::{BadForm, Constraint};

/// Chooses tokens for one sequence.
pub(crate) struct Sampler {
    temperature: f32,
    top_k: Option<usize>,
    top_p: f32,
    unsure_below: f32,
    alternatives: Option<usize>,
    random: SplitMix64,
    form: Option<Constraint>,
}

/// Why no token could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoChoice {
    #[error(transparent)]
    NoNumber(#[from] NoNumber),
    #[error(transparent)]
    BadForm(#[from] BadForm),
}

impl From<NoChoice> for LlmError {
    fn from(error: NoChoice) -> Self {
        match error {
            NoChoice::NoNumber(error) => Self::Unavailable { reason: error.to_string() },
            NoChoice::BadForm(error) => error.into(),
        }
    }
}

/// No logit was a number: the weights are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model computed no number: its weights are damaged, import it again")]
pub(crate) struct NoNumber;

impl Sampler {
    pub(crate) fn new(sampling: &Sampling) -> Self {
        Self {
            temperature: if sampling.temperature.is_finite() { sampling.temperature } else { 0.0 },
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            unsure_below: sampling.unsure_below,
            alternatives: sampling.alternatives.map(|count| count.min(ALTERNATIVES_MAX)),
            random: SplitMix64(sampling.seed),
            form: None,
        }
    }

    /// The same, for an answer that has to have a form.
    pub(crate) fn with_form(self, form: Option<Constraint>) -> Self {
        Self { form, ..self }
    }

    /// The next token. The one after it is chosen from logits that follow it.
    pub(crate) fn choose(&mut self, logits: &[f32]) -> Result<u32, NoChoice> {
        let Some(mut form) = self.form.take() else { return Ok(self.pick(logits)?) };
        // Damaged weights are told from a form that leaves no token.
        likeliest(logits).ok_or(NoNumber)?;
        let token = self.pick(form.allowed(logits)?).map_err(|_| BadForm::no_token())?;
        form.advance(token)?;
        self.form = Some(form);
        Ok(token)
    }

    /// How probable the model holds this token, if that is less than what is asked to be told.
    pub(crate) fn doubt(&self, logits: &[f32], token: u32) -> Option<f32> {
        if self.unsure_below <= 0.0 {
            return None;
        }
        let probability = probability(logits, usize::try_from(token).ok()?)?;
        (probability < self.unsure_below).then_some(probability)
    }

    /// How probable the model holds this token and those in its place, if that is to be told.
    pub(crate) fn scores(&self, logits: &[f32], token: u32) -> Option<Scores> {
        let count = self.alternatives?;
        let chosen = usize::try_from(token).ok()?;
        let total = LogTotal::of(logits)?;
        let finite = logits.iter().enumerate().filter(|(_, logit)| logit.is_finite());
        let mut candidates: Vec<Candidate> =
            finite.map(|(id, &logit)| Candidate { id, weight: f64::from(logit) }).collect();
        keep_likeliest(&mut candidates, count);
        let score = |id: usize| (id_of(id), total.log_probability(logits[id]));
        let likeliest = candidates.iter().map(|candidate| score(candidate.id)).collect();
        logits.get(chosen).map(|_| Scores { chosen: score(chosen), likeliest })
    }

    /// The answer has its form and nothing may follow.
    pub(crate) fn is_over(&self) -> bool {
        self.form.as_ref().is_some_and(Constraint::is_over)
    }

    fn pick(&mut self, logits: &[f32]) -> Result<u32, NoNumber> {
        let best = likeliest(logits).ok_or(NoNumber)?;
        if self.temperature <= 0.0 || self.top_k == Some(1) {
            return Ok(id_of(best));
        }
        Ok(id_of(self.draw(logits, logits[best])))
    }

    fn draw(&mut self, logits: &[f32], max: f32) -> usize {
        let weight = |logit: f32| f64::from((logit - max) / self.temperature).exp();
        let weighted = logits.iter().map(|&logit| weight(logit)).enumerate();
        let mut candidates: Vec<Candidate> = weighted.map(|(id, weight)| Candidate { id, weight }).collect();
        candidates.retain(|candidate| candidate.weight > 0.0 && candidate.weight.is_finite());
        if let Some(count) = self.top_k {
            keep_likeliest(&mut candidates, count.max(1));
        }
        if self.top_p < 1.0 {
            keep_share(&mut candidates, f64::from(self.top_p.max(0.0)));
        }
        let mut left = self.random.unit() * total(&candidates);
        for candidate in &candidates {
            left -= candidate.weight;
            if left < 0.0 {
                return candidate.id;
            }
        }
        candidates.last().map_or(0, |candidate| candidate.id)
    }
}

/// Tokens with the natural logarithms of their probabilities.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scores {
    pub(crate) chosen: (u32, f32),
    /// The likeliest first.
    pub(crate) likeliest: Vec<(u32, f32)>,
}

/// What all probabilities are measured by: the greatest logit, and the logarithm of what all weigh beside it.
struct LogTotal {
    max: f32,
    log_sum: f64,
}

impl LogTotal {
    fn of(logits: &[f32]) -> Option<Self> {
        let max = logits[likeliest(logits)?];
        let finite = logits.iter().filter(|logit| logit.is_finite());
        let sum: f64 = finite.map(|&logit| f64::from(logit - max).exp()).sum();
        Some(Self { max, log_sum: sum.ln() })
    }

    fn log_probability(&self, logit: f32) -> f32 {
        (f64::from(logit - self.max) - self.log_sum) as f32
    }
}

/// A token that may be drawn; its weight is its probability times a constant.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: usize,
    weight: f64,
}

/// The likelier first, of equals the one with the smaller id: an order no two candidates share.
fn likelier(a: &Candidate, b: &Candidate) -> Ordering {
    b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id))
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| candidate.weight).sum()
}

fn keep_likeliest(candidates: &mut Vec<Candidate>, count: usize) {
    // A vocabulary is large: only what is kept is sorted.
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, likelier);
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(likelier);
}

/// Keeps the likeliest candidates that together make up `share`, one at least.
fn keep_share(candidates: &mut Vec<Candidate>, share: f64) {
    let total = total(candidates);
    // All candidates below this together weigh less than what is left out, so none of them is kept.
    let floor = total * (1.0 - share) / candidates.len() as f64;
    candidates.retain(|candidate| candidate.weight >= floor);
    candidates.sort_unstable_by(likelier);
    let mut reached = 0.0;
    let enough = candidates.iter().position(|candidate| {
        reached += candidate.weight;
        reached >= total * share
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

/// The greatest finite logit; the first of several.
pub(crate) fn likeliest(logits: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (id, &logit) in logits.iter().enumerate() {
        if logit.is_finite() && best.is_none_or(|(_, max)| logit > max) {
            best = Some((id, logit));
        }
    }
    best.map(|(id, _)| id)
}

/// A logit so far below another stands for next to no probability beside it: e to the power of -16 is 1e-7.
const FAR_BELOW: f32 = 16.0;

/// The softmax of one logit.
fn probability(logits: &[f32], token: usize) -> Option<f32> {
    let own = *logits.get(token)?;
    // Most of a vocabulary is far below, and is not worth an exponential.
    let near = logits.iter().filter(|&&logit| logit > own - FAR_BELOW && logit.is_finite());
    Some(near.map(|&logit| (logit - own).exp()).sum::<f32>().recip())
}

fn id_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Steele, Lea and Flood's generator: eight bytes of state, any seed is good.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0, inclusive, to 1, exclusive.
    fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
