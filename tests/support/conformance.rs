//! Whether recorded traffic is what the Language Server Protocol 3.18 and `schemas/lsp` say: directions, shapes,
//! capabilities, answers to requests, the life of a progress bar.
//!
//! The shapes come from the protocol's own meta model, which is not part of this repository: `FINCH_LSP_METAMODEL`
//! names the file, else it is looked for in `../shared/lsp`. finch is held to every letter; editors may send more than
//! is written down, and null where something is optional.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

mod model;
mod own;
mod progress;
#[cfg(test)]
mod tests;

pub(crate) use model::MetaModel;
use model::{Strictness, member};
use own::{OwnMessages, Shape};
use progress::Progress;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    fn strictness(self) -> Strictness {
        match self {
            Side::Client => Strictness::Lenient,
            Side::Server => Strictness::Strict,
        }
    }

    /// As the meta model calls messages of this side.
    fn direction(self) -> &'static str {
        match self {
            Side::Client => "clientToServer",
            Side::Server => "serverToClient",
        }
    }
}

/// One line of a record.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    pub(crate) from: Side,
    pub(crate) message: Option<Value>,
    /// What was no message at all.
    pub(crate) broken: Option<String>,
}

/// Everything that is wrong with one session, each with the number of the message.
pub(crate) fn faults(model: &MetaModel, session: &[Entry]) -> Vec<String> {
    let mut judge = Judge {
        model,
        own: OwnMessages::load(),
        offered: Value::Null,
        own_offered: Value::Null,
        announced: Value::Null,
        pending: BTreeMap::new(),
        answered: BTreeSet::new(),
        progress: Progress::default(),
        has_exited: false,
        faults: Vec::new(),
    };
    for (number, entry) in session.iter().enumerate() {
        let found = judge.judge(number, entry);
        judge
            .faults
            .extend(found.into_iter().map(|fault| format!("message {number} from the {:?}: {fault}", entry.from)));
    }
    judge.end()
}

/// A request that waits for its answer.
#[derive(Debug, Clone)]
struct Pending {
    method: String,
    params: Value,
}

struct Judge<'m> {
    model: &'m MetaModel,
    own: OwnMessages,
    /// The client's capabilities.
    offered: Value,
    /// What the client knows of finch's own messages.
    own_offered: Value,
    /// The server's.
    announced: Value,
    /// By who asked, and the id as JSON.
    pending: BTreeMap<(Side, String), Pending>,
    answered: BTreeSet<(Side, String)>,
    progress: Progress,
    has_exited: bool,
    faults: Vec<String>,
}

