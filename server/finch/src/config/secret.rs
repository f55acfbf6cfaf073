//! Texts of the file that may be secret: they become keys when they are read, and no message or log shows them.

use std::borrow::Cow;
use std::fmt;

use finch_llm::cloud::{BadKey, Key};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A secret in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Key);

/// A value of a header in the file: a secret in which spaces may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderSecret(pub(crate) Key);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader(Key::new)).map(Self)
    }
}

impl<'de> Deserialize<'de> for HeaderSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader(Key::header_value)).map(Self)
    }
}

/// Reads a text by what makes a key of it.
struct Reader(fn(&str) -> Result<Key, BadKey>);

impl Visitor<'_> for Reader {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        self.0(text).map_err(E::custom)
    }

    // What stands there may be the secret without its quotes.
    fn visit_i64<E: Error>(self, _: i64) -> Result<Key, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Key, E> {
        self.visit_i64(0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Key, E> {
        self.visit_i64(0)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Never shown." })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for HeaderSecret {
    fn schema_name() -> Cow<'static, str> {
        Secret::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Secret::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}
