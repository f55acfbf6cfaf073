//! How a person names a model on a hub.

use std::{fmt, str::FromStr};

use crate::catalogue::{plain_name, plain_path};

/// A model on a hub: `OWNER/REPO`, `OWNER/REPO/FILE.gguf`, or `OWNER/REPO:CHOICE` with a choice such as `Q4_K_M`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubReference {
    repo: String,
    pick: Pick,
}

/// What of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pick {
    /// What there is, if it is one model.
    Only,
    /// The GGUF file of this path.
    File(String),
    /// The GGUF file with this in its name.
    Labelled(String),
}

/// A text that names no model on a hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no model on a hub: use OWNER/REPO, OWNER/REPO/FILE.gguf, or OWNER/REPO:Q4_K_M to choose one file"
)]
pub struct BadReference {
    text: String,
}

impl HubReference {
    /// `OWNER/REPO`.
    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    pub(super) fn pick(&self) -> &Pick {
        &self.pick
    }
}

impl FromStr for HubReference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        parse(text).ok_or_else(|| BadReference { text: text.chars().take(200).collect() })
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pick {
            Pick::Only => f.write_str(&self.repo),
            Pick::File(file) => write!(f, "{}/{file}", self.repo),
            Pick::Labelled(label) => write!(f, "{}:{label}", self.repo),
        }
    }
}

fn parse(text: &str) -> Option<HubReference> {
    let (path, label) = match text.split_once(':') {
        Some((path, label)) => (path, Some(plain_name(label.to_owned()).ok()?)),
        None => (text, None),
    };
    let mut parts = path.splitn(3, '/');
    let (owner, name, file) = (parts.next()?, parts.next()?, parts.next());
    let repo = plain_path(format!("{owner}/{name}")).ok()?;
    let pick = match (file, label) {
        (None, None) => Pick::Only,
        (None, Some(label)) => Pick::Labelled(label),
        (Some(file), None) if file.to_ascii_lowercase().ends_with(".gguf") => {
            Pick::File(plain_path(file.to_owned()).ok()?)
        }
        (Some(_), _) => return None,
    };
    Some(HubReference { repo, pick })
}
