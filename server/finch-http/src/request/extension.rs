//! finch's own member of a request, `finch`: who asks, how urgent it is, what it is for, and what helps to answer.

use std::{collections::HashSet, path::Path, sync::Arc};

use finch_llm::{ClientId, Excerpt, InfillContext, Lane, Origin, Task};
use serde_json::Value;

use crate::{
    error::ApiError,
    limits::{
        CLIENT_CHARS_MAX, EXCERPTS_MAX, FILES_MAX, GRAMMAR_BYTES_MAX, PATH_BYTES_MAX, REFERENCE_BYTES_MAX,
        REFERENCES_MAX, TOKENS_MAX,
    },
    request::Fields,
    wire::{ContextWire, RequestExtension},
};

/// What stands in the member, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extension {
    /// Who asks, if the request says so.
    pub(crate) client: Option<ClientId>,
    pub(crate) lane: Lane,
    pub(crate) task: Option<Task>,
    pub(crate) workspace: Option<Arc<Path>>,
    pub(crate) files: Vec<String>,
    pub(crate) is_ahead: bool,
    pub(crate) references: Vec<Arc<str>>,
    pub(crate) context: Option<InfillContext>,
    pub(crate) prompt_tokens_max: Option<usize>,
    pub(crate) top_k: Option<usize>,
    pub(crate) unsure_below: f32,
    pub(crate) failed_calls: HashSet<String>,
    pub(crate) grammar: Option<String>,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            client: None,
            lane: Lane::Batch,
            task: None,
            workspace: None,
            files: Vec::new(),
            is_ahead: false,
            references: Vec::new(),
            context: None,
            prompt_tokens_max: None,
            top_k: None,
            unsure_below: 0.0,
            failed_calls: HashSet::new(),
            grammar: None,
        }
    }
}

impl Extension {
    /// Takes the member `finch` out of a request.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self, ApiError> {
        match fields.take("finch") {
            None => Ok(Self::default()),
            Some(value @ Value::Object(_)) => Self::read(value),
            Some(_) => Err(ApiError::invalid("finch", "has to be an object")),
        }
    }

    fn read(value: Value) -> Result<Self, ApiError> {
        let wire: RequestExtension =
            serde_json::from_value(value).map_err(|error| ApiError::invalid("finch", &error.to_string()))?;
        check(&wire)?;
        let mut bytes = 0;
        let fits = |text: &String| {
            bytes += text.len();
            bytes <= REFERENCE_BYTES_MAX
        };
        // References are hints: what is too much is left out.
        let references = wire.references.into_iter().take(REFERENCES_MAX).take_while(fits).map(Arc::from).collect();
        Ok(Self {
            client: wire.client.map(ClientId::new),
            lane: wire.lane.into(),
            task: wire.task.map(Into::into),
            workspace: wire.workspace.map(|path| Arc::from(Path::new(&path))),
            files: wire.files,
            is_ahead: wire.is_ahead,
            references,
            context: wire.context.map(context),
            prompt_tokens_max: wire.prompt_tokens_max,
            top_k: wire.top_k,
            unsure_below: wire.unsure_below,
            failed_calls: wire.failed_calls.into_iter().collect(),
            grammar: wire.grammar,
        })
    }

    /// Where the request comes from, by what was found for its model and by what it says itself.
    pub(crate) fn origin(&self, found: &Origin, task: Task) -> Origin {
        Origin {
            task,
            workspace: self.workspace.clone().or_else(|| found.workspace.clone()),
            files: if self.files.is_empty() { found.files.clone() } else { self.files.clone() },
            is_ahead: self.is_ahead || found.is_ahead,
            named: found.named.clone(),
        }
    }
}

