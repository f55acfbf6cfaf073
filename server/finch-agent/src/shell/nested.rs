//! Commands that other commands start: `env curl`, `sh -c 'curl …'`, `find -exec curl`.
//!
//! Used for denies and for questions alone, so it may see too much: `nice echo curl` counts as running curl.

use super::{Command, commands, tree};

/// Programs that start what follows somewhere in their arguments.
const LAUNCHERS: &[&str] = &[
    "builtin",
    "busybox",
    "chroot",
    "chrt",
    "command",
    "coproc",
    "doas",
    "env",
    "exec",
    "firejail",
    "flock",
    "gdb",
    "ionice",
    "ltrace",
    "nice",
    "nohup",
    "npx",
    "numactl",
    "parallel",
    "proxychains",
    "proxychains4",
    "pkexec",
    "rlwrap",
    "runuser",
    "script",
    "setpriv",
    "setsid",
    "ssh",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "then",
    "time",
    "timeout",
    "torsocks",
    "toybox",
    "unbuffer",
    "unshare",
    "watch",
    "xargs",
];

/// Programs that read a script from an argument.
const SHELLS: &[&str] = &[
    "ash", "bash", "dash", "env", "eval", "ksh", "mksh", "parallel", "script", "sh", "ssh", "su", "trap", "watch",
    "zsh",
];

/// After these words of `find` a command follows.
const FIND_RUNS: &[&str] = &["-exec", "-execdir", "-ok", "-okdir"];

/// The name of a program without its folder.
pub(crate) fn name(program: &str) -> &str {
    program.rsplit(['/', '\\']).next().unwrap_or(program)
}

/// Whether the program starts others, so that its own name says nothing.
pub(crate) fn starts_others(program: &str) -> bool {
    LAUNCHERS.contains(&name(program)) || SHELLS.contains(&name(program))
}

/// Adds the command and whatever it starts.
pub(super) fn add(command: Command, depth: usize, seen: &mut Vec<Command>) {
    if depth > 0 {
        for inner in started(&command) {
            add(inner, depth - 1, seen);
        }
    }
    if !seen.contains(&command) {
        seen.push(command);
    }
}

fn started(command: &Command) -> Vec<Command> {
    let Some(Some(program)) = command.words.first() else { return Vec::new() };
    let program = name(program);
    let arguments = &command.words[1..];
    let mut inner = Vec::new();
    if LAUNCHERS.contains(&program) {
        // One step each: the rest follows from the command found.
        let first = (0..arguments.len()).map(|at| Command { words: arguments[at..].to_vec() });
        inner.extend(first.take(crate::limits::LAUNCHED_WORDS_MAX));
    }
    if program == "find" {
        let runs = (0..arguments.len()).filter(|&at| {
            arguments[at].as_deref().is_some_and(|word| FIND_RUNS.contains(&word)) && at + 1 < arguments.len()
        });
        inner.extend(runs.map(|at| Command { words: arguments[at + 1..].to_vec() }));
    }
    if SHELLS.contains(&program) {
        let scripts = arguments.iter().flatten().filter(|word| !word.starts_with('-'));
        let joined: Vec<&str> = arguments.iter().flatten().map(String::as_str).collect();
        let joined = if program == "eval" { Some(joined.join(" ")) } else { None };
        for script in scripts.cloned().chain(joined) {
            if let Some(tree) = tree(&script) {
                inner.extend(commands(tree.root_node(), &script));
            }
        }
    }
    inner
}
