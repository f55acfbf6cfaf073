//! Keys in the file that no setting has, with the nearest one that exists.

use serde_json::Value;

use super::Config;

/// Something in the file that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    key: String,
    nearest: Option<String>,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown key `{}` has no effect", self.key)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// A name this like another one is probably a typing error.
const LIKENESS_MIN: f64 = 0.75;

pub(super) fn unknown_keys(table: &toml::Table) -> Vec<Warning> {
    let schema = Config::schema();
    let mut warnings = Vec::new();
    for (section, content) in table {
        let Some(known) = keys(&schema, &schema["properties"][section]) else {
            warnings.push(unknown("", section, names(&schema["properties"])));
            continue;
        };
        let Some(content) = content.as_table() else { continue };
        for key in content.keys().filter(|key| !known.contains(key)) {
            warnings.push(unknown(&format!("{section}."), key, known.clone()));
        }
    }
    warnings
}

/// The keys of a section, which the schema names by reference.
fn keys(schema: &Value, section: &Value) -> Option<Vec<String>> {
    let name = section["$ref"].as_str()?.strip_prefix("#/$defs/")?;
    Some(names(&schema["$defs"][name]["properties"]))
}

fn names(properties: &Value) -> Vec<String> {
    properties.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
}

fn unknown(section: &str, key: &str, known: Vec<String>) -> Warning {
    let likeness = |name: &String| strsim::jaro_winkler(name, key);
    let nearest = known
        .into_iter()
        .filter(|name| likeness(name) >= LIKENESS_MIN)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(|name| format!("{section}{name}"));
    Warning { key: format!("{section}{key}"), nearest }
}
