//! Neovim: what a user of the plugin sees and types, in a real Neovim in a real terminal. The
//! scripted server makes every answer known; the stories take the server as a parameter, so that
//! the same keys are pressed against the real one.
//!
//! An older Neovim: `tests/support/install-neovim.sh /tmp/nvim10 trixie`, then FINCH_TEST_NVIM=/tmp/nvim10. Where
//! Neovim cannot draw ghost text by itself, both ways of drawing are the plugin's.

use serde_json::{Value, json};

use crate::support::finch::home_with_a_model;
use crate::support::neovim::{FakeServer, Installation, Neovim, Setup, without_a_daemon};
use crate::support::record::Recording;

/// Who draws the ghost text: Neovim from 0.12 on, or the plugin.
#[derive(Clone, Copy, Debug)]
enum Drawn {
    ByNeovim,
    ByFinch,
}

/// Runs a scenario with both ways of drawing.
macro_rules! either_way {
    ($($(#[$meta:meta])* $name:ident;)*) => {
        mod drawn_by_neovim { $( #[test] fn $name() { super::$name(super::Drawn::ByNeovim) } )* }
        mod drawn_by_finch { $( #[test] fn $name() { super::$name(super::Drawn::ByFinch) } )* }
    };
}

either_way! {
    a_suggestion_appears_and_tab_accepts_it;
    a_word_at_a_time;
    a_line_at_a_time;
    typing_what_is_suggested_shortens_it;
    a_letter_typed_after_the_answer_is_not_doubled;
    a_letter_that_disagrees_drops_the_suggestion;
    a_question_that_is_overtaken_is_cancelled_and_its_answer_ignored;
    dismissing_takes_the_suggestion_away;
    leaving_insert_mode_takes_the_suggestion_away;
    the_next_suggestion_is_shown_and_accepted;
    more_suggestions_are_asked_for;
    accepting_is_one_undo_step;
    text_right_of_the_cursor_is_replaced;
    characters_outside_ascii_are_counted_by_the_servers_encoding;
    tab_indents_where_the_suggestion_begins_with_indentation;
    toggle_switches_ghost_text_off_and_on;
    a_second_file_is_served_too;
}

impl Drawn {
    fn options(self) -> String {
        match self {
            Drawn::ByNeovim => "ghost = 'native'".into(),
            Drawn::ByFinch => "ghost = 'own'".into(),
        }
    }
}

/// A function to be written, below one that shows how.
const STORY: &str = "def add(a, b):\n    return a + b\n\n\n";

/// What the stories need of a server: how it is started, and what the status line says when it is ready.
struct Served {
    setup: Setup,
    ready: &'static str,
}

/// The server behind a recorder; what was said is checked when the editor has ended.
fn the_real_server(story: &str) -> (Recording, Served) {
    let recording = Recording::new(story);
    let home = home_with_a_model().to_str().unwrap();
    let setup = Setup {
        server: recording.command(&[env!("CARGO_BIN_EXE_finch").into(), "lsp".into()]),
        env: without_a_daemon(home),
        ..Setup::default()
    };
    (recording, Served { setup, ready: "finch smollm2-135m" })
}

fn the_scripted_server() -> (FakeServer, Served) {
    let server = FakeServer::new(&json!({
        "through": true,
        "status": { "state": "ready", "model": "script" },
        "rules": [{ "after": "def subtract(a, b):\n    ", "items": [{ "text": "return a - b", "id": "s" }] }],
    }));
    let setup = Setup { server: server.command(), ..Setup::default() };
    (server, Served { setup, ready: "finch script" })
}

/// Types the head of a function and waits for ghost text below it; returns what stands in the buffer,
/// what is suggested, and how that is drawn.
fn with_ghost_text(served: Served) -> (Neovim, String, String, String) {
    let setup = Setup { file: "story.py".into(), text: STORY.into(), ..served.setup };
    let neovim = Neovim::open(setup);
    neovim.wait_for_expr("luaeval('require(\"finch\").status()')", served.ready);
    neovim.type_text("Godef subtract(a, b):");
    neovim.press(&["Enter"]);
    let text = || neovim.expr("luaeval('require(\"finch\").text() or \"\"')").unwrap_or_default();
    neovim.wait(|| !text().trim().is_empty(), "a suggestion");
    let (typed, ghost) = (neovim.buffer(), text());
    let line = first_line(&ghost);
    let screen = neovim.wait_for_screen(line);
    let style = screen.style_of(line).unwrap_or_else(|| panic!("{line:?} in one style:\n{}", screen.text())).to_owned();
    assert_ne!(screen.style_of("subtract"), Some(style.as_str()), "{}", screen.text());
    (neovim, typed, ghost, style)
}

fn first_line(ghost: &str) -> &str {
    ghost.trim().lines().next().unwrap_or_default().trim_end()
}

fn tab_takes_all_of_it(served: Served) {
    let (neovim, typed, ghost, style) = with_ghost_text(served);
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer(&format!("{typed}{ghost}"));
    let line = first_line(&ghost);
    neovim.wait(
        || neovim.screen().contains(line) && neovim.screen().style_of(line) != Some(style.as_str()),
        "the accepted text to look like text",
    );
}

fn a_key_takes_one_word_of_it(served: Served) {
    let (neovim, typed, ghost, _) = with_ghost_text(served);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = ghost.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let first = is_word(ghost[start..].chars().next().unwrap_or(' '));
    let length = ghost[start..].find(|c: char| c.is_whitespace() || is_word(c) != first).unwrap_or(ghost.len() - start);
    let (word, rest) = ghost.split_at(start + length);
    neovim.press(&["C-Right"]);
    neovim.wait_for_buffer(&format!("{typed}{word}"));
    neovim.wait_for_screen(first_line(rest));
}

#[test]
fn the_real_model_writes_ghost_text_and_tab_takes_it() {
    let (recording, served) = the_real_server("neovim-tab");
    tab_takes_all_of_it(served);
    recording.assert_conforms();
}

#[test]
fn of_the_real_models_ghost_text_a_key_takes_one_word() {
    let (recording, served) = the_real_server("neovim-word");
    a_key_takes_one_word_of_it(served);
    recording.assert_conforms();
}

#[test]
fn the_story_of_tab_holds_for_a_scripted_server() {
    let (_server, served) = the_scripted_server();
    tab_takes_all_of_it(served);
}

#[test]
fn the_story_of_a_word_holds_for_a_scripted_server() {
    let (_server, served) = the_scripted_server();
    a_key_takes_one_word_of_it(served);
}

fn open(server: &FakeServer, drawn: Drawn, text: &str) -> Neovim {
    open_with(server, drawn, text, "")
}

/// `before` is Lua that runs before the plugin is set up.
fn open_with(server: &FakeServer, drawn: Drawn, text: &str, before: &str) -> Neovim {
    Neovim::open(Setup {
        server: server.command(),
        options: drawn.options(),
        before: before.into(),
        file: "main.txt".into(),
        text: text.into(),
        ..Setup::default()
    })
}

/// A server with one suggestion: after `after` comes `text`.
fn suggesting(after: &str, text: &str) -> FakeServer {
    FakeServer::new(&json!({
        "through": true,
        "rules": [{ "after": after, "items": [{ "text": text, "id": "s1" }] }],
    }))
}

/// The acceptances the server was told about, waiting until there are `count`.
#[track_caller]
fn accepted(neovim: &Neovim, server: &FakeServer, count: usize) -> Vec<Value> {
    neovim.wait(|| server.received("finch/didAccept").len() >= count, "the acceptance to be reported");
    server.received("finch/didAccept")
}

/// Ghost text is drawn unlike what was typed, and like that no longer once it is accepted.
#[track_caller]
fn assert_ghostly(neovim: &Neovim, typed: &str, ghost: &str) {
    let screen = neovim.wait_for_screen(ghost);
    let style = screen.style_of(ghost);
    assert!(style.is_some() && style != screen.style_of(typed), "{style:?}\n{}", screen.text());
}

#[track_caller]
fn assert_typed(neovim: &Neovim, typed: &str, accepted: &str) {
    neovim.wait(
        || {
            let screen = neovim.screen();
            screen.style_of(accepted).is_some() && screen.style_of(accepted) == screen.style_of(typed)
        },
        &format!("{accepted:?} to look like {typed:?}"),
    );
}

fn a_suggestion_appears_and_tab_accepts_it(drawn: Drawn) {
    let server = suggesting("def add(a, b):\n    ", "return a + b\n\nprint(add(1, 2))");
    let neovim = open_with(&server, drawn, "", "vim.o.autoindent = true");
    neovim.type_text("idef add(a, b):");
    neovim.press(&["Enter", "Space", "Space", "Space", "Space"]);
    assert_ghostly(&neovim, "def add(a, b):", "return a + b");
    assert_ghostly(&neovim, "def add(a, b):", "print(add(1, 2))");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("def add(a, b):\n    return a + b\n\nprint(add(1, 2))");
    assert_typed(&neovim, "def add(a, b):", "return a + b");
    neovim.type_text("!");
    neovim.wait_for_buffer("def add(a, b):\n    return a + b\n\nprint(add(1, 2))!");
    assert_eq!(accepted(&neovim, &server, 1), [json!({ "id": "s1", "length": 30, "kind": "full" })]);
    assert_eq!(server.received("finch/didShow"), [json!({ "id": "s1" })]);
    assert_eq!(server.received("workspace/executeCommand"), [Value::Null; 0]);
}

fn a_word_at_a_time(drawn: Drawn) {
    let server = suggesting("x = ", "one + zwei * 3");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = one + zwei * 3");
    neovim.press(&["C-Right"]);
    neovim.wait_for_buffer("x = one");
    assert_ghostly(&neovim, "x = one", " + zwei * 3");
    neovim.press(&["C-Right"]);
    neovim.wait_for_buffer("x = one +");
    // Again without waiting: what is left must be there at once.
    neovim.wait_for_screen("x = one + zwei * 3");
    neovim.press(&["C-Right"]);
    neovim.wait_for_buffer("x = one + zwei");
    neovim.wait_for_screen("x = one + zwei * 3");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = one + zwei * 3");
    let reported = accepted(&neovim, &server, 4);
    assert_eq!(
        reported.iter().map(|params| params["kind"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
        ["word", "word", "word", "full"]
    );
    assert_eq!(reported[0], json!({ "id": "s1", "length": 3, "kind": "word" }));
}

fn a_line_at_a_time(drawn: Drawn) {
    let server = suggesting("list:", " one\n  - two\n  - three");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ilist:");
    neovim.wait_for_screen("  - three");
    neovim.press(&["C-Down"]);
    neovim.wait_for_buffer("list: one");
    neovim.wait_for_screen("  - three");
    neovim.press(&["C-Down"]);
    neovim.wait_for_buffer("list: one\n  - two");
    neovim.wait_for_screen("  - three");
    neovim.press(&["C-Down"]);
    neovim.wait_for_buffer("list: one\n  - two\n  - three");
    let reported = accepted(&neovim, &server, 3);
    assert_eq!(reported[0], json!({ "id": "s1", "length": 4, "kind": "line" }));
    assert!(reported.iter().all(|params| params["kind"] == "line"), "{reported:?}");
}

fn typing_what_is_suggested_shortens_it(drawn: Drawn) {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
    neovim.type_text("va");
    neovim.wait_for_buffer("x = va");
    assert_ghostly(&neovim, "x = va", "lue");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = value");
    accepted(&neovim, &server, 1);
    assert_eq!(server.received("finch/didShow"), [json!({ "id": "s1" })]);
}

/// The answer replaces what stood there when it was asked for; then one more letter is typed, and no
/// newer answer ever comes.
fn a_letter_typed_after_the_answer_is_not_doubled(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [
            { "after": "", "hold": true },
            { "after": "ret", "items": [{ "text": "return 1", "back": 3, "id": "r" }] },
        ],
    }));
    let neovim = open(&server, drawn, "");
    neovim.type_text("iret");
    neovim.wait_for_screen("return 1");
    neovim.feed("u<Tab>");
    neovim.wait_for_buffer("return 1");
    assert_eq!(accepted(&neovim, &server, 1), [json!({ "id": "r", "length": 8, "kind": "full" })]);
}

fn a_letter_that_disagrees_drops_the_suggestion(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [
            { "after": "", "hold": true },
            { "after": "ret", "items": [{ "text": "return 1", "back": 3, "id": "r" }] },
        ],
    }));
    let neovim = open(&server, drawn, "");
    neovim.type_text("iret");
    neovim.wait_for_screen("return 1");
    neovim.feed("x<C-Right>!");
    neovim.wait(|| neovim.buffer().ends_with('!'), "the last key to arrive");
    assert!(!neovim.buffer().contains("urn"), "{:?}", neovim.buffer());
    neovim.wait_until_gone("urn 1");
    assert_eq!(server.received("finch/didAccept"), [Value::Null; 0]);
}

fn a_question_that_is_overtaken_is_cancelled_and_its_answer_ignored(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [
            { "after": "a", "late": true, "items": [{ "text": "wrong", "id": "w" }] },
            { "after": "ab", "items": [{ "text": "right", "id": "r" }] },
        ],
    }));
    let neovim = open(&server, drawn, "");
    neovim.type_text("ia");
    neovim.wait(|| !server.received("textDocument/inlineCompletion").is_empty(), "the first question");
    neovim.type_text("b");
    neovim.wait_for_screen("abright");
    assert_eq!(server.received("$/cancelRequest").len(), 1);
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("abright");
}

