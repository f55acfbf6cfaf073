//! One process and everything that it starts, until all of it is gone.

use std::{
    io,
    process::{Command, ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Job, environment,
    output::{Captured, Decoder, plain},
    runner::{Hold, Prepared},
};
use crate::{
    Outcome, ToolContext,
    limits::{KEEPER_END_WAIT, KEEPER_LATE, KEEPER_TELL_WAIT, OUTPUT_DRAIN, OUTPUT_PIECE_BYTES},
    sandbox::{Ending, Scratch, read_report},
    tool::off_thread,
};

/// A process and its group. Dropping it kills them all.
struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
    mark: String,
    /// What it prints, in the order in which it prints it; where a system cannot do that, its errors beside.
    outputs: [Pipe; 2],
    /// The keeper's standard input: while it is open, the command may run.
    life_line: Option<ChildStdin>,
    kept: Kept,
    scratch: Option<Scratch>,
}

/// Who kills the command and clears up behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// This process.
    Here,
    /// This process, for the keeper has not been told yet what to run.
    Untold,
    /// The keeper.
    Told,
    /// Nothing of the command is left, nor its keeper.
    Gone,
}

/// How a command ended.
enum Ended {
    Exited(ExitStatus),
    OutOfTime,
    NotSetUp,
    TooManyProcesses,
    Stopped,
    Lost(io::Error),
}

/// The variable that all children inherit, by which those are found that left the group.
const MARK: &str = "AGENT_COMMAND";

/// Runs a command. Dropping the future kills it with everything it started.
pub(super) async fn run(prepared: Prepared, job: &Job, context: &ToolContext) -> Outcome {
    let hint = match prepared.hold {
        Hold::Nothing => "is bash installed?",
        Hold::Profile(_) | Hold::Keeper { .. } => "the sandbox did not start, as `finch doctor` may explain",
    };
    let mut running = match Running::start(prepared, job).await {
        Ok(running) => running,
        Err(error) => return Outcome::failed(format!("the command was not run: {error}; {hint}")),
    };
    let mut captured = Captured::default();
    let ended = running.follow(job, context, &mut captured).await;
    running.clear().await;
    drop(running);
    let mut text = plain(&captured.into_text());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match ended {
        Ended::Exited(status) if status.success() && text.is_empty() => Outcome::done("(it printed nothing)"),
        Ended::Exited(status) if status.success() => Outcome::done(text),
        Ended::Exited(status) => Outcome::failed(format!("{text}({status})")),
        Ended::OutOfTime => Outcome::failed(format!(
            "{text}(killed after {} s with everything it had started: give it more by timeout_seconds)",
            job.time.as_secs()
        )),
        Ended::TooManyProcesses => Outcome::failed(format!(
            "{text}(killed with everything it had started: it had more than {} processes)",
            crate::limits::SANDBOX_PROCESSES_MAX
        )),
        Ended::NotSetUp => Outcome::failed(format!("{text}(the command was not run: there was no sandbox around it)")),
        Ended::Stopped => Outcome::failed(format!("{text}(killed: the turn was stopped)")),
        Ended::Lost(error) => Outcome::failed(format!("{text}(killed: {error})")),
    }
}

impl Running {
    async fn start(prepared: Prepared, job: &Job) -> io::Result<Self> {
        let mark = format!("{}-{:x}", std::process::id(), next_number());
        let Prepared { mut command, hold } = prepared;
        let (line, scratch, kept) = match hold {
            Hold::Nothing => {
                environment::clean(&mut command);
                (None, None, Kept::Here)
            }
            Hold::Profile(scratch) => (None, Some(scratch), Kept::Here),
            Hold::Keeper { line, scratch } => (Some(line), Some(scratch), Kept::Untold),
        };
        match kept {
            Kept::Here => command.current_dir(&job.cwd).env(MARK, &mark).stdin(Stdio::null()),
            Kept::Untold | Kept::Told | Kept::Gone => command.stdin(Stdio::piped()),
        };
        let (mut child, outputs) = spawn(command, kept)?;
        #[cfg(unix)]
        let group = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        let life_line = child.stdin.take();
        let mut running = Self {
            child,
            #[cfg(unix)]
            group,
            mark,
            outputs: outputs.map(Pipe::new),
            life_line,
            kept,
            scratch,
        };
        if let (Some(line), Some(life_line)) = (line, &mut running.life_line) {
            timeout(KEEPER_TELL_WAIT, life_line.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)??;
            running.kept = Kept::Told;
        }
        Ok(running)
    }

    /// When it is given up here. The keeper holds the time of its command itself.
    fn deadline(&self, job: &Job) -> Instant {
        let own = Instant::now() + job.time;
        match self.kept {
            Kept::Here | Kept::Gone => own,
            Kept::Untold | Kept::Told => own + KEEPER_LATE,
        }
    }

    /// What an end means: the keeper's may not be the command's.
    fn meaning(&self, status: ExitStatus) -> Ended {
        let told = match (self.kept, &self.scratch) {
            (Kept::Untold | Kept::Told, Some(scratch)) => read_report(scratch.folder()),
            (_, _) => None,
        };
        match told {
            None => Ended::Exited(status),
            Some(Ending::NotSetUp) => Ended::NotSetUp,
            Some(Ending::OutOfTime) => Ended::OutOfTime,
            Some(Ending::TooManyProcesses) => Ended::TooManyProcesses,
        }
    }

