//! Runs a command so that it can change the workspace and little else, whatever its text said.
//!
//! Two processes of finch's own binary stand between: a keeper, which holds the command's life in its hand, and within
//! it the inner one, which gives up its rights and becomes the command. The keeper is told what to run on its standard
//! input, never in its arguments, and that input is also the life line: when it closes, because the turn was stopped or
//! because finch died, everything that the command started is killed. Where this cannot be set up whole, nothing runs.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use crate::access::Network;
use crate::limits::{SANDBOX_CHECK_WAIT, SANDBOX_FILE_BYTES_MAX, SANDBOX_PROCESSES_MAX};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

/// The keeper could not set the sandbox up, and ran nothing.
pub const NOT_SET_UP: u8 = 125;
/// The keeper killed the command at its time limit.
pub const OUT_OF_TIME: u8 = 124;
/// The keeper killed the command because it had too many processes.
pub const TOO_MANY_PROCESSES: u8 = 123;

/// What to run, and what it may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub command: String,
    pub cwd: PathBuf,
    /// Canonical, of the session, never of the model. May be written, but for what is guarded in it.
    pub workspace: PathBuf,
    /// A folder for temporary files that is this command's alone.
    pub temporary: PathBuf,
    /// Build caches and the like that the user listed.
    pub writable: Vec<PathBuf>,
    /// Folders beside those of the system that may be read: toolchains.
    pub readable: Vec<PathBuf>,
    pub has_network: bool,
    /// The whole environment of the command.
    pub environment: Vec<(String, String)>,
    pub processes_max: u64,
    pub file_bytes_max: u64,
    pub seconds_max: u64,
    /// Set by the keeper for the inner process.
    inner: Option<Inner>,
}

/// What the keeper has prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Inner {
    /// Guarded entries of the workspace are mounted read-only.
    Mounted,
    /// They are not: only the entries that are there and not guarded may be written.
    ByEntry,
}

/// What this machine can enforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// All of it.
    Whole,
    /// All of it, but new files directly in the workspace's own folder cannot be made.
    ByEntry,
    /// Nothing may run without a question.
    Unavailable { reason: String },
}

/// A command that runs. Dropping it kills everything that it started.
#[derive(Debug)]
pub struct Sandboxed {
    /// The keeper: its output is the command's, and so is its exit code.
    pub keeper: Child,
    life_line: ChildStdin,
}

impl Spec {
    /// A command in the workspace, with the usual limits and nothing beside the workspace to write.
    #[must_use]
    pub fn new(command: &str, workspace: &Path, temporary: &Path, network: Network, time: Duration) -> Self {
        Self {
            command: command.to_owned(),
            cwd: workspace.to_owned(),
            workspace: workspace.to_owned(),
            temporary: temporary.to_owned(),
            writable: Vec::new(),
            readable: Vec::new(),
            has_network: network == Network::On,
            environment: Vec::new(),
            processes_max: SANDBOX_PROCESSES_MAX,
            file_bytes_max: SANDBOX_FILE_BYTES_MAX,
            seconds_max: time.as_secs().max(1),
            inner: None,
        }
    }
}

/// Starts a command. `helper` is the program and arguments that call [`helper_main`].
///
/// # Errors
/// If the keeper cannot be started. If the sandbox cannot be set up, it ends with [`NOT_SET_UP`].
pub async fn spawn(helper: &[&OsStr], spec: &Spec) -> io::Result<Sandboxed> {
    let [program, arguments @ ..] = helper else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    command.process_group(0);
    let mut keeper = command.spawn()?;
    let mut life_line = keeper.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = serde_json::to_vec(spec)?;
    line.push(b'\n');
    life_line.write_all(&line).await?;
    Ok(Sandboxed { keeper, life_line })
}

impl Sandboxed {
    /// Kills everything that the command started; the keeper ends when that is done.
    pub fn stop(self) -> Child {
        drop(self.life_line);
        self.keeper
    }
}

/// Tries the sandbox out.
pub async fn check(helper: &[&OsStr]) -> Availability {
    let tried = tokio::time::timeout(SANDBOX_CHECK_WAIT, tried(helper)).await;
    match tried {
        Ok(Ok(availability)) => availability,
        Ok(Err(error)) => unavailable(error.to_string()),
        Err(_) => unavailable("it did not answer in time"),
    }
}

async fn tried(helper: &[&OsStr]) -> io::Result<Availability> {
    let place = tempfile::tempdir()?;
    let folder = place.path().canonicalize()?;
    let (workspace, temporary) = (folder.join("workspace"), folder.join("temporary"));
    std::fs::create_dir_all(workspace.join(".git"))?;
    std::fs::create_dir(&temporary)?;
    let probe = "(true > ../out) && exit 9; (true > .git/x) && exit 9; echo held; (true > new) || exit 3; exit 0";
    let mut spec = Spec::new(probe, &workspace, &temporary, Network::Off, SANDBOX_CHECK_WAIT);
    spec.environment = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let mut sandboxed = spawn(helper, &spec).await?;
    let (mut said, mut held) = (Vec::new(), Vec::new());
    if let (Some(mut errors), Some(mut out)) = (sandboxed.keeper.stderr.take(), sandboxed.keeper.stdout.take()) {
        out.read_to_end(&mut held).await?;
        errors.read_to_end(&mut said).await?;
    }
    let status = sandboxed.keeper.wait().await?;
    Ok(match status.code() {
        Some(0) if held == b"held\n" => Availability::Whole,
        Some(3) if held == b"held\n" => Availability::ByEntry,
        Some(9) => unavailable("it does not hold: a write went through that must not"),
        _ => unavailable(crate::characters::shown_on_one_line(String::from_utf8_lossy(&said).trim())),
    })
}

fn unavailable(reason: impl Into<String>) -> Availability {
    Availability::Unavailable { reason: reason.into() }
}

/// What a command is given of finch's own environment: names that say where and in which language, and those listed by
/// the user; never a key. `PATH` keeps only absolute folders outside the workspace.
#[must_use]
pub fn environment(
    all: impl IntoIterator<Item = (String, String)>,
    listed: &[String],
    workspace: &Path,
) -> Vec<(String, String)> {
    const NAMES: &[&str] = &["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER"];
    let is_passed = |name: &str| NAMES.contains(&name) || listed.iter().any(|listed| listed == name);
    let passed = all.into_iter().filter(|(name, _)| is_passed(name));
    passed.map(|(name, value)| if name == "PATH" { (name, path(&value, workspace)) } else { (name, value) }).collect()
}

fn path(value: &str, workspace: &Path) -> String {
    let is_kept = |folder: &&str| {
        let folder = Path::new(folder);
        let is_inside =
            folder.starts_with(workspace) || folder.canonicalize().is_ok_and(|it| it.starts_with(workspace));
        folder.is_absolute() && !is_inside && !folder.components().any(|part| part == Component::ParentDir)
    };
    value.split(':').filter(is_kept).collect::<Vec<_>>().join(":")
}

/// The keeper and the inner process: reads what to do from the standard input. The binary calls this and nothing else.
#[must_use]
pub fn helper_main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    {
        linux::main()
    }
    #[cfg(not(target_os = "linux"))]
    {
        std::process::ExitCode::from(NOT_SET_UP)
    }
}
