//! One good session, and every kind of fault planted into it. The meta model is a small one, so that this runs where
//! the protocol's own is missing.

use serde_json::{Value, json};

use super::{Entry, MetaModel, Side, faults};

fn model() -> MetaModel {
    let reference = |name: &str| json!({ "kind": "reference", "name": name });
    let base = |name: &str| json!({ "kind": "base", "name": name });
    let optional = |name: &str, shape: Value| json!({ "name": name, "type": shape, "optional": true });
    let property = |name: &str, shape: Value| json!({ "name": name, "type": shape });
    let request = |method: &str, direction: &str, params: Value, result: Value| json!({ "method": method, "messageDirection": direction, "params": params, "result": result });
    let position = [property("line", base("uinteger")), property("character", base("uinteger"))];
    let range = [property("start", reference("Position")), property("end", reference("Position"))];
    let item = [
        property("insertText", json!({ "kind": "or", "items": [base("string"), reference("StringValue")] })),
        optional("range", reference("Range")),
        optional("command", reference("LSPAny")),
    ];
    let list = [property("items", json!({ "kind": "array", "element": reference("Item") }))];
    let items = json!({ "kind": "or", "items": [reference("List"), base("null")] });
    let with = |mut message: Value, name: &str, capability: &str| {
        message[name] = json!(capability);
        message
    };
    let progress = |name: &str, kind: &str, more: Vec<Value>| {
        let kind = property("kind", json!({ "kind": "stringLiteral", "value": kind }));
        let mut all = vec![kind, optional("message", base("string")), optional("percentage", base("uinteger"))];
        all.extend(more);
        json!({ "name": name, "properties": all })
    };
    MetaModel::read(&json!({
        "requests": [
            request("initialize", "clientToServer", reference("LSPAny"), reference("InitializeResult")),
            with(
                request("textDocument/inlineCompletion", "clientToServer", reference("Params"), items),
                "serverCapability", "inlineCompletionProvider",
            ),
            with(
                request("window/workDoneProgress/create", "serverToClient", reference("LSPAny"), base("null")),
                "clientCapability", "window.workDoneProgress",
            ),
            request("workspace/executeCommand", "clientToServer", reference("LSPAny"), reference("LSPAny")),
            { "method": "shutdown", "messageDirection": "clientToServer", "result": base("null") },
        ],
        "notifications": [
            { "method": "initialized", "messageDirection": "clientToServer", "params": reference("LSPAny") },
            { "method": "$/progress", "messageDirection": "both", "params": reference("LSPAny") },
            { "method": "window/logMessage", "messageDirection": "serverToClient", "params": reference("Log") },
            { "method": "exit", "messageDirection": "clientToServer" },
        ],
        "structures": [
            { "name": "Position", "properties": position },
            { "name": "Range", "properties": range },
            { "name": "StringValue", "properties": [property("value", base("string"))] },
            { "name": "Item", "properties": item },
            { "name": "List", "properties": list },
            { "name": "Place", "properties": [property("position", reference("Position"))] },
            {
                "name": "Params", "extends": [reference("Place")],
                "properties": [optional("workDoneToken", json!({ "kind": "literal", "value": { "properties": [] } }))],
            },
            { "name": "InitializeResult", "properties": [property("capabilities", reference("LSPAny"))] },
            { "name": "Log", "properties": [property("type", reference("Level")), property("message", base("string"))] },
            progress("WorkDoneProgressBegin", "begin", vec![property("title", base("string"))]),
            progress("WorkDoneProgressReport", "report", vec![]),
            progress("WorkDoneProgressEnd", "end", vec![]),
        ],
        "enumerations": [
            { "name": "Level", "type": base("uinteger"), "values": [{ "value": 1 }, { "value": 2 }] },
        ],
        "typeAliases": [{ "name": "LSPAny", "type": base("string") }],
    }))
}

fn client(message: Value) -> Entry {
    said(Side::Client, message)
}

fn server(message: Value) -> Entry {
    said(Side::Server, message)
}

fn said(from: Side, mut message: Value) -> Entry {
    message["jsonrpc"] = json!("2.0");
    Entry { from, message: Some(message), broken: None }
}

fn progress(value: Value) -> Entry {
    server(json!({ "method": "$/progress", "params": { "token": "t", "value": value } }))
}

// Where the messages of the good session stand.
const INITIALIZE: usize = 0;
const ANNOUNCED: usize = 1;
const STATUS: usize = 3;
const CREATED: usize = 5;
const BEGIN: usize = 6;
const END: usize = 8;
const ITEMS: usize = 10;
const COMMAND: usize = 12;

