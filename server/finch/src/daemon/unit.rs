//! What systemd and launchd need to keep a daemon, as text: a user unit and a property list. Pure.

use std::path::Path;

use anyhow::{Result, bail};

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Systemd,
    Launchd,
}

/// What the job is called.
const LABEL: &str = "finch.daemon";

/// The file of a job that runs this binary with this FINCH_HOME.
pub(crate) fn unit(system: System, binary: &Path, home: &Path) -> Result<String> {
    match system {
        System::Systemd => systemd(text(binary)?, text(home)?),
        System::Launchd => launchd(text(binary)?, text(home)?),
    }
}

fn text(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text),
        _ => bail!("the path {} has characters that such a file cannot hold", path.display()),
    }
}

fn systemd(binary: &str, home: &str) -> Result<String> {
    // Even between quotes the first word of a command line may not have these.
    if binary.contains(['"', '\'', '\\']) {
        bail!("systemd starts no program with quotes or backslashes in its path: {binary}");
    }
    let (binary, home) = (binary.replace('%', "%%"), quoted(home));
    Ok(format!(
        "# ~/.config/systemd/user/finch.service; then: systemctl --user enable --now finch
[Unit]
Description=finch: one model for all editors

[Service]
Type=exec
ExecStart=\"{binary}\" daemon run
Environment=\"FINCH_HOME={home}\"
Restart=on-failure
RestartSec=5
TimeoutStopSec=20

[Install]
WantedBy=default.target
"
    ))
}

/// Between quotes systemd reads backslashes, and specifiers everywhere.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

fn launchd(binary: &str, home: &str) -> Result<String> {
    let (binary, home) = (escaped(binary), escaped(home));
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<!-- ~/Library/LaunchAgents/{LABEL}.plist; then: launchctl bootstrap gui/$UID ~/Library/LaunchAgents/{LABEL}.plist -->
<plist version=\"1.0\">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
    <string>{binary}</string>
    <string>daemon</string>
    <string>run</string>
    <string>--log-file</string>
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>FINCH_HOME</key>
    <string>{home}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
</dict>
</plist>
"
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{System, unit};
    use std::path::Path;

    #[track_caller]
    fn check(system: System, binary: &str, home: &str, lines: &[&str]) {
        let unit = unit(system, Path::new(binary), Path::new(home)).unwrap();
        for line in lines {
            assert!(unit.lines().any(|one| one.trim() == *line), "{line} is not in\n{unit}");
        }
    }

    #[test]
    fn paths_are_written_as_systemd_reads_them() {
        check(
            System::Systemd,
            "/opt/my tools/100%/$HOME/finch",
            "/home/a \"b\"\\c/%h/$x",
            &[
                "ExecStart=\"/opt/my tools/100%%/$HOME/finch\" daemon run",
                "Environment=\"FINCH_HOME=/home/a \\\"b\\\"\\\\c/%%h/$x\"",
            ],
        );
        assert!(unit(System::Systemd, Path::new("/opt/a\"b/finch"), Path::new("/")).is_err());
    }

    #[test]
    fn paths_are_written_as_launchd_reads_them() {
        check(
            System::Launchd,
            "/opt/a & b/<finch>",
            "/Users/\"me\"",
            &["<string>/opt/a &amp; b/&lt;finch&gt;</string>", "<string>/Users/\"me\"</string>"],
        );
    }

    #[test]
    fn a_path_cannot_add_a_line() {
        for system in [System::Systemd, System::Launchd] {
            assert!(unit(system, Path::new("/bin/finch\nExecStartPre=/bin/evil"), Path::new("/")).is_err());
            assert!(unit(system, Path::new("/bin/finch"), Path::new("/\n")).is_err());
        }
    }
}
