//! The agent in Neovim: what a user sees of it and answers, in a real Neovim in a real terminal. Most stories have a
//! scripted server in the place of finch, so that every question and event is known; one has finch and a scripted model.

use serde_json::{Value, json};

use crate::support::neovim::{FakeServer, Installation, Neovim, Setup, without_a_daemon};

const COMMANDS: [&str; 12] = [
    "finch.plan",
    "finch.approve",
    "finch.revise",
    "finch.stop",
    "finch.resume",
    "finch.undoTurn",
    "finch.ask",
    "finch.explain",
    "finch.fix",
    "finch.edit",
    "finch.test",
    "finch.document",
];

/// A server that does these things when something has happened.
fn server(on: &Value) -> FakeServer {
    FakeServer::new(&json!({ "commands": COMMANDS, "on": on, "lenses": {} }))
}

fn open(server: &FakeServer, text: &str) -> Neovim {
    Neovim::open(Setup { server: server.command(), file: "main.py".into(), text: text.into(), ..Setup::default() })
}

fn question(id: &str, effect: &str) -> Value {
    let choices = json!([
        { "id": "no", "label": "Deny" },
        { "id": "once", "label": "Allow once" },
        { "id": "session", "label": "Allow exactly this for this session" },
    ]);
    let params = json!({
        "turn": "t1", "id": id, "title": "finch wants to run a command", "effect": effect,
        "why": "commands are asked about", "choices": choices,
    });
    json!({ "send": { "id": id, "method": "finch/approve", "params": params } })
}

fn event(rest: &Value) -> Value {
    let mut params = json!({ "turn": "t1" });
    params.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    json!({ "send": { "method": "finch/turnEvent", "params": params } })
}

#[track_caller]
fn answered(neovim: &Neovim, server: &FakeServer, id: &str) -> Value {
    neovim.wait(|| server.answer(id).is_some(), "an answer");
    server.answer(id).unwrap()
}

/// Waits until the question has the focus and listens to keys.
#[track_caller]
fn listens(neovim: &Neovim) {
    neovim.wait_for_expr("win_gettype()", "popup");
    pause(neovim, 600);
}

#[track_caller]
fn pause(neovim: &Neovim, ms: u32) {
    neovim.expr("execute('unlet! g:paused')");
    neovim.expr(&format!("timer_start({ms}, {{ -> execute('let g:paused = 1') }})"));
    neovim.wait_for_expr("get(g:, 'paused', 0)", "1");
}

#[test]
fn the_parts_for_the_agent_that_need_no_editor_work() {
    Installation::find().check("agent_check.lua");
}

#[test]
fn the_client_says_what_it_can_do() {
    let server = server(&json!({}));
    let neovim = open(&server, "");
    neovim.wait(|| !server.received("initialize").is_empty(), "the first message");
    let client = &server.received("initialize")[0]["initializationOptions"]["finch"]["client"];
    let all = ["approve", "turnEvents", "save", "restart", "diagnostics", "askUser"];
    assert_eq!(*client, Value::Object(all.map(|name| (name.to_owned(), json!(true))).into_iter().collect()));
}