fn good() -> Vec<Entry> {
    let place = json!({ "line": 0, "character": 3 });
    let command =
        json!({ "title": "", "command": "finch.accept", "arguments": [{ "id": 1, "provider": "p", "model": "m" }] });
    let asked = json!({ "textDocument": { "uri": "file:///a" }, "position": place, "context": { "triggerKind": 2 } });
    let item = json!({ "insertText": "x", "range": { "start": place, "end": place }, "command": command });
    vec![
        client(json!({ "id": 0, "method": "initialize", "params": { "capabilities": {
            "general": { "positionEncodings": ["utf-8"] }, "window": { "workDoneProgress": true },
        }}})),
        server(json!({ "id": 0, "result": { "capabilities": {
            "positionEncoding": "utf-8", "inlineCompletionProvider": {},
            "executeCommandProvider": { "commands": ["finch.accept"] },
        }}})),
        client(json!({ "method": "initialized", "params": {} })),
        server(json!({ "method": "finch/status", "params": { "state": "ready", "provider": "p" } })),
        server(json!({ "id": 0, "method": "window/workDoneProgress/create", "params": { "token": "t" } })),
        client(json!({ "id": 0, "result": null })),
        progress(json!({ "kind": "begin", "title": "finch" })),
        progress(json!({ "kind": "report", "percentage": 40 })),
        progress(json!({ "kind": "end" })),
        client(json!({ "id": 1, "method": "textDocument/inlineCompletion", "params": asked })),
        server(json!({ "id": 1, "result": { "items": [item] } })),
        client(json!({ "method": "finch/didShow", "params": { "id": 1 } })),
        client(json!({ "id": 2, "method": "workspace/executeCommand", "params": { "command": "finch.accept" } })),
        server(json!({ "id": 2, "result": null })),
        client(json!({ "id": 3, "method": "shutdown" })),
        server(json!({ "id": 3, "result": null })),
        client(json!({ "method": "exit" })),
    ]
}

/// The good session with something planted is faulty, and the fault is named; one fault may bring others about.
#[track_caller]
fn check(plant: impl FnOnce(&mut Vec<Entry>), fault: &str) {
    let mut session = good();
    plant(&mut session);
    let found = faults(&model(), &session);
    assert!(found.iter().any(|one| one.contains(fault)), "{found:#?}");
}

/// Sets the value at a path of one message.
fn set(number: usize, path: &'static str, value: Value) -> impl FnOnce(&mut Vec<Entry>) {
    move |session| {
        let (parent, name) = path.rsplit_once('/').unwrap();
        session[number].message.as_mut().unwrap().pointer_mut(parent).unwrap()[name] = value;
    }
}

#[test]
fn a_good_session_has_no_fault() {
    assert_eq!(faults(&model(), &good()), [""; 0]);
}

#[test]
fn the_server_is_held_to_the_shape_of_what_it_sends() {
    check(set(ITEMS, "/result/items/0/colour", json!("red")), "/items/0/colour: no such member");
    check(set(ITEMS, "/result/items/0/insertText", json!({ "value": 1 })), "/items/0/insertText/value: 1 is no string");
    check(set(ITEMS, "/result/items/0/range/start/line", json!(-1)), "/range/start/line: -1 is no uinteger");
    check(set(ITEMS, "/result/items", json!("none")), "/items: \"none\" is no array");
    check(set(ITEMS, "/result", json!({})), ": items is missing");
    let log = |params| {
        move |session: &mut Vec<Entry>| {
            session.insert(STATUS, server(json!({ "method": "window/logMessage", "params": params })))
        }
    };
    check(log(json!({ "type": 9, "message": "" })), "/type: 9 is no Level");
    check(log(json!({ "type": 1 })), ": message is missing");
    check(log(json!({ "type": 1, "message": null })), "/message: null is no string");
}

#[test]
fn finch_own_messages_are_held_to_their_schemas() {
    check(set(STATUS, "/params/state", json!("asleep")), "finch/status: the params");
    check(set(ITEMS, "/result/items/0/command", json!(null)), "textDocument/inlineCompletion: the result at");
    check(
        |session| session.insert(STATUS, server(json!({ "method": "finch/unheard", "params": {} }))),
        "not the Server's",
    );
    check(set(9, "/params/position/character", json!("x")), "textDocument/inlineCompletion: the params at");
    check(
        |session| session.insert(STATUS, client(json!({ "method": "finch/didAccept", "params": { "id": 1 } }))),
        "finch/didAccept: the params",
    );
}

/// An event of a turn, sent to a client that knows these messages of finch's own.
fn event(knows: Value) -> impl FnOnce(&mut Vec<Entry>) {
    let event = json!({ "method": "finch/turnEvent", "params": { "turn": "t", "kind": "text", "text": "x" } });
    move |session| {
        session.insert(STATUS, server(event));
        set(INITIALIZE, "/params/initializationOptions", json!({ "finch": { "client": knows } }))(session);
    }
}

