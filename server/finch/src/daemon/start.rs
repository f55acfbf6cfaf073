//! Finds the daemon of a FINCH_HOME, or starts it: exactly one, however many processes want it at once.
//!
//! In reading order: [`Starter::ensure_running`] is what callers wait for; who finds nobody takes the lock for starting,
//! looks again, and spawns. The child leaves its caller's session and begins a second one that is nobody's child any more
//! ([`detach`]), so neither the end of an editor nor an editor that ends all its children reaches the daemon.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use finch_http::contact::{Contact, Dialler, Proven, UnderWay};
use finch_http::endpoint::PROTOCOL;
use finch_http::{Ensure, Link, NoDaemon};

use super::lock::{self, LIFE, Lock, STARTING};
use super::version::{Replaced, Speaks, Verdict, verdict};
use super::{log, stop};
use crate::Exit;
use crate::cli::Global;
use crate::limits::{
    DAEMON_LOOK_PAUSE, HELD_LOOK_PAUSE, HELD_WAIT, RESTART_LOOK_PAUSE_MAX, RESTART_WAIT, START_WAIT, STARTS_MAX,
};
use crate::surroundings::{self, Surroundings};

/// The words that begin a daemon which leaves its caller.
const DETACHED: [&str; 3] = ["daemon", "run", "--detached"];
/// And those of the daemon itself.
const TO_FILE: [&str; 3] = ["daemon", "run", "--log-file"];

/// Starts the daemon where there is none. One per process: a daemon is replaced once by it and no more.
pub(crate) struct Starter {
    dialler: Dialler,
    home: PathBuf,
    /// What the daemon is called with, beside its own words.
    arguments: Vec<PathBuf>,
    has_replaced: AtomicBool,
}

/// How the daemon came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    ItRan,
    Started,
}

/// What is to be done at one look.
enum Step {
    Use(Box<Proven>),
    Replace(Box<Proven>),
    /// There is none; why it is not simply absent.
    Start(Option<String>),
}

/// What is said of one that has its lock and no address.
pub(crate) const BEGINS_OR_ENDS: &str = "a daemon is just beginning or ending";

/// There is a daemon, and it cannot be asked as long as it is like that.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HeldUp(String);

/// How long a daemon is waited for: longer while somebody has the lock, for it may be one that gives its last answers.
#[derive(Debug)]
struct Patience {
    until: Instant,
    held_until: Instant,
    was_held: bool,
}

/// What is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Time,
    /// And nobody has the lock.
    Nothing,
    /// Nothing, and somebody has the lock all the same.
    Held,
}

impl Patience {
    fn since(now: Instant) -> Self {
        Self { until: now + START_WAIT, held_until: now + HELD_WAIT, was_held: false }
    }

    /// The lock is only asked for where that makes a difference.
    fn left(&mut self, now: Instant, is_held: impl FnOnce() -> Result<bool>) -> Result<Left> {
        if now < self.until {
            return Ok(Left::Time);
        }
        let is_held = is_held()?;
        if now >= self.held_until || !(is_held || self.was_held) {
            return Ok(if is_held { Left::Held } else { Left::Nothing });
        }
        // Once the lock is free, somebody starts the next one.
        self.until = now + if is_held { HELD_LOOK_PAUSE } else { START_WAIT };
        self.was_held = is_held;
        Ok(Left::Time)
    }
}

impl Starter {
    pub(crate) fn new(surroundings: &Surroundings) -> Result<Self> {
        let home = surroundings.home.root().to_owned();
        let config = std::path::absolute(&surroundings.config_path).context("the configuration file is no path")?;
        let arguments = if surroundings.has_usual_config() { Vec::new() } else { vec!["--config".into(), config] };
        Ok(Self { dialler: Dialler::new()?, home, arguments, has_replaced: AtomicBool::new(false) })
    }

