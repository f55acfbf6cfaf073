//! How a daemon is found, and how it is told from a stranger on its port.
//!
//! A daemon writes `daemon/endpoint.json` with a secret nonce; who can read the file asks the address that stands there to
//! prove that it knows the nonce before the token goes there. The proof names the address, so nobody can pass a question
//! on to the daemon and its answer back.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::limits::{FILE_BYTES_MAX, SECRET_BYTES};
pub use crate::limits::{PORT_FIRST, PORTS_TRIED, PROTOCOL};

/// In FINCH_HOME: the folder of the daemon's files.
pub const FOLDER: &str = "daemon";
/// In it, where the daemon is.
pub const ENDPOINT_FILE: &str = "endpoint.json";
/// In it, what opens the door.
pub const TOKEN_FILE: &str = "token";
/// In it, what the one daemon of a FINCH_HOME holds locked as long as it lives.
pub const LOCK_FILE: &str = "lock";
/// In it, what the daemon logs.
pub const LOG_FILE: &str = "daemon.log";

/// Why an endpoint or a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("{path} is not what a daemon writes: {problem}; remove it")]
    Broken { path: String, problem: String },
    #[error("there is no token at {path}; a daemon that runs writes it anew in a moment, so try again then")]
    NoToken { path: String },
    #[error("no randomness from the operating system: {0}")]
    Random(String),
}

/// Opens the door. Never printed.
#[derive(Clone)]
pub struct Token(String);

/// What only the daemon and the readers of its endpoint's file know. Never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// Where a daemon is: the contents of `endpoint.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// Such as `http://127.0.0.1:11435`.
    pub url: String,
    pub pid: u32,
    pub version: String,
    pub nonce: Nonce,
}

impl Token {
    /// Reads the token of a FINCH_HOME. Who asks a daemon makes none: the daemon would not know it.
    ///
    /// # Errors
    /// When there is none, the file cannot be read, or it is no token.
    pub fn read(home: &Path) -> Result<Self, EndpointError> {
        let path = token_path(home);
        match read_small(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(EndpointError::NoToken { path: path.display().to_string() })
            }
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// The same for the daemon, which makes it when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is no token.
    pub fn read_or_make(home: &Path) -> Result<Self, EndpointError> {
        match Self::read(home) {
            Err(EndpointError::NoToken { .. }) => {
                let path = token_path(home);
                create_private(&path, &secret()?).map_err(|error| failed(&path, error))?;
                // Whoever came first made it.
                Self::read(home)
            }
            read => read,
        }
    }

    /// Writes this token where its file is gone; whether it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn restore(&self, home: &Path) -> Result<bool, EndpointError> {
        let path = token_path(home);
        match read_small(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_private(&path, &self.0).map_err(|error| failed(&path, error))?;
                Ok(true)
            }
            // Whatever stands there is the user's.
            Ok(_) | Err(_) => Ok(false),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, EndpointError> {
        let token = text.trim();
        let is_token = token.len() >= SECRET_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(token.to_owned())).ok_or_else(|| EndpointError::Broken {
            path: path.display().to_string(),
            problem: format!("a token has {SECRET_BYTES} characters or more and no space"),
        })
    }

    /// Whether that is it. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// To be sent to a daemon that proved to be one.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Nonce {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn new() -> Result<Self, EndpointError> {
        secret().map(Self)
    }

    /// What a daemon that listens there answers to a challenge.
    #[must_use]
    pub fn proof(&self, challenge: &str, listens_at: SocketAddr) -> String {
        hex(&self.mac(challenge, listens_at).finalize().into_bytes())
    }

    /// Whether that is the proof of a daemon that listens there.
    #[must_use]
    pub fn proves(&self, challenge: &str, listens_at: SocketAddr, proof: &str) -> bool {
        let expected = self.proof(challenge, listens_at);
        expected.as_bytes().ct_eq(proof.as_bytes()).into()
    }

    fn mac(&self, challenge: &str, listens_at: SocketAddr) -> Hmac<Sha256> {
        // A key of any length is one.
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).unwrap_or_else(|_| unreachable!("any key will do"));
        mac.update(listens_at.to_string().as_bytes());
        mac.update(b"\n");
        mac.update(challenge.as_bytes());
        mac
    }
}

impl Endpoint {
    /// What stands in the file of a FINCH_HOME; none where no daemon has written one.
    ///
    /// # Errors
    /// When the file cannot be read or is no endpoint.
    pub fn read(home: &Path) -> Result<Option<Self>, EndpointError> {
        let path = home.join(FOLDER).join(ENDPOINT_FILE);
        let broken = |problem: String| EndpointError::Broken { path: path.display().to_string(), problem };
        let text = match read_small(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(broken(error.to_string())),
            Err(error) => return Err(failed(&path, error)),
        };
        let endpoint: Self = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        endpoint.address().ok_or_else(|| broken("its url is not on this machine".to_owned()))?;
        Ok(Some(endpoint))
    }

    /// Writes the file, whole or not at all. It is not waited for until it lies on the disk: it is worth nothing after the
    /// system has ended, a broken one counts as none, and who starts a daemon waits for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, home: &Path) -> Result<(), EndpointError> {
        let folder = home.join(FOLDER);
        let path = folder.join(ENDPOINT_FILE);
        let text = serde_json::to_string(self).map_err(|error| failed(&path, error.into()))?;
        let written = temporary(&path, &text).and_then(|file| Ok(file.persist(&path)?));
        written.map(drop).map_err(|error| failed(&path, error))
    }

    /// Removes the file, if it is this endpoint's and no other's.
    ///
    /// # Errors
    /// When it cannot be read or removed.
    pub fn remove(&self, home: &Path) -> Result<(), EndpointError> {
        match Self::read(home)? {
            Some(there) if there.is(self) => {
                let path = home.join(FOLDER).join(ENDPOINT_FILE);
                std::fs::remove_file(&path).map_err(|error| failed(&path, error))
            }
            _ => Ok(()),
        }
    }

    /// Whether both are of one daemon.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.nonce.0.as_bytes().ct_eq(other.nonce.0.as_bytes()).into()
    }

    /// Where it listens, if that is on this machine.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let address: SocketAddr = self.url.strip_prefix("http://")?.trim_end_matches('/').parse().ok()?;
        address.ip().is_loopback().then_some(address)
    }
}

/// A text that nobody can guess.
pub(crate) fn secret() -> Result<String, EndpointError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| EndpointError::Random(error.to_string()))?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_else(|_| unreachable!("a String takes all"));
        text
    })
}

fn failed(path: &Path, error: io::Error) -> EndpointError {
    EndpointError::Io { path: path.display().to_string(), error }
}

fn read_small(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file of the user alone, in place of the one that is there. (A temporary file is the user's alone.)
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    saved(path, text)?.persist(path)?;
    Ok(())
}

/// Makes a file of the user alone, unless there is one.
/// Where the token of a FINCH_HOME stands.
fn token_path(home: &Path) -> PathBuf {
    home.join(FOLDER).join(TOKEN_FILE)
}

fn create_private(path: &Path, text: &str) -> io::Result<()> {
    match saved(path, text)?.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

fn temporary(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// The same, on the disk.
fn saved(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let file = temporary(path, text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
