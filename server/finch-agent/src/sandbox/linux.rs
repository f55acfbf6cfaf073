//! The two processes on Linux.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use super::report::Ending;
use super::{NOT_SET_UP, Spec};
use crate::limits::SPEC_BYTES_MAX;
use crate::paths::PathError;

mod inner;
mod keeper;
mod mounts;
mod overlay;
mod report;
mod tree;

use report::Report;

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    #[error("the description of the command cannot be read: {0}")]
    Spec(io::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("this system lets finch make no throw-away view of the workspace ({0}); apply the staged edits first")]
    Overlay(io::Error),
    #[error("a staged edit cannot be shown to the command: {0}")]
    Staged(#[from] PathError),
    #[error("the kernel has no Landlock, so files cannot be guarded")]
    NoLandlock,
    #[error("Landlock: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
    #[error("seccomp: {0}")]
    Filter(#[from] seccompiler::BackendError),
}

impl From<rustix::io::Errno> for SetUpError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

pub(super) fn main() -> ExitCode {
    let (spec, mut report) = match read().and_then(|spec| Ok((Report::open(&spec)?, spec))) {
        Ok((report, spec)) => (spec, report),
        Err(error) => return refusal(&SetUpError::Spec(error)),
    };
    let done = match spec.inner {
        None => keeper::keep(spec, &mut report),
        Some(_) if std::process::id() == 1 => keeper::be_first(&spec),
        Some(prepared) => inner::become_command(&spec, prepared).map(|never| match never {}),
    };
    done.unwrap_or_else(|error| {
        report.tell(Ending::NotSetUp);
        refusal(&error)
    })
}

fn refusal(error: &SetUpError) -> ExitCode {
    let said = writeln!(io::stderr(), "the sandbox cannot be set up, and nothing was run: {error}");
    // Nobody may be there to read it; the code says it too.
    said.map_or(ExitCode::from(NOT_SET_UP), |()| ExitCode::from(NOT_SET_UP))
}

/// One line, byte by byte: what follows is the life line.
fn read() -> io::Result<Spec> {
    let mut line = Vec::new();
    let mut stdin = unbuffered();
    let mut byte = [0];
    while line.len() < SPEC_BYTES_MAX {
        stdin.read_exact(&mut byte)?;
        if byte == *b"\n" {
            return Ok(serde_json::from_slice(&line)?);
        }
        line.push(byte[0]);
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

/// The standard input without a buffer, which would take bytes of the life line.
fn unbuffered() -> impl io::Read {
    struct Raw;
    impl io::Read for Raw {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
        }
    }
    Raw
}
