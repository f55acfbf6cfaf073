//! Adds up departures: how many, how much, and what they cost, by provider.

use std::collections::BTreeMap;

use super::Entry;

/// What departed, by provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Summary {
    /// In the order of their names. A provider that was on this machine and elsewhere has two.
    pub(crate) providers: Vec<Total>,
}

/// What departed to one provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Total {
    pub(crate) provider: String,
    /// Nothing of it left this machine.
    pub(crate) is_loopback: bool,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) generated_tokens: u64,
    /// Of the requests whose price is known; `None` if that is none of them.
    pub(crate) cost: Option<f64>,
}

impl Summary {
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut totals: BTreeMap<(&str, bool), Total> = BTreeMap::new();
        for entry in entries {
            let (provider, is_loopback) = (entry.departs.provider.as_str(), entry.departs.is_loopback);
            totals.entry((provider, is_loopback)).or_default().add(entry);
        }
        let named = |((provider, is_loopback), total)| Total { provider: String::from(provider), is_loopback, ..total };
        Self { providers: totals.into_iter().map(named).collect() }
    }

    /// What left this machine, to whomever.
    pub(crate) fn left(&self) -> Total {
        let mut left = Total::default();
        for total in self.providers.iter().filter(|total| !total.is_loopback) {
            left.requests += total.requests;
            left.bytes = left.bytes.saturating_add(total.bytes);
            left.add_tokens(total.prompt_tokens, total.cached_tokens, total.generated_tokens, total.cost);
        }
        left
    }
}

impl Total {
    fn add(&mut self, entry: &Entry) {
        self.requests += 1;
        self.bytes = self.bytes.saturating_add(entry.departs.bytes);
        if let Some(ended) = &entry.ended {
            self.add_tokens(ended.prompt_tokens, ended.cached_tokens, ended.generated_tokens, ended.cost);
        }
    }

    fn add_tokens(&mut self, prompt: u64, cached: u64, generated: u64, cost: Option<f64>) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(prompt);
        self.cached_tokens = self.cached_tokens.saturating_add(cached);
        self.generated_tokens = self.generated_tokens.saturating_add(generated);
        if let Some(cost) = cost {
            self.cost = Some(self.cost.unwrap_or_default() + cost);
        }
    }
}
