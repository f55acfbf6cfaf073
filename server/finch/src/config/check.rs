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
    compare(table, &schema["properties"], "", &schema, &mut warnings);
    warnings
}

/// Keys of a table and of those inside it that have no properties; `section` ends with a dot if it is not empty.
fn compare(table: &toml::Table, properties: &Value, section: &str, schema: &Value, warnings: &mut Vec<Warning>) {
    let known = names(properties);
    for (key, content) in table {
        if !known.contains(key) {
            warnings.push(unknown(section, key, known.clone()));
        } else if let (Some(content), Some(inner)) = (content.as_table(), properties_of(schema, &properties[key])) {
            compare(content, inner, &format!("{section}{key}."), schema, warnings);
        }
    }
}

/// The keys of a section, which the schema names by reference.
fn properties_of<'a>(schema: &'a Value, section: &Value) -> Option<&'a Value> {
    let name = section["$ref"].as_str()?.strip_prefix("#/$defs/")?;
    schema["$defs"][name].get("properties")
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
