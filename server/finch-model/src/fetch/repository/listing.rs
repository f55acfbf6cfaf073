//! What a hub says of a repository: its revision, its files with sizes and sums, its licence.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::{catalogue::plain_path, digest::Digest};

/// The files of a repository in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) revision: String,
    pub(super) licence: Option<String>,
    /// Those with plain paths; others cannot be files of a model.
    pub(super) files: Vec<Listed>,
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) bytes: u64,
    /// Of large files alone.
    pub(super) sha256: Option<Digest>,
}

#[derive(Deserialize)]
struct Answer {
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Json,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: Digest,
    size: u64,
}

impl Listing {
    pub(super) fn parse(bytes: &[u8]) -> Result<Listing, String> {
        let answer: Answer = serde_json::from_slice(bytes)
            .map_err(|error| format!("the hub's list of its files cannot be read ({error})"))?;
        let revision = answer.sha.filter(|sha| !sha.is_empty() && sha.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let revision = revision.ok_or("the hub does not say which revision it lists")?;
        let mut files = Vec::new();
        for Sibling { rfilename, size, lfs } in answer.siblings {
            let Ok(path) = plain_path(rfilename) else { continue };
            let (bytes, sha256) = match (lfs, size) {
                (Some(large), _) => (large.size, Some(large.sha256)),
                (None, Some(bytes)) => (bytes, None),
                (None, None) => return Err(format!("the hub does not say how long {path} is")),
            };
            files.push(Listed { path, bytes, sha256 });
        }
        let licence = answer.card["license"].as_str().filter(|licence| !licence.is_empty()).map(str::to_owned);
        Ok(Listing { revision, licence, files })
    }

    pub(super) fn file(&self, path: &str) -> Option<&Listed> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Listed {
    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}
