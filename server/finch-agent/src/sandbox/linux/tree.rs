//! Everything that this process has started, found in `/proc` and killed.

use std::fs;
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use crate::limits::{KILL_LOOK, KILL_WAIT, KILLED_AT_ONCE};

/// All descendants, up to a number. Orphans come back to this process, so none is lost.
pub(super) fn descendants(most: usize) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut parents = vec![std::process::id().to_string()];
    while found.len() < most
        && let Some(parent) = parents.pop()
    {
        let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace() {
                if let Some(pid) = child.parse().ok().and_then(Pid::from_raw) {
                    found.push(pid);
                    parents.push(child.to_owned());
                }
            }
        }
    }
    found
}

/// Kills all of them: stopped first, so that none makes more while the others are killed.
pub(super) fn kill_all() {
    let until = Instant::now() + KILL_WAIT;
    loop {
        let all = descendants(KILLED_AT_ONCE);
        if all.is_empty() || Instant::now() > until {
            return;
        }
        for signal in [Signal::STOP, Signal::KILL] {
            for &pid in &all {
                // It may be gone already.
                let _is_gone = kill_process(pid, signal).is_err();
            }
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        std::thread::sleep(KILL_LOOK);
    }
}
