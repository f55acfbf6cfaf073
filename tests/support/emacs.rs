//! A real Emacs in a terminal, with lsp-mode as it is: starts one in its own home, types keys into it, and asks it
//! questions. Waiting is always for a condition, with a deadline.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::record::{root, utf8};

const WAIT_SECONDS_MAX: u64 = 60;
const POLL_PAUSE_MS: u64 = 20;

/// A running Emacs; dropping it ends the terminal, the editor and the server.
pub(crate) struct Emacs {
    home: tempfile::TempDir,
}

impl Emacs {
    /// Opens a file with this text, served by the language server that a command line starts.
    pub(crate) fn open(server: &[String], env: &[(&str, String)], text: &str) -> Emacs {
        let tools = root().join("target/test-tools/emacs");
        assert!(tools.is_dir(), "no lsp-mode under {}: run `tests/support/install-emacs.sh`", tools.display());
        let emacs = Emacs { home: tempfile::Builder::new().prefix("emacs").tempdir().expect("a temporary directory") };
        // Emacs keeps its socket only where nobody else can read.
        std::fs::set_permissions(emacs.home.path(), Permissions::from_mode(0o700)).expect("permissions");
        std::fs::create_dir_all(emacs.path("project/.git")).expect("a directory");
        std::fs::write(emacs.path("project/story.py"), text).expect("the file to edit");
        let mut tmux = emacs.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "24"]);
        tmux.args(["emacs", "-nw", "-Q", "-l", &utf8(&root().join("tests/support/emacs/init.el"))]);
        tmux.arg(emacs.path("project/story.py")).envs(env.iter().map(|(name, value)| (name, value)));
        tmux.env("FINCH_TEST_EMACS", tools).env("FINCH_TEST_SERVER", server.join("\t"));
        tmux.env("FINCH_TEST_HOME", emacs.home.path()).env("HOME", emacs.home.path());
        assert!(tmux.status().expect("tmux runs").success());
        emacs.wait(|| emacs.value("(and lsp--buffer-workspaces lsp-inline-completion-mode t)") == true, "lsp-mode");
        emacs
    }

    /// Types text, as the terminal sends it.
    pub(crate) fn type_text(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", "--", text]).status().expect("tmux runs").success());
    }

    /// Presses keys by their tmux names: `Enter`, `C-Enter`.
    pub(crate) fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&["send-keys"]).args(keys).status().expect("tmux runs").success());
    }

    /// What the terminal shows.
    pub(crate) fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The value of an expression in the buffer of the file; null while Emacs does not answer.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let answer = self.path("answer");
        let ask = format!(
            "(let ((value (with-current-buffer \"story.py\" {expression})))
               (with-temp-file \"{}\" (insert (json-encode value))))",
            utf8(&answer)
        );
        let mut client = Command::new("emacsclient");
        client.arg("-s").arg(self.path("emacs")).args(["--eval", &ask]);
        let asked = client.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("emacsclient runs");
        let text = asked.success().then(|| std::fs::read_to_string(&answer).expect("an answer"));
        text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
    }

    /// The text of the buffer.
    pub(crate) fn buffer(&self) -> String {
        let text = self.value("(buffer-substring-no-properties (point-min) (point-max))");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits for a condition, or fails with what Emacs shows and said.
    #[track_caller]
    pub(crate) fn wait(&self, condition: impl Fn() -> bool, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        while !condition() {
            if Instant::now() > deadline {
                let messages = self.value("(with-current-buffer \"*Messages*\" (buffer-string))");
                panic!("waited {WAIT_SECONDS_MAX} s for {what}\nmessages: {messages}\nscreen:\n{}", self.screen());
            }
            std::thread::park_timeout(Duration::from_millis(POLL_PAUSE_MS));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(self.path("tmux")).args(args);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh");
        command
    }
}

impl Drop for Emacs {
    /// Asks Emacs to end its server and itself, and then makes it.
    fn drop(&mut self) {
        self.value("(let ((kill-emacs-query-functions nil)) (set-buffer-modified-p nil) (kill-emacs))");
        self.tmux(&["kill-server"]).stderr(Stdio::null()).status().ok();
    }
}
