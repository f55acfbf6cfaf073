//! The place where attacks are tried, with all that they might touch.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Put, Row, Rules};

/// Stands in every secret, so that it is found wherever it goes.
pub(crate) const CANARY: &str = "CANARY-3f9d2a";

/// Programs that the user has allowed with whatever tame words.
const ALLOWED: &[&str] = &[
    "awk", "cat", "echo", "env", "find", "git", "grep", "head", "less", "ls", "man", "nice", "rg", "sed", "sort",
    "tail", "tar", "tee", "timeout", "true", "watch", "wc", "xargs",
];

pub(crate) struct Rig {
    top: tempfile::TempDir,
    pub(crate) sink: Sink,
}

impl Rig {
    pub(crate) fn new(row: &Row) -> Self {
        let rig = Self { top: tempfile::Builder::new().prefix("rig").tempdir().unwrap(), sink: Sink::start() };
        rig.put_outside("home/.ssh/id_rsa", &format!("{CANARY}-KEY\n"));
        rig.put_outside("home/.bashrc", "# as it was\n");
        rig.put_outside("out/s", &format!("outside {CANARY}-OUT\n"));
        rig.put_outside("ws-evil/f", &format!("x {CANARY}-EVIL\n"));
        rig.put_outside("ws-evil/.git/HEAD", "ref: refs/heads/main\n");
        rig.put_outside("finch/permissions.toml", &rig.permissions(row.rules));
        rig.put_outside("ws/f", "x in a file\n");
        rig.put_outside("ws/.git/HEAD", "ref: refs/heads/main\n");
        std::fs::create_dir_all(rig.workspace().join(".git/objects")).unwrap();
        std::fs::create_dir_all(rig.workspace().join(".git/refs")).unwrap();
        row.files.iter().for_each(|put| rig.put(*put));
        rig
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.top.path().canonicalize().unwrap()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.top().join("ws")
    }

    pub(crate) fn finch_home(&self) -> PathBuf {
        self.top().join("finch")
    }

    pub(crate) fn user_home(&self) -> PathBuf {
        self.top().join("home")
    }

    /// A text with the places in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        let top = self.top();
        let place = |name: &str| top.join(name).to_str().unwrap().to_owned();
        text.replace("{out}", &place("out"))
            .replace("{home}", &place("home"))
            .replace("{ws}", &place("ws"))
            .replace("{sink}", &self.sink.address)
            .replace("{blanks}", &" ".repeat(5000))
    }

    pub(crate) fn put(&self, put: Put) {
        let place = |name: &str| {
            let path = self.workspace().join(self.fill(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        match put {
            Put::Text(name, text) => std::fs::write(place(name), self.fill(text)).unwrap(),
            Put::Script(name, text) => {
                std::fs::write(place(name), format!("#!/bin/bash\n{}\n", self.fill(text))).unwrap();
                std::fs::set_permissions(place(name), PermissionsExt::from_mode(0o755)).unwrap();
            }
            Put::Link(name, to) => symlink(self.fill(to), place(name)).unwrap(),
            Put::HardLink(name, of) => std::fs::hard_link(self.fill(of), place(name)).unwrap(),
            Put::Pipe(name) => assert!(Command::new("mkfifo").arg(place(name)).status().unwrap().success()),
            // The name stays when nobody listens any more.
            Put::Socket(name) => drop(UnixListener::bind(place(name)).unwrap()),
        }
    }

    fn put_outside(&self, name: &str, text: &str) {
        let path = self.top().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn permissions(&self, rules: Rules) -> String {
        let (denied, place) = match rules {
            Rules::None => return String::new(),
            Rules::All => (None, self.workspace_name("ws")),
            Rules::Elsewhere => (None, self.workspace_name("ws-evil")),
            Rules::AllBut(program) => (Some(program), self.workspace_name("ws")),
        };
        let rule = |verdict: &str, what: &str| {
            format!("[[rules]]\nverdict = \"{verdict}\"\nworkspace = \"{place}\"\n{what}\n\n")
        };
        let mut text = rule("allow", "write = \"**\"");
        text.push_str(&rule("allow", "command = \"bash act.sh\""));
        for program in ALLOWED {
            text.push_str(&rule("allow", &format!("command = \"{program} *\"")));
        }
        text.extend(denied.map(|program| rule("deny", &format!("command = \"{program}\""))));
        text
    }

    fn workspace_name(&self, name: &str) -> String {
        self.top().join(name).to_str().unwrap().to_owned()
    }

    /// A command with nothing that holds it, as the attacker would have it.
    pub(crate) fn run_bare(&self, command: &str) {
        let mut bash = Command::new("timeout");
        bash.args(["5", "bash", "--noprofile", "--norc", "-c", command]).current_dir(self.workspace());
        bash.env("HOME", self.user_home()).stdin(Stdio::null());
        // What goes on in the background must not be waited for. Most fail in some way; what counts is what they leave.
        bash.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }

    /// Processes that work in the rig or name it, with what they were started as.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let (top, own) = (self.top(), std::process::id());
        let mut found = Vec::new();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let line = std::fs::read(process.path().join("cmdline"));
            let Ok(line) = line.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")) else { continue };
            let folder = std::fs::read_link(process.path().join("cwd"));
            if id != own && (line.contains(top.to_str().unwrap()) || folder.is_ok_and(|it| it.starts_with(&top))) {
                found.push((id, line));
            }
        }
        found
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for (id, _) in self.processes() {
            // It may have ended by itself.
            Command::new("kill").args(["-9", &id.to_string()]).stderr(Stdio::null()).status().ok();
        }
    }
}

/// Hears what leaves: a server that takes anything.
pub(crate) struct Sink {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = Self { address: listener.local_addr().unwrap().to_string(), heard: Arc::default() };
        let heard = Arc::clone(&sink.heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                heard.lock().unwrap_or_else(PoisonError::into_inner).extend(b"(connected)");
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || {
                    let (mut bytes, wait) = ([0; 4096], Duration::from_millis(500));
                    // Whoever says nothing has been heard already.
                    while stream.set_read_timeout(Some(wait)).is_ok() {
                        match stream.read(&mut bytes) {
                            Ok(read @ 1..) => {
                                heard.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..read]);
                            }
                            Ok(0) | Err(_) => return,
                        }
                    }
                });
            }
        });
        sink
    }

    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// The name of a place, for what is said of it.
pub(crate) fn named(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
