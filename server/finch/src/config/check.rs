//! A walk over a file along its schema: words in any case become the words of the schema, and a key that no setting has
//! is a warning with the nearest one that exists.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Page, Problem};

/// A name this like another one is probably a typing error.
const LIKENESS_MIN: f64 = 0.75;

/// Settles the words of a whole file, and tells the keys without effect.
pub(super) fn walk(root: &mut DeTable<'_>, schema: &Value, page: Page<'_>) -> Vec<Problem> {
    let mut walk = Walk { schema, page, warnings: Vec::new() };
    walk.table(root, &schema["properties"], "");
    walk.warnings
}

/// The same for an entry of `[[providers]]`, which is called `label`.
pub(super) fn walk_entry(
    entry: &mut Spanned<DeValue<'_>>,
    schema: &Value,
    label: &str,
    page: Page<'_>,
) -> Vec<Problem> {
    let mut walk = Walk { schema, page, warnings: Vec::new() };
    walk.value(entry, &schema["properties"]["providers"]["items"], label);
    walk.warnings
}

struct Walk<'a> {
    schema: &'a Value,
    page: Page<'a>,
    warnings: Vec<Problem>,
}

impl<'a> Walk<'a> {
    /// `section` ends with a dot if it is not empty.
    fn table(&mut self, table: &mut DeTable<'_>, properties: &'a Value, section: &str) {
        for (key, content) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            match properties.get(name) {
                Some(property) => self.value(content, property, &format!("{section}{name}")),
                None => self.warnings.push(self.page.problem(&key.span(), &unknown(section, name, properties))),
            }
        }
    }

    fn value(&mut self, content: &mut Spanned<DeValue<'_>>, property: &'a Value, place: &str) {
        let shape = self.shape(property);
        match content.get_mut() {
            DeValue::Table(table) => {
                if let Some(properties) = shape.get("properties") {
                    self.table(table, properties, &format!("{place}."));
                }
            }
            DeValue::Array(array) => {
                for (index, item) in array.iter_mut().enumerate() {
                    self.value(item, &shape["items"], &format!("{place}[{index}]"));
                }
            }
            DeValue::String(word) => {
                if let Some(right) = words(shape).map(|words| settled(word, &words)) {
                    *word = right.into();
                }
            }
            _ => {}
        }
    }

    /// What a property is, where the schema says it by reference or as one of two, the other being nothing.
    fn shape(&self, property: &'a Value) -> &'a Value {
        let property = property["anyOf"].get(0).unwrap_or(property);
        match property["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            Some(name) => &self.schema["$defs"][name],
            None => property,
        }
    }
}

/// The words that a text may be, if it may not be any.
fn words(shape: &Value) -> Option<Vec<&str>> {
    if let Some(words) = shape["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let choices = shape["oneOf"].as_array()?;
    let mut words = Vec::new();
    for choice in choices {
        words.extend(choice["const"].as_str());
        words.extend(choice["enum"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    Some(words)
}

/// The word that is meant: case, spaces, hyphens and underscores do not count.
fn settled(word: &str, words: &[&str]) -> String {
    let bare =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let wanted = bare(word);
    let found = words.iter().find(|known| bare(known) == wanted).map(|known| (*known).to_owned());
    // Other names of the same thing are written in small letters too.
    found.unwrap_or_else(|| word.to_lowercase())
}

fn unknown(section: &str, key: &str, properties: &Value) -> String {
    let likeness = |name: &&String| strsim::jaro_winkler(name, key);
    let nearest = properties
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
        .filter(|name| likeness(name) >= LIKENESS_MIN)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let said = format!("unknown key `{section}{key}` has no effect");
    nearest.map_or_else(|| said.clone(), |nearest| format!("{said}; did you mean `{section}{nearest}`?"))
}
