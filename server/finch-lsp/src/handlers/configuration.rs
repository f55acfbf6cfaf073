//! `workspace/didChangeConfiguration` and `initializationOptions`: the user's settings, from the editor.
//!
//! A key that nobody reads is said out loud. A value that makes no sense has no effect, and the rest does.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use finch_complete::Options;
use serde_json::Value;
use tower_lsp::lsp_types::DidChangeConfigurationParams;

use crate::serve::Settings;
use crate::session::Session;
use crate::wire::settings::{CompletionSettings, ContextSettings};

/// Keys of the section that belong to clients, not to the server.
const CLIENT_KEYS: [&str; 2] = ["trace", "client"];
const COMPLETION_KEYS: &str =
    "enabled, prompt_tokens_max, suffix_tokens_max, tokens_max, deadline_ms, ahead and context";
const CONTEXT_KEYS: &str = "path, definitions, recent, edits and diagnostics";

pub(crate) fn did_change_configuration(session: &mut Session, params: DidChangeConfigurationParams) {
    // Clients that have nothing to say send an empty object or null.
    if let Some(section) = params.settings.get("finch") {
        apply(session, section);
    }
}

/// Takes over the settings in the `finch` section.
pub(crate) fn apply(session: &mut Session, section: &Value) {
    let (found, warnings) = read(section);
    for warning in warnings {
        session.log.warn(warning);
    }
    if found == CompletionSettings::default() {
        return;
    }
    lay_over(&mut session.chosen, found);
    settle(session);
}

/// Takes over what the user's files say; what the editor has set goes before it.
pub(crate) fn reconfigure(session: &mut Session, options: Options, settings: Settings) {
    session.files = (options, settings);
    settle(session);
}

/// What the editor sets now over what it has set before.
fn lay_over(chosen: &mut CompletionSettings, found: CompletionSettings) {
    let context = match (found.context, chosen.context.take()) {
        (Some(new), Some(old)) => Some(ContextSettings {
            path: new.path.or(old.path),
            definitions: new.definitions.or(old.definitions),
            recent: new.recent.or(old.recent),
            edits: new.edits.or(old.edits),
            diagnostics: new.diagnostics.or(old.diagnostics),
        }),
        (new, old) => new.or(old),
    };
    *chosen = CompletionSettings {
        enabled: found.enabled.or(chosen.enabled),
        prompt_tokens_max: found.prompt_tokens_max.or(chosen.prompt_tokens_max),
        suffix_tokens_max: found.suffix_tokens_max.or(chosen.suffix_tokens_max),
        tokens_max: found.tokens_max.or(chosen.tokens_max),
        deadline_ms: found.deadline_ms.or(chosen.deadline_ms),
        ahead: found.ahead.or(chosen.ahead),
        context,
    };
}

/// Makes what is set hold. Answers under way are given up.
fn settle(session: &mut Session) {
    session.asks.stop();
    let (mut options, mut settings) = session.files.clone();
    let chosen = &session.chosen;
    settings.enabled = chosen.enabled.unwrap_or(settings.enabled);
    let take = |place: &mut usize, value: Option<u32>| {
        if let Some(value) = value {
            *place = usize::try_from(value).unwrap_or(usize::MAX);
        }
    };
    take(&mut options.prompt_tokens_max, chosen.prompt_tokens_max);
    take(&mut options.suffix_tokens_max, chosen.suffix_tokens_max);
    take(&mut options.tokens_max, chosen.tokens_max);
    if let Some(context) = &chosen.context {
        let sources = &mut options.context;
        for (place, value) in [
            (&mut sources.path, context.path),
            (&mut sources.definitions, context.definitions),
            (&mut sources.recent, context.recent),
            (&mut sources.edits, context.edits),
            (&mut sources.diagnostics, context.diagnostics),
        ] {
            *place = value.unwrap_or(*place);
        }
    }
    options.deadline = chosen.deadline_ms.map_or(options.deadline, |ms| Duration::from_millis(ms.into()));
    options.ahead = chosen.ahead.unwrap_or(options.ahead);
    session.completer = Arc::new(session.completer.reconfigured(options.clone()));
    (session.options, session.settings) = (options, settings);
}

/// The settings that make sense, and a sentence about each of the others.
fn read(section: &Value) -> (CompletionSettings, Vec<String>) {
    let mut found = CompletionSettings::default();
    let mut warnings = Vec::new();
    for (key, value) in entries(section, "finch", &mut warnings) {
        match key.as_str() {
            "completion" => {
                for (key, value) in entries(&value, "finch.completion", &mut warnings) {
                    if key == "context" {
                        found.context = Some(context(&value, &mut warnings));
                    } else {
                        warnings.extend(set(&mut found, &key, &value).err());
                    }
                }
            }
            client if CLIENT_KEYS.contains(&client) => {}
            unknown => warnings.push(format!("unknown key finch.{unknown} has no effect; there is finch.completion")),
        }
    }
    (found, warnings)
}

