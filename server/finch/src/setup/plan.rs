//! What the answers come to: said in words before it is done, and put into the document of the configuration.
//!
//! Pure. Comments, the order and everything that the plan is not about stay as they are, and putting a plan into a
//! document that has it already changes nothing.

use std::fmt;

use finch_llm::router::Policy;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::existing::name;
use super::words::{AGREEMENTS, Agreement, POLICIES, word};
use crate::services::ServiceRow;

/// What is going to be done.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// The id of a model.
    pub(crate) model: String,
    pub(crate) clouds: Clouds,
}

/// What becomes of clouds.
#[derive(Debug, PartialEq)]
pub(crate) enum Clouds {
    /// There are none, and there will be none.
    None,
    /// Those in the file stay there and are not asked.
    Off,
    Asked(Asked),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(super) clouds: Vec<Cloud>,
    /// Names of entries that stay in the file and are not asked.
    pub(super) off: Vec<String>,
    pub(super) policy: Policy,
    /// Not asked for where nothing goes to a cloud.
    pub(super) agreement: Option<Agreement>,
}

/// An entry as it is going to be.
#[derive(Debug, PartialEq)]
pub(super) struct Cloud {
    pub(super) row: &'static ServiceRow,
    pub(super) name: String,
    pub(super) model: String,
    pub(super) base_url: Option<String>,
    pub(super) key: KeyPlan,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum KeyPlan {
    /// What the file says already.
    Keep,
    None,
    Variable(String),
    Typed(Typed),
    Command(Vec<String>),
}

/// A key that was typed. No way to print it shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Typed(pub(super) String);

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

impl Plan {
    /// What is going to be written, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("local model: {}", self.model)];
        match &self.clouds {
            Clouds::None => lines.push("no cloud: nothing you write leaves this machine".to_owned()),
            Clouds::Off => {
                lines.push("policy: local-only; the clouds in the file stay there and are not asked".to_owned())
            }
            Clouds::Asked(asked) => lines.extend(asked.lines()),
        }
        lines
    }

    /// Puts it into the document. The model is named only if it would not be taken anyway.
    ///
    /// # Errors
    /// When a section of the document is something else.
    pub(super) fn put_into(&self, document: &mut DocumentMut, naming: Naming) -> Result<(), Misshapen> {
        if naming == Naming::Named {
            set(section(document, "engine")?, "model", self.model.as_str().into());
        }
        match &self.clouds {
            Clouds::None => {}
            Clouds::Off => set(section(document, "router")?, "policy", word(POLICIES, Policy::LocalOnly).into()),
            Clouds::Asked(asked) => asked.put_into(document)?,
        }
        Ok(())
    }
}

/// A key that holds something else than it should.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is no {should}; mend it first, `finch config check` says where it is")]
pub(crate) struct Misshapen {
    key: &'static str,
    should: &'static str,
}

/// Whether the model has to be named in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Named,
    /// It is what the file or the defaults say already.
    Understood,
}

impl Asked {
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.clouds.iter().map(Cloud::line).collect();
        lines.extend(self.off.iter().map(|name| format!("cloud {name}: not asked any more (enabled = false)")));
        lines.push(format!("policy: {}", word(POLICIES, self.policy)));
        lines.extend(self.agreement.map(|agreement| format!("consent: {}", word(AGREEMENTS, agreement))));
        lines
    }

    fn put_into(&self, document: &mut DocumentMut) -> Result<(), Misshapen> {
        if !(self.clouds.is_empty() && self.off.is_empty()) {
            let tables = tables(document)?;
            for cloud in &self.clouds {
                match entry(tables, &cloud.name) {
                    Some(entry) => cloud.put_into(entry),
                    None => tables.push(cloud.entry()),
                }
            }
            for off in &self.off {
                if let Some(entry) = entry(tables, off) {
                    set(entry, "enabled", false.into());
                }
            }
        }
        let router = section(document, "router")?;
        set(router, "policy", word(POLICIES, self.policy).into());
        if let Some(agreement) = self.agreement {
            set(router, "consent", word(AGREEMENTS, agreement).into());
        }
        Ok(())
    }
}

impl Cloud {
    fn line(&self) -> String {
        let address = self.base_url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
        let key = match &self.key {
            KeyPlan::Keep => "key as it is".to_owned(),
            KeyPlan::None => "no key".to_owned(),
            KeyPlan::Variable(variable) => format!("key from the variable {variable}"),
            KeyPlan::Typed(_) => "the key you typed, in this file".to_owned(),
            KeyPlan::Command(words) => format!("key from the command {}", words.join(" ")),
        };
        format!("cloud {}{address}: {}, {key}", self.name, self.model)
    }

    fn entry(&self) -> Table {
        let mut entry = Table::new();
        set(&mut entry, "type", self.row.word.into());
        if self.name != self.row.word {
            set(&mut entry, "name", self.name.as_str().into());
        }
        set(&mut entry, "model", self.model.as_str().into());
        self.put_into(&mut entry);
        entry
    }

    fn put_into(&self, entry: &mut Table) {
        // An entry without a model follows what finch holds for the best, until another one is wanted.
        if entry.get("model").and_then(Item::as_str).or(self.row.model) != Some(self.model.as_str()) {
            set(entry, "model", self.model.as_str().into());
        }
        if let Some(url) = &self.base_url {
            set(entry, "base_url", url.as_str().into());
        }
        if entry.get("enabled").and_then(Item::as_bool) == Some(false) {
            set(entry, "enabled", true.into());
        }
        let (kept, value): (&str, Option<Value>) = match &self.key {
            KeyPlan::Keep => return,
            KeyPlan::None => ("", None),
            KeyPlan::Variable(variable) => ("api_key_env", Some(variable.as_str().into())),
            KeyPlan::Typed(Typed(key)) => ("api_key", Some(key.as_str().into())),
            KeyPlan::Command(words) => {
                ("api_key_cmd", Some(words.iter().map(String::as_str).collect::<Array>().into()))
            }
        };
        for key in ["api_key", "api_key_env", "api_key_cmd"] {
            if key != kept {
                entry.remove(key);
            }
        }
        if let Some(value) = value {
            set(entry, kept, value);
        }
    }
}

/// The section of that name, which is made if it is not there.
fn section<'a>(document: &'a mut DocumentMut, key: &'static str) -> Result<&'a mut dyn TableLike, Misshapen> {
    let item = document.entry(key).or_insert(toml_edit::table());
    item.as_table_like_mut().ok_or(Misshapen { key, should: "table" })
}

/// The entries of providers, each with a head of its own.
fn tables(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, Misshapen> {
    const KEY: &str = "providers";
    let misshapen = Misshapen { key: KEY, should: "list of tables" };
    let item = document.entry(KEY).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if !item.is_array_of_tables() {
        *item = match std::mem::take(item).into_array_of_tables() {
            Ok(tables) => Item::ArrayOfTables(tables),
            Err(_) => return Err(misshapen),
        };
    }
    item.as_array_of_tables_mut().ok_or(misshapen)
}

/// The entry of that name.
fn entry<'a>(tables: &'a mut ArrayOfTables, called: &str) -> Option<&'a mut Table> {
    let place = tables.iter().position(|entry| name(entry).as_deref() == Some(called))?;
    tables.get_mut(place)
}

/// Gives a key this value, and leaves the key, its comments and its place alone; an equal value is left alone too.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if is_same(old, &value) => {}
        Some(old) => {
            value.decor_mut().clone_from(old.decor());
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn is_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::String(old), Value::String(new)) => old.value() == new.value(),
        (Value::Boolean(old), Value::Boolean(new)) => old.value() == new.value(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
