//! A real Neovim in a terminal: starts one with the plugin in its own home, types keys into it, reads
//! its screen and asks it questions. Everything a Neovim touches lies in one temporary directory, so
//! any number run side by side. Waiting is always for a condition, with a deadline.
//!
//! Knows nothing about finch's server: the command that starts it comes from the test.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::screen::Screen;

const WAIT_SECONDS_MAX: u64 = 30;
const ANSWER_SECONDS_MAX: u64 = 5;
const END_SECONDS_MAX: u64 = 5;
const POLL_PAUSE_MS: u64 = 15;
const COLUMNS: &str = "90";
const ROWS: &str = "24";

// Colours are what tells ghost text from text, and a lone Escape is a key.
const TMUX_CONF: &str = "set -g default-terminal tmux-256color\nset -g status off\nset -s escape-time 0\n";

/// An installed Neovim.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    program: PathBuf,
    runtime: PathBuf,
}

impl Installation {
    /// The Neovim under `FINCH_TEST_NVIM`, or the one that `install-neovim.sh` put into the build directory.
    pub(crate) fn find() -> Installation {
        let repository = repository();
        let prefix = match std::env::var_os("FINCH_TEST_NVIM") {
            Some(prefix) => PathBuf::from(prefix),
            None => repository.join("target/test-tools/nvim"),
        };
        let found = ["usr", ""].iter().map(|below| prefix.join(below)).find(|root| root.join("bin/nvim").is_file());
        match found {
            Some(root) => Installation { program: root.join("bin/nvim"), runtime: root.join("share/nvim/runtime") },
            None => panic!(
                "no Neovim under {}: run `tests/support/install-neovim.sh` (or set FINCH_TEST_NVIM to the prefix of one)",
                prefix.display()
            ),
        }
    }

    /// The command that runs a Lua file of `tests/support/nvim` without a screen.
    pub(crate) fn script(&self, name: &str) -> Vec<String> {
        let file = repository().join("tests/support/nvim").join(name);
        vec![utf8(&self.program), "-l".into(), utf8(&file)]
    }

    /// Runs a Lua file of `tests/support/nvim` on the plugin's modules; it fails with what is wrong with them.
    #[track_caller]
    pub(crate) fn check(&self, name: &str) {
        let words = self.script(name);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(repository().join("editors/nvim"));
        run(command.env("VIMRUNTIME", &self.runtime).env("NVIM_LOG_FILE", "/dev/null"));
    }
}

/// What a test wants to begin with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// The language server's command line.
    pub(crate) server: Vec<String>,
    /// More environment for Neovim and so for the server.
    pub(crate) env: Vec<(String, String)>,
    /// More fields of the plugin's options, as Lua.
    pub(crate) options: String,
    /// Lua that runs before the plugin is set up.
    pub(crate) before: String,
    /// The file's name.
    pub(crate) file: String,
    /// Its text.
    pub(crate) text: String,
}

/// The environment of a server that finds its files there and loads the model itself.
pub(crate) fn without_a_daemon(home: &str) -> Vec<(String, String)> {
    vec![("FINCH_HOME".into(), home.to_owned()), ("FINCH_DAEMON".into(), "off".into())]
}

/// A running Neovim; dropping it ends the terminal, the editor and the server.
pub(crate) struct Neovim {
    installation: Installation,
    home: tempfile::TempDir,
    server: Vec<String>,
    /// The editor's process, once it answers.
    process: Option<String>,
}

impl Neovim {
    /// Open the file, and wait until the language server is attached to it.
    pub(crate) fn open(setup: Setup) -> Neovim {
        let neovim = Neovim::open_unattached(setup);
        neovim.wait_for_expr("luaeval('#vim.lsp.get_clients({ name = \"finch\", bufnr = 0 })')", "1");
        // Attached, and past what attaching sets.
        neovim.wait_for_expr("get(b:, 'finch_client', 0) > 0", "1");
        neovim
    }

    /// Open the file, and wait until Neovim answers.
    pub(crate) fn open_unattached(setup: Setup) -> Neovim {
        let installation = Installation::find();
        let home = tempfile::Builder::new().prefix("nv").tempdir().expect("a temporary directory");
        let mut neovim = Neovim { installation, home, server: setup.server.clone(), process: None };
        for folder in ["config", "data", "state", "cache", "run", "project/.git"] {
            std::fs::create_dir_all(neovim.path(folder)).expect("a directory");
        }
        let file = neovim.path("project").join(&setup.file);
        std::fs::write(&file, &setup.text).expect("the file to edit");
        std::fs::write(neovim.path("init.lua"), neovim.init(&setup)).expect("init.lua");
        std::fs::write(neovim.path("tmux.conf"), TMUX_CONF).expect("tmux.conf");
        let conf = utf8(&neovim.path("tmux.conf"));
        let mut tmux = neovim.tmux(&["-f", &conf, "new-session", "-d", "-x", COLUMNS, "-y", ROWS]);
        tmux.args(["-c", &utf8(&neovim.path("project"))]).envs(setup.env);
        tmux.arg(&neovim.installation.program);
        tmux.args(["--listen", &utf8(&neovim.socket()), "-u", &utf8(&neovim.path("init.lua")), &utf8(&file)]);
        run(&mut tmux);
        neovim.wait(|| neovim.expr("getpid()").is_some(), "Neovim to answer");
        neovim.process = neovim.expr("getpid()");
        neovim
    }