#[test]
fn each_key_gives_its_answer_and_enter_gives_none() {
    let keys = [
        ("d", Some(("no", None))),
        ("q", Some(("no", None))),
        ("<Esc>", Some(("no", None))),
        ("<CR>o", Some(("once", None))),
        ("s", Some(("session", None))),
        ("rtoo slow<CR>", Some(("no", Some("too slow")))),
        (":quit<CR>", None),
    ];
    let asked = |at: usize| json!([question(&format!("q{at}"), &format!("Run in /app:\ncargo test {at}"))]);
    let mut on = json!({ "finch.plan": asked(0) });
    for at in 1..keys.len() {
        on[format!("answer q{}", at - 1)] = asked(at);
    }
    let server = server(&on);
    let neovim = open(&server, "");
    neovim.feed(":Finch plan speed it up<CR>");
    for (at, (keys, answer)) in keys.into_iter().enumerate() {
        let screen = neovim.wait_for_screen(&format!("cargo test {at}"));
        for shown in ["finch wants to run a command", "o  Allow once", "commands are asked about"] {
            assert!(screen.contains(shown), "{shown:?}:\n{}", screen.text());
        }
        listens(&neovim);
        neovim.feed(keys);
        let id = format!("q{at}");
        let answer = answer.map_or(Value::Null, |(choice, reason)| match reason {
            Some(reason) => json!({ "id": id, "choice": choice, "reason": reason }),
            None => json!({ "id": id, "choice": choice }),
        });
        assert_eq!(answered(&neovim, &server, &id), answer, "{keys}");
        neovim.wait_until_gone(&format!("cargo test {at}"));
    }
    assert_eq!(server.received("workspace/executeCommand")[0]["arguments"][0]["task"], "speed it up");
}

#[test]
fn what_is_being_typed_is_no_answer() {
    let on = json!({ "finch.ask": [question("q1", "Run in /app:\nrm x")] });
    let server = server(&on);
    let neovim = open(&server, "");
    neovim.feed("i<Cmd>Finch ask why<CR>");
    neovim.wait_for_screen("rm x");
    neovim.type_text("soon, as dogs do");
    neovim.wait_for_buffer("soon, as dogs do");
    // Out of Insert mode, and straight on: the keys may be lost, but they answer nothing.
    neovim.press(&["Escape"]);
    neovim.wait_for_expr("win_gettype()", "popup");
    neovim.feed("osd");
    pause(&neovim, 300);
    assert_eq!(server.answer("q1"), None);
    assert_eq!(neovim.lua("require('finch').status()"), "finch asks (:Finch answer)");
    pause(&neovim, 600);
    neovim.feed("o");
    assert_eq!(answered(&neovim, &server, "q1"), json!({ "id": "q1", "choice": "once" }));
    neovim.wait_for_buffer("soon, as dogs do");
}

#[test]
fn questions_come_one_after_another_and_each_answer_names_its_own() {
    let on = json!({ "finch.plan": [question("q1", "Run in /app:\nfirst"), question("q2", "Run in /app:\nsecond")] });
    let server = server(&on);
    let neovim = open(&server, "");
    neovim.feed(":Finch plan both<CR>");
    let screen = neovim.wait_for_screen("first");
    assert!(!screen.contains("second"), "{}", screen.text());
    listens(&neovim);
    neovim.feed("o");
    neovim.wait_for_screen("second");
    listens(&neovim);
    neovim.feed("d");
    assert_eq!(answered(&neovim, &server, "q2"), json!({ "id": "q2", "choice": "no" }));
    assert_eq!(answered(&neovim, &server, "q1"), json!({ "id": "q1", "choice": "once" }));
}

#[test]
fn a_long_effect_can_be_read_to_its_end() {
    let effect: Vec<String> = (1..=200).map(|line| format!("+line {line}")).collect();
    let effect = format!("Change /app/a\n--- a\n+++ b\n@@ -0,0 +1,200 @@\n{}", effect.join("\n"));
    let server = server(&json!({ "finch.plan": [question("q1", &effect)] }));
    let neovim = open(&server, "");
    neovim.feed(":Finch plan long<CR>");
    neovim.wait_for_screen("more below");
    listens(&neovim);
    neovim.feed("G");
    neovim.wait_for_screen("+line 200");
    assert!(neovim.buffer().ends_with(&effect), "{}", neovim.buffer());
    neovim.feed("d");
    assert_eq!(answered(&neovim, &server, "q1")["choice"], "no");
}

