//! Emacs: lsp-mode as it is shows finch's ghost text and takes it, with the lines that `docs/editors.md` gives.

use serde_json::Value;

use crate::support::conformance::Side;
use crate::support::emacs::Emacs;
use crate::support::finch::home_with_a_model;
use crate::support::record::{Recording, root, utf8};

/// What is suggested at the cursor, while it is shown.
const GHOST: &str = "(and lsp-inline-completion--overlay
                          (substring-no-properties (overlay-get lsp-inline-completion--overlay 'after-string)))";

#[test]
fn lsp_mode_shows_ghost_text_and_a_key_takes_it() {
    let recording = Recording::new("emacs");
    let server = recording.command(&[env!("CARGO_BIN_EXE_finch").into(), "lsp".into()]);
    let home = utf8(home_with_a_model());
    let emacs = Emacs::open(
        &server,
        &[("FINCH_HOME", home), ("FINCH_DAEMON", "off".to_owned())],
        "def add(a, b):\n    return a + b\n\n\n",
    );
    let is_ready = |params: &Value| params["state"] == "ready";
    emacs.wait(|| recording.sent(Side::Server, "finch/status").iter().any(is_ready), "the model");
    emacs.press(&["M->"]);
    emacs.type_text("def subtract(a, b):");
    emacs.press(&["Enter"]);

    emacs.wait(|| emacs.value(GHOST).is_string(), "ghost text");
    let ghost = emacs.value(GHOST).as_str().unwrap().to_owned();
    let (typed, line) = (emacs.buffer(), ghost.lines().next().unwrap_or_default());
    assert!(typed.ends_with("def subtract(a, b):\n    ") && !line.trim().is_empty(), "{typed:?} {ghost:?}");
    emacs.wait(|| emacs.screen().contains(line), "the screen to show it");

    emacs.press(&["C-Enter"]);
    emacs.wait(|| emacs.buffer() == format!("{typed}{ghost}"), "the text to be taken");
    emacs.wait(|| recording.sent(Side::Client, "workspace/executeCommand").len() == 1, "finch to be told");
    drop(emacs);
    recording.assert_conforms();
}

#[test]
fn the_lines_that_a_user_adds_are_the_ones_tested() {
    let page = std::fs::read_to_string(root().join("docs/editors.md")).unwrap();
    let tested = std::fs::read_to_string(root().join("tests/support/emacs/init.el")).unwrap();
    let tested = tested.replace("(split-string (getenv \"FINCH_TEST_SERVER\") \"\\t\")", "'(\"finch\" \"lsp\")");
    let (_, section) = page.split_once("## Emacs").unwrap();
    let lines =
        section.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    assert!(lines.len() > 4, "{lines:?}");
    for line in lines {
        let code = line.split_once("   ;").map_or(line, |(code, _)| code);
        assert!(tested.contains(code), "docs/editors.md has {code:?}, and no test");
    }
}
