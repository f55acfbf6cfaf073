//! What `initialize` says about the client.
//!
//! Pure. Read from the raw parameters: the protocol library's types lack what 3.18 added, and refuse the whole
//! session for one odd field in a part nobody reads. Whatever is missing or odd here takes its default.

use finch_text::PositionEncoding;
use serde_json::Value;

use crate::limits::FOLDERS_MAX;

/// The client, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClientFacts {
    /// Such as `Neovim` or `Visual Studio Code`; empty if it did not say.
    pub(crate) name: String,
    pub(crate) process_id: Option<u32>,
    pub(crate) encoding: PositionEncoding,
    pub(crate) knows_inline_completion: bool,
    pub(crate) shows_progress: bool,
    /// `window/showDocument`.
    pub(crate) shows_documents: bool,
    /// Code actions that are more than a command.
    pub(crate) takes_actions: bool,
    /// `workspace/codeLens/refresh`.
    pub(crate) refreshes_lenses: bool,
    pub(crate) edits: EditFacts,
    /// What it knows of finch's own messages.
    pub(crate) own: OwnFacts,
    /// The first folder that is open, as a URI.
    pub(crate) root: Option<String>,
    /// All of them.
    pub(crate) folders: Vec<String>,
    /// The `finch` part of `initializationOptions`, or all of it.
    pub(crate) settings: Option<Value>,
}

/// Which edits of the workspace it can make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EditFacts {
    /// Edits with the versions that they are against.
    pub(crate) versions: bool,
    pub(crate) annotations: bool,
    pub(crate) create: bool,
    pub(crate) rename: bool,
    pub(crate) delete: bool,
}

/// Messages of finch's own that it answers or takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OwnFacts {
    pub(crate) approve: bool,
    pub(crate) turn_events: bool,
    pub(crate) save: bool,
    pub(crate) restart: bool,
    pub(crate) diagnostics: bool,
    pub(crate) ask_user: bool,
}

impl EditFacts {
    fn read(params: &Value) -> Self {
        let base = params.pointer("/capabilities/workspace/workspaceEdit");
        let at = |path: &str| base.and_then(|base| base.pointer(path));
        let operations = at("/resourceOperations").and_then(Value::as_array);
        let can = |kind: &str| operations.is_some_and(|all| all.iter().any(|one| one == kind));
        Self {
            versions: at("/documentChanges").and_then(Value::as_bool) == Some(true),
            annotations: at("/changeAnnotationSupport").is_some_and(Value::is_object),
            create: can("create"),
            rename: can("rename"),
            delete: can("delete"),
        }
    }
}

impl OwnFacts {
    fn read(params: &Value) -> Self {
        let options = params.get("initializationOptions");
        let section = options.map(|options| options.get("finch").unwrap_or(options));
        let client = section.and_then(|section| section.get("client"));
        let can = |name: &str| client.and_then(|client| client.get(name)).and_then(Value::as_bool) == Some(true);
        Self {
            approve: can("approve"),
            turn_events: can("turnEvents"),
            save: can("save"),
            restart: can("restart"),
            diagnostics: can("diagnostics"),
            ask_user: can("askUser"),
        }
    }
}

impl ClientFacts {
    pub(crate) fn read(params: &Value) -> Self {
        let encodings = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let knows_utf8 = encodings.is_some_and(|all| all.iter().any(|encoding| encoding == "utf-8"));
        let capability = |path: &str| params.pointer(path).filter(|value| !value.is_null());
        let is_true = |path: &str| capability(path).and_then(Value::as_bool) == Some(true);
        let folders = params.get("workspaceFolders").and_then(Value::as_array).into_iter().flatten();
        let folders = folders.filter_map(|folder| folder.get("uri")?.as_str().map(str::to_owned));
        let name = params.pointer("/clientInfo/name").and_then(Value::as_str).unwrap_or_default();
        Self {
            name: name.to_owned(),
            process_id: params.get("processId").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok()),
            encoding: if knows_utf8 { PositionEncoding::Utf8 } else { PositionEncoding::Utf16 },
            knows_inline_completion: capability("/capabilities/textDocument/inlineCompletion").is_some(),
            shows_progress: is_true("/capabilities/window/workDoneProgress"),
            shows_documents: is_true("/capabilities/window/showDocument/support"),
            takes_actions: capability("/capabilities/textDocument/codeAction/codeActionLiteralSupport").is_some(),
            refreshes_lenses: is_true("/capabilities/workspace/codeLens/refreshSupport"),
            edits: EditFacts::read(params),
            own: OwnFacts::read(params),
            root: params
                .pointer("/workspaceFolders/0/uri")
                .or_else(|| params.get("rootUri"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            folders: folders.take(FOLDERS_MAX).collect(),
            settings: params
                .get("initializationOptions")
                .map(|options| options.get("finch").unwrap_or(options).clone()),
        }
    }
}

impl Default for ClientFacts {
    fn default() -> Self {
        Self::read(&Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_may_be_missing() {
        let facts = ClientFacts::default();
        assert_eq!(ClientFacts::read(&json!({"capabilities": {}})), facts);
        assert_eq!(ClientFacts::read(&json!([1, 2])), facts);
        assert_eq!((facts.encoding, facts.shows_progress), (PositionEncoding::Utf16, false));
    }

    #[test]
    fn odd_values_are_as_good_as_missing_ones() {
        let odd = json!({
            "processId": -1,
            "clientInfo": "me",
            "rootUri": 7,
            "capabilities": {
                "general": {"positionEncodings": "utf-8"},
                "textDocument": {"inlineCompletion": null},
                "window": {"workDoneProgress": "yes"},
            },
        });
        assert_eq!(ClientFacts::read(&odd), ClientFacts::default());
    }

    #[test]
    fn what_the_client_says_is_taken() {
        let facts = ClientFacts::read(&json!({
            "processId": 42,
            "clientInfo": {"name": "Neovim", "version": "0.12.4"},
            "rootUri": "file:///other",
            "workspaceFolders": [{"uri": "file:///w", "name": "w"}, {"uri": "file:///v"}, 7],
            "initializationOptions": {"finch": {"client": {"approve": true, "turnEvents": true, "askUser": true}}},
            "capabilities": {
                "general": {"positionEncodings": ["utf-16", "utf-8"]},
                "textDocument": {"inlineCompletion": {}, "codeAction": {"codeActionLiteralSupport": {}}},
                "window": {"workDoneProgress": true, "showDocument": {"support": true}},
                "workspace": {
                    "codeLens": {"refreshSupport": true},
                    "workspaceEdit": {
                        "documentChanges": true,
                        "changeAnnotationSupport": {},
                        "resourceOperations": ["create", "delete"],
                    },
                },
            },
        }));
        let expected = ClientFacts {
            name: "Neovim".to_owned(),
            process_id: Some(42),
            encoding: PositionEncoding::Utf8,
            knows_inline_completion: true,
            shows_progress: true,
            shows_documents: true,
            takes_actions: true,
            refreshes_lenses: true,
            edits: EditFacts { versions: true, annotations: true, create: true, rename: false, delete: true },
            own: OwnFacts { approve: true, turn_events: true, ask_user: true, ..OwnFacts::default() },
            root: Some("file:///w".to_owned()),
            folders: vec!["file:///w".to_owned(), "file:///v".to_owned()],
            settings: Some(json!({"client": {"approve": true, "turnEvents": true, "askUser": true}})),
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn settings_may_stand_without_their_section() {
        let facts = ClientFacts::read(&json!({"initializationOptions": {"enable": true}}));
        assert_eq!(facts.settings, Some(json!({"enable": true})));
    }
}