    fn init(&self, setup: &Setup) -> String {
        let words: Vec<String> = setup.server.iter().map(|word| format!("[==[{word}]==]")).collect();
        format!(
            "vim.opt.runtimepath:prepend([==[{plugin}]==])\n\
             vim.o.swapfile, vim.o.showmode, vim.o.ruler, vim.o.laststatus = false, false, false, 2\n\
             vim.o.shiftwidth, vim.o.softtabstop, vim.o.expandtab, vim.o.cmdheight = 4, 4, true, 5\n\
             vim.o.shadafile = 'NONE'\n\
             {before}\n\
             require('finch').setup({{ cmd = {{ {cmd} }}, {options} }})\n",
            plugin = utf8(&repository().join("editors/nvim")),
            before = setup.before,
            cmd = words.join(", "),
            options = setup.options,
        )
    }

    /// The folder of the file that is open.
    #[cfg(unix)]
    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("run/nvim")
    }

    fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env_remove("TMUX").env_remove("NVIM").env_remove("NVIM_APPNAME").env("COLORTERM", "truecolor");
        command.env("VIMRUNTIME", &self.installation.runtime).env("HOME", self.home.path());
        command.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh").env("NVIM_LOG_FILE", self.path("nvim.log"));
        for (name, folder) in
            [("CONFIG_HOME", "config"), ("DATA_HOME", "data"), ("STATE_HOME", "state"), ("CACHE_HOME", "cache")]
        {
            command.env(format!("XDG_{name}"), self.path(folder));
        }
        command.env("XDG_RUNTIME_DIR", self.path("run"))
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(self.path("tmux")).args(args);
        self.environment(&mut command);
        command
    }

    /// Type text, one key after another, as the terminal sends it.
    pub(crate) fn type_text(&self, text: &str) {
        run(&mut self.tmux(&["send-keys", "-l", "--", text]));
    }

    /// Press keys by their tmux names: `Tab`, `Escape`, `C-Right`.
    pub(crate) fn press(&self, keys: &[&str]) {
        run(self.tmux(&["send-keys"]).args(keys));
    }

    /// Put keys (in Neovim's notation) into its input at once, so that nothing can come between them.
    pub(crate) fn feed(&self, keys: &str) {
        assert!(self.remote(&["--remote-send", keys]).is_some(), "Neovim does not take {keys:?}");
    }

    /// Neovim answers nothing while it waits for Enter after a long message; then this gives up.
    fn remote(&self, args: &[&str]) -> Option<String> {
        let mut command = Command::new(&self.installation.program);
        command.arg("--server").arg(self.socket()).args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = self.environment(&mut command).spawn().expect("nvim runs");
        let deadline = Instant::now() + Duration::from_secs(ANSWER_SECONDS_MAX);
        let status = loop {
            match child.try_wait().expect("the state of nvim") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().expect("nvim ends");
                    break child.wait().expect("the state of nvim");
                }
                None => pause(),
            }
        };
        let mut text = String::new();
        child.stdout.take().expect("its output").read_to_string(&mut text).expect("text");
        status.success().then(|| text.trim_end_matches('\n').to_owned())
    }

    /// The value of a Vim expression as text, if Neovim answers.
    pub(crate) fn expr(&self, expression: &str) -> Option<String> {
        self.remote(&["--remote-expr", expression])
    }

    /// The value of a Lua expression as text.
    pub(crate) fn lua(&self, expression: &str) -> String {
        self.expr(&format!("luaeval('{}')", expression.replace('\'', "''"))).unwrap_or_default()
    }

    /// The text of the current buffer.
    pub(crate) fn buffer(&self) -> String {
        self.expr("join(getline(1, '$'), nr2char(10))").unwrap_or_default()
    }

    /// What is on the terminal's screen.
    pub(crate) fn screen(&self) -> Screen {
        let output = self.tmux(&["capture-pane", "-p", "-e"]).output().expect("tmux runs");
        Screen::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Keep what is on the screen under `target/test-artefacts`; `tests/support/screen_to_svg.py` draws it.
    pub(crate) fn picture(&self, name: &str) {
        let output = self.tmux(&["capture-pane", "-p", "-e"]).output().expect("tmux runs");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-artefacts");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(folder.join(format!("{name}.screen")), output.stdout).expect("a picture is kept");
    }

    /// Wait until the screen shows `text`, and return that screen.
    #[track_caller]
    pub(crate) fn wait_for_screen(&self, text: &str) -> Screen {
        self.wait(|| self.screen().contains(text), &format!("{text:?} on the screen"));
        self.screen()
    }

    /// Wait until the screen shows `text` no longer.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, text: &str) {
        self.wait(|| !self.screen().contains(text), &format!("{text:?} gone from the screen"));
    }

    /// Wait until the buffer holds exactly `text`.
    #[track_caller]
    pub(crate) fn wait_for_buffer(&self, text: &str) {
        self.wait(|| self.buffer() == text, &format!("the buffer {text:?}, which is {:?}", self.buffer()));
    }

    /// Wait until a Vim expression has a value.
    #[track_caller]
    pub(crate) fn wait_for_expr(&self, expression: &str, value: &str) {
        self.wait(|| self.expr(expression).as_deref() == Some(value), &format!("{expression} to be {value}"));
    }

    /// Wait for a condition, or fail with the screen and what Neovim had to say.
    #[track_caller]
    pub(crate) fn wait(&self, condition: impl Fn() -> bool, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        while !condition() {
            if Instant::now() > deadline {
                let messages = self.expr("execute('messages')").unwrap_or_default();
                panic!(
                    "waited {WAIT_SECONDS_MAX} s for {what}\nserver: {:?}\nbuffer: {:?}\nmessages: {messages}\nscreen:\n{}",
                    self.server,
                    self.buffer(),
                    self.screen().text()
                );
            }
            pause();
        }
    }
}

