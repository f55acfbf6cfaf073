//! What a rule speaks of, and how it is written.

use std::fmt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::access::Network;
use crate::shell;

/// What a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Commands with these words, written `cargo test *` or, without more words behind them, `cargo test`.
    Command {
        words: Vec<String>,
        tail: Tail,
        network: Network,
    },
    /// One command line, byte for byte, in one folder.
    ExactCommand {
        command: String,
        cwd: PathBuf,
        network: Network,
    },
    Read(PathPattern),
    Write(PathPattern),
    /// Every address of a host.
    Host(String),
    /// One address.
    Url(String),
    /// Tools of an MCP server: all, one, or one with these arguments.
    Mcp {
        server: String,
        tool: Option<String>,
        arguments: Option<String>,
    },
}

/// Whether more words may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    Nothing,
    Anything,
}

/// Files, by one path or by a glob that is relative to the workspace.
#[derive(Debug, Clone)]
pub enum PathPattern {
    Exact(PathBuf),
    Glob(GlobMatcher),
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("`{0}` is no command with words and perhaps a ` *` at its end")]
    Command(String),
    #[error("`{0}` is no pattern of paths")]
    Path(String),
}

impl Pattern {
    /// Reads `cargo test *`.
    ///
    /// # Errors
    /// [`BadPattern::Command`] if it is not plain words.
    pub fn command(text: &str, network: Network) -> Result<Self, BadPattern> {
        let bad = || BadPattern::Command(text.to_owned());
        let (words, tail) = match text.strip_suffix(" *") {
            Some(words) => (words, Tail::Anything),
            None => (text, Tail::Nothing),
        };
        let commands = shell::read(words).map_err(|_| bad())?.plain.map_err(|_| bad())?;
        match <[Vec<String>; 1]>::try_from(commands) {
            Ok([words]) => Ok(Self::Command { words, tail, network }),
            Err(_) => Err(bad()),
        }
    }

    /// Whether a plain command is one of these, word for word.
    pub(super) fn is_command(&self, argv: &[String], ran: Network) -> bool {
        let Self::Command { words, tail, network } = self else { return false };
        let has_words = match tail {
            Tail::Nothing => argv == words,
            Tail::Anything => argv.starts_with(words),
        };
        has_words && (ran == Network::Off || *network == Network::On)
    }

    /// Whether the rule spells out the whole command, and so says all that it gives.
    pub(super) fn is_all_of(&self, argv: &[String], ran: Network) -> bool {
        matches!(self, Self::Command { tail: Tail::Nothing, .. }) && self.is_command(argv, ran)
    }

    /// Whether a command may be one of these: for denies and asks. Its program counts by its last name, and the words
    /// of the rule may have others between them, since options can stand anywhere.
    pub(super) fn touches(&self, seen: &shell::Command) -> bool {
        let Self::Command { words, .. } = self else { return false };
        let (Some(Some(program)), Some(first)) = (seen.words.first(), words.first()) else { return false };
        let is_program = shell::name(program).eq_ignore_ascii_case(shell::name(first));
        let mut rest = seen.words[1..].iter();
        is_program && words[1..].iter().all(|word| rest.any(|seen| seen.as_ref().is_none_or(|seen| seen == word)))
    }

    pub(super) fn is_exactly(&self, ran: &str, folder: &Path, with: Network) -> bool {
        matches!(self, Self::ExactCommand { command, cwd, network }
            if command == ran && cwd == folder && (with == Network::Off || *network == Network::On))
    }

    pub(super) fn is_read(&self, path: &Path, workspace: &Path) -> bool {
        matches!(self, Self::Read(pattern) if pattern.matches(path, workspace))
    }

    pub(super) fn is_write(&self, path: &Path, workspace: &Path) -> bool {
        matches!(self, Self::Write(pattern) if pattern.matches(path, workspace))
    }

    /// Whether it is about files of one name, and says which.
    pub(super) fn names_file(&self) -> bool {
        let (Self::Read(pattern) | Self::Write(pattern)) = self else { return false };
        match pattern {
            PathPattern::Exact(_) => true,
            PathPattern::Glob(glob) => {
                let name = glob.glob().glob().rsplit('/').next().unwrap_or_default();
                !name.is_empty() && !name.contains(['*', '?', '[', ']', '{', '}', '\\'])
            }
        }
    }

    pub(super) fn is_fetch(&self, address: &str, host: &str) -> bool {
        match self {
            Self::Url(url) => url == address,
            Self::Host(name) => name.eq_ignore_ascii_case(host),
            _ => false,
        }
    }

    pub(super) fn is_mcp(&self, called: &str, with: &str, given: &str) -> bool {
        matches!(self, Self::Mcp { server, tool, arguments } if server == called
            && tool.as_deref().is_none_or(|tool| tool == with)
            && arguments.as_deref().is_none_or(|arguments| arguments == given))
    }
}

impl PathPattern {
    /// A glob, `**` for any folders. Relative to the workspace, or absolute. Case does not count.
    ///
    /// # Errors
    /// [`BadPattern::Path`] if it is none.
    pub fn glob(text: &str) -> Result<Self, BadPattern> {
        let glob = GlobBuilder::new(text).literal_separator(true).case_insensitive(true).build();
        glob.map(|glob| Self::Glob(glob.compile_matcher())).map_err(|_| BadPattern::Path(text.to_owned()))
    }

    pub(super) fn matches(&self, path: &Path, workspace: &Path) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Glob(glob) if glob.glob().glob().starts_with('/') => glob.is_match(path),
            Self::Glob(glob) => path.strip_prefix(workspace).is_ok_and(|relative| glob.is_match(relative)),
        }
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Glob(a), Self::Glob(b)) => a.glob() == b.glob(),
            _ => false,
        }
    }
}

impl Eq for PathPattern {}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "{}", path.display()),
            Self::Glob(glob) => write!(f, "{}", glob.glob()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { words, tail, network } => {
                f.write_str(&words.iter().map(|word| shell::quoted(word)).collect::<Vec<_>>().join(" "))?;
                f.write_str(if *tail == Tail::Anything { " *" } else { "" })?;
                f.write_str(if *network == Network::On { " (with the network)" } else { "" })
            }
            Self::ExactCommand { command, cwd, network } => {
                write!(f, "{command} (exactly, in {}", cwd.display())?;
                f.write_str(if *network == Network::On { ", with the network)" } else { ")" })
            }
            Self::Read(path) => write!(f, "reading {path}"),
            Self::Write(path) => write!(f, "writing {path}"),
            Self::Host(host) => write!(f, "fetching from {host}"),
            Self::Url(url) => write!(f, "fetching {url}"),
            Self::Mcp { server, tool: None, .. } => write!(f, "tools of {server}"),
            Self::Mcp { server, tool: Some(tool), arguments: None } => write!(f, "{tool} of {server}"),
            Self::Mcp { server, tool: Some(tool), arguments: Some(given) } => {
                write!(f, "{tool} of {server} with {given}")
            }
        }
    }
}