/// The members of an object that are set at all.
fn entries(value: &Value, name: &str, warnings: &mut Vec<String>) -> Vec<(String, Value)> {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            warnings.push(format!("{name} is not an object; it has no effect"));
            Vec::new()
        }
    }
}

fn set(found: &mut CompletionSettings, key: &str, value: &Value) -> Result<(), String> {
    match key {
        "enabled" => found.enabled = Some(flag(key, value)?),
        "ahead" => found.ahead = Some(flag(key, value)?),
        "prompt_tokens_max" => found.prompt_tokens_max = Some(number(key, value, 16..=65_536)?),
        "suffix_tokens_max" => found.suffix_tokens_max = Some(number(key, value, 0..=16_384)?),
        "tokens_max" => found.tokens_max = Some(number(key, value, 1..=1_024)?),
        "deadline_ms" => found.deadline_ms = Some(number(key, value, 1..=60_000)?),
        "exclude" => return Err("finch.completion.exclude is set in config.toml; here it has no effect".to_owned()),
        unknown => {
            let known = COMPLETION_KEYS;
            return Err(format!("unknown key finch.completion.{unknown} has no effect; there are {known}"));
        }
    }
    Ok(())
}

fn context(value: &Value, warnings: &mut Vec<String>) -> ContextSettings {
    let mut found = ContextSettings::default();
    for (key, value) in entries(value, "finch.completion.context", warnings) {
        let place = match key.as_str() {
            "path" => &mut found.path,
            "definitions" => &mut found.definitions,
            "recent" => &mut found.recent,
            "edits" => &mut found.edits,
            "diagnostics" => &mut found.diagnostics,
            unknown => {
                let name = format!("finch.completion.context.{unknown}");
                warnings.push(format!("unknown key {name} has no effect; there are {CONTEXT_KEYS}"));
                continue;
            }
        };
        match value.as_bool() {
            Some(on) => *place = Some(on),
            None => {
                warnings.push(format!("finch.completion.context.{key} is not true or false; it has no effect"));
            }
        }
    }
    found
}

fn flag(key: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("finch.completion.{key} is not true or false; it has no effect"))
}

fn number(key: &str, value: &Value, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| bounds.contains(number)).ok_or_else(|| {
        let (low, high) = (bounds.start(), bounds.end());
        format!("finch.completion.{key} is {value}, and must be {low} to {high}; it has no effect")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(section: Value, found: CompletionSettings, warnings: &[&str]) {
        assert_eq!(read(&section), (found, warnings.iter().map(|&warning| warning.to_owned()).collect()));
    }

    #[test]
    fn known_keys_are_read_and_nulls_are_left_out() {
        let all = json!({"completion": {
            "enabled": false, "prompt_tokens_max": 100, "suffix_tokens_max": 0, "tokens_max": 9, "deadline_ms": 300,
            "context": {"path": true, "definitions": false, "recent": true, "edits": false, "diagnostics": false},
            "ahead": false,
        }});
        let found = CompletionSettings {
            enabled: Some(false),
            prompt_tokens_max: Some(100),
            suffix_tokens_max: Some(0),
            tokens_max: Some(9),
            deadline_ms: Some(300),
            ahead: Some(false),
            context: Some(ContextSettings {
                path: Some(true),
                definitions: Some(false),
                recent: Some(true),
                edits: Some(false),
                diagnostics: Some(false),
            }),
        };
        check(all, found, &[]);
        for nothing in [json!(null), json!({}), json!({"completion": null}), json!({"completion": {"enabled": null}})] {
            check(nothing, CompletionSettings::default(), &[]);
        }
        check(json!({"trace": {"server": "verbose"}}), CompletionSettings::default(), &[]);
    }

    #[test]
    fn what_has_no_effect_is_said_and_the_rest_counts() {
        let section =
            json!({"completion": {"tokens_max": 0, "enabled": true, "speed": 1, "exclude": []}, "model": "x"});
        let found = CompletionSettings { enabled: Some(true), ..CompletionSettings::default() };
        let warnings = [
            "finch.completion.tokens_max is 0, and must be 1 to 1024; it has no effect",
            "unknown key finch.completion.speed has no effect; there are enabled, prompt_tokens_max, \
             suffix_tokens_max, tokens_max, deadline_ms, ahead and context",
            "finch.completion.exclude is set in config.toml; here it has no effect",
            "unknown key finch.model has no effect; there is finch.completion",
        ];
        check(section, found, &warnings);
        check(json!(7), CompletionSettings::default(), &["finch is not an object; it has no effect"]);
        for odd in [json!(-1), json!(1.5), json!("9"), json!(99_999_999_999_u64)] {
            assert!(number("tokens_max", &odd, 1..=1024).is_err(), "{odd}");
        }
    }
}
