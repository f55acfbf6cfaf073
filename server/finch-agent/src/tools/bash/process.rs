//! One process and everything that it starts, until all of it is gone.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
    time::{Instant, timeout_at},
};

use super::{
    Job, environment,
    output::{Captured, Decoder, plain},
};
use crate::{
    Outcome, ToolContext,
    limits::{OUTPUT_DRAIN, OUTPUT_PIECE_BYTES},
};

/// A process and its group. Dropping it kills them all.
struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
    mark: String,
    /// What it prints, in the order in which it prints it; where a system cannot do that, its errors beside.
    outputs: [Pipe; 2],
}

/// How a command ended.
enum Ended {
    Exited(std::process::ExitStatus),
    OutOfTime,
    Stopped,
    Lost(std::io::Error),
}

/// The variable that all children inherit, by which those are found that left the group.
const MARK: &str = "AGENT_COMMAND";

/// Runs a command. Dropping the future kills it with everything it started.
pub(super) async fn run(mut command: Command, job: &Job, time: Duration, context: &ToolContext) -> Outcome {
    environment::clean(&mut command);
    let mut running = match Running::start(command, job) {
        Ok(running) => running,
        Err(error) => return Outcome::failed(format!("the command was not run: {error}; is bash installed?")),
    };
    let mut captured = Captured::default();
    let ended = running.follow(Instant::now() + time, context, &mut captured).await;
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
            time.as_secs()
        )),
        Ended::Stopped => Outcome::failed(format!("{text}(killed: the turn was stopped)")),
        Ended::Lost(error) => Outcome::failed(format!("{text}(killed: {error})")),
    }
}

impl Running {
    fn start(mut command: Command, job: &Job) -> std::io::Result<Self> {
        let mark = format!("{}-{:x}", std::process::id(), next_number());
        command.current_dir(&job.cwd).env(MARK, &mark);
        command.stdin(Stdio::null());
        let (child, outputs) = spawn(command)?;
        #[cfg(unix)]
        let group = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        Ok(Self {
            child,
            #[cfg(unix)]
            group,
            mark,
            outputs: outputs.map(Pipe::new),
        })
    }

    /// Reads what is printed until the process ends, or has to.
    async fn follow(&mut self, deadline: Instant, context: &ToolContext, captured: &mut Captured) -> Ended {
        let ended = loop {
            let [out, err] = &mut self.outputs;
            tokio::select! {
                text = out.read(), if out.is_open() => take(&text, context, captured),
                text = err.read(), if err.is_open() => take(&text, context, captured),
                status = self.child.wait() => break match status {
                    Ok(status) => Ended::Exited(status),
                    Err(error) => Ended::Lost(error),
                },
                () = context.stop.cancelled() => break Ended::Stopped,
                () = tokio::time::sleep_until(deadline) => break Ended::OutOfTime,
            }
        };
        // Whoever still holds the pipes does not hold up the end.
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
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, mark = self.mark, "no process to kill");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
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
fn spawn(mut command: Command) -> std::io::Result<(Child, [Output; 2])> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((child, [Some(Box::new(reader)), None]))
}

#[cfg(not(unix))]
fn spawn(mut command: Command) -> std::io::Result<(Child, [Output; 2])> {
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
