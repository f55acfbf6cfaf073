//! `[[providers]]`: who may answer, in the order of the user's wishes.
//!
//! An entry is read by itself: a bad one is a problem with its place, is left out, and the others work. An address, a
//! header and a key are checked here, before anything is asked; whether a key is there is found out in `clouds`.

mod entry;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use finch_llm::cloud::{Endpoint, Header, InfillWay, Key, Service, Thinking, Waits};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

pub(crate) use raw::{CostConfig, KeyCommand, ProviderConfig};

use super::Notes;
use super::check;
use super::problem::{Page, Place, without_value};

/// Who may answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Provider {
    /// The model on this machine.
    Local(LocalConfig),
    Cloud(Box<CloudConfig>),
}

/// The model on this machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LocalConfig {
    /// An installed model; the one of `engine.model` when absent.
    pub(crate) model: Option<String>,
}

/// A provider over the network whose settings can be used. No way to print it shows a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CloudConfig {
    pub(crate) name: String,
    pub(crate) service: Service,
    pub(crate) model: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) key: KeyWays,
    pub(crate) headers: Vec<Header>,
    pub(crate) proxy: Option<Key>,
    pub(crate) waits: Waits,
    pub(crate) infill: InfillWay,
    pub(crate) thinking: Thinking,
    pub(crate) context_tokens_max: Option<usize>,
    pub(crate) images: Option<bool>,
    pub(crate) cost: Option<CostConfig>,
    /// Where the entry begins, and what it is called in messages.
    pub(crate) place: Place,
    pub(crate) label: String,
}

/// The ways to a key that the entry names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct KeyWays {
    pub(crate) key: Option<Key>,
    pub(crate) variable: Option<String>,
    pub(crate) command: Option<KeyCommand>,
}

/// An entry of the file that is not looked into yet.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// `providers[2]`.
    pub(super) label: String,
    pub(super) value: Spanned<DeValue<'a>>,
}

/// A setting that an entry cannot be used with.
#[derive(Debug)]
struct Refusal {
    key: &'static str,
    message: String,
}

fn refuse<T>(key: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { key, message: message.into() })
}

/// Reads the entries in order. Without one for it the local model comes first.
pub(super) fn read(entries: Vec<Entry<'_>>, page: Page<'_>, schema: &Value, notes: &mut Notes) -> Vec<Provider> {
    let mut reader = Reader { page, schema, notes, names: Vec::new(), has_local: false };
    let mut providers: Vec<Provider> = entries.into_iter().filter_map(|entry| reader.entry(entry)).collect();
    if !reader.has_local {
        providers.insert(0, Provider::Local(LocalConfig::default()));
    }
    providers
}

struct Reader<'a> {
    page: Page<'a>,
    schema: &'a Value,
    notes: &'a mut Notes,
    names: Vec<String>,
    has_local: bool,
}

impl Reader<'_> {
    fn entry(&mut self, Entry { label, mut value }: Entry<'_>) -> Option<Provider> {
        let span = value.span();
        self.notes.warnings.extend(check::walk_entry(&mut value, self.schema, &label, self.page));
        let (label, spans) = (labelled(&label, value.get_ref()), spans(value.get_ref()));
        let raw = match serde::Deserialize::deserialize(ValueDeserializer::from(value)) {
            Ok(raw) => raw,
            Err(error) => {
                let what = match super::problem::key(&error) {
                    Some(key) => format!("{key}: {}", without_value(error.message())),
                    None => without_value(error.message()),
                };
                self.left_out(&label, &error.span().unwrap_or(span), &what);
                return None;
            }
        };
        match self.settled(raw, &span, &label) {
            Ok(provider) => provider,
            Err(Refusal { key, message }) => {
                let at = spans.get(key).unwrap_or(&span);
                self.left_out(&label, at, &format!("{key}: {message}"));
                None
            }
        }
    }

    fn left_out(&mut self, label: &str, span: &Range<usize>, what: &str) {
        let message = format!("{label}: {what}; this provider is left out until that is mended");
        self.notes.problems.push(self.page.problem(span, &message));
    }

    /// `None` if the user has switched it off.
    fn settled(&mut self, raw: ProviderConfig, span: &Range<usize>, label: &str) -> Result<Option<Provider>, Refusal> {
        let name = entry::name(&raw)?;
        if self.names.contains(&name) {
            return refuse("name", format!("another provider is called {name:?} already; give this one a `name`"));
        }
        let is_enabled = raw.enabled;
        let provider = match raw.kind.service() {
            None => self.local(raw)?,
            Some(service) => {
                let place = self.page.place(span);
                let cloud = entry::cloud(raw, name.clone(), service, place, label.to_owned())?;
                Provider::Cloud(Box::new(cloud))
            }
        };
        self.names.push(name);
        Ok(is_enabled.then_some(provider))
    }

    fn local(&mut self, raw: ProviderConfig) -> Result<Provider, Refusal> {
        if self.has_local {
            return refuse("type", "the local model has an entry already; one place in the order is enough");
        }
        let foreign = raw.first_cloud_key();
        if let Some(key) = foreign {
            return refuse(key, "the local model takes no such setting; remove it, or name another `type`");
        }
        let model = entry::model(raw.model)?;
        self.has_local = true;
        Ok(Provider::Local(LocalConfig { model }))
    }
}

/// What an entry is called in messages: its place, and its name or else its type.
fn labelled(label: &str, value: &DeValue<'_>) -> String {
    let text = |key| value.get(key).and_then(|value| value.get_ref().as_str()).filter(|text| entry::is_name(text));
    match text("name").or_else(|| text("type")) {
        Some(name) => format!("{label} ({name})"),
        None => label.to_owned(),
    }
}

fn spans(value: &DeValue<'_>) -> BTreeMap<String, Range<usize>> {
    let table = value.as_table().into_iter().flat_map(|table| table.iter());
    table.map(|(key, value)| (key.get_ref().to_string(), value.span())).collect()
}
