//! `finch/context`: what the editor knows around a document that the server cannot see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Surroundings {
    /// The document.
    pub uri: String,
    /// What is wrong in it, all of it; absent where nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Vec<Diagnostic>>,
    /// What the names near the cursor mean, all of them; absent where nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitions: Option<Vec<Definition>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// The line it begins on, from 0.
    pub line: u32,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    pub name: String,
    /// The document that defines it.
    pub uri: String,
    /// The definition, or the head of it.
    pub text: String,
}
