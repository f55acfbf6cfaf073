//! The variables that a command sees: the user's, without what is secret and without what changes how a shell begins.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

/// Parts of names whose values are secret.
const SECRETS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "COOKIE"];
/// Names that hold such parts and no secrets.
const NO_SECRETS: &[&str] = &["KEYBOARD", "XKB_DEFAULT_LAYOUT", "KEYTIMEOUT"];
/// What a shell or a loader runs before the command.
const STARTERS: &[&str] = &["BASH_ENV", "ENV", "PROMPT_COMMAND", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"];
/// What keeps programs from waiting for somebody.
pub(super) const QUIET: &[(&str, &str)] =
    &[("TERM", "dumb"), ("PAGER", "cat"), ("GIT_PAGER", "cat"), ("GIT_TERMINAL_PROMPT", "0"), ("NO_COLOR", "1")];

/// Gives `command` the environment of finch, cleaned. Variables that it has already stay.
pub(super) fn clean(command: &mut Command) {
    let own: Vec<(OsString, OsString)> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command.env_clear();
    // What is no text is nobody's setting.
    for (name, value) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(may_be_seen)) {
        let value = if name == "PATH" { absolute(&value) } else { value };
        command.env(name, value);
    }
    command.envs(QUIET.iter().copied()).envs(own);
}

/// Whether a variable of finch's own environment may reach a command.
pub(crate) fn may_be_seen(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_secret = SECRETS.iter().any(|part| name.contains(part)) && !NO_SECRETS.contains(&name.as_str());
    let is_function = name.starts_with("BASH_FUNC_");
    !(is_secret || is_function || name.starts_with("FINCH_") || STARTERS.contains(&name.as_str()))
}

/// A search path without places that depend on the folder: a file of the workspace is not found instead of a program.
fn absolute(path: &OsStr) -> OsString {
    let places = env::split_paths(path).filter(|place| Path::is_absolute(place));
    env::join_paths(places).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_settings_of_finch_are_not_seen() {
        for name in [
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "npm_config__authtoken",
            "FINCH_HOME",
            "BASH_ENV",
            "LD_PRELOAD",
            "PGPASSWORD",
            "BASH_FUNC_ls%%",
        ] {
            assert!(!may_be_seen(name), "{name}");
        }
        for name in ["HOME", "PATH", "LANG", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "KEYBOARD"] {
            assert!(may_be_seen(name), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_not_looked_for_in_the_workspace() {
        assert_eq!(absolute(OsStr::new(".:/usr/bin::bin:/bin")), "/usr/bin:/bin");
    }
}
