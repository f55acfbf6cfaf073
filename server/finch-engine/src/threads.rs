//! How the processor is shared: how many threads a model computes with, and who goes first.
//!
//! A model computes with the physical cores this process may use: two threads on one core share what the kernels need
//! most, and memory bandwidth is the bound anyway.

use std::thread;

/// Physical cores, one at least.
pub(crate) fn physical_cores() -> usize {
    // Less than the machine has where the process is confined to some of it.
    let usable = thread::available_parallelism().map_or(1, usize::from);
    system::physical_cores().map_or(usable, |cores| cores.min(usable)).max(1)
}

/// Lets this thread go first when it has something to do: for those that only hand on what others compute, which is done
/// in microseconds and would otherwise wait until a computing thread's turn of milliseconds is over.
///
/// Best effort, and no more of the processor than before: on Linux from 6.12 on, a thread that asks for shorter turns has
/// them sooner (`sched_setattr(2)`, `sched_runtime` of `SCHED_OTHER`).
pub fn go_first() {
    system::take_short_turns();
}

#[cfg(target_os = "linux")]
mod system {
    use std::{collections::BTreeSet, fs, io};

    /// The shortest turn that the kernel has, in nanoseconds.
    const TURN_NS: u64 = 100_000;

    pub(super) fn take_short_turns() {
        let outcome = attributes().and_then(|mut attributes| {
            // This kernel has no turns of a thread's own.
            if attributes.sched_runtime == 0 {
                return Ok(());
            }
            attributes.sched_runtime = TURN_NS;
            // Threads and processes that this one starts may well be those that compute.
            attributes.sched_flags |= libc::SCHED_FLAG_RESET_ON_FORK as u64;
            set(&attributes)
        });
        if let Err(error) = outcome {
            tracing::debug!("a thread's turns stay as long as they are: {error}");
        }
    }

    /// How this thread is scheduled.
    #[expect(unsafe_code, reason = "the system's own call")]
    pub(super) fn attributes() -> io::Result<libc::sched_attr> {
        // SAFETY: all members are numbers, and zero is one of each.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes no more bytes than it is told, and those are this function's own.
        match unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size_of_val(&attributes), 0) } {
            0 => Ok(attributes),
            _ => Err(io::Error::last_os_error()),
        }
    }

    #[expect(unsafe_code, reason = "the system's own call")]
    fn set(attributes: &libc::sched_attr) -> io::Result<()> {
        // SAFETY: the kernel reads as many bytes as the first member says, which is what `attributes` has.
        match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attributes, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Logical processors that are one core list the same siblings.
    pub(super) fn physical_cores() -> Option<usize> {
        let processors = fs::read_dir("/sys/devices/system/cpu").ok()?;
        let siblings = processors.filter_map(|processor| {
            let topology = processor.ok()?.path().join("topology");
            let list = |name| fs::read_to_string(topology.join(name));
            list("core_cpus_list").or_else(|_| list("thread_siblings_list")).ok()
        });
        Some(siblings.collect::<BTreeSet<String>>().len()).filter(|&cores| cores > 0)
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::process::Command;

    /// Not known here: turns are as long as the system has them.
    pub(super) fn take_short_turns() {}

    /// The fast ones where there are two kinds: slow ones make the others wait.
    pub(super) fn physical_cores() -> Option<usize> {
        let count = |name| {
            let output = Command::new("/usr/sbin/sysctl").args(["-n", name]).output().ok()?;
            std::str::from_utf8(&output.stdout).ok()?.trim().parse::<usize>().ok()
        };
        ["hw.perflevel0.physicalcpu", "hw.physicalcpu"].into_iter().find_map(count).filter(|&cores| cores > 0)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    /// Not known here: turns are as long as the system has them.
    pub(super) fn take_short_turns() {}

    /// Not known here: every processor counts.
    pub(super) fn physical_cores() -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::physical_cores;

    #[test]
    fn there_is_a_core_and_no_more_than_the_process_may_use() {
        let usable = std::thread::available_parallelism().unwrap().get();
        assert!((1..=usable).contains(&physical_cores()));
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_goes_first_has_short_turns_and_those_that_it_starts_have_not() {
        // Only threads of the usual class have turns of their own.
        if super::system::attributes().unwrap().sched_policy != libc::SCHED_OTHER as u32 {
            return;
        }
        let turn = || super::system::attributes().unwrap().sched_runtime;
        let (before, after, child) = std::thread::spawn(move || {
            let before = turn();
            super::go_first();
            (before, turn(), std::thread::spawn(turn).join().unwrap())
        })
        .join()
        .unwrap();
        // Older kernels know no turns of a thread's own, and tell none.
        if before != 0 {
            assert_eq!((after, child), (100_000, before));
        }
    }
}
