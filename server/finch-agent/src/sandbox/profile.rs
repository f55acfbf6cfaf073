//! The sandbox of macOS: the text of a profile for `sandbox-exec`, which holds what a command starts too.
//!
//! Later rules go before earlier ones. Nothing is allowed but what stands here; guarded names are taken out of the
//! workspace again, in any case of their letters, for the file system does not tell cases apart.

use std::io;
use std::path::Path;

use super::Spec;
use crate::rules::{EDITOR_ENDINGS, EDITORS};

/// Read by every program. Homes are not among them.
const SYSTEM: &[&str] = &[
    "/Applications/Xcode.app",
    "/Library/Developer",
    "/System",
    "/bin",
    "/dev",
    "/nix",
    "/opt",
    "/private/etc",
    "/private/var/db/timezone",
    "/private/var/select",
    "/sbin",
    "/usr",
];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
/// finch's own names and git's.
const OWN: &[&str] = &[".finch", ".git"];

/// A path that cannot stand in a profile.
#[derive(Debug, thiserror::Error)]
#[error("the path {0:?} has characters that a profile cannot hold")]
pub(crate) struct Unspeakable(String);

/// The command with the profile around it.
pub(crate) fn command(spec: &Spec) -> io::Result<std::process::Command> {
    if spec.overlay.is_some() {
        let why = "macOS lets finch make no throw-away view of the workspace; apply the staged edits first";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let profile = text(spec).map_err(io::Error::other)?;
    let mut command = std::process::Command::new("/usr/bin/sandbox-exec");
    command.args(["-p", &profile, "/bin/bash", "--noprofile", "--norc", "-c", &spec.command]);
    command.env_clear().envs(spec.environment.iter().map(|(name, value)| (name, value)));
    command.env("TMPDIR", &spec.temporary).current_dir(&spec.cwd);
    Ok(command)
}

/// The profile.
pub(crate) fn text(spec: &Spec) -> Result<String, Unspeakable> {
    let mut lines: Vec<String> = [
        "(version 1)",
        "(deny default)",
        "(allow process-exec process-fork)",
        "(allow signal (target same-sandbox))",
        "(allow process-info* (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow file-read-metadata)",
        "(allow file-read* (literal \"/\"))",
    ]
    .map(str::to_owned)
    .to_vec();
    for folder in SYSTEM {
        lines.push(format!("(allow file-read* (subpath {}))", quoted(Path::new(folder))?));
    }
    for device in DEVICES {
        lines.push(format!("(allow file-write* (literal {}))", quoted(Path::new(device))?));
    }
    for folder in &spec.readable {
        lines.push(format!("(allow file-read* (subpath {}))", quoted(folder)?));
    }
    for folder in spec.writable.iter().chain([&spec.temporary, &spec.workspace]) {
        lines.push(format!("(allow file-read* file-write* (subpath {}))", quoted(folder)?));
    }
    if spec.has_network {
        lines.push("(allow network*)".to_owned());
        lines.push("(allow mach-lookup (global-name \"com.apple.dnssd.service\"))".to_owned());
        lines.push("(allow mach-lookup (global-name \"com.apple.trustd.agent\"))".to_owned());
    }
    let workspace = quoted(&spec.workspace)?;
    let whole = OWN.iter().chain(EDITORS).map(|name| format!("/{}(/|$)", any_case(name)));
    let endings = EDITOR_ENDINGS.iter().map(|ending| format!("{}(/|$)", any_case(ending)));
    for pattern in whole.chain(endings) {
        lines.push(format!("(deny file-write* (require-all (subpath {workspace}) (regex #\"{pattern}\")))"));
    }
    // Where the folder around it goes, what is in it goes along.
    lines.push(format!("(deny file-write-unlink (literal {workspace}))"));
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn quoted(path: &Path) -> Result<String, Unspeakable> {
    let unspeakable = || Unspeakable(path.to_string_lossy().into_owned());
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(unspeakable)?;
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A regular expression for a name in any case.
fn any_case(name: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
        '.' => "[.]".to_owned(),
        c => c.to_string(),
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::Network;

    fn spec(workspace: &str, network: Network) -> Spec {
        let mut spec =
            Spec::new("make", Path::new(workspace), Path::new("/private/t"), network, Duration::from_secs(9));
        spec.writable = vec!["/Users/u/.npm".into()];
        spec.readable = vec!["/Users/u/.rustup".into()];
        spec
    }

    #[test]
    fn nothing_is_allowed_but_what_is_listed() {
        let text = text(&spec("/Users/u/ws", Network::Off)).unwrap();
        assert!(text.starts_with("(version 1)\n(deny default)\n"));
        for line in [
            "(allow file-read* file-write* (subpath \"/Users/u/ws\"))",
            "(allow file-read* file-write* (subpath \"/private/t\"))",
            "(allow file-read* file-write* (subpath \"/Users/u/.npm\"))",
            "(allow file-read* (subpath \"/Users/u/.rustup\"))",
            "(allow file-read* (subpath \"/usr\"))",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}\n{text}");
        }
        let written = text.lines().filter(|line| line.starts_with("(allow") && line.contains("file-write"));
        assert_eq!(written.count(), 3 + DEVICES.len());
        for place in ["\"/Users\"", "\"/Users/u\"", "network", "mach-lookup", "(allow default)"] {
            assert!(!text.contains(place), "{place}");
        }
        let with_network = super::text(&spec("/Users/u/ws", Network::On)).unwrap();
        assert!(with_network.contains("\n(allow network*)\n"));
    }

    #[test]
    fn guarded_names_are_denied_after_the_workspace_is_allowed() {
        let text = text(&spec("/Users/u/ws", Network::Off)).unwrap();
        let allowed = text.find("(allow file-read* file-write* (subpath \"/Users/u/ws\"))").unwrap();
        for name in ["[.][gG][iI][tT](/|$)", "[.][fF][iI][nN][cC][hH](/|$)", "/[.][vV][sS][cC][oO][dD][eE](/|$)"] {
            let denied = format!(
                "(deny file-write* (require-all (subpath \"/Users/u/ws\") (regex #\"/{}\")))",
                name.trim_start_matches('/')
            );
            assert!(text.find(&denied).is_some_and(|at| at > allowed), "{denied}\n{text}");
        }
        assert_eq!(text.matches("(deny file-write* ").count(), 2 + EDITORS.len() + EDITOR_ENDINGS.len());
        let last_allow = text.rfind("(allow").unwrap();
        assert!(text.find("(deny file-write*").unwrap() > last_allow);
    }

    #[test]
    fn a_path_cannot_end_its_text() {
        let text = text(&spec("/w\") (allow default) (\"\\", Network::Off)).unwrap();
        assert!(text.contains("(subpath \"/w\\\") (allow default) (\\\"\\\\\")"), "{text}");
        assert!(super::text(&spec("/w\n(allow default)", Network::Off)).is_err());
    }
}
