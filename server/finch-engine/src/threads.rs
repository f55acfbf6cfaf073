//! How many threads a model computes with: the physical cores this process may use.
//!
//! Two threads on one core share what the kernels need most, and memory bandwidth is the bound anyway.

use std::thread;

/// Physical cores, one at least.
pub(crate) fn physical_cores() -> usize {
    // Less than the machine has where the process is confined to some of it.
    let usable = thread::available_parallelism().map_or(1, usize::from);
    system::physical_cores().map_or(usable, |cores| cores.min(usable)).max(1)
}

#[cfg(target_os = "linux")]
mod system {
    use std::{collections::BTreeSet, fs};

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
}
