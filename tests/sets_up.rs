//! Set-up by questions in a real terminal: what is answered stands in the configuration, and without a yes at the end
//! nothing does. The model is installed already, so nothing is fetched, and the clouds whose keys are checked are here.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::closed_port::ClosedPort;
use crate::support::finch::{command, finch, home_of_its_own, said};
use crate::support::key_server::KeyServer;
use crate::support::terminal::Terminal;

const KEY: &str = "sk-ant-api03-nobody-knows-this-key";
const KEY_OF_THE_ENVIRONMENT: &str = "a-key-of-the-environment";

/// `finch setup` on this home, with this variable and none of the others that hold keys.
fn setup(home: &Path, variable: Option<&str>) -> Terminal {
    let mut finch: Command = command(home);
    for name in ["ANTHROPIC", "OPENAI", "XAI", "GROK", "GEMINI", "GOOGLE", "MISTRAL", "GROQ"] {
        finch.env_remove(format!("{name}_API_KEY"));
    }
    if let Some(name) = variable {
        finch.env(name, KEY_OF_THE_ENVIRONMENT);
    }
    Terminal::run(finch.arg("setup"))
}

/// Waits for each question, and answers it with keys or with text.
#[track_caller]
fn answer(terminal: &Terminal, answers: &[(&str, &[&str])]) {
    for (question, keys) in answers {
        terminal.wait_for_screen(question);
        for key in *keys {
            match key.strip_prefix("text:") {
                Some(text) => terminal.type_text(text),
                None => terminal.press(&[key]),
            }
        }
    }
}

fn config(home: &Path) -> String {
    std::fs::read_to_string(home.join("config.toml")).unwrap()
}

fn mode(home: &Path) -> u32 {
    std::fs::metadata(home.join("config.toml")).unwrap().permissions().mode() & 0o777
}

const MODEL: (&str, &[&str]) = ("Which model shall answer on this machine?", &["Enter"]);
const MODEL_SHOWN: (&str, &[&str]) = ("Which model shall answer on this machine?", &[]);
const YES: (&str, &[&str]) = ("Shall a cloud answer", &["Down", "Enter"]);

/// Two clouds that are switched off, on this server.
fn clouds_at(url: &str) -> String {
    let entry = |kind| format!("\n[[providers]]\ntype = \"{kind}\"\nbase_url = \"{url}\"\nenabled = false\n");
    entry("claude") + &entry("groq")
}

/// Waits until a question is on the screen once more.
#[track_caller]
fn wait_for_another(terminal: &Terminal, question: &str) {
    let is_twice = || (terminal.screen().text().matches(question).count() == 2).then_some(());
    terminal.wait(&format!("{question} once more"), is_twice);
}