    /// The daemon, once it has proved to be it; started if there is none, and in the place of one of an older version.
    ///
    /// # Errors
    /// When it cannot be started within [`START_WAIT`], lets nobody ask it within [`HELD_WAIT`], or is another one that
    /// cannot be used.
    pub(crate) async fn ensure_running(&self) -> Result<(Box<Proven>, Came)> {
        let (mut patience, behind) = (Patience::since(Instant::now()), log::length(&self.home));
        let (mut starting, mut came, mut tries) = (None, Came::ItRan, 0);
        loop {
            let step = self.look().await?;
            let why = match step {
                Step::Use(daemon) => return Ok((daemon, came)),
                Step::Replace(daemon) if starting.is_some() => {
                    self.replace(&daemon).await?;
                    patience = Patience::since(Instant::now());
                    continue;
                }
                Step::Replace(_) => None,
                Step::Start(_) if starting.is_some() && tries < STARTS_MAX && lock::is_free(&self.home, LIFE)? => {
                    tries += 1;
                    self.spawn(behind).await?;
                    // The lock may have been waited for before; the new one has its own time.
                    patience = Patience::since(Instant::now());
                    came = Came::Started;
                    None
                }
                Step::Start(why) => why,
            };
            if starting.is_none() {
                // Who has it looks once more: the daemon may have come meanwhile.
                starting = Lock::take(&self.home, STARTING)?;
                if starting.is_some() {
                    continue;
                }
            }
            match patience.left(Instant::now(), || lock::is_held(&self.home, LIFE))? {
                Left::Time => tokio::time::sleep(DAEMON_LOOK_PAUSE).await,
                Left::Nothing => bail!("{}", self.complaint(why, behind)),
                Left::Held => {
                    let why = why.unwrap_or_else(|| BEGINS_OR_ENDS.to_owned());
                    return Err(HeldUp(self.complaint(Some(why), behind)).into());
                }
            }
        }
    }

    async fn look(&self) -> Result<Step> {
        let contact = match self.dialler.contact(&self.home).await {
            Err(error) if error.is_for_want_of_a_token() => return Ok(Step::Start(Some(error.to_string()))),
            contact => contact?,
        };
        Ok(match contact {
            Contact::Daemon(daemon) | Contact::Other(daemon) => self.judge(daemon)?,
            Contact::None => Step::Start(None),
            Contact::Stranger { address } => {
                Step::Start(Some(format!("whoever listens at {address} is not the daemon")))
            }
            Contact::Silent { address } => {
                Step::Start(Some(format!("whoever listens at {address} does not answer; a process that is held up?")))
            }
        })
    }

    fn judge(&self, daemon: Box<Proven>) -> Result<Step> {
        let there = Speaks { version: &daemon.health.version, protocol: daemon.health.protocol };
        let here = Speaks { version: env!("CARGO_PKG_VERSION"), protocol: PROTOCOL };
        let replaced = match self.has_replaced.load(Ordering::Relaxed) {
            true => Replaced::Before,
            false => Replaced::NotYet,
        };
        match verdict(there, here, replaced) {
            Verdict::Use => Ok(Step::Use(daemon)),
            Verdict::Replace => Ok(Step::Replace(daemon)),
            Verdict::Refuse => bail!(
                "the daemon at {} is finch {} and speaks protocol {}, this is finch {} with protocol {}; update finch \
                 here, or end that daemon with `finch daemon stop` once nobody needs it",
                daemon.endpoint.url,
                there.version,
                there.protocol,
                here.version,
                here.protocol
            ),
        }
    }

    /// Asks an older daemon to end, once. The lock for starting is held, so it is nobody else that hears it.
    async fn replace(&self, daemon: &Proven) -> Result<()> {
        self.has_replaced.store(true, Ordering::Relaxed);
        tracing::info!("the daemon is finch {}; it is asked to give way", daemon.health.version);
        let ended = stop::end(&self.dialler, &self.home, daemon, UnderWay::Finish).await;
        match ended {
            Err(error) if daemon.health.protocol == PROTOCOL => {
                tracing::warn!("finch {} stays the daemon: {error:#}", daemon.health.version);
                Ok(())
            }
            ended => ended.context("an older daemon does not give way"),
        }
    }

    /// Starts a daemon, and waits until it can be asked or there is another one.
    async fn spawn(&self, behind: u64) -> Result<()> {
        let mut command = tokio::process::Command::new(surroundings::own_binary()?);
        command.args(DETACHED).args(&self.arguments).env("FINCH_HOME", &self.home);
        command.stdin(Stdio::null()).kill_on_drop(true);
        #[cfg(unix)]
        command.arg0("finch");
        match tokio::time::timeout(START_WAIT, command.output()).await {
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                bail!("{}", self.complaint(Some(said).filter(|said| !said.is_empty()), behind))
            }
            Ok(Err(error)) => Err(error).context("starting the daemon"),
            Err(_) => bail!("{}", self.complaint(None, behind)),
        }
    }

    fn complaint(&self, why: Option<String>, behind: u64) -> String {
        let why = why.unwrap_or_else(|| format!("none was ready within {} s", START_WAIT.as_secs()));
        let (path, last) = (log::path(&self.home), log::last_lines(&self.home, behind));
        let log = match last.is_empty() {
            true => format!("it said nothing in {}", path.display()),
            false => format!("{} ends with:\n{last}", path.display()),
        };
        format!("there is no daemon to be had: {why}; see `finch daemon status`, or try `finch daemon run`; {log}")
    }
}

