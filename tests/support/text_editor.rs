//! An editor without a screen that does its part for the agent: it keeps documents, makes edits, saves, and answers
//! questions. It obeys the server in everything, so that whatever the server asks for comes to pass.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;

/// No single wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// What the user says to a question of permission: the id of a choice.
type Says = Box<dyn FnMut(&Value) -> &'static str + Send>;

pub(crate) struct TextEditor {
    pub(crate) client: Client,
    documents: BTreeMap<String, Document>,
    /// Everything that the server told or asked, in order, with the moment it came.
    pub(crate) seen: Vec<(Instant, Value)>,
    says: Says,
    /// The button that is pressed where one of this name is shown.
    button: Option<&'static str>,
    ids: i64,
}

struct Document {
    version: i64,
    text: String,
    /// What the disk had when it was opened or saved.
    on_disk: Option<String>,
}

impl TextEditor {
    /// A session in a folder; the user says no to everything.
    pub(crate) fn start(finch: &mut Command, folder: &Path) -> Self {
        Self::of_process(finch, folder, std::process::id())
    }

    /// The same for an editor with this process.
    pub(crate) fn of_process(finch: &mut Command, folder: &Path, process: u32) -> Self {
        let client = Client::of(finch);
        let (documents, seen, says): (_, _, Says) = (BTreeMap::new(), Vec::new(), Box::new(|_| "no"));
        let mut editor = Self { client, documents, seen, says, button: None, ids: 1_000_000 };
        let workspace = json!({
            "workspaceEdit": {
                "documentChanges": true,
                "changeAnnotationSupport": {},
                "resourceOperations": ["create", "rename", "delete"],
            },
            "codeLens": {"refreshSupport": true},
        });
        let capabilities = json!({
            "general": {"positionEncodings": ["utf-8"]},
            "workspace": workspace,
            "window": {"workDoneProgress": true, "showDocument": {"support": true}},
            "textDocument": {"codeAction": {"codeActionLiteralSupport": {}}},
        });
        let own = json!({
            "approve": true, "turnEvents": true, "save": true, "restart": true, "diagnostics": true, "askUser": true,
        });
        let params = json!({
            "processId": process,
            "capabilities": capabilities,
            "workspaceFolders": [{"uri": uri_of(folder), "name": "w"}],
            "initializationOptions": {"finch": {"client": own}},
        });
        editor.request("initialize", params);
        editor.client.notify("initialized", json!({}));
        editor
    }

    /// What the user says from now on, by the question.
    pub(crate) fn says(&mut self, says: impl FnMut(&Value) -> &'static str + Send + 'static) {
        self.says = Box::new(says);
    }

    pub(crate) fn presses(&mut self, button: &'static str) {
        self.button = Some(button);
    }