#[test]
fn a_question_that_is_taken_back_is_closed() {
    let cancel = json!({ "send": { "method": "$/cancelRequest", "params": { "id": "q1" } } });
    let ended = event(&json!({ "kind": "ended", "outcome": "stopped", "message": "stopped by you" }));
    for taken_back in [cancel, ended] {
        let on = json!({ "finch.plan": [question("q1", "Run in /app:\nls")], "finch.stop": [taken_back] });
        let server = server(&on);
        let neovim = open(&server, "");
        neovim.feed(":Finch plan a<CR>");
        neovim.wait_for_screen("Run in /app");
        neovim.feed(":Finch stop<CR>");
        neovim.wait_until_gone("Run in /app");
        assert_eq!(answered(&neovim, &server, "q1"), Value::Null);
    }
}

/// A folder for finch's own files, and the plan in it.
fn home_with_a_plan() -> (tempfile::TempDir, String, String) {
    let home = tempfile::Builder::new().prefix("fh").tempdir().unwrap();
    let plan = home.path().canonicalize().unwrap().join("plans/project/task.md");
    std::fs::create_dir_all(plan.parent().unwrap()).unwrap();
    std::fs::write(&plan, "# Round one\n").unwrap();
    let path = plan.to_str().unwrap().to_owned();
    let uri = format!("file://{path}");
    (home, path, uri)
}

fn open_with_home(server: &FakeServer, home: &tempfile::TempDir) -> Neovim {
    Neovim::open(Setup {
        server: server.command(),
        env: without_a_daemon(home.path().to_str().unwrap()),
        file: "main.py".into(),
        text: "# TODO: add a cache\n".into(),
        ..Setup::default()
    })
}

#[test]
fn a_plan_is_shown_reloaded_and_approved_by_its_lens() {
    let (home, path, uri) = home_with_a_plan();
    let plan = |state: &str| {
        event(&json!({ "kind": "plan", "uri": uri, "hash": "h2", "round": 2, "state": state, "open": 0 }))
    };
    let shown = json!({ "send": { "id": "s1", "method": "window/showDocument", "params": { "uri": uri, "takeFocus": false } } });
    let on = json!({
        "finch.plan": [event(&json!({ "kind": "began", "title": "add a cache", "task": "plan" })), shown],
        "answer s1": [{ "write": [path, "# Round two\n\n- [ ] Step\n"] }, plan("settled")],
    });
    let lenses = json!({ "task.md": [
        { "line": 0, "title": "Approve and carry out", "command": "finch.approve", "arguments": [{ "uri": uri, "hash": "h2" }] },
        { "line": 0, "title": "Revise…", "command": "finch.revise", "arguments": [{ "uri": uri }] },
    ] });
    let server = FakeServer::new(&json!({ "commands": COMMANDS, "on": on, "lenses": lenses }));
    let neovim = open_with_home(&server, &home);
    neovim.feed(":Finch plan<CR>");
    neovim.wait_for_screen("# Round two");
    let sent = &server.received("workspace/executeCommand")[0];
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 19 } });
    assert_eq!((&sent["command"], &sent["arguments"][0]["range"]), (&json!("finch.plan"), &range));
    assert_eq!(sent["arguments"][0].get("task"), None);
    assert_eq!(neovim.expr("expand('%:t')").as_deref(), Some("main.py"), "the cursor stays where it was");
    neovim.wait_for_screen("Approve and carry out | Revise…");
    neovim.wait_for_expr("luaeval('require(\"finch\").status()')", "finch has settled the plan (round 2): add a cache");
    neovim.feed("<C-w>j:Finch choose<CR>");
    neovim.wait_for_screen("1: Approve and carry out");
    neovim.feed("1<CR>");
    neovim.wait(|| server.received("workspace/executeCommand").len() == 2, "the approval");
    let approved = &server.received("workspace/executeCommand")[1];
    assert_eq!(*approved, json!({ "command": "finch.approve", "arguments": [{ "uri": uri, "hash": "h2" }] }));
    // One server for the code and its plan.
    assert_eq!(neovim.lua("#vim.lsp.get_clients({ name = 'finch' })"), "1");
    assert_eq!(server.received("initialize").len(), 1);
    neovim.feed(":Finch choose<CR>");
    neovim.wait_for_screen("2: Revise…");
    neovim.feed("2<CR>");
    neovim.wait_for_screen("what should be different?");
    neovim.feed("smaller steps<CR>");
    neovim.wait(|| server.received("workspace/executeCommand").len() == 3, "the direction");
    let revised = &server.received("workspace/executeCommand")[2]["arguments"][0];
    assert_eq!(*revised, json!({ "uri": uri, "direction": "smaller steps" }));
}

