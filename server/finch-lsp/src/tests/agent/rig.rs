//! A folder, a scripted model and an editor that keeps documents, applies edits and saves.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finch_agent::Gate;
use finch_agent::permissions::Permissions;
use finch_agent::rules::{Rules, Scope};
use finch_agent::store::Store;
use finch_agent::task::{Briefing, Edits, Made, Workbench};
use finch_agent::tools::Shell;
use finch_llm::{
    Capabilities, Chunk, ChunkSender, ClientId, Done, GenerateRequest, GenerateStream, InfillRequest, Message, Origin,
    Provider, ProviderId, StopReason, Timings, ToolCall, Usage,
};
use serde_json::{Value, json};

use crate::AgentBackend;
use crate::tests::support::Client;

pub(super) const CODE: &str = "one\ntwo\nthree\nfour\nfive\n";
const PIPE_BYTES: usize = 1024 * 1024;

/// What the model does when it is asked.
#[derive(Debug, Clone)]
pub(super) enum Say {
    Text(String),
    Call(&'static str, Value),
    Hang,
    /// Breaks off without a word.
    Break,
}

pub(super) fn say(text: &str) -> Say {
    Say::Text(text.to_owned())
}

pub(super) fn edit(path: &str, old: &str, new: &str) -> Say {
    Say::Call("Edit", json!({"path": path, "old_text": old, "new_text": new}))
}

/// Until there is a plan of one step.
pub(super) fn planning(check: &str) -> Vec<Say> {
    let step = json!({"title": "Change two", "what": "Make it TWO.", "files": ["a.txt"], "check": check});
    let mut says = vec![say("a.txt has five lines."), Say::Text(json!({"steps": [step]}).to_string())];
    says.extend(std::iter::repeat_n(say("{\"findings\": []}"), 7));
    says
}

#[derive(Default)]
pub(super) struct Script {
    says: Mutex<VecDeque<Say>>,
    asked: Mutex<Vec<GenerateRequest>>,
    hanging: Mutex<Vec<ChunkSender>>,
}

impl Script {
    /// All that the model was told, in one text.
    pub(super) fn told(&self) -> String {
        let asked = self.asked.lock().unwrap();
        let words = asked.iter().flat_map(|request| &request.messages).map(|message| match message {
            Message::User(text) => text.clone(),
            Message::ToolResult(result) => result.text.clone(),
            _ => String::new(),
        });
        words.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn add(&self, says: Vec<Say>) {
        self.says.lock().unwrap().extend(says);
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn hanging(&self) -> Option<ChunkSender> {
        self.hanging.lock().unwrap().pop()
    }
}

struct Scripted(Arc<Script>);

impl Provider for Scripted {
    fn id(&self) -> ProviderId {
        ProviderId::new("scripted")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "scripted".to_owned(),
            fill_in_the_middle: false,
            chat: true,
            tools: true,
            structured_output: false,
            context_tokens_max: 100_000,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.0.asked.lock().unwrap().push(request);
        let next = self.0.says.lock().unwrap().pop_front().unwrap_or_else(|| say("{\"findings\": []}"));
        let (sender, stream) = finch_llm::stream();
        let end = |reason| Chunk::Done(Done { reason, usage: Usage::default(), timings: Timings::default() });
        match next {
            Say::Text(text) => {
                sender.try_send(Ok(Chunk::Text(text))).unwrap();
                sender.try_send(Ok(end(StopReason::EndOfText))).unwrap();
            }
            Say::Call(name, arguments) => {
                let call =
                    ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments_json: arguments.to_string() };
                sender.try_send(Ok(Chunk::ToolCall(call))).unwrap();
                sender.try_send(Ok(end(StopReason::ToolCalls))).unwrap();
            }
            Say::Hang => self.0.hanging.lock().unwrap().push(sender),
            Say::Break => drop(sender),
        }
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }
}

/// How the editor is.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) capabilities: Value,
    pub(super) own: Value,
    pub(super) edits: Edits,
    /// Rules of `permissions.toml`; `FOLDER` is the folder.
    pub(super) rules: &'static str,
}

pub(super) const ALLOW_WRITES: &str = "[[rules]]\nverdict = \"allow\"\nworkspace = \"FOLDER\"\nwrite = \"**\"\n";

impl Manner {
    /// As finch's own clients are.
    pub(super) fn full() -> Self {
        let capabilities = json!({
            "workspace": {
                "workspaceEdit": {
                    "documentChanges": true,
                    "changeAnnotationSupport": {},
                    "resourceOperations": ["create", "rename", "delete"],
                },
                "codeLens": {"refreshSupport": true},
            },
            "window": {"workDoneProgress": true, "showDocument": {"support": true}},
            "textDocument": {"codeAction": {"codeActionLiteralSupport": {}}},
        });
        let own = json!({
            "approve": true, "turnEvents": true, "save": true, "restart": true, "diagnostics": true, "askUser": true,
        });
        Self { capabilities, own, edits: Edits::Apply, rules: ALLOW_WRITES }
    }

