//! Where a provider is and what opens it: an address that a key may be sent to, and a key that is never shown.

use std::{fmt, net::IpAddr, sync::Arc};

use url::{Host, Url};

use crate::limits;

/// A secret that goes into a header. No way to print it shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<str>);

/// A text that cannot be a key. Does not say the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("the key is empty")]
    Empty,
    #[error("the key has characters that no key has, such as spaces, line ends or quotes that look like letters")]
    Characters,
    #[error("a value of a header is of visible ASCII characters, and spaces between them")]
    HeaderValue,
}

/// What stands where a secret stood.
const HIDDEN: &str = "(key)";

impl Key {
    /// Takes a key as it stands in a file or a variable; space around it is not part of it.
    ///
    /// # Errors
    /// [`BadKey`] if it cannot be sent in a header.
    pub fn new(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadKey::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadKey::Characters);
        }
        Ok(Self(text.into()))
    }

    /// Takes the value of a header, which may be a key with words around it; space at its ends is not part of it.
    ///
    /// # Errors
    /// [`BadKey`] if it cannot be sent in a header.
    pub fn header_value(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            true => Ok(Self(text.into())),
            false => Err(BadKey::HeaderValue),
        }
    }

    /// What of a header's value may be a secret: words that are long enough not to be found in a text by chance.
    pub(super) fn words(&self) -> impl Iterator<Item = Self> {
        let words = self.0.split(' ').filter(|word| word.len() >= limits::HEADER_SECRET_BYTES_MIN);
        words.map(|word| Self(word.into()))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without the key, for a server may repeat it in what it complains of.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        text.replace(&*self.0, HIDDEN)
    }

    /// `text` without any of the keys.
    pub(super) fn scrub_all(keys: &[Self], text: &str) -> String {
        keys.iter().fold(text.to_owned(), |text, key| key.scrub(&text))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Where `http` may lead. A key and a prompt travel readable on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cleartext {
    /// To this machine alone.
    #[default]
    Loopback,
    /// To wherever the user says, for servers in the user's own network.
    Anywhere,
}

/// The base address of a provider, with the version in its path if it has one: `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// An address that no key is sent to. `shown` is the address without what may be secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is no address of a provider: {problem}")]
pub struct BadEndpoint {
    pub shown: String,
    pub problem: &'static str,
}

impl Endpoint {
    /// # Errors
    /// [`BadEndpoint`] says what is wrong with the address.
    pub fn new(text: &str, cleartext: Cleartext) -> Result<Self, BadEndpoint> {
        let url = Url::parse(text.trim())
            .map_err(|_| BadEndpoint { shown: "the text".to_owned(), problem: "use one such as https://host/v1" })?;
        let bad = |problem| BadEndpoint { shown: shown(&url), problem };
        let endpoint = match url.scheme() {
            "https" | "http" if !url.has_host() => return Err(bad("it names no host")),
            "https" => Self(url.clone()),
            "http" if cleartext == Cleartext::Anywhere || is_loopback(&url) => Self(url.clone()),
            "http" => return Err(bad("a key would travel unencrypted; use https, or allow http for this provider")),
            _ => return Err(bad("it begins with neither https:// nor http://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("name and password do not belong into it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it ends with ? or #, and a key does not belong there"));
        }
        Ok(endpoint)
    }

    /// Whether it is on this machine, so that nothing leaves it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// The host and, if it is not the usual one, the port.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address of one operation.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Invariant: http and https addresses have a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => match address.to_canonical() {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.is_loopback(),
        },
        None => false,
    }
}

#[cfg(test)]
mod tests;
