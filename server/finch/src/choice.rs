//! Which model suits this machine: what each costs in memory that is available and in time that was measured.
//!
//! `finch model list` shows the costs; `finch setup` takes the first model of the catalogue that fits and answers while a
//! person still waits. Sizes are known before anything is fetched. No model is loaded here.

use std::time::Duration;

use finch_engine::Runtime;
use finch_engine::estimate::{Sizes, Speed};
use finch_engine::machine::{self, Rates};
use finch_model::catalogue::{Catalogue, Entry};

use crate::local;
use crate::surroundings::Surroundings;

/// Ghost text that takes longer to come than this is not worth waiting for.
const GHOST_TEXT_MAX: Duration = Duration::from_secs(3);

/// What this machine has to give at the moment, and the context that the user wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    /// None where the system does not tell.
    pub(crate) available_bytes: Option<u64>,
    pub(crate) rates: Rates,
    pub(crate) context_tokens: usize,
}

/// What a model costs on this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// Memory with one full context.
    pub(crate) memory_bytes: u64,
    /// Whether so much is available now, where the system tells.
    pub(crate) fits: Option<bool>,
    /// How fast it will probably be.
    pub(crate) expected: Speed,
}

impl Here {
    /// Measures this machine. Without a library that is installed already it does not tell how fast prompts are read.
    pub(crate) fn measure(surroundings: &Surroundings) -> Self {
        let library = finch_engine::runtime::find(surroundings.home.root()).ok();
        let runtime = library.and_then(|library| Runtime::load(&library).ok());
        Self {
            available_bytes: machine::available_bytes(),
            rates: Rates::measure(runtime.as_ref(), &local::options(surroundings)),
            context_tokens: surroundings.config.engine.context_tokens_max,
        }
    }

    /// What a model of these sizes costs.
    pub(crate) fn cost(&self, sizes: &Sizes) -> Cost {
        let memory_bytes = sizes.memory_bytes(self.context_tokens);
        Cost {
            memory_bytes,
            fits: self.available_bytes.map(|available| memory_bytes <= available),
            expected: sizes.expected(&self.rates),
        }
    }

    /// What the build costs that the catalogue offers, where its sizes are known.
    pub(crate) fn cost_of(&self, entry: &Entry) -> Option<Cost> {
        let built = entry.built.get(&entry.quant)?;
        Some(self.cost(&Sizes {
            weights_bytes: built.weights_bytes,
            token_bytes: built.token_bytes,
            token_products: Some(built.token_products),
            cache_bytes: built.cache_bytes,
            context_tokens_max: entry.context_tokens_max,
        }))
    }

    /// The model that suits this machine: the catalogue's default if it does, else the first that does, else the one
    /// that needs least.
    pub(crate) fn suited<'c>(&self, catalogue: &'c Catalogue) -> Option<&'c Entry> {
        let default = catalogue.find(catalogue.default_id());
        let in_order = || default.into_iter().chain(catalogue.models());
        let suits = |entry: &&Entry| self.cost_of(entry).is_none_or(|cost| cost.suits());
        let need = |entry: &&Entry| self.cost_of(entry).map_or(u64::MAX, |cost| cost.memory_bytes);
        in_order().find(suits).or_else(|| in_order().min_by_key(need))
    }
}

impl Cost {
    /// How fast it will probably be here, in words.
    pub(crate) fn pace(&self) -> String {
        let speed = self.expected.decode_tokens_per_s;
        let speed = if speed < 9.95 { format!("{speed:.1}") } else { format!("{speed:.0}") };
        match self.expected.prefill_tokens_per_s {
            // The wait cannot be told without the time that the prompt takes.
            None => format!("about {speed} tokens/s"),
            Some(_) => {
                format!("about {speed} tokens/s, ghost text in {:.1} s", self.expected.ghost_text().as_secs_f64())
            }
        }
    }

    /// Why it does not suit this machine, in a few words.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        match self.fits {
            Some(false) => Some("does not fit now"),
            _ if !self.suits() => Some("slow here"),
            _ => None,
        }
    }

    /// It fits, and ghost text comes in time.
    pub(crate) fn suits(&self) -> bool {
        self.fits != Some(false) && self.expected.ghost_text() <= GHOST_TEXT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Cost, Here, Rates, Speed};

    #[track_caller]
    fn check(available_mib: Option<u64>, bandwidth: f64, products_per_s: Option<f64>, expected: &str) {
        let here = Here {
            available_bytes: available_mib.map(|mib| mib << 20),
            rates: Rates { bandwidth_bytes_per_s: bandwidth, products_per_s },
            context_tokens: 4096,
        };
        assert_eq!(here.suited(&Catalogue::builtin()).unwrap().id.as_str(), expected);
    }

    #[test]
    fn the_default_is_taken_where_it_fits_and_is_fast_enough() {
        check(Some(2000), 10e9, Some(100e9), "qwen2.5-coder-0.5b");
        check(None, 10e9, None, "qwen2.5-coder-0.5b");
        check(Some(1000), 10e9, Some(100e9), "smollm2-135m");
        check(Some(2000), 2e9, Some(100e9), "smollm2-135m");
        check(Some(2000), 10e9, Some(10e9), "smollm2-135m");
    }

    #[test]
    fn where_nothing_suits_it_is_what_needs_least() {
        check(Some(10), 10e9, Some(100e9), "smollm2-135m");
        check(Some(2000), 1e6, Some(1e6), "smollm2-135m");
    }

    #[track_caller]
    fn check_words(fits: Option<bool>, prefill: Option<f64>, decode: f64, pace: &str, objection: Option<&str>) {
        let expected = Speed { prefill_tokens_per_s: prefill, decode_tokens_per_s: decode };
        let cost = Cost { memory_bytes: 1, fits, expected };
        assert_eq!((cost.pace().as_str(), cost.objection()), (pace, objection));
    }

    #[test]
    fn a_cost_is_said_in_words() {
        check_words(Some(true), Some(512.0), 40.4, "about 40 tokens/s, ghost text in 0.5 s", None);
        check_words(None, None, 9.96, "about 10 tokens/s", None);
        check_words(Some(false), None, 40.0, "about 40 tokens/s", Some("does not fit now"));
        check_words(Some(true), Some(1.0), 0.5, "about 0.5 tokens/s, ghost text in 96.0 s", Some("slow here"));
    }
}