fn dismissing_takes_the_suggestion_away(drawn: Drawn) {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
    neovim.press(&["C-]"]);
    neovim.wait_until_gone("value");
    neovim.wait(|| !server.received("finch/didReject").is_empty(), "the rejection to be reported");
    assert_eq!(server.received("finch/didReject"), [json!({ "id": "s1", "reason": "dismissed" })]);
    assert_eq!(neovim.buffer(), "x = ");
}

fn leaving_insert_mode_takes_the_suggestion_away(drawn: Drawn) {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
    neovim.press(&["Escape"]);
    neovim.wait_until_gone("value");
    neovim.wait(|| !server.received("finch/didReject").is_empty(), "the rejection to be reported");
    assert_eq!(server.received("finch/didReject"), [json!({ "id": "s1", "reason": "left-insert-mode" })]);
}

fn the_next_suggestion_is_shown_and_accepted(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [{ "after": "x = ", "items": [{ "text": "first", "id": "a" }, { "text": "second", "id": "b" }] }],
    }));
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = first");
    neovim.press(&["M-n"]);
    neovim.wait_for_screen("x = second (2/2)");
    neovim.press(&["M-p"]);
    neovim.wait_for_screen("x = first (1/2)");
    neovim.press(&["M-n"]);
    neovim.wait_for_screen("x = second (2/2)");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = second");
    assert_eq!(accepted(&neovim, &server, 1), [json!({ "id": "b", "length": 6, "kind": "full" })]);
}