#[test]
fn the_agents_messages_have_a_direction_and_go_to_who_knows_them() {
    let mut session = good();
    event(json!({ "turnEvents": true }))(&mut session);
    assert_eq!(faults(&model(), &session), [""; 0]);
    check(event(json!({ "approve": true })), "finch/turnEvent without the client's turnEvents");
    let from_client = |method: &'static str| {
        move |session: &mut Vec<Entry>| {
            session.insert(STATUS, client(json!({ "id": 9, "method": method, "params": {} })));
        }
    };
    check(from_client("finch/approve"), "finch/approve is not the Client's");
    check(from_client("finch/save"), "finch/save is not the Client's");
}

#[test]
fn the_agents_commands_are_held_to_their_schemas() {
    let call = |command: &'static str, argument: Value| {
        set(COMMAND, "/params", json!({ "command": command, "arguments": [argument] }))
    };
    check(call("finch.approve", json!({ "uri": "file:///p" })), "finch.approve: the params");
    check(call("finch.edit", json!({ "uri": "file:///p" })), "finch.edit: the params");
    check(call("finch.resume", json!({})), "finch.resume: the params");
    let given = |session: &mut Vec<Entry>| {
        call("finch.approve", json!({ "uri": "file:///p", "hash": "h" }))(session);
        set(COMMAND + 1, "/result", json!("done"))(session);
    };
    check(given, "finch.approve: the result \"done\" names no turn");
}

#[test]
fn the_client_may_say_more_and_null_but_nothing_else() {
    let mut session = good();
    set(9, "/params/formatting", json!({}))(&mut session);
    set(9, "/params/workDoneToken", json!(null))(&mut session);
    assert_eq!(faults(&model(), &session), [""; 0]);
    check(set(9, "/params/position/line", json!(-1)), "/position/line: -1 is no uinteger");
}

#[test]
fn every_request_has_one_answer() {
    check(|session| drop(session.remove(13)), "was never answered");
    check(|session| session.insert(11, session[ITEMS].clone()), "answered before");
    check(|session| session.insert(11, server(json!({ "id": 77, "result": null }))), "nobody asked");
    check(set(13, "/error", json!({ "code": 1, "message": "" })), "either a result or an error");
    check(
        |session| session[13] = server(json!({ "id": 2, "error": { "code": "x", "message": "" } })),
        "an error has a code",
    );
    check(set(COMMAND, "/id", json!(1)), "was used before");
}

#[test]
fn a_session_that_was_cut_off_owes_no_answer() {
    let mut session = good();
    session.truncate(13);
    assert_eq!(faults(&model(), &session), [""; 0]);
}

#[test]
fn nobody_uses_what_the_other_side_does_not_have() {
    check(set(INITIALIZE, "/params/capabilities/window", json!({})), "capability window.workDoneProgress");
    check(
        set(ANNOUNCED, "/result/capabilities/inlineCompletionProvider", json!(null)),
        "capability inlineCompletionProvider",
    );
    check(set(ANNOUNCED, "/result/capabilities/executeCommandProvider", json!(null)), "was not announced");
    check(set(ANNOUNCED, "/result/capabilities/positionEncoding", json!("utf-32")), "does not offer the encoding");
}

#[test]
fn messages_have_a_direction_and_a_time() {
    let exit = |session: &mut Vec<Entry>| session.insert(2, server(json!({ "method": "exit" })));
    check(exit, "exit is not the Server's");
    check(|session| session.insert(2, server(json!({ "method": "window/unheard" }))), "there is no notification");
    check(
        |session| {
            session
                .insert(0, server(json!({ "method": "finch/status", "params": { "state": "ready", "provider": "p" } })))
        },
        "initialize comes first",
    );
    check(set(STATUS, "/jsonrpc", json!("1.0")), "jsonrpc");
    check(
        |session| session.insert(2, Entry { from: Side::Server, message: None, broken: Some("hello".into()) }),
        "no message",
    );
}

#[test]
fn a_progress_bar_begins_once_and_ends() {
    check(|session| drop(session.remove(END)), "never ended");
    check(|session| session.insert(END + 1, progress(json!({ "kind": "report" }))), "which is Some(Ended)");
    check(set(BEGIN, "/params/value/title", json!(null)), "/title: null is no string");
    check(set(BEGIN + 1, "/params/value/percentage", json!(140)), "140 percent");
    check(set(BEGIN, "/params/value/kind", json!("start")), "no kind");
    check(
        |session| session[CREATED] = client(json!({ "id": 0, "error": { "code": -1, "message": "no" } })),
        "which is None",
    );
}
