//! What the tests of VS Code drive: Node, the workbench and its driver, as `install-vscode.sh` puts them into the build
//! directory, and the package of the extension.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::process::run_within;
use super::record::{artefacts, root, utf8};

/// npm's scripts of the extension take seconds; this is for a busy machine.
const SCRIPT_MAX: Duration = Duration::from_secs(120);

/// The folder of the tools.
pub(crate) fn tools() -> PathBuf {
    let tools = root().join("target/test-tools/vscode");
    let installed = tools.join("driver/version").is_file() && extension().join("node_modules").is_dir();
    assert!(installed, "no VS Code under {}: run `tests/support/install-vscode.sh`", tools.display());
    tools
}

/// Runs a file with Node.
pub(crate) fn node(file: &Path) -> Command {
    let programs = tools().join("node/node_modules/.bin");
    let mut command = Command::new(programs.join("node"));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", programs.display())).arg(file);
    command
}

/// Runs one of the files the extension is built with.
#[track_caller]
pub(crate) fn in_extension(name: &str, file: &str, arguments: &[&str]) {
    let mut command = node(Path::new(file));
    command.args(arguments).current_dir(extension());
    run_within(SCRIPT_MAX, &mut command, &artefacts().join(format!("vscode-{name}.log")));
}

/// Makes a package that carries `server`, for this platform.
#[track_caller]
pub(crate) fn package(server: &Path, out: &Path) {
    // The program is put into the extension's folder first, of which there is one.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let platform = match std::env::consts::ARCH {
        "aarch64" => "linux-arm64",
        _ => "linux-x64",
    };
    in_extension("package", "package.ts", &["--target", platform, "--server", &utf8(server), "--out", &utf8(out)]);
}

/// The browser that shows the workbench.
pub(crate) fn chromium() -> String {
    std::env::var("FINCH_TEST_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

fn extension() -> PathBuf {
    root().join("editors/vscode")
}