fn more_suggestions_are_asked_for(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [
            { "after": "x = ", "items": [{ "text": "first", "id": "a" }] },
            { "after": "x = ", "invoked": true,
              "items": [{ "text": "eins", "id": "b" }, { "text": "zwei", "id": "c" }] },
        ],
    }));
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = first");
    neovim.press(&["M-n"]);
    neovim.wait_for_screen("x = eins");
    neovim.press(&["M-n"]);
    neovim.wait_for_screen("x = zwei (2/2)");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = zwei");
}

fn accepting_is_one_undo_step(drawn: Drawn) {
    let server = suggesting("x = ", "one\ntwo");
    let neovim = open(&server, drawn, "");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = one");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = one\ntwo");
    neovim.type_text("!!");
    neovim.wait_for_buffer("x = one\ntwo!!");
    neovim.press(&["Escape", "u"]);
    neovim.wait_for_buffer("x = one\ntwo");
    neovim.press(&["u"]);
    neovim.wait_for_buffer("x = ");
    neovim.press(&["u"]);
    neovim.wait_for_buffer("");
    neovim.press(&["C-r", "C-r"]);
    neovim.wait_for_buffer("x = one\ntwo");
}

fn text_right_of_the_cursor_is_replaced(drawn: Drawn) {
    let server = FakeServer::new(&json!({
        "rules": [{ "after": "call(", "items": [{ "text": "call(a, b) + 1", "back": 5, "ahead": 1, "id": "s" }] }],
    }));
    let neovim = open(&server, drawn, "call);");
    neovim.type_text("f)i(");
    neovim.wait_for_screen("a, b) + 1");
    neovim.press(&["C-Right"]);
    neovim.wait_for_buffer("call(a);");
    neovim.wait_for_screen(", b) + 1");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("call(a, b) + 1;");
}