    /// Nothing that an editor need not have.
    pub(super) fn generic() -> Self {
        Self { capabilities: json!({}), own: json!({}), ..Self::full() }
    }
}

pub(super) struct Rig {
    pub(super) client: Client,
    manner: Manner,
    pub(super) folder: tempfile::TempDir,
    pub(super) home: tempfile::TempDir,
    pub(super) script: Arc<Script>,
    /// What the editor has open: versions and texts.
    pub(super) documents: BTreeMap<String, (i64, String)>,
    /// Everything that was told, in order.
    pub(super) seen: Vec<Value>,
    /// Methods whose requests the test answers itself.
    pub(super) by_hand: Vec<&'static str>,
}

impl Rig {
    pub(super) async fn new(manner: Manner, says: Vec<Say>) -> Self {
        Self::with_pipe(manner, says, PIPE_BYTES).await
    }

    pub(super) async fn with_pipe(manner: Manner, says: Vec<Say>, pipe_bytes: usize) -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("a.txt"), CODE).unwrap();
        let script = Arc::new(Script { says: Mutex::new(says.into()), ..Script::default() });
        let client = Client::connect_with_agent(backend(&manner, home.path(), folder.path(), &script), pipe_bytes);
        let (documents, seen, by_hand) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut rig = Self { client, manner, folder, home, script, documents, seen, by_hand };
        rig.initialize().await;
        rig
    }

    async fn initialize(&mut self) {
        let params = json!({
            "capabilities": self.manner.capabilities,
            "workspaceFolders": [{"uri": self.uri(""), "name": "w"}],
            "initializationOptions": {"finch": {"client": self.manner.own}},
        });
        self.client.ask("initialize", params).await;
        self.client.notify("initialized", json!({})).await;
    }

    /// Begins a new session in the same folder.
    pub(super) async fn reconnect(&mut self) {
        self.client = Client::connect_with_agent(self.agent(), PIPE_BYTES);
        self.documents.clear();
        self.initialize().await;
    }

    /// Another agent for the same folder.
    pub(super) fn agent(&self) -> AgentBackend {
        backend(&self.manner, self.home.path(), self.folder.path(), &self.script)
    }

    /// The answer of the model that hangs.
    pub(super) async fn hanging(&self) -> ChunkSender {
        loop {
            match self.script.hanging() {
                Some(sender) => return sender,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().canonicalize().unwrap();
        if name.is_empty() { folder } else { folder.join(name) }
    }

    pub(super) fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    pub(super) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The text of a document that finch wrote.
    pub(super) fn read(uri: &str) -> String {
        std::fs::read_to_string(uri.strip_prefix("file://").unwrap()).unwrap()
    }

    /// Opens a file in the editor.
    pub(super) async fn open(&mut self, uri: &str) {
        let text = Self::read(uri);
        let document = json!({"uri": uri, "languageId": "text", "version": 1, "text": text});
        self.client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
        self.documents.insert(uri.to_owned(), (1, text));
    }

    /// The user changes a document.
    pub(super) async fn change(&mut self, uri: &str, text: &str) {
        let (version, held) = self.documents.get_mut(uri).expect("it is open");
        *version += 1;
        text.clone_into(held);
        let document = json!({"uri": uri, "version": *version});
        let change = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.client.notify("textDocument/didChange", change).await;
    }

    /// Runs a command and gives the turn's name.
    pub(super) async fn command(&mut self, command: &str, argument: Value) -> String {
        let answer = self.try_command(command, argument).await;
        answer["result"]["turn"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(super) async fn try_command(&mut self, command: &str, argument: Value) -> Value {
        self.client.ask("workspace/executeCommand", json!({"command": command, "arguments": [argument]})).await
    }

    pub(super) async fn answer(&mut self, request: &Value, result: Value) {
        self.client.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await;
    }

    /// Goes on as an editor does until a call of the server fits, and gives it.
    pub(super) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let call = self.client.wait_for(|message| message["method"].is_string()).await;
            self.seen.push(call.clone());
            let method = call["method"].as_str().unwrap().to_owned();
            if !call["id"].is_null() && !self.by_hand.contains(&method.as_str()) {
                self.serve(&method, &call).await;
            }
            if fits(&call) {
                return call;
            }
        }
    }

    /// The next call by this name.
    pub(super) async fn until_call(&mut self, method: &str) -> Value {
        self.until(|call| call["method"] == method).await
    }

    /// What was told already, or is told next, and fits.
    pub(super) async fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        match self.seen.iter().find(|call| fits(call)) {
            Some(call) => call.clone(),
            None => self.until(fits).await,
        }
    }

    /// The next event of this kind.
    pub(super) async fn until_event(&mut self, kind: &str) -> Value {
        let is_it = |call: &Value| call["method"] == "finch/turnEvent" && call["params"]["kind"] == kind;
        self.until(is_it).await["params"].clone()
    }

    /// How the turn ends.
    pub(super) async fn ended(&mut self) -> (String, String) {
        let event = self.until_event("ended").await;
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("outcome"), text("message"))
    }

    /// The kinds of all events so far, repeated ones once.
    pub(super) fn kinds(&self) -> Vec<String> {
        let events = self.seen.iter().filter(|call| call["method"] == "finch/turnEvent");
        let mut kinds: Vec<String> = events.map(|call| call["params"]["kind"].as_str().unwrap().to_owned()).collect();
        kinds.dedup();
        kinds
    }

    async fn serve(&mut self, method: &str, call: &Value) {
        let result = match method {
            "workspace/applyEdit" => json!({"applied": self.apply(&call["params"]["edit"]).await}),
            "finch/save" => {
                let uris: Vec<String> = serde_json::from_value(call["params"]["uris"].clone()).unwrap();
                uris.iter().for_each(|uri| self.save(uri));
                json!({"failed": []})
            }
            "finch/approve" => json!({"id": call["params"]["id"], "choice": "once"}),
            "finch/diagnostics" => json!({"diagnostics": []}),
            "window/showDocument" => json!({"success": true}),
            "window/workDoneProgress/create" | "workspace/codeLens/refresh" => Value::Null,
            other => panic!("nobody answers {other}"),
        };
        self.answer(call, result).await;
    }

    /// Puts a document on the disk.
    pub(super) fn save(&self, uri: &str) {
        if let Some((_, text)) = self.documents.get(uri) {
            std::fs::write(uri.strip_prefix("file://").unwrap(), text).unwrap();
        }
    }

    /// Applies an edit as an editor does: all of it or nothing, and not against other versions.
    pub(super) async fn apply(&mut self, edit: &Value) -> bool {
        let operations = match edit["documentChanges"].as_array() {
            Some(operations) => operations.clone(),
            None => {
                let plain = edit["changes"].as_object().expect("an edit");
                let of = |(uri, edits): (&String, &Value)| json!({"textDocument": {"uri": uri, "version": null}, "edits": edits});
                plain.iter().map(of).collect()
            }
        };
        let fits = |operation: &Value| {
            let document = &operation["textDocument"];
            let held = document["uri"].as_str().and_then(|uri| self.documents.get(uri));
            document["version"].as_i64().is_none_or(|version| held.is_some_and(|(held, _)| *held == version))
        };
        if !operations.iter().all(fits) {
            return false;
        }
        for operation in &operations {
            let path =
                |key: &str| operation[key].as_str().map(|uri| PathBuf::from(uri.strip_prefix("file://").unwrap()));
            match operation["kind"].as_str() {
                Some("create") => std::fs::write(path("uri").unwrap(), "").unwrap(),
                Some("delete") => std::fs::remove_file(path("uri").unwrap()).unwrap(),
                Some("rename") => std::fs::rename(path("oldUri").unwrap(), path("newUri").unwrap()).unwrap(),
                Some(other) => panic!("no such operation: {other}"),
                None => self.edit(operation).await,
            }
        }
        true
    }

    async fn edit(&mut self, operation: &Value) {
        let uri = operation["textDocument"]["uri"].as_str().unwrap().to_owned();
        if !self.documents.contains_key(&uri) {
            self.open(&uri).await;
        }
        let mut text = self.documents[&uri].1.clone();
        for edit in operation["edits"].as_array().unwrap().iter().rev() {
            let at = |end: &str| offset(&text, &edit["range"][end]);
            let (start, end) = (at("start"), at("end"));
            text.replace_range(start..end, edit["newText"].as_str().unwrap());
        }
        self.change(&uri, &text).await;
    }
}

