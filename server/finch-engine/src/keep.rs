//! What slots hold, kept in a file from one run to the next, so that the first prompt of a day is as fast as the last.
//!
//! The file belongs to one build of one model: another build, another graph, a file cut short or changed is not read.
//! It holds text of the user, as tokens and as what was computed from them: only its owner may read it. The worker
//! takes what is kept out of its slots when it has nothing to do; writing happens on a thread of its own.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use finch_model::{
    digest::Digest,
    home::write_atomic,
    manifest::{GRAPH_FILE, MANIFEST_FILE},
};

use crate::limits;

/// Says what the file is, and in which form.
const MAGIC: &[u8] = b"finchkv1";
/// A digest is written as its hex digits.
const DIGEST_BYTES: usize = 64;

/// Where the state of one model is kept.
#[derive(Debug)]
pub(crate) struct Keep {
    path: PathBuf,
    /// Stands for the build and the graph.
    key: Digest,
    writing: Option<JoinHandle<()>>,
}

/// A sequence as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) tokens: Vec<u32>,
    /// The keys and values of the tokens, as the network reads and writes them.
    pub(crate) state: Vec<f32>,
}

/// Why a file is not used. Nothing is lost but time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is of another build or another version")]
    Other,
    #[error("it is damaged")]
    Damaged,
}

impl Keep {
    /// The file for a built model in the folder `dir`.
    pub(crate) fn new(dir: &Path, model: &str, model_dir: &Path) -> io::Result<Self> {
        let mut identity = fs::read(model_dir.join(MANIFEST_FILE))?;
        identity.extend(fs::read(model_dir.join(GRAPH_FILE))?);
        Ok(Self { path: dir.join(format!("{model}.kv")), key: Digest::of_bytes(&identity), writing: None })
    }

    /// What was kept. A file that is not there holds nothing.
    pub(crate) fn read(&self, token_floats: usize) -> Result<Vec<Kept>, NotKept> {
        let found = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        if !found.is_file() || found.len() > limits::KEEP_BYTES_MAX as u64 {
            return Err(NotKept::Damaged);
        }
        let mut bytes = Vec::new();
        fs::File::open(&self.path)?.take(limits::KEEP_BYTES_MAX as u64).read_to_end(&mut bytes)?;
        decode(&bytes, self.key, token_floats)
    }

    /// Begins to write, unless the last writing has not ended.
    pub(crate) fn write(&mut self, kept: Vec<Kept>) {
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        self.finish();
        let (path, key) = (self.path.clone(), self.key);
        let write = move || {
            if let Err(error) = write_atomic(&path, &encode(&kept, key)) {
                tracing::warn!("{}: what was computed is not kept: {error}", path.display());
            }
        };
        match thread::Builder::new().name("finch-keep".to_owned()).spawn(write) {
            Ok(writing) => self.writing = Some(writing),
            Err(error) => tracing::warn!("what was computed is not kept: {error}"),
        }
    }

    /// Waits until what is being written is written.
    pub(crate) fn finish(&mut self) {
        if let Some(writing) = self.writing.take()
            && writing.join().is_err()
        {
            tracing::error!("the thread that keeps what was computed had panicked");
        }
    }
}

/// How many tokens the file has room for.
pub(crate) fn tokens_max(token_floats: usize) -> usize {
    // A kilobyte is more than all but tokens and state takes.
    (limits::KEEP_BYTES_MAX - 1024) / ((token_floats + 1) * size_of::<f32>())
}

fn encode(kept: &[Kept], key: Digest) -> Vec<u8> {
    let mut bytes = [MAGIC, key.to_string().as_bytes()].concat();
    let count = |bytes: &mut Vec<u8>, count: usize| {
        bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    };
    count(&mut bytes, kept.len());
    for kept in kept {
        count(&mut bytes, kept.tokens.len());
        bytes.extend(kept.tokens.iter().flat_map(|token| token.to_le_bytes()));
        bytes.extend(kept.state.iter().flat_map(|float| float.to_le_bytes()));
    }
    let digest = Digest::of_bytes(&bytes);
    bytes.extend(digest.to_string().into_bytes());
    bytes
}

fn decode(bytes: &[u8], key: Digest, token_floats: usize) -> Result<Vec<Kept>, NotKept> {
    let (body, digest) = bytes.split_at_checked(bytes.len().saturating_sub(DIGEST_BYTES)).ok_or(NotKept::Damaged)?;
    let body_key = body.get(MAGIC.len()..MAGIC.len() + DIGEST_BYTES).ok_or(NotKept::Damaged)?;
    if !body.starts_with(MAGIC) || body_key != key.to_string().as_bytes() {
        return Err(NotKept::Other);
    }
    if Digest::of_bytes(body).to_string().as_bytes() != digest {
        return Err(NotKept::Damaged);
    }
    let mut rest = &body[MAGIC.len() + DIGEST_BYTES..];
    let mut words = |count: usize| -> Result<Vec<[u8; 4]>, NotKept> {
        let bytes = count.checked_mul(4).ok_or(NotKept::Damaged)?;
        let (taken, behind) = rest.split_at_checked(bytes).ok_or(NotKept::Damaged)?;
        rest = behind;
        Ok(taken.chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]]).collect())
    };
    let length = |word: Vec<[u8; 4]>| word.first().map_or(0, |&word| u32::from_le_bytes(word) as usize);
    let mut kept = Vec::new();
    for _ in 0..length(words(1)?).min(limits::SLOTS_MAX) {
        let count = length(words(1)?);
        let tokens = words(count)?.into_iter().map(u32::from_le_bytes).collect();
        let floats = count.checked_mul(token_floats).ok_or(NotKept::Damaged)?;
        let state = words(floats)?.into_iter().map(f32::from_le_bytes).collect();
        kept.push(Kept { tokens, state });
    }
    if rest.is_empty() { Ok(kept) } else { Err(NotKept::Damaged) }
}

#[cfg(test)]
mod tests;