fn characters_outside_ascii_are_counted_by_the_servers_encoding(drawn: Drawn) {
    for encoding in ["utf-8", "utf-16"] {
        let server = FakeServer::new(&json!({
            "encoding": encoding,
            "rules": [{ "after": "größe = \"𝄞", "items": [{ "text": "über 𝄞\"; später", "ahead": 1, "id": "u" }] }],
        }));
        let neovim = open(&server, drawn, "größe = \"\"");
        neovim.press(&["A", "Left"]);
        neovim.type_text("𝄞");
        neovim.wait_for_screen("über 𝄞\"; später");
        neovim.press(&["C-Right"]);
        neovim.wait_for_buffer("größe = \"𝄞über\"");
        neovim.wait_for_screen(" 𝄞\"; später");
        neovim.press(&["Tab"]);
        neovim.wait_for_buffer("größe = \"𝄞über 𝄞\"; später");
        let reported = accepted(&neovim, &server, 2);
        assert_eq!(reported[0], json!({ "id": "u", "length": 4, "kind": "word" }), "{encoding}");
        assert_eq!(reported[1], json!({ "id": "u", "length": 16, "kind": "full" }), "{encoding}");
    }
}

fn tab_indents_where_the_suggestion_begins_with_indentation(drawn: Drawn) {
    let server = suggesting("if x:\n", "    return x");
    let neovim = open(&server, drawn, "");
    neovim.type_text("iif x:");
    neovim.press(&["Enter"]);
    neovim.wait_for_screen("return x");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("if x:\n    ");
    neovim.wait_for_screen("return x");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("if x:\n    return x");
}

