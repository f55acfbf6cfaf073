//! A real Helix in a terminal: starts one in its own home with the lines that `docs/editors.md` gives, and runs its
//! commands.

use std::path::PathBuf;
use std::process::Command;

use super::record::root;
use super::terminal::Terminal;

/// What a user writes into `languages.toml`.
const LANGUAGES: &str = include_str!("helix/languages.toml");

/// A running Helix; dropping it ends the terminal, the editor and the server. Nobody asks it to quit: it tells its server
/// to shut down then and ends it without waiting for the answer.
pub(crate) struct Helix {
    pub(crate) terminal: Terminal,
    folder: tempfile::TempDir,
}

impl Helix {
    /// Opens a file with this text in a project of its own, served by the language server that a command line starts.
    pub(crate) fn open(server: &[String], env: &[(&str, String)], file: &str, text: &str) -> Helix {
        let tools = root().join("target/test-tools/helix/usr/lib/hx");
        assert!(tools.is_dir(), "no Helix under {}: run `tests/support/install-helix.sh`", tools.display());
        let folder = tempfile::Builder::new().prefix("hx").tempdir().expect("a temporary directory");
        let (home, project) = (folder.path().join("home"), folder.path().join("project"));
        let config = home.join(".config/helix");
        std::fs::create_dir_all(&config).expect("a directory");
        std::fs::create_dir_all(project.join(".git")).expect("a directory");
        std::fs::write(project.join(file), text).expect("the file to edit");
        std::fs::write(config.join("languages.toml"), languages(server)).expect("the languages");
        let mut helix = Command::new(tools.join("hx"));
        helix.arg("--working-dir").arg(&project).arg(project.join(file)).env("HELIX_RUNTIME", tools.join("runtime"));
        helix.env("HOME", &home).env("XDG_CONFIG_HOME", home.join(".config")).env("XDG_CACHE_HOME", home.join("cache"));
        helix.envs(env.iter().map(|(name, value)| (name, value)));
        Helix { terminal: Terminal::run(&helix), folder }
    }

    /// A file of the project.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("project").join(file)
    }

    /// Runs a command of Helix, such as `write-all`.
    pub(crate) fn run(&self, command: &str) {
        self.terminal.type_text(&format!(":{command}"));
        self.terminal.press(&["Enter"]);
    }

    /// Takes the code action with this title, which stands at this place in the menu, counted from 0.
    #[track_caller]
    pub(crate) fn take_action(&self, title: &str, at: usize) {
        self.terminal.type_text(" a");
        self.choose(title, at);
    }

    /// Once the screen shows a text, takes the entry at this place of the menu, of which the first is picked already.
    #[track_caller]
    pub(crate) fn choose(&self, shown: &str, at: usize) {
        self.terminal.wait_for_screen(shown);
        let keys = ["Down"].repeat(at).into_iter().chain(["Enter"]);
        self.terminal.press(&keys.collect::<Vec<_>>());
    }
}

/// The lines that a user adds, with this command line in the place of finch's.
fn languages(server: &[String]) -> String {
    let (program, arguments) = server.split_first().expect("a command line");
    let command = |program: &str, arguments: &[String]| {
        format!("command = {}\nargs = {}", toml::Value::from(program), toml::Value::from(arguments.to_vec()))
    };
    let documented = "command = \"finch\"\nargs = [\"lsp\"]";
    assert!(LANGUAGES.contains(documented));
    LANGUAGES.replace(documented, &command(program, arguments))
}
