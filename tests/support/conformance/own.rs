//! finch's own messages, and the standard ones that finch describes itself, against `schemas/lsp`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

/// The schemas by the name of their file, without its ending.
pub(super) struct OwnMessages {
    schemas: HashMap<String, jsonschema::Validator>,
}

impl OwnMessages {
    pub(super) fn load() -> OwnMessages {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/lsp");
        let files = std::fs::read_dir(&folder).expect("schemas/lsp");
        let read = |path: &Path| {
            let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
            jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let schemas = files.map(|file| {
            let path = file.expect("a file").path();
            (path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned(), read(&path))
        });
        OwnMessages { schemas: schemas.collect() }
    }

    pub(super) fn is_own(method: &str) -> bool {
        method.starts_with("finch/")
    }

    /// Whether it is a notification to the client.
    pub(super) fn is_told_by_the_server(method: &str) -> bool {
        matches!(method, "finch/status" | "finch/turnEvent" | "finch/restart")
    }

    /// Whether it is a request to the client.
    pub(super) fn is_asked_by_the_server(method: &str) -> bool {
        matches!(method, "finch/approve" | "finch/askUser" | "finch/save" | "finch/diagnostics")
    }

    /// What is wrong with the parameters of a notification of finch's own.
    pub(super) fn notification(&self, method: &str, params: &Value) -> Option<String> {
        match self.schemas.get(&name(method)) {
            Some(schema) => fault(schema, params).map(|fault| format!("{method}: the params {fault}")),
            None => Some(format!("{method} has no schema")),
        }
    }

    /// What is wrong with the parameters of a request, or with the argument of a command, if finch describes them.
    pub(super) fn params(&self, method: &str, params: &Value) -> Option<String> {
        let schema = self.schemas.get(&format!("{}.params", name(method)))?;
        fault(schema, params).map(|fault| format!("{method}: the params {fault}"))
    }

    /// What is wrong with the result of a request, if finch has a schema for it.
    pub(super) fn result(&self, method: &str, result: &Value) -> Option<String> {
        let name = name(method);
        // A request without parameters of its own shares its schema with the notification of that name.
        let alone = self.schemas.get(&name).filter(|_| OwnMessages::is_own(method));
        match self.schemas.get(&format!("{name}.result")).or(alone) {
            Some(schema) => fault(schema, result).map(|fault| format!("{method}: the result {fault}")),
            None => OwnMessages::is_own(method).then(|| format!("{method} has no schema")),
        }
    }
}

/// `finch/didShow` is described by `finch.didShow`, `textDocument/inlineCompletion` by `inlineCompletion`.
fn name(method: &str) -> String {
    method.trim_start_matches("textDocument/").replace('/', ".")
}

fn fault(schema: &jsonschema::Validator, value: &Value) -> Option<String> {
    schema.iter_errors(value).next().map(|error| format!("at {:?}: {error}", error.instance_path().to_string()))
}
