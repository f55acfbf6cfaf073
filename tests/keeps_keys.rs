//! A key goes to the service that it opens and nowhere else: not into messages, logs, files, or what finch starts.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use finch_llm::ProviderId;
use finch_llm::cloud::{Cleartext, CloudSpec, Endpoint, Header, Key, Service};
use serde_json::json;

use crate::support::finch::{Said, command, said};
use crate::support::llmock::{KEY, Llmock, SERVICES};

/// Every secret of these tests has it.
const MARK: &str = "CANARY";

fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    home
}

/// `finch` as talkative as it gets.
fn loud(home: &Path, arguments: &[&str]) -> Command {
    let mut command = command(home);
    command.args(arguments).arg("-vvv").envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
    command
}

#[track_caller]
fn check_silent(said: &Said, what: &str) {
    let text = format!("{}{}", said.out, said.err);
    assert!(!text.contains(MARK), "{what}: {text}");
}

/// No file of finch's own holds a secret, but for the one that the user wrote.
#[track_caller]
fn check_files(home: &Path) {
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != home.join("config.toml") {
                let text = std::fs::read(&path).unwrap();
                assert!(!text.windows(MARK.len()).any(|part| part == MARK.as_bytes()), "{}", path.display());
            }
        }
    }
}

#[test]
fn no_key_is_said_whatever_the_service_says() {
    let server = Llmock::start();
    let config: Vec<String> = SERVICES
        .iter()
        .map(|(service, _, model)| {
            let (kind, url) = (format!("{service:?}").to_lowercase(), server.spec(*service).endpoint);
            let headers = format!("headers = {{ X-Own = \"sk-{MARK}-of-a-header\" }}");
            format!("[[providers]]\ntype = \"{kind}\"\nmodel = \"{model}\"\nbase_url = \"{url}\"\napi_key = \"{KEY}\"\n{headers}\n")
        })
        .collect();
    let home = home(&config.join("\n"));
    for (service, ..) in SERVICES {
        let name = format!("{service:?}").to_lowercase();
        let whole = said(&mut loud(home.path(), &["ask", "Hello?", "--provider", &name]));
        assert_eq!(whole.code, 0, "{name}: {}", whole.err);
        check_silent(&whole, &name);
        for status in [400, 401, 404] {
            server.queue(&[json!({ "type": "fail", "status": status, "message": format!("your key {KEY} is bad") })]);
            let refused = said(&mut loud(home.path(), &["ask", "Hello?", "--provider", &name]));
            assert_eq!(refused.code, 1, "{name} {status}: {}", refused.err);
            check_silent(&refused, &name);
        }
    }
    for arguments in [&["config", "check"][..], &["doctor"], &["ledger"], &["ledger", "--json"]] {
        check_silent(&said(&mut loud(home.path(), arguments)), &arguments.join(" "));
    }
    check_files(home.path());
}

/// What a configuration that is wrong is answered with, by each command that reads it.
#[track_caller]
fn check_wrong(lines: &str) {
    let home = home(&format!("[[providers]]\ntype = \"openai\"\n{lines}\n"));
    for arguments in [&["config", "check"][..], &["ask", "Hello?", "--provider", "openai"], &["doctor"]] {
        let said = said(&mut loud(home.path(), arguments));
        assert_ne!(said.code, 0, "{lines}: {}", said.out);
        check_silent(&said, lines);
    }
}

#[test]
fn no_key_is_said_where_the_configuration_is_wrong() {
    for lines in [
        "api_key = \"sk-CANARY",
        "api_key = sk-CANARY",
        "api_key = [\"sk-CANARY\"]",
        "api_key = { value = \"sk-CANARY\" }",
        "api_key = \"sk-CANARY with spaces\"",
        "api_key = \"sk-CANARY\"\napi_key = \"sk-CANARY\"",
        "apikey = \"sk-CANARY\"",
        "api_key_cmd = \"echo sk-CANARY; exit 1\"",
        "api_key_cmd = [\"/nowhere/CANARY\"]",
        "api_key = \"x\"\nbase_url = \"https://user:CANARY@host/v1\"",
        "api_key = \"x\"\nbase_url = \"https://host/v1?key=CANARY\"",
        "api_key = \"x\"\nbase_url = \"CANARY\"",
        "api_key = \"x\"\nproxy = \"ftp://user:CANARY@host\"",
        "api_key = \"x\"\nheaders = { \"a b\" = \"CANARY\" }",
        "api_key = \"x\"\nheaders = { X = \"CANARY\\nY: z\" }",
        "api_key = \"x\"\nheaders = { X = [\"CANARY\"] }",
    ] {
        check_wrong(lines);
    }
}

/// A program that prints a key, after it has written down what it was started with and by whom.
fn key_program(folder: &Path) -> String {
    let path = folder.join("key.sh");
    let (seen, key) = (folder.join("seen").display().to_string(), KEY);
    let script =
        format!("#!/bin/sh\ncat /proc/self/environ /proc/$PPID/cmdline /proc/$$/cmdline > '{seen}'\necho {key}\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

#[test]
fn what_finch_starts_gets_no_key() {
    let (server, folder) = (Llmock::start(), tempfile::tempdir().unwrap());
    let (own, asked) = (server.spec(Service::Groq).endpoint, server.spec(Service::OpenAi).endpoint);
    let config = format!(
        "[[providers]]\ntype = \"groq\"\nbase_url = \"{own}\"\napi_key_env = \"MY_OWN_VARIABLE\"\n\n\
         [[providers]]\ntype = \"openai\"\nbase_url = \"{asked}\"\napi_key_cmd = [\"{}\"]\n",
        key_program(folder.path())
    );
    let home = home(&config);
    let mut ask = loud(home.path(), &["ask", "Hello?", "--provider", "openai"]);
    ask.envs([("ANTHROPIC_API_KEY", "sk-CANARY-usual"), ("MY_OWN_VARIABLE", "sk-CANARY-own")]);
    let said = said(&mut ask);
    assert_eq!(said.code, 0, "{}", said.err);
    check_silent(&said, "ask");
    let seen = String::from_utf8_lossy(&std::fs::read(folder.path().join("seen")).unwrap()).replace('\0', "\n");
    // Not printed whole: it is the environment of whoever runs the tests.
    assert!(seen.contains("FINCH_HOME=") && seen.contains("--provider"), "the program saw its surroundings");
    assert_eq!(seen.lines().filter(|line| line.contains(MARK)).collect::<Vec<_>>(), [""; 0]);
    check_files(home.path());
}

#[test]
fn no_way_to_print_a_provider_shows_what_is_secret_in_it() {
    let endpoint = Endpoint::new("https://host/v1", Cleartext::Loopback).unwrap();
    let mut spec = CloudSpec::new(ProviderId::new("one"), Service::Claude, "model", endpoint);
    spec.key = Some(Key::new(KEY).unwrap());
    spec.proxy = Some(Key::new("http://user:CANARY@proxy:1").unwrap());
    spec.headers.push(Header { name: "X-Own".to_owned(), value: Key::new("CANARY").unwrap() });
    let panic = std::panic::catch_unwind(|| panic!("{spec:?} {:#?} {}", spec, spec.key.as_ref().unwrap())).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("X-Own") && !said.contains(MARK), "{said}");
}