#[test]
fn a_plan_that_the_user_has_changed_is_not_overwritten_in_the_editor() {
    let (home, path, uri) = home_with_a_plan();
    let plan = event(&json!({ "kind": "plan", "uri": uri, "hash": "h", "round": 2, "state": "attacking", "open": 1 }));
    let server = server(&json!({ "finch.plan": [{ "write": [path, "# Round two\n"] }, plan] }));
    let neovim = open_with_home(&server, &home);
    neovim.feed(&format!(":edit {path}<CR>"));
    neovim.wait_for_expr("get(b:, 'finch_client', 0)", "1");
    neovim.feed("Gomine<Esc>:Finch plan x<CR>");
    neovim.wait_for_screen("which you have changed too");
    neovim.wait_for_buffer("# Round one\nmine");
}

#[test]
fn turns_are_written_down_and_said() {
    let on = json!({ "finch.ask": [
        event(&json!({ "kind": "began", "title": "why", "task": "ask" })),
        event(&json!({ "kind": "text", "text": "Because" })),
        event(&json!({ "kind": "text", "text": " of **that**" })),
        event(&json!({ "kind": "ended", "outcome": "failed", "message": "the model is gone" })),
    ] });
    let server = server(&on);
    let neovim = open(&server, "");
    neovim.feed(":Finch ask why<CR>");
    neovim.wait_for_screen("finch: the model is gone");
    neovim.feed(":Finch turns<CR>");
    neovim.wait_for_buffer("=== ask: why (turn t1)\nBecause of **that**\n=== failed: the model is gone");
    neovim.feed(":Finch resume<CR>");
    neovim.wait(|| server.received("workspace/executeCommand").len() == 2, "the command");
    let resumed = &server.received("workspace/executeCommand")[1];
    assert_eq!(*resumed, json!({ "command": "finch.resume", "arguments": [{ "turn": "t1" }] }));
}

#[test]
fn documents_are_saved_without_a_question() {
    let save = json!({ "send": { "id": "s1", "method": "finch/save", "params": { "uris": ["ROOT/main.py", "ROOT/new/deep.py"] } } });
    let server = server(&json!({ "finch.plan": [save] }));
    let neovim = open(&server, "one\n");
    neovim.feed("otwo<Esc>");
    neovim.expr("luaeval('vim.api.nvim_buf_set_lines(vim.fn.bufadd(\"new/deep.py\"), 0, -1, false, { \"x\" })')");
    neovim.feed(":Finch plan x<CR>");
    assert_eq!(answered(&neovim, &server, "s1"), json!({ "failed": [] }));
    neovim.wait_for_expr("join(readfile('main.py'), ',')", "one,two");
}

#[test]
fn a_document_that_has_changed_on_the_disk_too_is_not_saved() {
    let save = json!({ "send": { "id": "s1", "method": "finch/save", "params": { "uris": ["ROOT/main.py"] } } });
    let server = server(&json!({ "finch.plan": [save] }));
    let neovim = open(&server, "one\n");
    neovim.feed("otwo<Esc>");
    neovim.expr("writefile(['other text'], 'main.py')");
    neovim.feed(":Finch plan x<CR>");
    let failed = &answered(&neovim, &server, "s1")["failed"];
    assert_eq!(failed[0]["reason"], "the file has changed on the disk too");
    neovim.wait_for_expr("join(readfile('main.py'), ',')", "other text");
}

