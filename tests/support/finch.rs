//! The real binary, driven as a user drives it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// What one run of `finch` said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `finch` with a FINCH_HOME of its own.
pub(crate) fn finch(home: &Path, arguments: &[&str]) -> Said {
    said(command(home).args(arguments))
}

/// The same, in a network namespace without any interface: whatever opens a connection fails.
#[cfg(target_os = "linux")]
pub(crate) fn finch_without_a_network(home: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", env!("CARGO_BIN_EXE_finch")]).args(arguments).env("FINCH_HOME", home);
    said(&mut command)
}

/// A run of `finch` that goes on meanwhile; killed at the latest when it is dropped.
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        Self::spawn(command(home).args(arguments))
    }

    /// In a process group of its own, as a terminal starts it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Goes on once the folder or file is there, while `finch` still runs.
    pub(crate) fn wait_until(&mut self, there: impl Fn() -> bool) {
        while !there() {
            if !self.is_running() {
                let mut err = String::new();
                self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it ended too early: {err}");
            }
            std::thread::yield_now();
        }
    }

    /// Ctrl-C, which a terminal sends to all processes of the group, and what it said until it ended.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> Said {
        let interrupted = Command::new("kill").args(["-INT", "--", &format!("-{}", self.0.id())]).status().unwrap();
        assert!(interrupted.success());
        let (mut out, mut err) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = self.0.wait().unwrap();
        Said { code: status.code().unwrap_or_else(|| panic!("finch ended by a signal: {status}")), out, err }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// As Ctrl-C does, only that nothing can be said against it.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.is_running() {
            self.kill();
        }
    }
}

pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finch"));
    command.env("FINCH_HOME", home);
    command
}

/// What a command said when it ended.
pub(crate) fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said {
        code: status.code().unwrap_or_else(|| panic!("finch ended by a signal: {status}")),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A file of the tests.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name).canonicalize().unwrap()
}

/// A FINCH_HOME with `smollm2-135m`, fetched once per checkout by finch itself and kept in the build folder.
pub(crate) fn home_with_a_model() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools");
        std::fs::create_dir_all(&tools).unwrap();
        let home = tools.canonicalize().unwrap().join("home");
        let lock = std::fs::File::create(home.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        let (model, source) = ("models/smollm2-135m", "models/.downloads/SmolLM2-135M-Instruct.Q4_1.gguf");
        if !(home.join(model).is_dir() && home.join(source).is_file()) {
            std::fs::create_dir_all(&home).unwrap();
            std::fs::write(home.join("config.toml"), "[engine]\nmodel = \"smollm2-135m\"\n").unwrap();
            let said = finch(&home, &["model", "pull", "smollm2-135m", "--keep-source"]);
            assert_eq!(said.code, 0, "{}", said.err);
        }
        home
    })
}

/// A FINCH_HOME that nobody else uses, with the same model, and these lines more in its configuration.
#[cfg(unix)]
pub(crate) fn home_of_its_own(configuration: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    furnish(home.path(), configuration);
    home
}

/// Makes that of a folder that is there.
#[cfg(unix)]
pub(crate) fn furnish(home: &Path, configuration: &str) {
    let shared = home_with_a_model();
    std::fs::create_dir_all(shared.join("tried")).unwrap();
    for folder in ["models", "tried"] {
        std::os::unix::fs::symlink(shared.join(folder), home.join(folder)).unwrap();
    }
    let configuration = format!("[engine]\nmodel = \"smollm2-135m\"\n{configuration}");
    std::fs::write(home.join("config.toml"), configuration).unwrap();
}
