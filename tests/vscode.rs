//! VS Code: what a user of the extension sees and types, in the real workbench with the real server and a small model.
//! `tests/support/vscode/story.mjs` tells the story; pictures of it stay in `target/test-artefacts`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::conformance::Side;
use crate::support::finch::home_with_a_model;
use crate::support::process::run_within;
use crate::support::record::{Recording, artefacts, root, utf8};
use crate::support::vscode::{chromium, in_extension, node, package, tools};

/// The whole story takes half a minute; this is for a busy machine.
const STORY_MAX: Duration = Duration::from_secs(600);

#[test]
fn the_extension_is_well_typed() {
    in_extension("types", "node_modules/typescript/bin/tsc", &["--noEmit"]);
}

#[test]
fn the_parts_of_the_extension_that_need_no_editor_work() {
    in_extension("parts", "--test", &["test/*.test.ts"]);
}

#[test]
fn from_the_first_start_to_a_restart_everything_can_be_seen() {
    let home = tempfile::Builder::new().prefix("vscode").tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let (finch_home, file, vsix) = (path("finch"), path("project/story.py"), path("finch.vsix"));
    for folder in [&finch_home, &path("project")] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(&file, "def add(a, b):\n    return a + b\n").unwrap();
    let recording = Recording::new("vscode");
    package(&program(home.path(), &recording), &vsix);
    let setup = json!({
        "tools": tools(), "home": home.path(), "vsix": vsix, "file": file, "chromium": chromium(),
        "settings": { "finch.server.env": { "FINCH_HOME": finch_home, "FINCH_DAEMON": "off" } },
        "artefacts": artefacts(), "go": path("go"),
        "feedback": root().join("schemas/lsp/finch.feedback.params.json").is_file(),
    });
    let mut story = node(&root().join("tests/support/vscode/story.mjs"));
    run_within(STORY_MAX, story.arg(setup.to_string()), &artefacts().join("vscode.log"));

    recording.assert_conforms();
    // Without a model, with one, and after the restart.
    assert_eq!(recording.sessions().len(), 3);
    let accepted = recording.sent(Side::Client, "finch/didAccept");
    assert_eq!(accepted.iter().map(|params| &params["kind"]).collect::<Vec<_>>(), ["word"]);
    let commands = recording.sent(Side::Client, "workspace/executeCommand");
    let taken = commands.iter().filter(|params| params["command"] == "finch.accept");
    let ids: Vec<&Value> = taken.map(|params| &params["arguments"][0]["id"]).collect();
    let shown = recording.sent(Side::Client, "finch/didShow");
    assert_eq!(ids, shown[..2].iter().map(|params| &params["id"]).collect::<Vec<_>>());
    assert_eq!(accepted[0]["id"], *ids[0]);
}

/// The program that the package carries: `finch` behind a recorder, but for `setup`, which takes the model from the
/// tests' own home and waits to be seen doing so.
fn program(folder: &Path, recording: &Recording) -> PathBuf {
    let server = recording.command(&[env!("CARGO_BIN_EXE_finch").to_owned()]);
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = setup ]; then\n\
         echo 'fetching the model: 41 MB of 82 MB, 1.0 s' >&2\n\
         while [ ! -e '{go}' ]; do sleep 0.05; done\n\
         ln -s '{home}/models' '{home}/config.toml' \"$FINCH_HOME\"\n\
         exit\n\
         fi\n\
         exec '{server}' \"$@\"\n",
        go = utf8(&folder.join("go")),
        home = utf8(home_with_a_model()),
        server = server.join("' '"),
    );
    let path = folder.join("finch.sh");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