/// Whether a daemon is started where none runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    IfNone,
    /// Somebody else may, such as systemd.
    ByOthers,
    /// And none is waited for.
    Never,
}

/// What keeps an editor's link to the daemon: finds it, or starts it where the user lets that be.
pub(crate) fn ensure(surroundings: &Surroundings) -> Result<Ensure> {
    linking(surroundings, if surroundings.config.daemon.auto_spawn { Start::IfNone } else { Start::ByOthers })
}

/// The same for a command in a terminal, which leaves no process behind: it finds one that runs.
pub(crate) fn find_running(surroundings: &Surroundings) -> Result<Ensure> {
    linking(surroundings, Start::Never)
}

fn linking(surroundings: &Surroundings, start: Start) -> Result<Ensure> {
    let starter = Arc::new((Starter::new(surroundings)?, AtomicBool::new(false)));
    Ok(Arc::new(move || {
        let starter = Arc::clone(&starter);
        Box::pin(async move {
            let (starter, was_there) = &*starter;
            let daemon = match start {
                Start::IfNone => starter.ensure_running().await.map(|(daemon, _)| Some(daemon)),
                Start::ByOthers => starter.running_again(was_there).await,
                Start::Never => starter.running().await,
            };
            match daemon {
                Ok(Some(daemon)) => Ok(Link::new(daemon.endpoint.url, daemon.token)),
                Ok(None) => Err(NoDaemon::NotWanted),
                // A command is over soon, and waits for nobody.
                Err(error) if start != Start::Never && error.is::<HeldUp>() => {
                    Err(NoDaemon::HeldUp(format!("{error:#}")))
                }
                Err(error) => Err(NoDaemon::Unusable(format!("{error:#}"))),
            }
        })
    }))
}

impl Starter {
    /// The daemon that others start. One that was there before is looked for during [`RESTART_WAIT`].
    async fn running_again(&self, was_there: &AtomicBool) -> Result<Option<Box<Proven>>> {
        let (mut pause, until) = (DAEMON_LOOK_PAUSE, Instant::now() + RESTART_WAIT);
        loop {
            if let Some(daemon) = self.running().await? {
                was_there.store(true, Ordering::Relaxed);
                return Ok(Some(daemon));
            }
            if lock::is_held(&self.home, LIFE)? {
                return Err(HeldUp(BEGINS_OR_ENDS.to_owned()).into());
            }
            if !was_there.load(Ordering::Relaxed) || Instant::now() >= until {
                // It is missed once, and not at every look that follows.
                was_there.store(false, Ordering::Relaxed);
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RESTART_LOOK_PAUSE_MAX);
        }
    }

    /// The daemon, if one runs, as it is.
    async fn running(&self) -> Result<Option<Box<Proven>>> {
        let contact = match self.dialler.contact(&self.home).await {
            Err(error) if error.is_for_want_of_a_token() => return Err(HeldUp(error.to_string()).into()),
            contact => contact?,
        };
        match contact {
            Contact::Daemon(daemon) => Ok(Some(daemon)),
            // A file that was left behind, and perhaps somebody else where it points.
            Contact::None | Contact::Stranger { .. } => Ok(None),
            Contact::Other(daemon) => bail!(
                "the daemon at {} is finch {} and speaks another protocol; end it with `finch daemon stop`, and it is \
                 started anew",
                daemon.endpoint.url,
                daemon.health.version
            ),
            Contact::Silent { address } => {
                let said = format!("the daemon at {address} does not answer; see `finch daemon status`");
                match lock::is_held(&self.home, LIFE)? {
                    true => Err(HeldUp(said).into()),
                    false => bail!(said),
                }
            }
        }
    }
}