#[test]
fn answers_by_keys_are_written_and_a_second_run_changes_nothing() {
    let server = KeyServer::serve(&[KEY, KEY_OF_THE_ENVIRONMENT]);
    let home = home_of_its_own(&format!("# a comment of mine\nthreads = 2\n{}", clouds_at(&server.url)));
    let home = home.path();
    std::fs::set_permissions(home.join("config.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let before = config(home);
    let terminal = setup(home, Some("GROQ_API_KEY"));
    answer(
        &terminal,
        &[
            MODEL,
            YES,
            ("Which ones?", &["Space", "Down", "Space", "Enter"]),
            ("Where is the key for claude?", &["Enter"]),
            ("The key for claude", &["text:sk-ant-api03-nobody-knows-this-key", "Enter"]),
            ("Which model of claude?", &["Enter"]),
            ("Where is the key for groq?", &["Enter"]),
            ("Which model of groq?", &["text:llama", "Enter"]),
            ("Who is asked first?", &["Down", "Enter"]),
            ("Text of which workspaces", &["Enter"]),
            ("claude: the key is taken; the model is there", &[]),
            ("groq: the key is taken; llama is not among the models it lists", &[]),
            ("What will be written", &[]),
            ("key from the variable GROQ_API_KEY", &[]),
        ],
    );
    assert_eq!(config(home), before, "nothing is written before the yes");
    assert!(!terminal.screen().contains(KEY), "{}", terminal.screen().text());
    answer(&terminal, &[("Write this to", &["Enter"]), ("ready: smollm2-135m", &[])]);
    assert_eq!(terminal.wait_for_end(), 0);
    let claude = format!("type = \"claude\"\nbase_url = \"{}\"\nenabled = ", server.url);
    let groq = claude.replace("claude", "groq");
    let written = before.replace(&format!("{claude}false\n"), &format!("{claude}true\napi_key = \"{KEY}\"\n")).replace(
        &format!("{groq}false\n"),
        &format!("{groq}true\nmodel = \"llama\"\napi_key_env = \"GROQ_API_KEY\"\n"),
    ) + "\n[router]\npolicy = \"cloud-first\"\nconsent = \"ask\"\n";
    assert_eq!((config(home), mode(home)), (written.clone(), 0o600));

    let again = setup(home, Some("GROQ_API_KEY"));
    let questions = ["Which model shall", "Shall a cloud", "Which ones?", "key for claude?", "model of claude?"];
    let more = ["key for groq?", "model of groq?", "Who is asked first?", "Text of which", "Write this to"];
    for question in questions.iter().chain(&more) {
        answer(&again, &[(question, &["Enter"])]);
    }
    assert_eq!(again.wait_for_end(), 0);
    assert_eq!((config(home), mode(home)), (written, 0o600));
    let mut requests = server.requests();
    requests.sort();
    let (claude, groq) = ("GET /v1/models?limit=1000 HTTP/1.1", "GET /v1/models HTTP/1.1");
    assert_eq!(requests, [groq, groq, claude, claude], "each key once in each run, and nothing else");
}

/// The questions up to the one for the key of a cloud, and behind it.
const TO_THE_KEY: &[(&str, &[&str])] =
    &[MODEL, YES, ("Which ones?", &["Space", "Enter"]), ("Where is the key for claude?", &["Enter"])];
const TO_THE_CHECK: &[(&str, &[&str])] = &[
    ("Which model of claude?", &["Enter"]),
    ("Who is asked first?", &["Enter"]),
    ("Text of which workspaces", &["Enter"]),
];

#[test]
fn a_key_that_is_refused_can_be_typed_again() {
    let server = KeyServer::serve(&[KEY]);
    let home = home_of_its_own(&clouds_at(&server.url));
    let home = home.path();
    let before = config(home);
    let terminal = setup(home, None);
    answer(&terminal, TO_THE_KEY);
    answer(&terminal, &[("The key for claude", &["text:sk-ant-of-somebody-else", "Enter"])]);
    answer(&terminal, TO_THE_CHECK);
    let refused = "claude: the key was refused (HTTP 401: invalid x-api-key). What now?";
    answer(&terminal, &[(refused, &["Enter"])]);
    wait_for_another(&terminal, "The key for claude");
    terminal.type_text(KEY);
    terminal.press(&["Enter"]);
    answer(&terminal, &[("claude: the key is taken; the model is there", &[])]);
    assert_eq!(config(home), before, "nothing is written before the yes");
    answer(&terminal, &[("Write this to", &["Enter"])]);
    assert_eq!(terminal.wait_for_end(), 0);
    let written = config(home);
    assert!(written.contains(&format!("api_key = \"{KEY}\"")) && !written.contains("somebody-else"), "{written}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn after_a_refusal_the_key_can_be_kept_and_everything_can_be_left() {
    let server = KeyServer::serve(&[KEY]);
    let home = home_of_its_own(&clouds_at(&server.url));
    let home = home.path();
    let before = config(home);
    let up_to_the_refusal = || {
        let terminal = setup(home, None);
        answer(&terminal, TO_THE_KEY);
        answer(&terminal, &[("The key for claude", &["text:k", "Enter"])]);
        answer(&terminal, TO_THE_CHECK);
        terminal
    };
    let leaves = up_to_the_refusal();
    answer(&leaves, &[("What now?", &["Down", "Down", "Enter"]), ("everything is as it was", &[])]);
    assert_eq!(leaves.wait_for_end(), 3);
    assert_eq!(config(home), before);
    let keeps = up_to_the_refusal();
    answer(&keeps, &[("What now?", &["Down", "Enter"]), ("Write this to", &["Enter"])]);
    assert_eq!(keeps.wait_for_end(), 0);
    assert!(config(home).contains("api_key = \"k\""), "{}", config(home));
}

#[test]
fn a_server_that_is_not_there_is_said_and_local_only_asks_nobody() {
    let gone = ClosedPort::take().unwrap();
    let home = home_of_its_own(&clouds_at(&format!("http://{}/v1", gone.address().unwrap())));
    let terminal = setup(home.path(), None);
    answer(&terminal, TO_THE_KEY);
    answer(&terminal, &[("The key for claude", &["text:k", "Enter"])]);
    answer(&terminal, TO_THE_CHECK);
    answer(&terminal, &[("claude: could not be reached: ", &[]), ("it is kept as it is", &[])]);
    answer(&terminal, &[("Write this to", &["C-c"])]);
    assert_eq!(terminal.wait_for_end(), 3);

    let server = KeyServer::serve(&[KEY]);
    let home = home_of_its_own(&clouds_at(&server.url));
    let terminal = setup(home.path(), None);
    answer(&terminal, TO_THE_KEY);
    answer(&terminal, &[("The key for claude", &["text:k", "Enter"]), ("Which model of claude?", &["Enter"])]);
    answer(&terminal, &[("Who is asked first?", &["Down", "Down", "Down", "Enter"]), ("Write this to", &["Enter"])]);
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn ctrl_c_at_any_question_leaves_everything_untouched() {
    let server = KeyServer::serve(&["k"]);
    let mut questions = TO_THE_KEY.to_vec();
    questions.push(("The key for claude", &["text:k", "Enter"]));
    questions.extend(TO_THE_CHECK);
    questions.push(("Write this to", &["Enter"]));
    let home = home_of_its_own(&clouds_at(&server.url));
    let home = home.path();
    let before = (config(home), mode(home), names(home));
    for count in 0..questions.len() {
        let terminal = setup(home, None);
        answer(&terminal, &questions[..count]);
        answer(&terminal, &[(questions[count].0, &["C-c"])]);
        assert_eq!(terminal.wait_for_end(), 3, "at {}", questions[count].0);
        assert_eq!((config(home), mode(home), names(home)), before, "at {}", questions[count].0);
    }
}

/// What lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn questions_go_back_and_an_answer_that_does_not_do_is_asked_again() {
    let home = home_of_its_own("");
    let before = config(home.path());
    let terminal = setup(home.path(), None);
    answer(&terminal, &[MODEL, YES, ("Which ones?", &["Enter"]), ("choose at least one", &[])]);
    // The same question again, where the last item but one is a server of the user's own.
    let down_to_own = ["Down"; 6];
    answer(&terminal, &[("Which ones?", &down_to_own), ("another server", &["Space", "Enter"])]);
    answer(
        &terminal,
        &[
            ("Where is the server?", &["text:http://box.lan/v1", "Enter"]),
            ("a key would travel unencrypted", &["text:<", "Enter"]),
        ],
    );
    // What was chosen is still chosen.
    answer(
        &terminal,
        &[("Which ones?", &["Enter"]), ("Where is the server?", &["text:http://127.0.0.1:9/v1", "Enter"])],
    );
    answer(&terminal, &[("It needs none", &["Enter"]), ("Which model of", &["text:m", "Enter"])]);
    let to_back: &[&str] = &["Down", "Down", "Down", "Down", "Enter"];
    answer(&terminal, &[("Who is asked first?", to_back)]);
    wait_for_another(&terminal, "Which model of");
    answer(&terminal, &[("m (default)", &["C-c"]), ("Operation cancelled", &[])]);
    assert_eq!(terminal.wait_for_end(), 3);
    assert_eq!(config(home.path()), before);
}

#[test]
fn yes_asks_nothing_and_configures_no_cloud() {
    let home = home_of_its_own("");
    let before = config(home.path());
    let said = finch(home.path(), &["setup", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(config(home.path()), before);
    assert_eq!(mode(home.path()), 0o600);
}

#[test]
fn editors_on_the_path_are_named_with_the_way_to_connect_them() {
    let home = home_of_its_own("");
    let programs = tempfile::tempdir().unwrap();
    for (name, mode) in [("hx", 0o755), ("zed", 0o644)] {
        std::fs::write(programs.path().join(name), "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::set_permissions(programs.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = said(command(home.path()).args(["setup", "--yes"]).env("PATH", programs.path()));
    assert_eq!(said.code, 0, "{}", said.err);
    let (_, editors) = said.out.split_once("\n\n").unwrap_or_else(|| panic!("{}", said.out));
    let expected = "editors found here, and how to connect each:\n  Helix     shows no ghost text: it has no inline completion\n\
                    more: https://github.com/darwin-finch/finch/blob/main/docs/editors.md\n";
    assert_eq!(editors, expected);
}

#[test]
fn a_model_is_offered_with_its_size_and_how_fast_it_will_be() {
    let home = home_of_its_own("");
    let terminal = setup(home.path(), None);
    answer(&terminal, &[MODEL_SHOWN, ("tokens/s, ghost text in ", &[]), ("Which model", &["C-c"])]);
    assert_eq!(terminal.wait_for_end(), 3);
}

#[test]
fn a_workspace_is_answered_for_and_nothing_has_left_yet() {
    let home = home_of_its_own("");
    let home = home.path();
    let run = |arguments: &[&str]| {
        let said = finch(home, arguments);
        (said.code, said.out, said.err)
    };
    let workspace = tempfile::tempdir().unwrap();
    let path = workspace.path().canonicalize().unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(run(&["consent", "give", path]).0, 0);
    assert_eq!(run(&["consent", "refuse", path]).0, 0);
    let (code, out, _) = run(&["consent", "list"]);
    assert_eq!((code, out.lines().count()), (0, 1), "{out}");
    assert!(out.starts_with("refused  ") && out.trim_end().ends_with(path), "{out}");
    assert_eq!(run(&["consent", "forget", path]).0, 0);
    assert_eq!(run(&["consent", "forget", path]).0, 3);
    let (code, _, err) = run(&["consent", "give", "/nowhere/at/all"]);
    assert!(code == 1 && err.contains("/nowhere/at/all is no folder"), "{err}");

    assert_eq!(run(&["ledger"]), (0, "nothing ever left this machine\n".into(), String::new()));
    std::fs::create_dir(home.join("ledger")).unwrap();
    let line = r#"{"schema":1,"event":"departs","id":"1","at_ms":1795305845000,"provider":"claude","host":"h","is_loopback":false,"task":"plan","bytes":7}"#;
    std::fs::write(home.join("ledger/2026-11.jsonl"), format!("{line}\n{{\"torn")).unwrap();
    let (code, out, err) = run(&["ledger", "--json", "--provider", "Claude"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["entries"][0]["bytes"], &report["skipped"]), (0, &7.into(), &1.into()), "{out}");
    assert_eq!(report["totals"][0]["requests"], 1);
    assert!(err.contains("1 torn"), "{err}");
    assert!(run(&["ledger"]).1.contains("no end known"));
}