fn toggle_switches_ghost_text_off_and_on(drawn: Drawn) {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, drawn, "");
    neovim.feed(":Finch toggle<CR>");
    neovim.wait_for_screen("ghost text is off");
    assert_eq!(neovim.lua("require('finch').status()"), "finch off");
    neovim.type_text("ix = ");
    neovim.wait_for_buffer("x = ");
    // Longer than either way of drawing pauses before it asks.
    neovim.feed("<Cmd>call timer_start(500, { -> execute('let g:paused = 1') })<CR>");
    neovim.wait_for_expr("get(g:, 'paused', 0)", "1");
    assert_eq!(server.received("textDocument/inlineCompletion"), [Value::Null; 0]);
    neovim.feed("<Esc>:Finch toggle<CR>");
    neovim.wait_for_screen("ghost text is on");
    neovim.press(&["c", "c"]);
    neovim.type_text("x = ");
    neovim.wait_for_screen("x = value");
}

fn a_second_file_is_served_too(drawn: Drawn) {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, drawn, "");
    neovim.feed(":edit other.txt<CR>");
    neovim.wait_for_expr("expand('%:t') .. get(b:, 'finch_client', 0)", "other.txt1");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("x = value");
    neovim.feed("<Esc>:w<CR>:edit #<CR>ix = ");
    neovim.wait_for_screen("x = value");
}

#[test]
fn tab_does_what_it_did_before_when_there_is_nothing_to_accept() {
    let server = suggesting("never typed", "value");
    let neovim = open(&server, Drawn::ByFinch, "");
    neovim.type_text("ia");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("a   ");
}

#[test]
fn a_mapping_of_the_users_runs_when_there_is_nothing_to_accept() {
    let mappings = [
        (
            "a Lua function",
            "vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ '[fn]' }, 'c', false, true) end)",
            "x[fn]",
        ),
        (
            "a Lua expression",
            "vim.keymap.set('i', '<Tab>', function() return '[ex<lt>]' end, { expr = true })",
            "x[ex<]",
        ),
        ("a Vim mapping", "vim.cmd([=[inoremap <Tab> [vim]]=])", "x[vim]"),
        ("a Vim expression", "vim.cmd([=[inoremap <expr> <Tab> '[' . (1 + 1) . ']' ]=])", "x[2]"),
        ("a mapping to a mapping", "vim.cmd([[imap <Tab> <F5>]]) vim.cmd([[inoremap <F5> [mapped] ]])", "x[mapped]"),
        (
            "a mapping of the buffer",
            "vim.api.nvim_create_autocmd('BufReadPost', { callback = function(a) vim.keymap.set('i', '<Tab>', '[buf]', { buffer = a.buf }) end })",
            "x[buf]",
        ),
    ];
    for (what, before, typed) in mappings {
        let server = suggesting("never typed", "value");
        let neovim = open_with(&server, Drawn::ByFinch, "", before);
        neovim.type_text("ix");
        neovim.press(&["Tab"]);
        neovim.wait(|| neovim.buffer().trim_end() == typed, what);
    }
}

#[test]
fn tab_leaves_the_popup_menu_and_snippets_alone() {
    let server = suggesting("al", "ways");
    let neovim = open_with(
        &server,
        Drawn::ByFinch,
        "alpha\nalphabet\n",
        "vim.o.completeopt = 'menuone,noselect' vim.keymap.set('i', '<Tab>', '<C-n>')",
    );
    neovim.type_text("Goal");
    neovim.wait_for_screen("always");
    neovim.press(&["C-x", "C-n"]);
    neovim.wait_for_expr("pumvisible()", "1");
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer("alpha\nalphabet\nalpha");
    neovim.press(&["Escape"]);
    let before = "vim.api.nvim_create_user_command('Snip', function() vim.snippet.expand('${1:al}($2)') end, {})";
    let mapped = "vim.keymap.set({ 'i', 's' }, '<Tab>', function() vim.snippet.jump(1) end)";
    let neovim = open_with(&server, Drawn::ByFinch, "", &format!("{before} {mapped}"));
    neovim.feed("i<Cmd>Snip<CR>");
    neovim.type_text("al");
    neovim.wait_for_screen("always");
    neovim.press(&["Tab"]);
    neovim.type_text("arg");
    neovim.wait_for_buffer("al(arg)");
}

