//! The numbers of a file that have bounds.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Config;
use super::problem::{Page, Problem};

/// Where the values of a file stand, by their full keys.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Range<usize>>);

impl Places {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        places.add(root, "");
        places
    }

    fn add(&mut self, table: &DeTable<'_>, section: &str) {
        for (key, value) in table {
            let name = format!("{section}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.add(inner, &format!("{name}."));
            }
            self.0.insert(name, value.span());
        }
    }

    pub(super) fn span(&self, key: &str) -> Range<usize> {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

/// A problem for every number that is out of its bounds.
pub(super) fn check(config: &Config, places: &Places, page: Page<'_>) -> Vec<Problem> {
    let (engine, completion) = (&config.engine, &config.completion);
    let bounds = [
        ("engine.threads", engine.threads.unwrap_or(1), 1..=1024),
        ("engine.context_tokens_max", engine.context_tokens_max, 64..=131_072),
        ("engine.slots", engine.slots, 2..=16),
        ("engine.cache_mib", engine.cache_mib, 0..=1_048_576),
        ("agent.command_seconds", config.agent.command_seconds, 1..=1_800),
        ("completion.prompt_tokens_max", completion.prompt_tokens_max, 16..=65_536),
        ("completion.suffix_tokens_max", completion.suffix_tokens_max, 0..=16_384),
        ("completion.tokens_max", completion.tokens_max, 1..=1_024),
    ];
    let outside = bounds.into_iter().filter(|(_, value, range)| !range.contains(value));
    let idle = config.daemon.objection().map(|message| page.problem(&places.span("daemon.idle_minutes"), &message));
    outside
        .map(|(key, value, range)| {
            let message = format!("{key} is {value}, and must be {} to {}", range.start(), range.end());
            page.problem(&places.span(key), &message)
        })
        .chain(idle)
        .collect()
}
