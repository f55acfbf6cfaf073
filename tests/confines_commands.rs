//! A command that the agent runs: the real binary is its keeper, real builds work in it, and nothing gets out.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use finch_agent::permissions::Permissions;
use finch_agent::question::{Answer, Question};
use finch_agent::rules::{Rules, Scope};
use finch_agent::sandbox::{Availability, Grants, Sandbox, Wishes};
use finch_agent::tools::Bash;
use finch_agent::tools::bash::{Confined, NoDocuments};
use finch_agent::view::{NoBuffers, View};
use finch_agent::{Asker, Gate, Outcome, Tool as _, ToolContext};
use serde_json::{Value, json};

use crate::support::finch::{command, said};

/// A user who allows everything, once.
struct Generous;

impl Asker for Generous {
    fn ask<'a>(&'a self, _question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        Box::pin(async { Some(Answer::Once) })
    }
}

struct Agent {
    folder: tempfile::TempDir,
    sandbox: Arc<Sandbox>,
    bash: Bash,
}

impl Agent {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ws/.git/hooks", "ws/.finch", "ws/.vscode", "ws/src", "ws/tests", "out"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["ws/.git/config", "ws/.finch/config.toml", "ws/.vscode/tasks.json", "out/secret"] {
            std::fs::write(folder.path().join(name), "canary").unwrap();
        }
        let sandbox = Arc::new(Sandbox::new(vec![env!("CARGO_BIN_EXE_finch").into(), "sandbox".into()]));
        let confined = Confined::new(Arc::clone(&sandbox), grants(folder.path()));
        Self { folder, sandbox, bash: Bash::new(Arc::new(confined), Arc::new(NoDocuments)) }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.at("ws").join(name), text).unwrap();
    }

    async fn run(&self, arguments: Value) -> Outcome {
        let Value::Object(arguments) = arguments else { panic!("{arguments}") };
        let scope = Scope { workspace: self.at("ws"), finch_home: self.at("home"), user_home: std::env::home_dir() };
        let rules = Rules::new(scope, Vec::new()).confined(self.sandbox.availability().await.confinement());
        let gate = Gate::new(rules, Permissions::open(self.at("permissions.toml")));
        let view = View::new(Arc::new(NoBuffers), Arc::default());
        let context = ToolContext::new(self.at("ws").as_path().into(), view);
        let access = self.bash.access(&arguments, &context).unwrap();
        let permit = gate.permit(access, Some(&Generous)).await.unwrap();
        self.bash.call(permit, arguments, &context).await
    }

    async fn works(&self, command: &str) {
        let outcome = self.run(json!({"command": command})).await;
        assert!(!outcome.is_error, "{command}: {}", outcome.text);
    }

    async fn fails(&self, command: &str) {
        let outcome = self.run(json!({"command": command})).await;
        assert!(outcome.is_error && !outcome.text.contains("not run"), "{command}: {}", outcome.text);
    }
}

/// Toolchains and caches as a user has them.
fn grants(folder: &Path) -> Grants {
    let list = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect();
    let (grants, refused) = Grants::of(&Wishes {
        caches: list(&["~/.cargo/registry"]),
        readable: list(&["~/.cargo/bin", "~/.cargo/env", "~/.rustup", "~/.pyenv"]),
        environment: list(&["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "PYENV_ROOT"]),
        user_home: std::env::home_dir(),
        finch_home: folder.join("home"),
        programs: std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect(),
    });
    assert_eq!(refused, []);
    grants
}

#[tokio::test]
async fn a_command_writes_in_the_workspace_and_nothing_gets_out() {
    let agent = Agent::new();
    assert_eq!(*agent.sandbox.availability().await, Availability::Whole);
    agent.works("echo x > new && mkdir -p a/b && mv new a/b/ && test -f a/b/new").await;
    assert!(agent.at("ws/a/b/new").exists());
    let out = agent.at("out");
    for command in [
        &format!("echo x > {}/pwned", out.display()),
        &format!("cat {}/secret", out.display()),
        "ls ~",
        "cat ~/.bashrc ~/.profile ~/.ssh/id_rsa",
        "echo x > ~/pwned",
        "echo x > .git/hooks/post-checkout",
        "echo x > .git/config",
        "echo x > .finch/config.toml",
        "rm -rf .vscode",
        "mv .git moved",
    ] {
        agent.fails(command).await;
    }
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(agent.at("ws/.git/hooks")).unwrap().count(), 0);
    for name in ["ws/.git/config", "ws/.finch/config.toml", "ws/.vscode/tasks.json"] {
        assert_eq!(std::fs::read_to_string(agent.at(name)).unwrap(), "canary", "{name}");
    }
}

#[tokio::test]
async fn a_command_has_no_network_unless_it_was_permitted() {
    let agent = Agent::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let connect = format!("echo x > /dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
    agent.fails(&connect).await;
    assert!(listener.accept().is_err());
    let outcome = agent.run(json!({"command": connect, "network": true})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    assert!(listener.accept().is_ok());
}

#[tokio::test]
async fn real_builds_and_tests_work() {
    let agent = Agent::new();
    agent.put("Cargo.toml", "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n");
    agent.put("src/lib.rs", "#[test]\nfn two() { assert_eq!(1 + 1, 2); }\n");
    agent.put("tests/test_tiny.py", "import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n");
    agent.works("cargo build && cargo test").await;
    assert!(agent.at("ws/target/debug").is_dir());
    agent.works("python3 -m unittest discover -s tests").await;
}

#[test]
fn the_keeper_runs_nothing_that_it_was_not_told() {
    let home = tempfile::tempdir().unwrap();
    let mut keeper = command(home.path());
    let said = said(keeper.arg("sandbox").stdin(std::process::Stdio::null()));
    assert_eq!((said.code, said.out.as_str()), (125, ""));
    assert!(said.err.contains("nothing was run"), "{}", said.err);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn the_doctor_says_what_the_sandbox_can_do_and_what_commands_are_not_given() {
    let home = tempfile::tempdir().unwrap();
    let config = "[agent]\ncaches = [\"~\", \"~/.ssh\"]\nreadable = [\"/\"]\nenvironment = [\"MY_TOKEN\"]\n";
    std::fs::write(home.path().join("config.toml"), config).unwrap();
    let doctor = said(command(home.path()).arg("doctor")).out;
    assert!(doctor.contains("ok   sandbox: whole: "), "{doctor}");
    let check = said(command(home.path()).args(["config", "check"]));
    assert_eq!(check.code, 1);
    for (entry, why) in [
        ("~ ", "the home folder is in it"),
        ("~/.ssh ", "keys or passwords"),
        ("/ ", "the home folder is in it"),
        ("MY_TOKEN ", "holds a secret by its name"),
    ] {
        let expected = format!("agent: {entry}is not given to commands: ");
        for said in [&doctor, &check.err] {
            let line = said.lines().find(|line| line.contains(&expected));
            assert!(line.is_some_and(|line| line.contains(why)), "{expected}: {said}");
        }
    }
    let own = format!("[agent]\nreadable = [\"{}\"]\n", home.path().display());
    std::fs::write(home.path().join("config.toml"), own).unwrap();
    let check = said(command(home.path()).args(["config", "check"]));
    assert!(check.err.contains("finch's own folder"), "{}", check.err);
    std::fs::write(home.path().join("config.toml"), "").unwrap();
    assert_eq!(said(command(home.path()).args(["config", "check"])).code, 0, "the defaults are given");
}
