//! Runs a command so that it can change the workspace and little else, whatever its text said.
//!
//! Two processes of finch's own binary stand between: a keeper, which holds the command's life in its hand, and within
//! it the inner one, which gives up its rights and becomes the command. The keeper is told what to run on its standard
//! input, never in its arguments, and that input is also the life line: when it closes, because the turn was stopped or
//! because finch died, everything that the command started is killed. Where this cannot be set up whole, nothing runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::OnceCell;

use crate::access::Network;
use crate::limits::{SANDBOX_CHECK_WAIT, SANDBOX_FILE_BYTES_MAX, SANDBOX_PROCESSES_MAX, SPEC_BYTES_MAX};
use crate::rules::Confinement;

mod grants;
#[cfg(target_os = "linux")]
mod linux;
mod profile;
mod report;
mod scratch;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) mod tests;

pub use grants::{Grants, Refused, Wishes};
pub(crate) use profile::command as with_profile;
pub(crate) use report::{Ending, read as read_report};
pub(crate) use scratch::Scratch;

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
    /// A folder around it that is finch's and the keeper's alone. The keeper reports in it, and removes it when finch
    /// is gone or does not wait any more.
    pub scratch: Option<PathBuf>,
    /// The workspace as the command sees it is another one, and is thrown away.
    pub overlay: Option<Overlay>,
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

/// A workspace that looks like the real one with edits on it, and takes all that is written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// An empty folder for what is written, where the command reaches nothing.
    pub layers: PathBuf,
    pub staged: Vec<Staged>,
}

/// An edit of the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Canonical, in the workspace.
    pub path: PathBuf,
    /// The file that holds the content; none if there is no such file any more.
    pub content: Option<PathBuf>,
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

impl Availability {
    /// What the rules must know of it.
    #[must_use]
    pub fn confinement(&self) -> Confinement {
        match self {
            Self::Whole | Self::ByEntry => Confinement::Whole,
            Self::Unavailable { .. } => Confinement::None,
        }
    }
}

/// The sandbox of this process. Whether there is one is tried once.
#[derive(Debug)]
pub struct Sandbox {
    helper: Vec<OsString>,
    found: OnceCell<Availability>,
}

impl Sandbox {
    /// `helper` is the program, by its whole path, and the arguments that call [`helper_main`].
    #[must_use]
    pub fn new(helper: Vec<OsString>) -> Self {
        Self { helper, found: OnceCell::new() }
    }

    /// For tests: as if it had been tried out.
    #[cfg(test)]
    pub(crate) fn found_for_test(helper: Vec<OsString>, found: Availability) -> Self {
        Self { helper, found: OnceCell::new_with(Some(found)) }
    }

    pub(crate) fn helper(&self) -> &[OsString] {
        &self.helper
    }

    /// What it can do; the first to ask waits until it is tried out.
    pub async fn availability(&self) -> &Availability {
        let tried = || async {
            let helper: Vec<&OsStr> = self.helper.iter().map(OsString::as_os_str).collect();
            check(&helper).await
        };
        self.found.get_or_init(tried).await
    }
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
            scratch: None,
            overlay: None,
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
    let (command, line) = keeper(helper, spec)?;
    let mut command = Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    command.process_group(0);
    let mut keeper = command.spawn()?;
    let mut life_line = keeper.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    life_line.write_all(&line).await?;
    Ok(Sandboxed { keeper, life_line })
}

/// The keeper, not started, and the line that it is to be told.
pub(crate) fn keeper(helper: &[impl AsRef<OsStr>], spec: &Spec) -> io::Result<(std::process::Command, Vec<u8>)> {
    let [program, arguments @ ..] = helper else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut command = std::process::Command::new(program);
    // It stands in no folder: where the workspace is laid over, that would be a way to the real one.
    command.args(arguments).env_clear().current_dir("/");
    let mut line = serde_json::to_vec(spec)?;
    line.push(b'\n');
    if line.len() > SPEC_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((command, line))
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
    let Output { status, stdout: held, stderr: said } = if cfg!(target_os = "macos") {
        let mut command = Command::from(with_profile(&spec)?);
        command.stdin(Stdio::null()).kill_on_drop(true).output().await?
    } else {
        let Sandboxed { keeper, life_line } = spawn(helper, &spec).await?;
        let ended = keeper.wait_with_output().await?;
        drop(life_line);
        ended
    };
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
