//! A FINCH_HOME of a measurement, and the daemon in it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use finch_http::endpoint::{Endpoint, Token};
use tempfile::TempDir;

use super::wait_until;

const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Silence that one exchange bears.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A FINCH_HOME that borrows the installed models, whose daemon has a port of its own.
pub(crate) struct Home {
    folder: TempDir,
}

/// A running daemon; it is killed with the value.
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Home {
    /// Without a model.
    pub(crate) fn empty() -> Result<Self> {
        let home = Self { folder: tempfile::tempdir()? };
        home.configure("")?;
        Ok(home)
    }

    pub(crate) fn of_model(id: &str) -> Result<Self> {
        Self::of_model_with(id, "")
    }

    /// With more of a configuration, as the text of tables.
    pub(crate) fn of_model_with(id: &str, more: &str) -> Result<Self> {
        let (home, real) = (Self::empty()?, crate::home::home()?);
        crate::home::model(id)?;
        for name in ["models", "runtime"] {
            if real.join(name).is_dir() {
                std::os::unix::fs::symlink(std::path::absolute(real.join(name))?, home.path().join(name))?;
            }
        }
        home.configure(&format!("[engine]\nmodel = \"{id}\"\n{more}"))?;
        Ok(home)
    }

    fn configure(&self, more: &str) -> Result<()> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(std::fs::write(self.path().join("config.toml"), format!("{more}[daemon]\nport = {port}\n"))?)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the daemon and waits until its door answers.
    pub(crate) fn daemon(&self) -> Result<Daemon> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_finch"))
            .args(["daemon", "run"])
            .env("FINCH_HOME", self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = child.id();
        let mut address = None;
        let answers = wait_until("the daemon's door", || {
            let endpoint = Endpoint::read(self.path()).ok().flatten().filter(|endpoint| endpoint.pid == pid);
            address = endpoint.and_then(|endpoint| endpoint.address());
            address.is_some_and(is_healthy)
        });
        if answers.is_err() {
            child.kill()?;
        }
        answers?;
        Ok(Daemon { child, address: address.context("no address")? })
    }

    /// The process of the daemon that is there now.
    pub(crate) fn daemon_pid(&self) -> Option<u32> {
        Some(Endpoint::read(self.path()).ok()??.pid)
    }
}

impl Drop for Home {
    /// Editors may have started a daemon of their own.
    fn drop(&mut self) {
        let stop = Command::new(env!("CARGO_BIN_EXE_finch"))
            .args(["daemon", "stop", "--now"])
            .env("FINCH_HOME", self.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(stop);
    }
}

impl Daemon {
    /// Such as `http://127.0.0.1:11435`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end as a service manager does, and says how it ended.
    pub(crate) fn end(mut self) -> Result<ExitStatus> {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        ensure!(asked.success(), "the daemon was gone before it was asked to end");
        let mut ended = None;
        wait_until("the daemon's end", || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some()
        })?;
        ended.context("no status")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_healthy(address: SocketAddr) -> bool {
    exchange(address, "GET /health", None, "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// One request on a connection of its own, and the answer with its head.
pub(crate) fn exchange(address: SocketAddr, what: &str, token: Option<&Token>, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.expose()));
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
