//! The process that holds the command's life in its hand: it watches the life line, the clock and the number of
//! processes, and leaves only when nothing that the command started is left.

use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, set_child_subreaper, set_parent_process_death_signal, wait};

use super::report::Report;
use super::{SetUpError, mounts, overlay, tree};
use crate::limits::{KEEPER_COUNT_LOOK, KEEPER_LOOK};
use crate::sandbox::report::Ending;
use crate::sandbox::{Inner, OUT_OF_TIME, Spec, TOO_MANY_PROCESSES, scratch};

/// How it ended.
enum End {
    Left(ExitStatus),
    Stopped,
    OutOfTime,
    TooManyProcesses,
}

pub(super) fn keep(mut spec: Spec, report: &mut Report) -> Result<ExitCode, SetUpError> {
    let before = mounts::guarded_at_top(&spec.workspace);
    // Orphans come to this process, so that none is lost where there is no namespace of processes.
    set_child_subreaper(Pid::from_raw(1))?;
    spec.inner = Some(prepare(&spec)?);
    let mut child = start(&spec)?;
    let end = watch(&mut child, &spec);
    // In a namespace of processes the kernel kills all of it with its first one, faster than any of it can fork.
    if let Err(error) = child.kill() {
        tracing::debug!("the first process cannot be killed: {error}");
    }
    tree::kill_all();
    // What was made in a throw-away workspace goes with it.
    if spec.overlay.is_none() {
        set_aside(&spec, &before);
    }
    let end = end?;
    clear(&spec, &end)?;
    match end {
        End::OutOfTime => report.tell(Ending::OutOfTime),
        End::TooManyProcesses => report.tell(Ending::TooManyProcesses),
        End::Left(_) | End::Stopped => {}
    }
    Ok(ExitCode::from(match end {
        End::Left(status) => code(status.code(), status.signal()),
        End::Stopped => u8::MAX,
        End::OutOfTime => OUT_OF_TIME,
        End::TooManyProcesses => TOO_MANY_PROCESSES,
    }))
}

/// Puts namespaces around the command where there are any. A throw-away workspace needs them.
fn prepare(spec: &Spec) -> Result<Inner, SetUpError> {
    let entered = mounts::enter();
    let Some(overlay) = &spec.overlay else {
        return Ok(match entered.and_then(|()| mounts::guard(spec)) {
            Ok(()) => Inner::Mounted,
            Err(_) => Inner::ByEntry,
        });
    };
    entered.map_err(|error| match error {
        SetUpError::Io(error) => SetUpError::Overlay(error),
        other => other,
    })?;
    overlay::mount(&spec.workspace, overlay)?;
    mounts::guard(spec)?;
    Ok(Inner::Mounted)
}

/// Removes what the command had for itself if nobody else will: finch is gone, or waits no more.
fn clear(spec: &Spec, end: &End) -> Result<(), SetUpError> {
    let Some(folder) = &spec.scratch else { return Ok(()) };
    if matches!(end, End::Stopped) || is_cut(Duration::ZERO)? {
        scratch::remove(folder)?;
    }
    Ok(())
}

/// The first process of a namespace ignores most signals, so the command is its child. When it leaves, the kernel kills
/// all others of the namespace.
pub(super) fn be_first(spec: &Spec) -> Result<ExitCode, SetUpError> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let child = start(spec)?;
    loop {
        if let Some((pid, status)) = wait(WaitOptions::empty())?
            && i64::from(pid.as_raw_nonzero().get()) == i64::from(child.id())
        {
            return Ok(ExitCode::from(code(status.exit_status(), status.terminating_signal())));
        }
    }
}

/// As shells say it.
fn code(code: Option<i32>, signal: Option<i32>) -> u8 {
    let code = code.or(signal.map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Starts this program again, for the next step.
fn start(spec: &Spec) -> Result<Child, SetUpError> {
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1)).env_clear().stdin(Stdio::piped());
    let mut child = command.spawn()?;
    let mut line = serde_json::to_vec(spec).map_err(io::Error::from)?;
    line.push(b'\n');
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    stdin.write_all(&line)?;
    Ok(child)
}

fn watch(child: &mut Child, spec: &Spec) -> Result<End, SetUpError> {
    let began = Instant::now();
    let mut counted = began;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Left(status));
        }
        if is_cut(KEEPER_LOOK)? {
            return Ok(End::Stopped);
        }
        if began.elapsed() >= Duration::from_secs(spec.seconds_max) {
            return Ok(End::OutOfTime);
        }
        if counted.elapsed() >= KEEPER_COUNT_LOOK {
            counted = Instant::now();
            // The keeper's own two are not the command's.
            let most = usize::try_from(spec.processes_max).unwrap_or(usize::MAX).saturating_add(2);
            if tree::descendants(most.saturating_add(1)).len() > most {
                return Ok(End::TooManyProcesses);
            }
        }
    }
}

/// Whether the life line is closed, after at most this time.
fn is_cut(time: Duration) -> Result<bool, SetUpError> {
    let stdin = rustix::stdio::stdin();
    let mut lines = [PollFd::new(&stdin, PollFlags::IN)];
    let time = Timespec::try_from(time).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    match poll(&mut lines, Some(&time)) {
        // Nothing is ever written after the description: whatever comes is its end.
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives every guarded entry that the command has made another name, under which nothing runs it.
fn set_aside(spec: &Spec, before: &[PathBuf]) {
    for path in mounts::guarded_at_top(&spec.workspace) {
        let Some(name) = path.file_name().filter(|_| !before.contains(&path)) else { continue };
        let name = name.to_string_lossy();
        let name = name.trim_start_matches('.');
        let free = (1..1000).map(|number| spec.workspace.join(format!("refused-{number}-{name}")));
        let aside = { free }.find(|aside| aside.symlink_metadata().is_err());
        let said = match aside.as_ref().map(|aside| std::fs::rename(&path, aside)).zip(aside.as_ref()) {
            Some((Ok(()), aside)) => format!("{} may not be made here; it is {} now", path.display(), aside.display()),
            _ => format!("{} may not be made here, and cannot be moved aside: remove it", path.display()),
        };
        let line = format!("finch: {}\n", crate::characters::shown_on_one_line(&said));
        // Nobody may be there to read it.
        let _is_unread = io::stderr().write_all(line.as_bytes()).is_err();
    }
}