/// Of texts in ASCII.
fn offset(text: &str, position: &Value) -> usize {
    let (line, character) = (position["line"].as_u64().unwrap(), position["character"].as_u64().unwrap());
    let start: usize = text.split_inclusive('\n').take(usize::try_from(line).unwrap()).map(str::len).sum();
    start + usize::try_from(character).unwrap()
}

fn backend(manner: &Manner, home: &Path, folder: &Path, script: &Arc<Script>) -> AgentBackend {
    let home = home.canonicalize().unwrap();
    let folder = folder.canonicalize().unwrap();
    let rules = manner.rules.replace("FOLDER", &folder.display().to_string());
    std::fs::write(home.join("permissions.toml"), rules).unwrap();
    let (script, root) = (Arc::clone(script), home.clone());
    let workbench = move |workspace: &Path| {
        let scope = Scope { workspace: workspace.to_owned(), finch_home: root.clone(), user_home: None };
        let rules = Rules::new(scope, Vec::new());
        Ok(Arc::new(Workbench {
            provider: Arc::new(Scripted(Arc::clone(&script))),
            client: ClientId::new("test"),
            origin: Origin { workspace: Some(workspace.into()), ..Origin::default() },
            gate: Arc::new(Gate::new(rules.clone(), Permissions::open(root.join("permissions.toml")))),
            rules,
            runner: Arc::new(Shell),
            more_tools: Vec::new(),
            plans: root.join("plans/w"),
            briefing: Arc::new(|_| Briefing::default()),
            command_time: std::time::Duration::from_secs(60),
            rounds_max: 3,
            store: Store::open(&root.join("state.db")).ok(),
            made: Made::default(),
            working: Arc::default(),
        }))
    };
    AgentBackend {
        workbench: Arc::new(workbench),
        edits: manner.edits,
        answers: home.join("answers"),
        reviews: home.join("reviews"),
        tasks: home.join("state.db"),
        log: Some(home.join("finch.log")),
    }
}