    /// Opens a text that may be another than the disk's, or of a file that is not there.
    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "text", "version": 1, "text": text});
        self.client.notify("textDocument/didOpen", json!({"textDocument": document}));
        let on_disk = std::fs::read_to_string(path_of(uri)).ok();
        self.documents.insert(uri.to_owned(), Document { version: 1, text: text.to_owned(), on_disk });
    }

    /// The text as the editor has it, where it is open.
    pub(crate) fn text(&self, uri: &str) -> Option<&str> {
        self.documents.get(uri).map(|document| document.text.as_str())
    }

    /// Has the agent plan a task and carry it out, and gives the name of the turn that works.
    pub(crate) fn plan_and_approve(&mut self, task: &str) -> String {
        let planning = self.command("finch.plan", json!({ "task": task }));
        let ended = self.ended(&planning);
        assert_eq!(ended["outcome"], "done", "{ended}");
        let is_its_plan = |(_, message): &&(Instant, Value)| {
            is_event(message, "plan") && message["params"]["turn"] == planning.as_str()
        };
        let plan = self.seen.iter().rfind(is_its_plan).unwrap().1["params"].clone();
        // The work has the name of the planning: only its own end counts from here on.
        self.seen.retain(|(_, message)| !is_event(message, "ended"));
        self.command("finch.approve", json!({"uri": plan["uri"], "hash": plan["hash"]}))
    }

    /// Runs a command that begins a turn.
    pub(crate) fn command(&mut self, command: &str, argument: Value) -> String {
        let answer = self.request("workspace/executeCommand", json!({"command": command, "arguments": [argument]}));
        answer["result"]["turn"].as_str().unwrap_or_else(|| panic!("{command}: {answer}")).to_owned()
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.ids += 1;
        let id = self.ids;
        self.client.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.until(|message| message["id"] == id && message.get("method").is_none())
    }

    /// Goes on as an editor does until a turn has ended, and gives its last event.
    pub(crate) fn ended(&mut self, turn: &str) -> Value {
        self.seen_or_until(|message| is_event(message, "ended") && message["params"]["turn"] == turn)["params"].clone()
    }

    /// The first message that fits, of those that came and those that will.
    pub(crate) fn seen_or_until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        match self.seen.iter().find(|(_, message)| fits(message)) {
            Some((_, message)) => message.clone(),
            None => self.until(fits),
        }
    }

    /// Goes on as an editor does until a message of the server fits, and gives it.
    pub(crate) fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let Some(message) = self.client.try_next(deadline.saturating_duration_since(Instant::now())) else {
                let last: Vec<String> = self.seen.iter().rev().take(4).map(|(_, last)| last.to_string()).collect();
                panic!("no such message; the last ones, backwards: {}", last.join("\n"));
            };
            self.seen.push((Instant::now(), message.clone()));
            if let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) {
                let result = self.serve(method, &message["params"]);
                self.client.write(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
            }
            if fits(&message) {
                return message;
            }
        }
    }

    /// All questions of permission so far.
    pub(crate) fn questions(&self) -> Vec<&Value> {
        let asked = self.seen.iter().filter(|(_, message)| message["method"] == "finch/approve");
        asked.map(|(_, message)| &message["params"]).collect()
    }

    fn serve(&mut self, method: &str, params: &Value) -> Value {
        match method {
            "finch/approve" => json!({"id": params["id"], "choice": (self.says)(params)}),
            "finch/save" => self.save(params),
            "finch/diagnostics" => json!({"diagnostics": []}),
            "workspace/applyEdit" => match self.apply(&params["edit"]) {
                Ok(()) => json!({"applied": true}),
                Err(why) => json!({"applied": false, "failureReason": why}),
            },
            "window/showDocument" => json!({"success": true}),
            "window/showMessageRequest" => {
                let actions = params["actions"].as_array().into_iter().flatten();
                let mut pressed = actions.filter(|action| self.button.is_some_and(|button| action["title"] == button));
                pressed.next().cloned().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        }
    }

    fn save(&mut self, params: &Value) -> Value {
        let mut failed = Vec::new();
        for uri in params["uris"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()) {
            let Some(document) = self.documents.get_mut(uri) else { continue };
            let path = path_of(uri);
            let reason = if std::fs::read_to_string(&path).ok() == document.on_disk {
                std::fs::write(&path, &document.text).err().map(|error| error.to_string())
            } else {
                Some("the file has changed on the disk too".to_owned())
            };
            match reason {
                Some(reason) => failed.push(json!({"uri": uri, "reason": reason})),
                None => document.on_disk = Some(document.text.clone()),
            }
        }
        json!({ "failed": failed })
    }

    fn apply(&mut self, edit: &Value) -> Result<(), String> {
        let changes = edit["documentChanges"].as_array().ok_or("an edit without its versions")?;
        for change in changes {
            let (known, wanted) = (change["textDocument"]["uri"].as_str(), change["textDocument"]["version"].as_i64());
            let version = known.and_then(|uri| self.documents.get(uri)).map(|document| document.version);
            if wanted.is_some() && wanted != version {
                return Err(format!("the version is {version:?}"));
            }
        }
        changes.iter().try_for_each(|change| self.apply_one(change))
    }

    fn apply_one(&mut self, change: &Value) -> Result<(), String> {
        let at = |name: &str| change[name].as_str().map(path_of).ok_or_else(|| format!("{change}"));
        let made = match change["kind"].as_str() {
            Some("create") => {
                let path = at("uri")?;
                let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                made.and_then(|()| std::fs::File::create_new(&path).map(drop))
            }
            Some("rename") => {
                let (from, to) = (at("oldUri")?, at("newUri")?);
                self.close(&change["oldUri"]);
                let made = to.parent().map_or(Ok(()), std::fs::create_dir_all);
                made.and_then(|()| std::fs::rename(from, to))
            }
            Some("delete") => {
                self.close(&change["uri"]);
                std::fs::remove_file(at("uri")?)
            }
            _ => return self.edit_text(change),
        };
        made.map_err(|error| error.to_string())
    }

    fn close(&mut self, uri: &Value) {
        if self.documents.remove(uri.as_str().unwrap()).is_some() {
            self.client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
        }
    }

    fn edit_text(&mut self, change: &Value) -> Result<(), String> {
        let uri = change["textDocument"]["uri"].as_str().ok_or_else(|| format!("{change}"))?;
        if !self.documents.contains_key(uri) {
            let text = std::fs::read_to_string(path_of(uri)).map_err(|error| error.to_string())?;
            self.open(uri, &text);
        }
        let document = self.documents.get_mut(uri).unwrap();
        let mut edits: Vec<_> = change["edits"].as_array().unwrap().iter().collect();
        edits.sort_by_key(|edit| offset(&document.text, &edit["range"]["start"]));
        for edit in edits.into_iter().rev() {
            let range = &edit["range"];
            let range = offset(&document.text, &range["start"])..offset(&document.text, &range["end"]);
            document.text.replace_range(range, edit["newText"].as_str().unwrap());
        }
        document.version += 1;
        let (text, version) = (&document.text, document.version);
        let changed = json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]});
        self.client.notify("textDocument/didChange", changed);
        Ok(())
    }
}

pub(crate) fn is_event(message: &Value, kind: &str) -> bool {
    message["method"] == "finch/turnEvent" && message["params"]["kind"] == kind
}

/// The address of a place whose name has nothing odd in it.
pub(crate) fn uri_of(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn path_of(uri: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), uri.strip_prefix("file://").unwrap().as_bytes());
    while let [first, after @ ..] = rest {
        let code = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        match (first, after) {
            (b'%', [one, two, after @ ..]) => {
                bytes.push(code(&[*one, *two]));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// Of a position in UTF-8, in a text that may be shorter.
fn offset(text: &str, position: &Value) -> usize {
    let (line, character) = (position["line"].as_u64().unwrap(), position["character"].as_u64().unwrap());
    let start: usize = text.split_inclusive('\n').take(usize::try_from(line).unwrap()).map(str::len).sum();
    (start + usize::try_from(character).unwrap()).min(text.len())
}