#[test]
fn keys_can_be_changed_and_switched_off() {
    let server = suggesting("x = ", "value");
    let neovim = Neovim::open(Setup {
        server: server.command(),
        options: "keys = { accept = '<C-y>', accept_word = false }".into(),
        file: "main.txt".into(),
        ..Setup::default()
    });
    assert_eq!(neovim.expr("maparg('<C-Right>', 'i')").as_deref(), Some(""));
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
    neovim.press(&["C-y"]);
    neovim.wait_for_buffer("x = value");
}

#[test]
fn the_status_line_says_what_the_server_is_doing() {
    let cases = [
        (json!({ "state": "ready", "model": "qwen", "provider": "local" }), "finch qwen"),
        (json!({ "state": "downloading", "file": "m", "done": 21, "total": 50 }), "finch downloading 42%"),
        (json!({ "state": "failed", "error": "no space", "next": "make some" }), "finch failed"),
        (json!({ "state": "absent", "next": "run `finch setup`" }), "finch has no model"),
    ];
    for (status, line) in cases {
        let server = FakeServer::new(&json!({ "rules": [], "status": status }));
        let neovim = open_with(
            &server,
            Drawn::ByFinch,
            "",
            "vim.api.nvim_create_autocmd('User', { pattern = 'FinchStatus', command = 'let g:told = 1' })\
             vim.o.statusline = '%{v:lua.require(\"finch\").status()}'",
        );
        neovim.wait_for_expr("luaeval('require(\"finch\").status()')", line);
        neovim.wait_for_expr("get(g:, 'told', 0)", "1");
        neovim.wait_for_screen(line);
    }
}

#[test]
fn a_model_that_will_not_come_is_told_with_what_to_do_next() {
    let cases = [
        (json!({ "state": "failed", "error": "the disk is full", "next": "make room" }), "the disk is full; make room"),
        (json!({ "state": "absent", "next": "run `finch setup`" }), "there is no model; run `finch setup`"),
    ];
    for (status, told) in cases {
        let server = FakeServer::new(&json!({ "rules": [], "status": status }));
        let neovim = open(&server, Drawn::ByFinch, "");
        neovim.wait_for_screen(told);
    }
}

#[test]
fn explain_says_why_there_was_no_suggestion() {
    let explanation = json!({
        "reason": "gate", "message": "too little text: type some more", "model": "", "ms": { "total": 0.25 },
    });
    let server = FakeServer::new(&json!({ "rules": [], "explain": explanation }));
    let neovim = open(&server, Drawn::ByFinch, "");
    neovim.feed(":Finch why<CR>");
    let screen = neovim.wait_for_screen("finch: too little text: type some more");
    assert!(screen.contains("reason: gate") && screen.contains("ms: total 0.25"), "{}", screen.text());
    assert!(!screen.contains("model:"), "{}", screen.text());
}

#[test]
fn feedback_is_told_with_its_note_and_answered() {
    let server = suggesting("x = ", "value");
    let before = "vim.keymap.set('n', 'gb', function() require('finch').feedback('bad') end)";
    let neovim = Neovim::open(Setup {
        server: server.command(),
        options: "keys = { good = '<C-g>' }".into(),
        before: before.into(),
        file: "main.txt".into(),
        ..Setup::default()
    });
    neovim.feed(":Finch good at last<CR>");
    neovim.wait_for_screen("finch: recorded as good");
    neovim.feed(":Finch! bad<CR>");
    neovim.wait_for_screen("finch: recorded as bad, minor");
    neovim.feed("gbi<C-g>");
    neovim.wait(|| server.received("finch/feedback").len() >= 4, "all four to arrive");
    assert_eq!(
        server.received("finch/feedback"),
        [
            json!({ "verdict": "good", "note": "at last" }),
            json!({ "verdict": "bad", "minor": true }),
            json!({ "verdict": "bad" }),
            json!({ "verdict": "good" }),
        ]
    );
}

