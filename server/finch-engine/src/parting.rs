//! How guessing ahead differs from one token a pass, in speed and, where two tokens nearly tie, in text.
//!
//! A pass over several rows differs from single steps in the last bits, and that can turn a near tie. Both ways are
//! walked here over the same prompts, token by token, so that a benchmark can print how often they part and how
//! close the two likeliest tokens were there. Not used while serving.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use finch_model::manifest::Manifest;

use crate::{
    EngineError, EngineOptions, Runtime,
    engine::session_options,
    limits,
    network::{Network, Slot},
    sampler::likeliest,
    speculation::{Draft, Speculator, Text},
    vocabulary::Vocabulary,
};

/// A place to continue greedily.
#[derive(Debug, Clone, Default)]
pub struct Start {
    pub prompt: String,
    /// Texts to guess from, as in a request.
    pub references: Vec<Arc<str>>,
}

/// What both ways came to at one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parting {
    /// Tokens generated, the same number both ways.
    pub tokens: usize,
    /// Passes with guessing; without, there are as many as tokens.
    pub passes: usize,
    pub drafted: usize,
    pub accepted: usize,
    /// Time for the tokens behind the first, without guessing and with.
    pub plain: Duration,
    pub ahead: Duration,
    /// The first token at which the texts differ.
    pub parted_at: Option<usize>,
    /// The distance of the two likeliest tokens' logits without guessing, at every token.
    pub gaps: Vec<f32>,
    /// How much that distance differs with guessing, at every token up to the first that differs.
    pub noise: Vec<f32>,
}

/// Continues every place by `tokens` tokens both ways. What is learned at one place serves the next, as in use.
pub fn measure(
    runtime: &Runtime,
    model_dir: &Path,
    options: EngineOptions,
    starts: &[Start],
    tokens: usize,
) -> Result<Vec<Parting>, EngineError> {
    let manifest = Manifest::read(model_dir)?;
    let mut network = Network::load(runtime, model_dir, &manifest, session_options(&options))?;
    let slot = network.slot();
    let vocabulary = Vocabulary::load(model_dir, &manifest)?;
    let mut walker = Walker { network: &mut network, slot, vocabulary, speculator: Speculator::default() };
    starts.iter().map(|start| walker.compare(start, tokens)).collect()
}

struct Walker<'n> {
    network: &'n mut Network,
    slot: Slot,
    vocabulary: Vocabulary,
    speculator: Speculator,
}

/// The two likeliest tokens and how far apart they are.
#[derive(Debug, Clone, Copy)]
struct TopTwo {
    first: usize,
    second: usize,
}

