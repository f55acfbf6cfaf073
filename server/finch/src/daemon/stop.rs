//! Ends a daemon: it is told, and its lock is free once it has ended.

use std::path::Path;
use std::time::Instant;

#[cfg(unix)]
use anyhow::Context as _;
use anyhow::{Result, bail};
use finch_http::contact::{Contact, ContactError, Dialler, Proven, UnderWay};
use finch_http::endpoint::{Endpoint, PROTOCOL};

use super::lock::{self, LIFE};
use crate::limits::{CUT_WAIT, DAEMON_LOOK_PAUSE, STOP_WAIT};

/// How the wish that none runs came true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It ran, there, and so many editors were open that asked it.
    Ended { url: String, editors: usize },
    /// None ran.
    NoneRan,
}

/// Ends the daemon of a FINCH_HOME, if one runs.
pub(crate) async fn stop(home: &Path, under_way: UnderWay) -> Result<Stopped> {
    let (dialler, until) = (Dialler::new()?, Instant::now() + STOP_WAIT);
    loop {
        let why = match dialler.contact(home).await {
            Ok(Contact::Daemon(daemon) | Contact::Other(daemon)) => {
                let editors = editors(&dialler, &daemon).await;
                end(&dialler, home, &daemon, under_way).await?;
                return Ok(Stopped::Ended { url: daemon.endpoint.url, editors });
            }
            Ok(Contact::None) => "it is just beginning or ending".to_owned(),
            Ok(Contact::Stranger { address }) => format!("whoever listens at {address} is not it"),
            Ok(Contact::Silent { address }) => format!("it does not answer at {address}"),
            // It writes its token anew.
            Err(error) if error.is_for_want_of_a_token() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        // A daemon that begins or ends is there in a moment, or gone.
        if lock::is_free(home, LIFE)? {
            return Ok(Stopped::NoneRan);
        }
        if Instant::now() >= until {
            bail!("a daemon holds its lock and cannot be told to end: {why}; {}", kill(home));
        }
        tokio::time::sleep(DAEMON_LOOK_PAUSE).await;
    }
}

/// How many editors are linked to it, as far as it says so.
async fn editors(dialler: &Dialler, daemon: &Proven) -> usize {
    // What another version says is not known, and it is to end whatever it says.
    if daemon.health.protocol != PROTOCOL {
        return 0;
    }
    let status = dialler.status(daemon).await.unwrap_or_default();
    let clients = status["clients"].as_array().into_iter().flatten();
    clients.filter(|name| name.as_str().is_some_and(|name| name.starts_with("lsp-"))).count()
}

/// Tells this daemon to end, and waits until it has.
pub(super) async fn end(dialler: &Dialler, home: &Path, daemon: &Proven, under_way: UnderWay) -> Result<()> {
    let (told, until) = (Instant::now(), Instant::now() + STOP_WAIT);
    match dialler.shut_down(daemon, under_way).await {
        // It may have cut off its own answer too.
        Err(ContactError::Unanswered { .. }) if under_way == UnderWay::Cut => {}
        heard => heard?,
    }
    let mut is_older = under_way == UnderWay::Cut;
    while !has_ended(home, daemon)? {
        // One of a version that knows no cut goes on with its answers.
        if is_older && told.elapsed() > CUT_WAIT {
            is_older = false;
            signal(daemon.endpoint.pid)?;
        }
        if Instant::now() >= until {
            bail!(
                "the daemon at {} was told to end, and has not within {} s; `finch daemon stop --now` cuts off what is \
                 under way; {}",
                daemon.endpoint.url,
                STOP_WAIT.as_secs(),
                kill(home)
            );
        }
        tokio::time::sleep(DAEMON_LOOK_PAUSE).await;
    }
    Ok(())
}

/// Nobody has the lock, or another daemon has it already: an editor may start one at once.
fn has_ended(home: &Path, daemon: &Proven) -> Result<bool> {
    let is_replaced = matches!(Endpoint::read(home), Ok(Some(there)) if !there.is(&daemon.endpoint));
    Ok(is_replaced || lock::is_free(home, LIFE)?)
}

/// Tells it once more, which ends it at once. It holds its lock, so the number is still its own.
#[cfg(unix)]
fn signal(pid: u32) -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid =
        i32::try_from(pid).ok().and_then(Pid::from_raw).context("the daemon's file has no number of a process")?;
    match kill_process(pid, Signal::TERM) {
        // It has ended meanwhile.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("telling the daemon to end at once"),
    }
}

/// Here it has no way to be told: what is under way is finished first.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn signal(_pid: u32) -> Result<()> {
    Ok(())
}

/// What to do about one that obeys no more.
fn kill(home: &Path) -> String {
    match Endpoint::read(home) {
        Ok(Some(endpoint)) => format!("its file says that it is process {}; `kill` that", endpoint.pid),
        Ok(None) | Err(_) => "find its process and `kill` it".to_owned(),
    }
}
