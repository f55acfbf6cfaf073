//! A program in a real terminal: starts it, types keys, reads its screen, and says how it ended. The terminal is tmux, with
//! a server of its own in one temporary directory, so any number run side by side. Waiting is always for a condition, with a
//! deadline. Knows nothing about finch.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::screen::Screen;

const WAIT_SECONDS_MAX: u64 = 30;
const POLL_PAUSE_MS: u64 = 15;
const COLUMNS: &str = "100";
const ROWS: &str = "40";

// The screen outlives the program, and a lone Escape is a key.
const TMUX_CONF: &str =
    "set -g default-terminal tmux-256color\nset -g status off\nset -s escape-time 0\nset -g remain-on-exit on\n";
// tmux misses the end of a child now and then, so a shell writes down how the program ended.
const SHELL: &str = "trap : INT; code=$1; shift; \"$@\"; echo $? > \"$code.part\"; mv \"$code.part\" \"$code\"";

/// A terminal with one program in it; dropping it ends both.
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Runs a program in a new terminal, with what the command says of the environment.
    pub(crate) fn run(program: &Command) -> Terminal {
        let terminal = Terminal { folder: tempfile::Builder::new().prefix("tm").tempdir().expect("a directory") };
        let conf = terminal.path("tmux.conf");
        std::fs::write(&conf, TMUX_CONF).expect("tmux.conf");
        let mut tmux = terminal.tmux(&["-f"]);
        tmux.arg(conf).args(["new-session", "-d", "-x", COLUMNS, "-y", ROWS]);
        tmux.args(["sh", "-c", SHELL, "sh"]).arg(terminal.path("code"));
        tmux.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => tmux.env(name, value),
                None => tmux.env_remove(name),
            };
        }
        succeed(&mut tmux);
        terminal
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh");
        command.arg("-u").arg("-S").arg(self.path("tmux")).args(arguments);
        command
    }

    /// Type text, one key after another, as the terminal sends it.
    pub(crate) fn type_text(&self, text: &str) {
        succeed(&mut self.tmux(&["send-keys", "-l", "--", text]));
    }

    /// Press keys by their tmux names: `Enter`, `Down`, `C-c`.
    pub(crate) fn press(&self, keys: &[&str]) {
        succeed(self.tmux(&["send-keys"]).args(keys));
    }

    pub(crate) fn screen(&self) -> Screen {
        let output = self.tmux(&["capture-pane", "-p", "-e"]).output().expect("tmux runs");
        Screen::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Wait until the screen shows `text`.
    #[track_caller]
    pub(crate) fn wait_for_screen(&self, text: &str) {
        self.wait(&format!("{text:?} on the screen"), || self.screen().contains(text).then_some(()));
    }

    /// Wait until the program has ended, and say with which exit code.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) -> i32 {
        let code = || std::fs::read_to_string(self.path("code")).ok();
        self.wait("the program to end", code).trim().parse().expect("an exit code")
    }

    /// Wait for something to be there, or fail with the screen.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, there: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        loop {
            if let Some(found) = there() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "waited {WAIT_SECONDS_MAX} s for {what}; the screen:\n{}",
                self.screen().text()
            );
            std::thread::park_timeout(Duration::from_millis(POLL_PAUSE_MS));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]).output().ok();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("tmux is there: run tests/support/install-tools.sh");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