#[test]
fn diagnostics_are_told_once_they_stand_still() {
    let asked = json!({ "send": { "id": "d1", "method": "finch/diagnostics", "params": {} } });
    let script = json!({ "encoding": "utf-16", "commands": COMMANDS, "on": { "finch.plan": [asked] } });
    let server = FakeServer::new(&script);
    let neovim = open(&server, "größe = 1\n");
    let set = "vim.diagnostic.set(vim.api.nvim_create_namespace('x'), 0, \
               { { lnum = 0, col = 10, end_col = 11, message = 'bad', severity = 1, source = 'lint' } })";
    neovim.feed(":Finch plan x<CR>");
    neovim.wait(|| !server.received("workspace/executeCommand").is_empty(), "the command");
    // While the plugin waits.
    neovim.expr(&format!("luaeval('{}')", set.replace('\'', "''")));
    let told = answered(&neovim, &server, "d1");
    let place = |character: u32| json!({ "line": 0, "character": character });
    let uri = &told["diagnostics"][0]["uri"];
    assert!(uri.as_str().unwrap().ends_with("/project/main.py"), "{uri}");
    assert_eq!(
        told,
        json!({ "diagnostics": [{
            "uri": uri, "range": { "start": place(8), "end": place(9) },
            "severity": 1, "message": "bad", "source": "lint",
        }] })
    );
    neovim.feed(":Finch fix<CR>");
    neovim.wait(|| server.received("workspace/executeCommand").len() == 2, "the command");
    let fix = &server.received("workspace/executeCommand")[1]["arguments"][0];
    let range = json!({ "start": place(8), "end": place(9) });
    assert_eq!(
        *fix,
        json!({ "uri": uri, "range": range, "diagnostic": { "message": "bad", "source": "lint", "range": range } })
    );
}

#[test]
fn the_server_is_started_anew_when_it_asks_for_it() {
    let restart = json!({ "send": { "method": "finch/restart", "params": { "reason": "a new model" } } });
    let server = server(&json!({ "finch.plan": [restart] }));
    let neovim = open(&server, "");
    let first = neovim.expr("b:finch_client");
    neovim.feed(":Finch plan x<CR>");
    neovim.wait(|| server.received("initialize").len() == 2, "another server");
    neovim.wait(
        || neovim.expr("get(b:, 'finch_client', 0)").is_some_and(|id| id != "0" && Some(id) != first),
        "it to serve",
    );
    let messages = neovim.expr("execute('messages')").unwrap_or_default();
    assert!(!messages.contains("the server ended"), "{messages}");
}

#[test]
fn what_the_model_asks_is_said_to_be_the_models() {
    let questions = json!([
        { "text": "Which cache?", "options": ["memory", "disk"], "several": false },
        { "text": "How large?", "options": [], "several": false },
        { "text": "For whom?", "options": ["me", "you"], "several": true },
    ]);
    let asked = json!({ "send": { "id": "a1", "method": "finch/askUser", "params": { "turn": "t1", "questions": questions } } });
    let server = server(&json!({ "finch.plan": [asked] }));
    let neovim = open(&server, "");
    neovim.feed(":Finch plan x<CR>");
    neovim.wait_for_screen("finch, the model asks: Which cache?");
    neovim.feed("2<CR>");
    neovim.wait_for_screen("finch, the model asks: How large?");
    neovim.feed("10 MB<CR>");
    neovim.wait_for_screen("finch, the model asks: For whom?");
    neovim.feed("3<CR>");
    neovim.wait_for_screen("so far: you");
    neovim.feed("1<CR>");
    assert_eq!(answered(&neovim, &server, "a1"), json!({ "answers": ["disk", "10 MB", "you"] }));
}

