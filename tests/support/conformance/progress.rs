//! The life of a progress bar: its token is made known, then begin, reports, end, and nothing after it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model::{MetaModel, Strictness};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Known,
    Begun,
    Ended,
}

/// The tokens of a session, as JSON.
#[derive(Debug, Default)]
pub(super) struct Progress {
    stages: BTreeMap<String, Stage>,
}

impl Progress {
    /// The client allowed the server a bar.
    pub(super) fn create(&mut self, token: &Value) {
        self.stages.insert(token.to_string(), Stage::Known);
    }

    /// A request brought a token along, if it is one.
    pub(super) fn may_use(&mut self, token: &Value) {
        if !token.is_null() {
            self.create(token);
        }
    }

    /// What is wrong with one `$/progress`.
    pub(super) fn follow(&mut self, model: &MetaModel, params: &Value) -> Vec<String> {
        let (token, value) = (params["token"].to_string(), &params["value"]);
        let (shape, to) = match value["kind"].as_str() {
            Some("begin") => ("WorkDoneProgressBegin", Stage::Begun),
            Some("report") => ("WorkDoneProgressReport", Stage::Begun),
            Some("end") => ("WorkDoneProgressEnd", Stage::Ended),
            _ => return vec![format!("progress of no kind: {value}")],
        };
        let from = if shape == "WorkDoneProgressBegin" { Stage::Known } else { Stage::Begun };
        let mut found = Vec::new();
        if self.stages.get(&token) != Some(&from) {
            found.push(format!("{shape} for {token}, which is {:?}", self.stages.get(&token)));
        }
        self.stages.insert(token, to);
        if value["percentage"].as_u64().is_some_and(|percent| percent > 100) {
            found.push(format!("{} percent", value["percentage"]));
        }
        found.extend(model.named(shape, value, Strictness::Strict).err().map(|fault| format!("{shape}{fault}")));
        found
    }

    /// The bars that would stand for ever.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let begun = self.stages.iter().filter(|(_, stage)| **stage == Stage::Begun);
        begun.map(|(token, _)| format!("the progress {token} never ended")).collect()
    }
}
