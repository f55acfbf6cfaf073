//! What the configuration holds already, as far as the questions are about it. Reads and changes nothing.

use finch_llm::router::Policy;
use toml_edit::{DocumentMut, Item, TableLike};

use super::words::{AGREEMENTS, Agreement, POLICIES, value};
use crate::services::{ServiceRow, service};

/// What is configured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Existing {
    pub(super) clouds: Vec<Configured>,
    pub(super) policy: Option<Policy>,
    pub(super) agreement: Option<Agreement>,
    /// The file has entries of the earlier program, which have to be carried over first.
    pub(crate) is_earlier: bool,
}

/// An entry for a cloud.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configured {
    pub(super) name: String,
    pub(super) row: &'static ServiceRow,
    pub(super) model: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) allows_http: bool,
    pub(super) key: ConfiguredKey,
    pub(super) is_enabled: bool,
}

/// Where its key is. The key itself is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConfiguredKey {
    None,
    Here,
    Variable(String),
    Command,
}

impl Existing {
    pub(crate) fn of(document: &DocumentMut) -> Self {
        let setting = |key| {
            let router = document.get("router").and_then(Item::as_table_like)?;
            router.get(key).and_then(Item::as_str)
        };
        Self {
            clouds: entries(document).into_iter().filter_map(configured).collect(),
            policy: setting("policy").and_then(|word| value(POLICIES, word)),
            agreement: setting("consent").and_then(|word| value(AGREEMENTS, word)),
            is_earlier: ["teachers", "backend"].iter().any(|key| document.contains_key(key)),
        }
    }
}

/// The entries, whether each has a head of its own or all stand in one list.
fn entries(document: &DocumentMut) -> Vec<&dyn TableLike> {
    match document.get("providers") {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(Item::Value(toml_edit::Value::Array(list))) => {
            list.iter().filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

/// Nothing for an entry that is none of a cloud; whoever wrote it knows why.
fn configured(entry: &dyn TableLike) -> Option<Configured> {
    let text = |key| entry.get(key).and_then(Item::as_str).map(str::to_owned);
    let is = |key, default| entry.get(key).and_then(Item::as_bool).unwrap_or(default);
    let row = service(&text("type")?)?;
    let key = match (text("api_key"), text("api_key_env"), entry.get("api_key_cmd")) {
        (Some(_), _, _) => ConfiguredKey::Here,
        (None, Some(variable), _) => ConfiguredKey::Variable(variable),
        (None, None, Some(_)) => ConfiguredKey::Command,
        (None, None, None) => ConfiguredKey::None,
    };
    Some(Configured {
        name: name(entry)?,
        row,
        model: text("model"),
        base_url: text("base_url"),
        allows_http: is("allow_http", false),
        key,
        is_enabled: is("enabled", true),
    })
}

/// What an entry is called: its name, or its type.
pub(super) fn name(entry: &dyn TableLike) -> Option<String> {
    let text = |key| entry.get(key).and_then(Item::as_str);
    let kind = text("type").map(|word| service(word).map_or(word.trim(), |row| row.word));
    text("name").map(str::trim).or(kind).map(str::to_owned)
}
