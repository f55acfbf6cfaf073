//! The process that gives up its rights and becomes the command.
//!
//! Landlock says which files may be read and written, seccomp which calls do not work at all, limits how much of each.
//! Everything is inherited by what the command starts, and nothing of it can be taken back.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::SetUpError;
use crate::limits::COMMAND_NICENESS;
use crate::rules::is_guarded_name;
use crate::sandbox::{Inner, Spec};

/// Read by every program. Homes are not among them.
const SYSTEM: &[&str] = &[
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix",
    "/opt",
    "/proc",
    "/run/current-system",
    "/sbin",
    "/snap",
    "/usr",
];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The newest interface that the rules are written for; an older kernel enforces what it knows.
const INTERFACE: ABI = ABI::V6;

/// Calls that no build needs and that lead out, or around what is guarded.
const REFUSED: &[i64] = &[
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

pub(super) fn become_command(spec: &Spec, prepared: Inner) -> Result<Infallible, SetUpError> {
    // Should its parent be killed, the command goes with it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(spec, prepared)?;
    // The editor goes first.
    rustix::process::nice(COMMAND_NICENESS)?;
    let filter = filter(spec)?;
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let mut command = Command::new(shell);
    command.arg("-c").arg(&spec.command).current_dir(&spec.cwd).stdin(Stdio::null()).env_clear();
    command.envs(spec.environment.iter().map(|(name, value)| (name, value))).env("TMPDIR", &spec.temporary);
    restrict(spec, prepared)?;
    seccompiler::apply_filter(&filter)?;
    Err(command.exec().into())
}

fn limit(spec: &Spec, prepared: Inner) -> Result<(), SetUpError> {
    // In a namespace the processes of the command are counted; else all of the user, who may have many already.
    let others = match prepared {
        Inner::Mounted => 0,
        Inner::ByEntry => running(),
    };
    let processes = spec.processes_max.saturating_add(others);
    let limits = [(Resource::Core, 0), (Resource::Fsize, spec.file_bytes_max), (Resource::Nproc, processes)];
    for (resource, value) in limits {
        let value = getrlimit(resource).maximum.map_or(value, |hard| hard.min(value));
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?;
    }
    Ok(())
}

/// Threads on this machine, at least as many as the user has; none if the system does not say.
fn running() -> u64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let tasks = load.split_ascii_whitespace().nth(3).and_then(|tasks| tasks.split_once('/'));
    tasks.and_then(|(_, all)| all.parse().ok()).unwrap_or_default()
}

fn restrict(spec: &Spec, prepared: Inner) -> Result<(), SetUpError> {
    let all = AccessFs::from_all(INTERFACE);
    let read = AccessFs::from_read(INTERFACE);
    let mut rules = Ruleset::default().handle_access(all)?;
    if !spec.has_network {
        rules = rules.handle_access(AccessNet::from_all(INTERFACE))?;
    }
    let readable = SYSTEM.iter().map(PathBuf::from).chain(spec.readable.iter().cloned());
    let readable = readable.chain([spec.workspace.clone()]);
    let writable = spec.writable.iter().cloned().chain([spec.temporary.clone()]).chain(workspace(spec, prepared)?);
    let status = rules
        .scope(Scope::from_all(INTERFACE))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(DEVICES, AccessFs::from_file(INTERFACE)))?
        .add_rules(path_beneath_rules(writable, all))?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err(SetUpError::NoLandlock);
    }
    Ok(())
}

/// What of the workspace may be written.
fn workspace(spec: &Spec, prepared: Inner) -> Result<Vec<PathBuf>, SetUpError> {
    match prepared {
        Inner::Mounted => Ok(vec![spec.workspace.clone()]),
        Inner::ByEntry => {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&spec.workspace)? {
                let entry = entry?;
                // A link would be followed, out of the workspace too.
                let is_link = entry.file_type()?.is_symlink();
                if !is_link && !is_guarded_name(&entry.file_name().to_string_lossy()) {
                    entries.push(entry.path());
                }
            }
            Ok(entries)
        }
    }
}

/// Without the network no socket of any kind can be made; pairs of them, which lead nowhere else, can.
fn filter(spec: &Spec) -> Result<BpfProgram, SetUpError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    if !spec.has_network {
        rules.insert(libc::SYS_socket, Vec::new());
    }
    // Typing for the user into the terminal that finch was started from.
    let typed = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::TIOCSTI)?;
    rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![typed])?]);
    #[cfg(target_arch = "x86_64")]
    {
        // The same calls by the numbers of the x32 interface.
        const X32: i64 = 0x4000_0000;
        let again: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(again);
    }
    let architecture = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture)?.try_into()?)
}
