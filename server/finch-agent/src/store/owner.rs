//! The process that works on a task, and whether it still lives.
//!
//! A process is known by its start time as well as its id, because ids are used again; and by where it can be seen at
//! all: after a restart of the machine none of before lives, and one in another container cannot be seen from here.

use std::fs;

use crate::process::started;

/// A process, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: u32,
    /// The run of the machine and the container; empty where the system does not say.
    pub(super) place: String,
    /// When it started, in the system's own unit; empty where it does not say.
    pub(super) started: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Lives,
    Gone,
    /// It cannot be seen from here.
    Unknown,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { pid, place: place(), started: started(pid).unwrap_or_default() }
    }

    pub(super) fn life(&self) -> Life {
        let here = place();
        let (run, container) = split(&self.place);
        let (run_here, container_here) = split(&here);
        if run != run_here {
            return if run.is_empty() || run_here.is_empty() { Life::Unknown } else { Life::Gone };
        }
        if container != container_here {
            return Life::Unknown;
        }
        if self.pid == std::process::id() && (self.started.is_empty() || *self == Self::this()) {
            return Life::Lives;
        }
        if self.started.is_empty() {
            return life_without_start(self.pid);
        }
        if started(self.pid).as_ref() == Some(&self.started) { Life::Lives } else { Life::Gone }
    }
}

fn split(place: &str) -> (&str, &str) {
    place.split_once(' ').unwrap_or((place, ""))
}

/// Names the run of the machine, and the container that process ids count in.
fn place() -> String {
    let run = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let container = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", run.trim(), container.display()).trim().to_owned()
}

/// Where start times are not told: another process may have the id by now.
#[cfg(unix)]
fn life_without_start(pid: u32) -> Life {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    match pid.map(rustix::process::test_kill_process) {
        Some(Err(rustix::io::Errno::SRCH)) | None => Life::Gone,
        Some(_) => Life::Lives,
    }
}

#[cfg(not(unix))]
fn life_without_start(_pid: u32) -> Life {
    Life::Unknown
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[track_caller]
    fn check(owner: Owner, life: Life) {
        assert_eq!(owner.life(), life, "{owner:?}");
    }

    #[test]
    fn a_process_is_known_by_more_than_its_id() {
        let this = Owner::this();
        check(this.clone(), Life::Lives);
        check(Owner { started: format!("{}0", this.started), ..this.clone() }, Life::Gone);
        check(Owner { place: format!("x{}", this.place), ..this.clone() }, Life::Gone);
        check(Owner { place: format!("{}x", this.place), ..this.clone() }, Life::Unknown);
        check(Owner { place: String::new(), ..this }, Life::Unknown);
    }

    #[test]
    fn a_process_that_was_killed_is_gone_even_if_nobody_reaped_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let owner = Owner { pid: child.id(), started: started(child.id()).unwrap(), ..Owner::this() };
        check(owner.clone(), Life::Lives);
        child.kill().unwrap();
        let began = std::time::Instant::now();
        while owner.life() == Life::Lives && began.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        check(owner.clone(), Life::Gone);
        child.wait().unwrap();
        check(owner, Life::Gone);
    }
}
