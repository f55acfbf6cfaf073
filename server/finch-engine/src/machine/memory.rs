//! Memory that can be taken without pushing other programs out, as the system tells it.

/// None where the system does not tell.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    system::available_bytes()
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, path::Path};

    /// What the machine has, or what the group of this process may still take of it.
    pub(super) fn available_bytes() -> Option<u64> {
        let machine = of_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok();
        let group = groups.as_deref().and_then(group_path).and_then(|path| of_groups(Path::new(path)));
        Some(group.map_or(machine, |group| group.min(machine)))
    }

    /// The kernel's own estimate, what it can drop without loss included.
    pub(super) fn of_meminfo(text: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// The path of a process in the one hierarchy of version 2.
    pub(super) fn group_path(text: &str) -> Option<&str> {
        text.lines().find_map(|line| line.strip_prefix("0::/"))
    }

    /// The least that a group or one it lies in may still take; a group without a limit does not count.
    fn of_groups(path: &Path) -> Option<u64> {
        let rest = |group: &Path| {
            let read = |name| fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join(name)).ok();
            of_group(&read("memory.max")?, &read("memory.current")?, &read("memory.stat")?)
        };
        path.ancestors().filter_map(rest).min()
    }

    /// Its limit without what it holds; files it read can be dropped.
    pub(super) fn of_group(max: &str, current: &str, stat: &str) -> Option<u64> {
        let max: u64 = max.trim().parse().ok()?;
        let current: u64 = current.trim().parse().ok()?;
        let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
        Some(max.saturating_sub(current.saturating_sub(files.unwrap_or(0))))
    }

    #[cfg(test)]
    mod tests {
        use super::{group_path, of_group, of_meminfo};

        #[test]
        fn what_is_available_is_not_what_there_is() {
            let check = |text, expected| assert_eq!(of_meminfo(text), expected, "{text:?}");
            check("MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:    2000 kB\nBuffers: 1 kB\n", Some(2_048_000));
            check("MemTotal: 9000 kB\n", None);
            check("MemAvailable: many kB\n", None);
            check("MemAvailable: 18446744073709551615 kB\n", None);
        }

        #[test]
        fn a_group_with_a_limit_may_take_what_it_does_not_hold() {
            let check = |max, current, stat, expected| assert_eq!(of_group(max, current, stat), expected, "{max:?}");
            check("1000\n", "600\n", "anon 400\ninactive_file 150\nactive_file 50\n", Some(550));
            check("1000\n", "600\n", "anon 600\n", Some(400));
            check("1000\n", "1200\n", "", Some(0));
            check("max\n", "600\n", "", None);
        }

        #[test]
        fn the_group_is_that_of_the_one_hierarchy() {
            for (text, expected) in [
                ("0::/user.slice/a.service\n", Some("user.slice/a.service")),
                ("12:memory:/old\n0::/\n", Some("")),
                ("12:memory:/old\n", None),
            ] {
                assert_eq!(group_path(text), expected, "{text:?}");
            }
        }
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::process::Command;

    pub(super) fn available_bytes() -> Option<u64> {
        let output = Command::new("/usr/bin/vm_stat").output().ok()?;
        super::of_vm_stat(std::str::from_utf8(&output.stdout).ok()?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    /// Not known here.
    pub(super) fn available_bytes() -> Option<u64> {
        None
    }
}

/// Pages that nobody uses, or that can be dropped without loss.
#[cfg(any(target_os = "macos", test))]
fn of_vm_stat(text: &str) -> Option<u64> {
    let page = text.split_once("page size of ")?.1.split_once(' ')?.0.parse::<u64>().ok()?;
    let pages = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().trim_end_matches('.').parse::<u64>().ok()
    };
    let free = pages("Pages free")?;
    let droppable = ["Pages inactive", "Pages purgeable", "Pages speculative"];
    let pages = droppable.into_iter().filter_map(pages).fold(free, u64::saturating_add);
    pages.checked_mul(page)
}

#[cfg(test)]
mod tests {
    use super::of_vm_stat;

    #[test]
    fn a_mac_tells_pages() {
        let check = |text: &str, expected| assert_eq!(of_vm_stat(text), expected, "{text:?}");
        let header = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n";
        let body = "Pages free:     10.\nPages active:   99.\nPages inactive:  5.\nPages speculative:  1.\n\
                    Pages purgeable:   2.\n";
        check(&format!("{header}{body}"), Some(18 * 16384));
        check(&format!("{header}Pages active: 9.\n"), None);
        check(body, None);
    }
}