impl Drop for Neovim {
    /// Asks the editor to quit, so that it ends its server, and makes it.
    fn drop(&mut self) {
        let Some(process) = &self.process else {
            self.tmux(&["kill-server"]).output().ok();
            return;
        };
        self.remote(&["--remote-send", "<C-\\><C-N><Cmd>qall!<CR>"]);
        let signal = |name: &str| Command::new("kill").args([name, process]).stderr(Stdio::null()).status();
        let deadline = Instant::now() + Duration::from_secs(END_SECONDS_MAX);
        // Its files can be removed only when nobody writes them any more.
        while signal("-0").is_ok_and(|status| status.success()) {
            if Instant::now() > deadline {
                signal("-9").ok();
            }
            pause();
        }
        self.tmux(&["kill-server"]).output().ok();
    }
}

/// The scripted language server: its script, and what it was sent.
pub(crate) struct FakeServer {
    folder: tempfile::TempDir,
}

impl FakeServer {
    /// A server that answers as `script` says (see `nvim/fake_server.lua`).
    pub(crate) fn new(script: &Value) -> FakeServer {
        let folder = tempfile::Builder::new().prefix("fake").tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("script.json"), script.to_string()).expect("the script");
        FakeServer { folder }
    }

    /// The command line that starts it.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut words = Installation::find().script("fake_server.lua");
        words.push(utf8(&self.folder.path().join("script.json")));
        words.push(utf8(&self.log()));
        words
    }

    /// A program that starts it whatever it is called with, for clients that are given a program.
    #[cfg(unix)]
    pub(crate) fn program(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let (path, runtime) = (self.folder.path().join("server.sh"), utf8(&Installation::find().runtime));
        let words = self.command().join("' '");
        let text = format!("#!/bin/sh\nexport VIMRUNTIME='{runtime}' NVIM_LOG_FILE=/dev/null\nexec '{words}'\n");
        std::fs::write(&path, text).expect("the program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        path
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The params of every message of a method received so far.
    pub(crate) fn received(&self, method: &str) -> Vec<Value> {
        let messages = self.messages().into_iter().filter(|message| message["method"] == method);
        messages.map(|message| message["params"].clone()).collect()
    }

    /// What the editor has answered to the server's request of this number, if it has; an error as it is.
    pub(crate) fn answer(&self, id: &str) -> Option<Value> {
        let answers = |message: &Value| message["id"] == id && message["method"].is_null();
        let message = self.messages().into_iter().find(answers)?;
        Some(message.get("result").or(message.get("error")).cloned().unwrap_or_default())
    }

    fn messages(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let messages = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        messages.map(|line| serde_json::from_str::<Value>(line).expect("a message")).collect()
    }
}

/// Between two looks at a condition.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(POLL_PAUSE_MS));
}

fn repository() -> PathBuf {
    // Tests are built by a crate two folders below the root.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository")
}

fn utf8(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