fn check(wire: &RequestExtension) -> Result<(), ApiError> {
    let require = |is_fine: bool, name: &str, problem: String| {
        if is_fine { Ok(()) } else { Err(ApiError::invalid(format!("finch.{name}"), &problem)) }
    };
    let within = |number: Option<usize>| number.is_none_or(|number| (1..=TOKENS_MAX).contains(&number));
    let client = wire.client.as_deref().is_none_or(|client| (1..=CLIENT_CHARS_MAX).contains(&client.chars().count()));
    require(client, "client", format!("has to have 1 to {CLIENT_CHARS_MAX} characters"))?;
    let workspace = wire.workspace.as_deref();
    let is_absolute = workspace.is_none_or(|path| path.len() <= PATH_BYTES_MAX && Path::new(path).is_absolute());
    require(is_absolute, "workspace", format!("has to be an absolute path of {PATH_BYTES_MAX} bytes at most"))?;
    let files = wire.files.len() <= FILES_MAX && wire.files.iter().all(|file| file.len() <= PATH_BYTES_MAX);
    require(files, "files", format!("has to be {FILES_MAX} paths of {PATH_BYTES_MAX} bytes at most"))?;
    require(within(wire.prompt_tokens_max), "prompt_tokens_max", format!("has to be from 1 to {TOKENS_MAX}"))?;
    require(within(wire.top_k), "top_k", format!("has to be from 1 to {TOKENS_MAX}"))?;
    let unsure = (0.0..=1.0).contains(&wire.unsure_below);
    require(unsure, "unsure_below", "has to be from 0 to 1".to_owned())?;
    let grammar = wire.grammar.as_deref().is_none_or(|grammar| (1..=GRAMMAR_BYTES_MAX).contains(&grammar.len()));
    require(grammar, "grammar", format!("has to have 1 to {GRAMMAR_BYTES_MAX} bytes"))?;
    let excerpts = wire.context.as_ref().map_or(0, |context| context.excerpts.len());
    require(excerpts <= EXCERPTS_MAX, "context.excerpts", format!("has more than {EXCERPTS_MAX} excerpts"))
}

fn context(wire: ContextWire) -> InfillContext {
    InfillContext {
        repository: wire.repository,
        path: wire.path,
        excerpts: wire
            .excerpts
            .into_iter()
            .map(|excerpt| Excerpt { name: excerpt.name, text: excerpt.text.into(), is_foreign: excerpt.is_foreign })
            .collect(),
        tokens_max: wire.tokens_max.min(TOKENS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(finch: Value, param: &str) {
        let error = Extension::read(finch).unwrap_err();
        assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{}", error.message);
    }

    #[test]
    fn everything_it_may_say_is_heard() {
        let finch = json!({
            "client": "editor-1", "lane": "interactive", "task": "completion", "workspace": "/home/me/p",
            "files": ["a.rs"], "is_ahead": true, "references": ["text"], "prompt_tokens_max": 512, "top_k": 4,
            "unsure_below": 0.25, "failed_calls": ["c1"], "grammar": "start: \"a\"",
            "context": {"repository": "p", "path": "a.rs", "tokens_max": 99,
                "excerpts": [{"name": "b.rs", "text": "fn b() {}", "is_foreign": true}]},
        });
        let excerpt = Excerpt { name: "b.rs".to_owned(), text: "fn b() {}".into(), is_foreign: true };
        let expected = Extension {
            client: Some(ClientId::new("editor-1")),
            lane: Lane::Interactive,
            task: Some(Task::Completion),
            workspace: Some(Path::new("/home/me/p").into()),
            files: vec!["a.rs".to_owned()],
            is_ahead: true,
            references: vec!["text".into()],
            context: Some(InfillContext {
                repository: Some("p".to_owned()),
                path: Some("a.rs".to_owned()),
                excerpts: vec![excerpt],
                tokens_max: 99,
            }),
            prompt_tokens_max: Some(512),
            top_k: Some(4),
            unsure_below: 0.25,
            failed_calls: HashSet::from(["c1".to_owned()]),
            grammar: Some("start: \"a\"".to_owned()),
        };
        assert_eq!(Extension::read(finch).unwrap(), expected);
    }

    #[test]
    fn what_it_cannot_say_is_refused_by_name() {
        refused(json!({"lane": "fast"}), "finch");
        refused(json!({"clint": "x"}), "finch");
        refused(json!({"client": ""}), "finch.client");
        refused(json!({"client": "x".repeat(129)}), "finch.client");
        refused(json!({"workspace": "here"}), "finch.workspace");
        refused(json!({"top_k": 0}), "finch.top_k");
        refused(json!({"top_k": -1}), "finch");
        refused(json!({"unsure_below": 1.5}), "finch.unsure_below");
        refused(json!({"unsure_below": 1e300}), "finch.unsure_below");
        refused(json!({"prompt_tokens_max": 10_000_000}), "finch.prompt_tokens_max");
    }

    #[test]
    fn references_that_are_too_much_are_left_out() {
        let long = "x".repeat(REFERENCE_BYTES_MAX);
        let read = Extension::read(json!({"references": ["a", long, "b"]})).unwrap();
        assert_eq!(read.references, ["a".into()]);
    }
}