    /// Removes what the command had for itself.
    async fn clear(&mut self) {
        if let Some(scratch) = self.scratch.take()
            && let Err(outcome) = off_thread(move || drop(scratch)).await
        {
            tracing::warn!("the folder of a command is left over: {}", outcome.text);
        }
    }

    /// Lets the keeper kill everything, and waits until it has.
    async fn end_keeper(&mut self) {
        drop(self.life_line.take());
        match timeout(KEEPER_END_WAIT, self.child.wait()).await {
            Ok(Ok(_)) => self.kept = Kept::Gone,
            Ok(Err(error)) => tracing::warn!("a keeper is lost: {error}"),
            Err(_) => {
                tracing::warn!("a keeper does not end and is killed");
                self.kept = Kept::Here;
            }
        }
    }

    /// Reads what is printed until the process ends, or has to.
    async fn follow(&mut self, job: &Job, context: &ToolContext, captured: &mut Captured) -> Ended {
        let deadline = self.deadline(job);
        let ended = loop {
            let [out, err] = &mut self.outputs;
            tokio::select! {
                text = out.read(), if out.is_open() => take(&text, context, captured),
                text = err.read(), if err.is_open() => take(&text, context, captured),
                status = self.child.wait() => break match status {
                    Ok(status) => self.meaning(status),
                    Err(error) => Ended::Lost(error),
                },
                () = context.stop.cancelled() => break Ended::Stopped,
                () = tokio::time::sleep_until(deadline) => break Ended::OutOfTime,
            }
        };
        // Whoever still holds the pipes does not hold up the end.
        if self.kept != Kept::Here {
            self.end_keeper().await;
        }
        self.kill();
        let drained = Instant::now() + OUTPUT_DRAIN;
        let [out, err] = &mut self.outputs;
        while out.is_open() || err.is_open() {
            let piece = async {
                tokio::select! {
                    text = out.read(), if out.is_open() => text,
                    text = err.read(), if err.is_open() => text,
                }
            };
            match timeout_at(drained, piece).await {
                Ok(text) => take(&text, context, captured),
                Err(_) => break,
            }
        }
        ended
    }

    #[cfg(unix)]
    fn kill(&mut self) {
        use rustix::process::{Signal, kill_process, kill_process_group};
        drop(self.life_line.take());
        if self.kept != Kept::Here {
            return;
        }
        if let Some(group) = self.group.take()
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            // As a rule nothing is left of it.
            tracing::trace!(%error, "no group to kill");
        }
        // One that is killed may have started another just before.
        for _ in 0..3 {
            let stragglers = stragglers(&self.mark);
            if stragglers.is_empty() {
                return;
            }
            for straggler in stragglers {
                if let Err(error) = kill_process(straggler, Signal::KILL) {
                    tracing::debug!(%error, "a process that left its group is gone");
                }
            }
        }
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        drop(self.life_line.take());
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, mark = self.mark, "no process to kill");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // The keeper removes it when it has killed all that may still write there.
        if let (Kept::Told, Some(scratch)) = (self.kept, self.scratch.take()) {
            scratch.leave();
        }
    }
}

fn take(text: &str, context: &ToolContext, captured: &mut Captured) {
    if !text.is_empty() {
        captured.push(text);
        context.live.show(text);
    }
}

/// Processes that bear `mark`, zombies not counted: those that left the group.
#[cfg(target_os = "linux")]
fn stragglers(mark: &str) -> Vec<rustix::process::Pid> {
    let wanted = format!("{MARK}={mark}").into_bytes();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|process| {
            let process = process.ok()?;
            let pid: i32 = process.file_name().to_str()?.parse().ok()?;
            // That of others' processes cannot be read; that of a zombie is empty.
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            let bears = environment.split(|&byte| byte == 0).any(|variable| variable == wanted);
            if bears { rustix::process::Pid::from_raw(pid) } else { None }
        })
        .collect()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn stragglers(_mark: &str) -> Vec<rustix::process::Pid> {
    Vec::new()
}

/// A number that no other command of this process has.
fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

type Output = Option<Box<dyn AsyncRead + Send + Unpin>>;

/// Starts a process in a group of its own, with both outputs in one pipe.
#[cfg(unix)]
fn spawn(mut command: Command, kept: Kept) -> io::Result<(Child, [Output; 2])> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // A keeper that is killed kills nothing: it goes when its life line closes.
    let child = tokio::process::Command::from(command).kill_on_drop(kept == Kept::Here).spawn()?;
    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((child, [Some(Box::new(reader)), None]))
}

#[cfg(not(unix))]
fn spawn(mut command: Command, _kept: Kept) -> io::Result<(Child, [Output; 2])> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    Ok((child, [out.map(|out| Box::new(out) as _), err.map(|err| Box::new(err) as _)]))
}

/// One output.
struct Pipe {
    from: Output,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Pipe {
    fn new(from: Output) -> Self {
        Self { from, decoder: Decoder::default(), buffer: vec![0; OUTPUT_PIECE_BYTES] }
    }

    fn is_open(&self) -> bool {
        self.from.is_some()
    }

    /// The next text; after the last one the pipe is closed. Nothing is lost when this is dropped.
    async fn read(&mut self) -> String {
        let Some(from) = &mut self.from else { return String::new() };
        match from.read(&mut self.buffer).await {
            Ok(count) if count > 0 => self.decoder.text(&self.buffer[..count]),
            Ok(_) | Err(_) => {
                self.from = None;
                self.decoder.rest()
            }
        }
    }
}