impl Judge<'_> {
    fn judge(&mut self, number: usize, entry: &Entry) -> Vec<String> {
        let Some(message) = &entry.message else {
            return vec![format!("no message: {:?}", entry.broken)];
        };
        let mut found = Vec::new();
        if message["jsonrpc"] != "2.0" {
            found.push("jsonrpc is not \"2.0\"".to_owned());
        }
        let is_initialize = entry.from == Side::Client && message["method"] == "initialize";
        if (number == 0) != is_initialize {
            found.push("initialize comes first, and once".to_owned());
        }
        if is_initialize {
            self.offered = message["params"]["capabilities"].clone();
            self.own_offered = message["params"]["initializationOptions"]["finch"]["client"].clone();
        }
        match (message.get("method").and_then(Value::as_str), message.get("id")) {
            (Some(method), Some(id)) => found.extend(self.request(entry.from, method, id, message)),
            (Some(method), None) => found.extend(self.notification(entry.from, method, message)),
            (None, Some(id)) => found.extend(self.response(entry.from, id, message)),
            (None, None) => found.push("neither method nor id".to_owned()),
        }
        found
    }

    fn request(&mut self, from: Side, method: &str, id: &Value, message: &Value) -> Vec<String> {
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        let mut found = Vec::new();
        if !(id.is_i64() || id.is_string()) {
            found.push(format!("{method}: the id {id} is neither a number nor a string"));
        }
        let key = (from, id.to_string());
        if self.answered.contains(&key) || self.pending.contains_key(&key) {
            found.push(format!("{method}: the id {id} was used before"));
        }
        match self.model.request(method) {
            Some(known) => found.extend(self.allowed(from, method, known, &params)),
            None if OwnMessages::is_own(method) => {
                found.extend(OwnMessages::direction(from, method, Shape::Request, &self.own_offered));
            }
            None => found.push(format!("there is no request {method}")),
        }
        found.extend(self.own.params(method, &params));
        if method == "workspace/executeCommand" {
            let command = params["command"].as_str().unwrap_or_default();
            found.extend(self.own.argument(command, &params["arguments"][0]));
            let commands = self.announced.pointer("/executeCommandProvider/commands").and_then(Value::as_array);
            if !commands.is_some_and(|all| all.contains(&params["command"])) {
                found.push(format!("the command {} was not announced", params["command"]));
            }
        }
        self.progress.may_use(&params["workDoneToken"]);
        self.pending.insert(key, Pending { method: method.to_owned(), params });
        found
    }

    fn notification(&mut self, from: Side, method: &str, message: &Value) -> Vec<String> {
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        self.has_exited |= from == Side::Client && method == "exit";
        if OwnMessages::is_own(method) {
            let wrong = OwnMessages::direction(from, method, Shape::Notification, &self.own_offered);
            return wrong.into_iter().chain(self.own.notification(method, &params)).collect();
        }
        let Some(known) = self.model.notification(method) else {
            return vec![format!("there is no notification {method}")];
        };
        let mut found = self.allowed(from, method, known, &params);
        if method == "$/progress" {
            found.extend(self.progress.follow(self.model, &params));
        }
        found
    }

    fn response(&mut self, from: Side, id: &Value, message: &Value) -> Vec<String> {
        let key = (from.other(), id.to_string());
        let Some(asked) = self.pending.remove(&key) else {
            return vec![format!("an answer to {id}, which nobody asked or which was answered before")];
        };
        self.answered.insert(key);
        let method = asked.method.as_str();
        match (message.get("result"), message.get("error")) {
            (Some(result), None) => self.result(from, &asked, result),
            (None, Some(error)) => {
                let strictness = from.strictness();
                self.model
                    .check_error(error, strictness)
                    .err()
                    .map(|fault| format!("{method}: {fault}"))
                    .into_iter()
                    .collect()
            }
            _ => vec![format!("{method}: an answer has either a result or an error")],
        }
    }

    fn result(&mut self, from: Side, asked: &Pending, result: &Value) -> Vec<String> {
        let method = asked.method.as_str();
        // What a command gives back is the command's, such as `finch.feedback`.
        let own = match asked.params["command"].as_str() {
            Some(command) => self.own.given_back(command, result),
            None => self.own.result(method, result),
        };
        let mut found: Vec<String> = own.into_iter().collect();
        if let Some(known) = self.model.request(method)
            && let Err(fault) = self.model.check(&known["result"], result, from.strictness())
        {
            found.push(format!("{method}: the result{fault}"));
        }
        if method == "initialize" {
            self.announced = result["capabilities"].clone();
            found.extend(self.encoding());
        }
        if method == "window/workDoneProgress/create" {
            self.progress.create(&asked.params["token"]);
        }
        found
    }

    /// Direction, shape and capabilities of a message that the protocol has.
    fn allowed(&self, from: Side, method: &str, known: &Value, params: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if known["messageDirection"] != "both" && known["messageDirection"] != from.direction() {
            found.push(format!("{method} is not the {from:?}'s"));
        }
        match known.get("params") {
            Some(shape) => {
                let checked = self.model.check(shape, params, from.strictness());
                found.extend(checked.err().map(|fault| format!("{method}: the params{fault}")));
            }
            None if from == Side::Server && !params.is_null() => found.push(format!("{method} takes no params")),
            None => {}
        }
        let (capability, holder) = match from {
            Side::Client => (&known["serverCapability"], &self.announced),
            Side::Server => (&known["clientCapability"], &self.offered),
        };
        if let Some(path) = capability.as_str()
            && !has_capability(holder, path)
        {
            found.push(format!("{method} without the other side's capability {path}"));
        }
        found
    }

    /// The server may choose what the client offered, and utf-16.
    fn encoding(&self) -> Option<String> {
        let chosen = self.announced.get("positionEncoding")?;
        let offered = self.offered.pointer("/general/positionEncodings").and_then(Value::as_array);
        let fits = *chosen == "utf-16" || offered.is_some_and(|all| all.contains(chosen));
        (!fits).then(|| format!("the client does not offer the encoding {chosen}"))
    }

    fn end(mut self) -> Vec<String> {
        // A session that was cut off owes no answers.
        if self.has_exited {
            for ((side, id), asked) in &self.pending {
                self.faults.push(format!("{} ({id}) of the {side:?} was never answered", asked.method));
            }
        }
        self.faults.extend(self.progress.unfinished());
        self.faults
    }
}

fn has_capability(holder: &Value, path: &str) -> bool {
    let mut at = holder;
    for name in path.split('.') {
        // The short form of `textDocumentSync`, which stands for all of it.
        if at.is_number() {
            return true;
        }
        at = member(at, name);
    }
    !(at.is_null() || *at == Value::Bool(false))
}
