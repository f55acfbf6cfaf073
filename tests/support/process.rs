//! Long runs of other programs: in a process group of their own, with a time-out, and nothing of them left behind.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const POLL_PAUSE_MS: u64 = 20;

/// Runs a command to its end, with everything it says in the file `log`; fails when it fails or takes too long.
#[track_caller]
pub(crate) fn run_within(limit: Duration, command: &mut Command, log: &Path) {
    let program = command.get_program().to_owned();
    let mut group = Group::start(command, log);
    let deadline = Instant::now() + limit;
    let ended = loop {
        match group.0.try_wait().expect("the state of a child") {
            Some(status) => break Ok(status),
            None if Instant::now() > deadline => break Err(limit),
            None => std::thread::park_timeout(Duration::from_millis(POLL_PAUSE_MS)),
        }
    };
    let said = || std::fs::read_to_string(log).unwrap_or_default();
    match ended {
        Ok(status) => assert!(status.success(), "{program:?}: {status}\n{}", said()),
        Err(limit) => panic!("{program:?} did not end within {limit:?}\n{}", said()),
    }
}

/// A process with all its children, ended when this is dropped.
struct Group(Child);

impl Group {
    fn start(command: &mut Command, log: &Path) -> Group {
        let file = File::create(log).expect("a log file");
        let both = file.try_clone().expect("a log file");
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        Group(command.stdin(Stdio::null()).stdout(file).stderr(both).spawn().expect("the program runs"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let everyone = format!("-{}", self.0.id());
        Command::new("kill").args(["-9", "--", &everyone]).stderr(Stdio::null()).status().ok();
        self.0.wait().ok();
    }
}
