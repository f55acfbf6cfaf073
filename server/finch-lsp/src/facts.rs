//! What `initialize` says about the client.
//!
//! Pure. Read from the raw parameters: the protocol library's types lack what 3.18 added, and refuse the whole
//! session for one odd field in a part nobody reads. Whatever is missing or odd here takes its default.

use finch_text::PositionEncoding;
use serde_json::Value;

/// The client, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClientFacts {
    /// Such as `Neovim` or `Visual Studio Code`; empty if it did not say.
    pub(crate) name: String,
    pub(crate) process_id: Option<u32>,
    pub(crate) encoding: PositionEncoding,
    pub(crate) knows_inline_completion: bool,
    pub(crate) shows_progress: bool,
    /// The first folder that is open, as a URI.
    pub(crate) root: Option<String>,
    /// The `finch` part of `initializationOptions`, or all of it.
    pub(crate) settings: Option<Value>,
}

impl ClientFacts {
    pub(crate) fn read(params: &Value) -> Self {
        let encodings = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let knows_utf8 = encodings.is_some_and(|all| all.iter().any(|encoding| encoding == "utf-8"));
        let capability = |path: &str| params.pointer(path).filter(|value| !value.is_null());
        let name = params.pointer("/clientInfo/name").and_then(Value::as_str).unwrap_or_default();
        Self {
            name: name.to_owned(),
            process_id: params.get("processId").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok()),
            encoding: if knows_utf8 { PositionEncoding::Utf8 } else { PositionEncoding::Utf16 },
            knows_inline_completion: capability("/capabilities/textDocument/inlineCompletion").is_some(),
            shows_progress: capability("/capabilities/window/workDoneProgress").and_then(Value::as_bool) == Some(true),
            root: params
                .pointer("/workspaceFolders/0/uri")
                .or_else(|| params.get("rootUri"))
                .and_then(Value::as_str)
                .map(str::to_owned),
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
            "workspaceFolders": [{"uri": "file:///w", "name": "w"}],
            "initializationOptions": {"finch": {"enable": false}},
            "capabilities": {
                "general": {"positionEncodings": ["utf-16", "utf-8"]},
                "textDocument": {"inlineCompletion": {}},
                "window": {"workDoneProgress": true},
            },
        }));
        let expected = ClientFacts {
            name: "Neovim".to_owned(),
            process_id: Some(42),
            encoding: PositionEncoding::Utf8,
            knows_inline_completion: true,
            shows_progress: true,
            root: Some("file:///w".to_owned()),
            settings: Some(json!({"enable": false})),
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn settings_may_stand_without_their_section() {
        let facts = ClientFacts::read(&json!({"initializationOptions": {"enable": true}}));
        assert_eq!(facts.settings, Some(json!({"enable": true})));
    }
}