#[test]
fn commands_send_the_lines_they_are_given() {
    let server = server(&json!({}));
    let neovim = open(&server, "a = 1\nb = 2\nc = 3\n");
    let range = |from: u32, to: u32| json!({ "start": { "line": from, "character": 0 }, "end": { "line": to, "character": 5 } });
    for (at, (keys, command, range, text)) in [
        (":1,2Finch explain<CR>", "finch.explain", range(0, 1), None),
        (":2Finch edit make it 4<CR>", "finch.edit", range(1, 1), Some(("instruction", "make it 4"))),
        ("3G:Finch edit<CR>make it 5<CR>", "finch.edit", range(2, 2), Some(("instruction", "make it 5"))),
        ("3G:Finch ask what is c<CR>", "finch.ask", range(2, 2), Some(("text", "what is c"))),
        (":1,3Finch plan<CR>", "finch.plan", range(0, 2), None),
        (":1Finch test<CR>", "finch.test", range(0, 0), None),
        (":1Finch document<CR>", "finch.document", range(0, 0), None),
    ]
    .into_iter()
    .enumerate()
    {
        neovim.feed(keys);
        neovim.wait(|| server.received("workspace/executeCommand").len() > at, keys);
        let sent = &server.received("workspace/executeCommand")[at];
        assert_eq!((&sent["command"], &sent["arguments"][0]["range"]), (&json!(command), &range), "{keys}");
        if let Some((key, value)) = text {
            assert_eq!(sent["arguments"][0][key], value, "{keys}");
        }
    }
    neovim.feed(":Finch fix<CR>");
    neovim.wait_for_screen("there is no diagnostic in this line");
    neovim.feed(":Finch undo<CR>");
    neovim.wait(|| server.received("workspace/executeCommand").len() == 8, "the command");
    assert_eq!(server.received("workspace/executeCommand")[7]["command"], "finch.undoTurn");
}

/// Answers the question on the screen once it listens.
#[cfg(unix)]
#[track_caller]
fn answer(neovim: &Neovim, shown: &str, key: &str) {
    neovim.wait_for_screen(shown);
    listens(neovim);
    neovim.feed(key);
    neovim.wait_until_gone(shown);
}

#[cfg(unix)]
#[test]
fn from_a_todo_to_a_checked_edit_and_back() {
    use crate::support::record::Recording;
    use crate::support::todo;

    let home = tempfile::Builder::new().prefix("fh").tempdir().unwrap();
    let model = todo::model(home.path());
    let recording = Recording::new("neovim-agent");
    let neovim = Neovim::open_unattached(Setup {
        server: recording.command(&[env!("CARGO_BIN_EXE_finch").into(), "lsp".into()]),
        env: without_a_daemon(home.path().to_str().unwrap()),
        file: todo::FILE.into(),
        text: todo::BEFORE.into(),
        ..Setup::default()
    });
    neovim.wait_for_expr("get(b:, 'finch_client', 0) > 0", "1");
    neovim.feed("2G:lua vim.lsp.buf.code_action()<CR>");
    let menu = neovim.wait_for_screen("Plan this task").text();
    let entry = menu.lines().find(|line| line.contains("Plan this task")).unwrap();
    let number = entry.split(':').next().unwrap().trim();
    neovim.feed(&format!("{number}<CR>"));
    neovim.wait_for_screen("Approve and carry out");
    // The cursor has stayed in the code; the plan is below it.
    neovim.feed("<C-w>j<C-w>_");
    neovim.wait_for_screen("[ ] Drop the empty parts");
    neovim.picture("neovim-plan");
    neovim.feed("gg:lua vim.lsp.codelens.run()<CR>");
    neovim.wait_for_screen("1: Approve and carry out");
    neovim.feed("1<CR>");
    answer(&neovim, "finch wants to change a file", "o");
    neovim.wait_for_screen("finch wants to run a command");
    neovim.picture("neovim-question");
    answer(&neovim, "finch wants to run a command", "o");
    neovim.wait_for_screen("(:Finch undo takes it back)");
    let on_disk = || std::fs::read_to_string(neovim.project().join(todo::FILE)).unwrap();
    assert_eq!(on_disk(), todo::AFTER);
    neovim.wait_for_screen("[x] Drop the empty parts");
    neovim.wait_for_screen("Undo this turn");
    neovim.feed("<CR><C-w>k");
    neovim.wait_for_buffer(todo::AFTER.trim_end());
    neovim.feed(":Finch undo<CR>");
    neovim.wait_for_buffer(todo::BEFORE.trim_end());
    neovim.wait(|| on_disk() == todo::BEFORE, "the file to be as it was");
    // The turn is over only then.
    neovim.wait_for_screen("Taken back in one file");
    assert!(model.requests().iter().any(|request| request.body.to_string().contains("TODO: drop the empty parts")));
    drop(neovim);
    recording.assert_conforms();
}