#[cfg(unix)]
#[test]
fn what_is_said_in_neovim_lands_in_the_journal() {
    let home = crate::support::finch::home_of_its_own("");
    let (recording, mut served) = the_real_server("neovim-feedback");
    served.setup.env = without_a_daemon(home.path().to_str().unwrap());
    let (neovim, typed, ghost, _) = with_ghost_text(served);
    neovim.press(&["Tab"]);
    neovim.wait_for_buffer(&format!("{typed}{ghost}"));
    neovim.feed("<Esc>:Finch good just so<CR>");
    neovim.wait_for_screen("finch: recorded as good");
    neovim.feed(":Finch! bad<CR>");
    neovim.wait_for_screen("finch: recorded as bad, minor");
    let list = crate::support::finch::finch(home.path(), &["feedback", "list", "--json"]).out;
    let list: Value = serde_json::from_str(&list).unwrap();
    let said = |at: usize| (list[at]["weight"].clone(), list[at]["note"].clone(), list[at]["language"].clone());
    assert_eq!(said(0), (json!(1), json!("just so"), json!("python")));
    assert_eq!(said(1), (json!(-3), Value::Null, json!("python")));
    let stats = crate::support::finch::finch(home.path(), &["stats", "--json"]).out;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["all"]["accepted"]["full"], 1, "{stats}");
    drop(neovim);
    recording.assert_conforms();
}

#[test]
fn checkhealth_reports_the_parts() {
    let server = FakeServer::new(&json!({ "rules": [], "status": { "state": "ready", "model": "qwen" } }));
    let neovim = open_with(&server, Drawn::ByFinch, "", "");
    neovim.wait_for_expr("luaeval('require(\"finch\").status()')", "finch qwen");
    neovim.feed(":imap <lt>buffer> <lt>Tab> stolen<CR>:checkhealth finch<CR>");
    neovim.wait(|| neovim.buffer().contains("finch: keys"), "the report");
    let report = neovim.buffer();
    for expected in [
        "suggestions are shown by finch's own ghost text",
        "NVIM v",
        "serves 1 buffer(s)",
        "finch qwen",
        "<Tab> (accept) is mapped in this buffer by something else: stolen",
    ] {
        assert!(report.contains(expected), "{expected:?} in:\n{report}");
    }
    assert!(!report.contains("ERROR"), "{report}");
}

#[test]
fn a_missing_program_is_told_once_with_what_to_do() {
    let neovim = Neovim::open_unattached(Setup {
        server: vec!["finch-that-is-not-there".into()],
        file: "main.txt".into(),
        ..Setup::default()
    });
    neovim.wait(
        || neovim.expr("execute('messages')").is_some_and(|text| text.contains("is not on your PATH")),
        "the message",
    );
    neovim.feed("<CR>:edit other.txt<CR>");
    neovim.wait_for_expr("expand('%:t')", "other.txt");
    let messages = neovim.expr("execute('messages')").unwrap_or_default();
    assert_eq!(messages.matches("is not on your PATH").count(), 1, "{messages}");
}

#[test]
fn buffers_that_are_no_ordinary_files_are_left_alone() {
    let server = suggesting("x", "y");
    let neovim = Neovim::open_unattached(Setup {
        server: server.command(),
        options: "file_bytes_max = 10, filetypes_excluded = { 'secret' }".into(),
        file: "large.txt".into(),
        text: "more than ten bytes\n".into(),
        ..Setup::default()
    });
    let why = |buffer: &str| neovim.lua(&format!("require('finch.server').why_not({buffer})"));
    assert_eq!(why("0"), "it has 20 bytes, more than the 10 of file_bytes_max");
    neovim.feed(":enew<CR>");
    neovim.wait_for_expr("expand('%')", "");
    assert_eq!(why("0"), "it has no file name");
    neovim.feed(":edit small.txt | set filetype=secret<CR>");
    neovim.wait_for_expr("&filetype", "secret");
    assert_eq!(why("0"), "filetype \"secret\" is excluded");
    neovim.feed(":help<CR>");
    neovim.wait_for_expr("&buftype", "help");
    assert_eq!(why("0"), "it is not an ordinary file");
    neovim.feed(":edit box://elsewhere<CR>");
    neovim.wait_for_expr("expand('%')", "box://elsewhere");
    assert_eq!(why("0"), "it is not a local file");
}

#[test]
fn restart_starts_a_new_server_for_the_same_buffer() {
    let server = suggesting("x = ", "value");
    let neovim = open(&server, Drawn::ByFinch, "");
    let first = neovim.expr("b:finch_client");
    neovim.feed(":Finch restart<CR>");
    neovim.wait(|| neovim.expr("b:finch_client").is_some_and(|id| Some(id) != first), "another server");
    assert_eq!(neovim.lua("#vim.lsp.get_clients({ name = 'finch' })"), "1");
    neovim.type_text("ix = ");
    neovim.wait_for_screen("x = value");
}

