//! finch's own messages, and the standard ones that finch describes itself, against `schemas/lsp`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::Side;

/// Messages of the server, and what the client must have said that it knows.
const OF_THE_SERVER: [(&str, Option<&str>); 7] = [
    ("finch/status", None),
    ("finch/turnEvent", Some("turnEvents")),
    ("finch/restart", Some("restart")),
    ("finch/approve", Some("approve")),
    ("finch/askUser", Some("askUser")),
    ("finch/save", Some("save")),
    ("finch/diagnostics", Some("diagnostics")),
];

/// The schemas of the arguments of commands; those of others are named like the command.
const ARGUMENTS: [(&str, &str); 13] = [
    ("finch.approve", "finch.approvePlan"),
    ("finch.stop", "finch.someTurn"),
    ("finch.undoTurn", "finch.someTurn"),
    ("finch.resume", "finch.turn"),
    ("finch.explain", "finch.place"),
    ("finch.test", "finch.place"),
    ("finch.document", "finch.place"),
    ("finch.acceptHunk", "finch.hunk"),
    ("finch.rejectHunk", "finch.hunk"),
    ("finch.acceptFile", "finch.file"),
    ("finch.rejectFile", "finch.file"),
    ("finch.acceptAll", "finch.all"),
    ("finch.rejectAll", "finch.all"),
];

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

    /// What is wrong with one side's sending a message of finch's own. `finch/status` is a request of the client and a
    /// notification of the server.
    pub(super) fn direction(from: Side, method: &str, shape: Shape, client: &Value) -> Option<String> {
        let of_the_server = OF_THE_SERVER.iter().find(|(name, _)| *name == method);
        let asks_for_status = method == "finch/status" && shape == Shape::Request;
        match (from, of_the_server) {
            (Side::Server, Some((_, ability))) if !asks_for_status => {
                let ability = (*ability)?;
                (client[ability] != true).then(|| format!("{method} without the client's {ability}"))
            }
            (Side::Client, None) => None,
            (Side::Client, Some(_)) if asks_for_status => None,
            (from, _) => Some(format!("{method} is not the {from:?}'s")),
        }
    }

    /// What is wrong with the argument of a command, if finch describes it.
    pub(super) fn argument(&self, command: &str, argument: &Value) -> Option<String> {
        let listed = ARGUMENTS.iter().find(|(name, _)| *name == command).map(|(_, schema)| (*schema).to_owned());
        let of_its_name = || [command.to_owned(), format!("{command}.params")].into_iter().find(|name| self.has(name));
        let schema = self.schemas.get(&listed.or_else(of_its_name)?)?;
        fault(schema, argument).map(|fault| format!("{command}: the params {fault}"))
    }

    /// What is wrong with what a command gives back, if finch describes it.
    pub(super) fn given_back(&self, command: &str, result: &Value) -> Option<String> {
        if ARGUMENTS.iter().any(|(name, _)| *name == command) {
            // The name of a turn, or nothing.
            let fits = result.is_null() || result["turn"].is_string();
            return (!fits).then(|| format!("{command}: the result {result} names no turn"));
        }
        let schema = self.schemas.get(&format!("{command}.result"))?;
        fault(schema, result).map(|fault| format!("{command}: the result {fault}"))
    }

    fn has(&self, name: &str) -> bool {
        self.schemas.contains_key(name)
    }

    /// What is wrong with the parameters of a notification of finch's own.
    pub(super) fn notification(&self, method: &str, params: &Value) -> Option<String> {
        // It says what the command that stops a turn says.
        let name = if method == "finch/turnCancel" { "finch.turn".to_owned() } else { name(method) };
        match self.schemas.get(&name) {
            Some(schema) => fault(schema, params).map(|fault| format!("{method}: the params {fault}")),
            None => Some(format!("{method} has no schema")),
        }
    }

    /// What is wrong with the parameters of a request, if finch describes them.
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

/// Whether a message waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Request,
    Notification,
}

/// `finch/didShow` is described by `finch.didShow`, `textDocument/inlineCompletion` by `inlineCompletion`.
fn name(method: &str) -> String {
    method.trim_start_matches("textDocument/").replace('/', ".")
}

fn fault(schema: &jsonschema::Validator, value: &Value) -> Option<String> {
    schema.iter_errors(value).next().map(|error| format!("at {:?}: {error}", error.instance_path().to_string()))
}