impl Walker<'_> {
    fn compare(&mut self, start: &Start, tokens: usize) -> Result<Parting, EngineError> {
        let encoded = self.vocabulary.encode(&start.prompt);
        let mut prompt = encoded.map_err(|error| EngineError::Runtime { problem: error.to_string() })?;
        let room = self.network.capacity().saturating_sub(tokens);
        prompt.drain(..prompt.len().saturating_sub(room));
        if prompt.is_empty() || tokens == 0 {
            return Err(EngineError::TextTooShort { tokens: prompt.len().min(tokens), tokens_min: 1 });
        }
        let mut parting = Parting { tokens, ..Parting::default() };
        let plain = self.plain(&prompt, &mut parting)?;
        self.ahead(&prompt, start, &plain, &mut parting)?;
        Ok(parting)
    }

    /// One token a pass: the two likeliest at every token.
    fn plain(&mut self, prompt: &[u32], parting: &mut Parting) -> Result<Vec<TopTwo>, EngineError> {
        self.read(prompt)?;
        let started = Instant::now();
        let mut found = Vec::new();
        loop {
            let logits = self.network.logits(0);
            let two = top_two(logits)?;
            parting.gaps.push(two.gap(logits));
            found.push(two);
            if found.len() == parting.tokens {
                break;
            }
            self.network.forward(&mut self.slot, &[id(two.first)], 1)?;
        }
        parting.plain = started.elapsed();
        Ok(found)
    }

    fn ahead(
        &mut self,
        prompt: &[u32],
        start: &Start,
        plain: &[TopTwo],
        parting: &mut Parting,
    ) -> Result<(), EngineError> {
        self.read(prompt)?;
        let started = Instant::now();
        let mut guesses = self.speculator.guesses(&start.references);
        let mut draft = Draft::default();
        let (mut said, mut rows) = (0, 1);
        parting.passes = 1;
        while said < parting.tokens {
            let before = self.slot.tokens().len() - rows;
            let (mut accepted, mut next) = (0, 0);
            for row in 0..rows {
                next = self.choose(row, said, plain, parting)?;
                said += 1;
                if draft.tokens.get(row) == Some(&next) {
                    accepted += 1;
                } else {
                    self.slot.truncate(before + row + 1);
                    break;
                }
            }
            self.speculator.judge(&mut guesses, &draft, accepted);
            parting.drafted += draft.tokens.len();
            parting.accepted += accepted;
            if said == parting.tokens {
                break;
            }
            let text = Text { tokens: self.slot.tokens(), next, room: parting.tokens - said - 1 };
            draft = self.speculator.draft(text, &mut guesses, &[], &self.vocabulary);
            let tokens: Vec<u32> = std::iter::once(next).chain(draft.tokens.iter().copied()).collect();
            rows = tokens.len();
            let started = Instant::now();
            self.network.forward(&mut self.slot, &tokens, rows)?;
            self.speculator.timed(rows, started.elapsed());
            parting.passes += 1;
        }
        parting.ahead = started.elapsed();
        Ok(())
    }

    /// The choice of a row; compares it with the plain one as long as both stand behind the same text.
    fn choose(&self, row: usize, at: usize, plain: &[TopTwo], parting: &mut Parting) -> Result<u32, EngineError> {
        let logits = self.network.logits(row);
        let chosen = top_two(logits)?.first;
        if parting.parted_at.is_none() {
            parting.noise.push((plain[at].gap(logits) - parting.gaps[at]).abs());
            if chosen != plain[at].first {
                parting.parted_at = Some(at);
            }
        }
        Ok(id(chosen))
    }

    /// Makes the slot hold a prompt, computed the same way each time.
    fn read(&mut self, prompt: &[u32]) -> Result<(), EngineError> {
        self.slot.truncate(0);
        for piece in prompt.chunks(limits::CHUNK_TOKENS_MAX) {
            self.network.forward(&mut self.slot, piece, 1)?;
        }
        Ok(())
    }
}

impl TopTwo {
    fn gap(self, logits: &[f32]) -> f32 {
        logits[self.first] - logits[self.second]
    }
}

fn top_two(logits: &[f32]) -> Result<TopTwo, EngineError> {
    let damaged = || EngineError::Runtime { problem: "it computed no number".to_owned() };
    let first = likeliest(logits).ok_or_else(damaged)?;
    let before = likeliest(&logits[..first]);
    let behind = likeliest(&logits[first + 1..]).map(|at| first + 1 + at);
    let second = match (before, behind) {
        (Some(a), Some(b)) if logits[b] > logits[a] => b,
        (Some(a), _) => a,
        (None, b) => b.ok_or_else(damaged)?,
    };
    Ok(TopTwo { first, second })
}

fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use finch_model::{manifest::Quant, tiny::TinySpec};

    use super::{Start, measure, top_two};
    use crate::{
        EngineOptions,
        testing::{TinyModel, runtime},
    };

    #[test]
    fn both_ways_say_the_same_where_nothing_is_rounded_and_one_needs_fewer_passes() {
        let model = TinyModel::new(TinySpec::default(), Quant::Fp32);
        let starts: Vec<Start> = ["0 1 2 3 0 1 2 3 0 1 2", "fn main() {", "aaaa"]
            .map(|prompt| Start { prompt: prompt.to_owned(), references: vec!["fn main() { 0 1 2 3".into()] })
            .to_vec();
        let partings = measure(&runtime(), &model.dir, EngineOptions::default(), &starts, 60).unwrap();
        for parting in &partings {
            assert_eq!((parting.tokens, parting.parted_at), (60, None));
            assert_eq!((parting.gaps.len(), parting.noise.len()), (60, 60));
            assert_eq!(parting.passes + parting.accepted, 60);
            assert!(parting.noise.iter().all(|&noise| noise < 1e-3), "{parting:?}");
        }
        assert!(partings.iter().any(|parting| parting.accepted > 0), "{partings:?}");
    }

    #[test]
    fn the_two_likeliest_are_found_wherever_they_are() {
        for (logits, expected) in [
            (&[1.0, 3.0, 2.0][..], (1, 2)),
            (&[3.0, 1.0, 2.0], (0, 2)),
            (&[1.0, 2.0, 3.0], (2, 1)),
            (&[3.0, 3.0, f32::NAN], (0, 1)),
        ] {
            let two = top_two(logits).unwrap();
            assert_eq!((two.first, two.second), expected);
        }
        assert!(top_two(&[f32::NAN, 1.0]).is_err());
    }
}