/// Waits until no turn is under way, and denies whatever is asked meanwhile. How many questions there were.
#[cfg(unix)]
#[track_caller]
fn deny_until_it_ends(neovim: &Neovim) -> usize {
    const TURN_MAX: std::time::Duration = std::time::Duration::from_secs(240);
    let (started, mut asked) = (std::time::Instant::now(), 0);
    let turns = "len(luaeval('require(\"finch.turns\").text() or \"\"'))";
    while neovim.expr(turns).as_deref() != Some("0") || neovim.expr("win_gettype()").as_deref() == Some("popup") {
        assert!(started.elapsed() < TURN_MAX, "the turn does not end:\n{}", neovim.screen().text());
        if neovim.expr("win_gettype()").as_deref() == Some("popup") {
            listens(neovim);
            neovim.feed("d");
            asked += 1;
        }
        pause(neovim, 100);
    }
    asked
}

/// A small model plans poorly, but nothing breaks, and nothing is done that nobody permitted.
#[cfg(unix)]
#[test]
fn a_real_model_plans_and_works_as_well_as_it_can() {
    use crate::support::finch::home_of_its_own;
    use crate::support::tasks::tree;
    use crate::support::todo;

    let home = home_of_its_own("");
    let neovim = Neovim::open_unattached(Setup {
        server: vec![env!("CARGO_BIN_EXE_finch").into(), "lsp".into()],
        env: without_a_daemon(home.path().to_str().unwrap()),
        file: todo::FILE.into(),
        text: todo::BEFORE.into(),
        ..Setup::default()
    });
    neovim.wait_for_expr("luaeval('require(\"finch\").status()') =~ 'smollm2'", "1");
    neovim.feed("2G:Finch plan<CR>");
    neovim.wait(|| !neovim.lua("require('finch.turns').text() or ''").is_empty(), "the turn");
    assert_eq!(deny_until_it_ends(&neovim), 0, "planning asks nothing");
    let plan = neovim.wait_for_screen("State: ");
    assert!(plan.contains("finch: The plan is") || plan.contains("finch: The rounds are over"), "{}", plan.text());
    neovim.feed("<C-w>jgg:lua vim.lsp.codelens.run()<CR>");
    neovim.wait_for_screen("1: Approve and carry out");
    neovim.feed("1<CR>");
    neovim.wait(|| !neovim.lua("require('finch.turns').text() or ''").is_empty(), "the turn");
    deny_until_it_ends(&neovim);
    // It may have read what it liked, and nobody allowed it anything.
    let on_disk = tree(&neovim.project());
    assert_eq!(on_disk, [(todo::FILE.into(), todo::BEFORE.into())].into());
    neovim.feed("<C-w>kGo# still here<Esc>");
    neovim.wait_for_buffer(&format!("{}# still here", todo::BEFORE));
    neovim.wait_for_expr("luaeval('require(\"finch\").status()') =~ 'smollm2'", "1");
}