#[test]
fn a_server_that_dies_is_told_and_its_keys_are_given_back() {
    let server = FakeServer::new(&json!({ "rules": [{ "after": "die", "die": 3 }] }));
    let neovim = open(&server, Drawn::ByFinch, "");
    assert!(neovim.lua("vim.fn.maparg('<Tab>', 'i', false, true).desc").starts_with("finch:"));
    neovim.type_text("idie");
    neovim.wait_for_screen("the server ended with code 3");
    neovim.wait_for_expr("luaeval('require(\"finch\").status()')", "finch stopped");
    neovim.wait_for_expr("maparg('<Tab>', 'i') =~ 'finch'", "0");
}

/// A second server, which finds something wrong with every file, and what two names mean.
fn another_server() -> FakeServer {
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 4 } });
    FakeServer::new(&json!({
        "definitions": { "area": ["shapes.txt", 2], "near": ["main.txt", 0] },
        "diagnostics": [
            { "range": range, "severity": 1, "message": "no such name\nsee there" },
            { "range": range, "severity": 3, "message": "by the way" },
        ],
    }))
}

/// Lua that lets `other` serve every file too, and writes the file that its definitions are in.
fn beside(other: &FakeServer) -> String {
    let words: Vec<String> = other.command().iter().map(|word| format!("[==[{word}]==]")).collect();
    format!(
        "vim.fn.writefile({{ 'first', '', 'def area(width):', '    return width', '', 'last' }}, 'shapes.txt')\n\
         vim.api.nvim_create_autocmd('BufReadPost', {{ callback = function(args)\n\
         vim.lsp.start({{ name = 'other', cmd = {{ {cmd} }} }}, {{ bufnr = args.buf }})\n\
         end }})",
        cmd = words.join(", "),
    )
}

/// What finch was told of one kind.
fn told(server: &FakeServer, kind: &str) -> Vec<Value> {
    let params = server.received("finch/context");
    params.iter().map(|params| params[kind].clone()).filter(|told| !told.is_null()).collect()
}

#[test]
fn what_other_servers_know_is_told_where_the_user_rests() {
    let (server, other) = (FakeServer::new(&json!({ "rules": [] })), another_server());
    let neovim = open_with(&server, Drawn::ByFinch, "area = 1\n", &beside(&other));
    neovim.wait(|| !told(&server, "diagnostics").is_empty(), "the diagnostics to be told");
    assert_eq!(told(&server, "diagnostics"), [json!([{ "line": 0, "message": "no such name" }])]);
    neovim.type_text("Goarea near nowhere");
    neovim.wait(|| !told(&server, "definitions").is_empty(), "the definition to be told");
    let definitions = told(&server, "definitions");
    let uri = definitions[0][0]["uri"].as_str().unwrap_or_default();
    assert!(uri.starts_with("file:///") && uri.ends_with("/project/shapes.txt"), "{uri:?}");
    // Of what is defined near the cursor nothing is told.
    let area = json!([{ "name": "area", "uri": uri, "text": "def area(width):\n    return width" }]);
    assert_eq!(definitions, [area]);
}

#[test]
fn what_other_servers_know_is_kept_from_finch_where_the_user_says_so() {
    let (server, other) = (suggesting("x = ", "value"), another_server());
    let neovim = Neovim::open(Setup {
        server: server.command(),
        options: "context = { definitions = false, diagnostics = false }".into(),
        before: beside(&other),
        file: "main.txt".into(),
        text: "area = 1\n".into(),
        ..Setup::default()
    });
    neovim.wait_for_expr("luaeval('#vim.diagnostic.get(0)')", "2");
    neovim.type_text("Goarea x = ");
    neovim.wait_for_screen("area x = value");
    // Longer than the plugin waits for the user to rest.
    neovim.feed("<Cmd>call timer_start(800, { -> execute('let g:paused = 1') })<CR>");
    neovim.wait_for_expr("get(g:, 'paused', 0)", "1");
    assert_eq!(server.received("finch/context"), [Value::Null; 0]);
    assert_eq!(other.received("textDocument/definition"), [Value::Null; 0]);
}

#[test]
fn the_parts_of_the_plugin_that_need_no_editor_work() {
    Installation::find().check("surroundings_check.lua");
}

#[test]
fn an_option_that_does_not_exist_is_named() {
    let server = suggesting("x = ", "value");
    let neovim = Neovim::open(Setup {
        server: server.command(),
        options: "kyes = {}, debounce_ms = 'soon', context = { edits = true }".into(),
        file: "main.txt".into(),
        ..Setup::default()
    });
    let messages = neovim.expr("execute('messages')").unwrap_or_default();
    assert!(messages.contains("there is no option \"kyes\""), "{messages}");
    assert!(messages.contains("there is no context \"edits\""), "{messages}");
    assert!(messages.contains("\"debounce_ms\" must be a number, not a string"), "{messages}");
}