/// Leaves the session of whoever called, starts the daemon in it, and ends once that can be asked: it is nobody's child.
pub(crate) fn detach(global: &Global) -> Result<Exit> {
    let home = surroundings::home()?;
    leave_session()?;
    let mut command = std::process::Command::new(surroundings::own_binary()?);
    command.args(TO_FILE).env("FINCH_HOME", &home).current_dir(lock::folder(&home)?);
    if let Some(config) = &global.config {
        command.arg("--config").arg(std::path::absolute(config).context("the configuration file is no path")?);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log::for_child(&home)?);
    name(&mut command);
    #[cfg(unix)]
    keep_to_oneself();
    let mut child = command.spawn().context("starting the daemon")?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).context("waiting for the daemon")?;
    }
    if !line.is_empty() {
        return Ok(Exit::Done);
    }
    // It has ended without a line: another one was there before, or it failed and its log says why.
    let status = child.wait().context("waiting for the daemon")?;
    Ok(if status.success() { Exit::Done } else { Exit::Failed })
}

#[cfg(unix)]
fn leave_session() -> Result<()> {
    rustix::process::setsid().map(drop).context("leaving the session")
}

/// Here no end of a session reaches a process without a console.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn leave_session() -> Result<()> {
    Ok(())
}

/// Lets go at the next `exec` of all files but the first three: the daemon would hold its caller's for life, such as a pipe
/// that somebody reads to its end, or a lock.
#[cfg(unix)]
#[expect(unsafe_code, reason = "numbers of files that are open while they are used")]
fn keep_to_oneself() {
    use std::os::fd::{BorrowedFd, RawFd};
    // Where the list cannot be had, the daemon has what its caller left open; that is no reason not to start.
    for entry in std::fs::read_dir("/dev/fd").into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        let Some(number @ 3..) = number else { continue };
        // SAFETY: it is listed and there is no second thread that closes it; the list itself is open as long as it is read.
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        if let Err(error) = rustix::io::fcntl_setfd(file, rustix::io::FdFlags::CLOEXEC) {
            tracing::debug!("the daemon keeps file {number} of its caller: {error}");
        }
    }
}

/// How it is called in lists of processes.
#[cfg(unix)]
fn name(command: &mut std::process::Command) {
    std::os::unix::process::CommandExt::arg0(command, "finch");
}

/// Without a console.
#[cfg(windows)]
fn name(command: &mut std::process::Command) {
    const DETACHED_PROCESS: u32 = 0x8;
    std::os::windows::process::CommandExt::creation_flags(command, DETACHED_PROCESS);
}

/// Whether somebody is the daemon of this FINCH_HOME, be it that nobody can ask it.
pub(crate) fn is_held(home: &Path) -> Result<bool> {
    lock::is_held(home, LIFE)
}

/// Whether there is one now; for those who only want to tell.
pub(crate) async fn find(home: &Path) -> Result<(Dialler, Contact)> {
    let dialler = Dialler::new()?;
    let contact = dialler.contact(home).await?;
    Ok((dialler, contact))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{HELD_WAIT, Left, Patience, START_WAIT};

    /// What is left after so many seconds each, with the lock held or not then.
    #[track_caller]
    fn check(looks: &[(u64, bool, Left)]) {
        let began = Instant::now();
        let mut patience = Patience::since(began);
        for &(seconds, is_held, expected) in looks {
            let left = patience.left(began + Duration::from_secs(seconds), || Ok(is_held)).unwrap();
            assert_eq!(left, expected, "after {seconds} s");
        }
    }

    #[test]
    fn one_that_does_not_come_is_waited_for_no_longer_than_a_start_takes() {
        check(&[(0, false, Left::Time), (4, false, Left::Time), (START_WAIT.as_secs(), false, Left::Nothing)]);
    }

    #[test]
    fn one_that_ends_is_waited_for_and_the_next_one_has_its_own_time() {
        let looks = [(5, true, Left::Time), (10, true, Left::Time), (11, false, Left::Time), (15, false, Left::Time)];
        check(&looks);
        check(&[(5, true, Left::Time), (6, false, Left::Time), (10, true, Left::Time), (11, false, Left::Nothing)]);
    }

    #[test]
    fn one_that_is_held_up_is_not_waited_for_for_ever() {
        check(&[(5, true, Left::Time), (15, true, Left::Time), (HELD_WAIT.as_secs(), true, Left::Held)]);
    }
}
