//! The clouds that can be chosen: those in the file by their names, then every kind that has no entry under its own name.

use std::collections::BTreeSet;

use finch_llm::cloud::Service;

use super::super::existing::{Configured, ConfiguredKey, Existing};
use super::super::plan::Typed;
use super::checks::Checked;
use super::{Item, Kind};
use crate::services::{SERVICES, ServiceRow};

/// A cloud that can be chosen, with what was answered about it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) row: &'static ServiceRow,
    pub(super) name: String,
    /// It is in the file and not switched off.
    pub(super) was_asked: bool,
    pub(super) is_chosen: bool,
    /// Plain http is allowed in the file.
    pub(super) allows_http: bool,
    pub(super) address: Option<String>,
    /// The ways to its key, in the order they are offered.
    pub(super) keys: Vec<KeyWay>,
    pub(super) key: KeyWay,
    pub(super) typed: Option<Typed>,
    pub(super) command: Option<String>,
    pub(super) model: Option<String>,
    pub(super) checked: Option<Checked>,
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyWay {
    /// Where the file says.
    Keep,
    Variable(String),
    Type,
    Command,
    None,
}

/// Everything that is offered.
pub(super) fn all(existing: &Existing, variables: &BTreeSet<String>) -> Vec<Offer> {
    let mut offers: Vec<Offer> = existing.clouds.iter().map(|cloud| configured(cloud, variables)).collect();
    for row in SERVICES {
        let is_taken = |name: &str| existing.clouds.iter().any(|cloud| cloud.name.eq_ignore_ascii_case(name));
        let name = match row.service {
            // There may be any number of these.
            Service::Compatible => (2..).map(|number| format!("{}-{number}", row.word)).find(|name| !is_taken(name)),
            _ => None,
        };
        match (is_taken(row.word), name) {
            (false, _) => offers.push(fresh(row, row.word.to_owned(), variables)),
            (true, Some(name)) => offers.push(fresh(row, name, variables)),
            (true, None) => {}
        }
    }
    offers
}

fn fresh(row: &'static ServiceRow, name: String, variables: &BTreeSet<String>) -> Offer {
    let keys = ways(row, &ConfiguredKey::None, variables);
    Offer {
        row,
        name,
        was_asked: false,
        is_chosen: false,
        allows_http: false,
        address: None,
        key: keys[0].clone(),
        keys,
        typed: None,
        command: None,
        model: row.model.map(str::to_owned),
        checked: None,
    }
}

fn configured(cloud: &Configured, variables: &BTreeSet<String>) -> Offer {
    let keys = ways(cloud.row, &cloud.key, variables);
    Offer {
        was_asked: cloud.is_enabled,
        is_chosen: cloud.is_enabled,
        allows_http: cloud.allows_http,
        address: cloud.base_url.clone(),
        key: keys[0].clone(),
        keys,
        model: cloud.model.clone().or_else(|| cloud.row.model.map(str::to_owned)),
        ..fresh(cloud.row, cloud.name.clone(), variables)
    }
}

/// The ways to a key, the likeliest first. There is always one.
fn ways(row: &ServiceRow, configured: &ConfiguredKey, variables: &BTreeSet<String>) -> Vec<KeyWay> {
    let mut ways = Vec::new();
    if *configured != ConfiguredKey::None {
        ways.push(KeyWay::Keep);
    }
    let set = row.key_variables.iter().filter(|name| variables.contains(**name));
    let others = set.filter(|name| *configured != ConfiguredKey::Variable((**name).to_owned()));
    ways.extend(others.map(|name| KeyWay::Variable((*name).to_owned())));
    if row.service == Service::Compatible {
        ways.push(KeyWay::None);
    }
    ways.extend([KeyWay::Type, KeyWay::Command]);
    ways
}

impl Offer {
    pub(super) fn item(&self) -> Item {
        let hint = if self.was_asked { "configured" } else { "" };
        let label = if self.name == self.row.word {
            self.row.label.to_owned()
        } else {
            format!("{} ({})", self.name, self.row.label)
        };
        Item { label, hint: hint.to_owned() }
    }

    pub(super) fn key_items(&self) -> Kind {
        let item = |way: &KeyWay| {
            let (label, hint) = match way {
                KeyWay::Keep => ("Where it is now".to_owned(), "config.toml says where"),
                KeyWay::Variable(name) => (format!("In the variable {name}"), "your editor must see it too"),
                KeyWay::Type => ("I type or paste it".to_owned(), "it is written into config.toml, for you alone"),
                KeyWay::Command => ("A command prints it".to_owned(), "such as: pass show cloud"),
                KeyWay::None => ("It needs none".to_owned(), ""),
            };
            Item { label, hint: hint.to_owned() }
        };
        let initial = self.keys.iter().position(|way| *way == self.key).unwrap_or(0);
        Kind::One { items: self.keys.iter().map(item).collect(), initial }
    }
}
