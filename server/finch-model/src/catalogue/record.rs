//! The text of a catalogue, and the one way from it to a [`Catalogue`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BuiltSizes, Catalogue, Entry, HubFile, Piece, PinnedFile, RuntimeEntry, Source};
use crate::{
    digest::Digest,
    limits,
    manifest::{InfillStyle, ModelId, Quant},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    default: String,
    models: Vec<Model>,
    runtime: Option<Runtime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    id: String,
    name: String,
    architecture: String,
    licence: String,
    file: String,
    bytes: u64,
    sha256: Digest,
    context_tokens_max: usize,
    quant: Quant,
    infill: InfillStyle,
    #[serde(default)]
    head: BTreeMap<Quant, Quant>,
    #[serde(default)]
    kl: BTreeMap<Quant, f64>,
    #[serde(default)]
    built: BTreeMap<Quant, BuiltRecord>,
    sources: Vec<SourceRecord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BuiltRecord {
    weights_bytes: u64,
    token_bytes: u64,
    token_products: u64,
    cache_bytes: u64,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum SourceRecord {
    Hub { repo: String, revision: String, file: String },
    Pip { pieces: Vec<PieceRecord> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceRecord {
    package: String,
    version: String,
    file: String,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runtime {
    package: String,
    version: String,
    libraries: Vec<Library>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    os: String,
    arch: String,
    file: String,
    bytes: u64,
    sha256: Digest,
}

pub(super) fn parse(text: &str) -> Result<Catalogue, String> {
    let record: Record = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
    let models = record.models.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let default: ModelId = record.default.parse().map_err(|error| format!("default: {error}"))?;
    for (index, model) in models.iter().enumerate() {
        if models[..index].iter().any(|earlier| earlier.id == model.id || earlier.file.name == model.file.name) {
            return Err(format!("{} or its file is listed twice", model.id));
        }
    }
    if !models.iter().any(|model| model.id == default) {
        return Err(format!("the default {default} is not listed"));
    }
    let runtimes = record.runtime.map(runtimes).transpose()?.unwrap_or_default();
    Ok(Catalogue { default, models, runtimes })
}

fn entry(model: Model) -> Result<Entry, String> {
    let id: ModelId = model.id.parse().map_err(|error| format!("{error}"))?;
    let wrong = |problem: String| format!("{id}: {problem}");
    let file = pinned(model.file, model.bytes, model.sha256).map_err(wrong)?;
    let sources = model
        .sources
        .into_iter()
        .map(|record| source(record, file.bytes))
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?;
    if !(1..=limits::CONTEXT_TOKENS_MAX).contains(&model.context_tokens_max) {
        return Err(wrong(format!("context_tokens_max = {}", model.context_tokens_max)));
    }
    if model.kl.values().any(|kl| !kl.is_finite() || *kl < 0.0) {
        return Err(wrong("kl is no divergence".to_owned()));
    }
    if model.built.values().any(|built| built.token_bytes == 0 || built.token_bytes > built.weights_bytes) {
        return Err(wrong("a token reads some of the weights and no more than all".to_owned()));
    }
    let sizes = |built: BuiltRecord| BuiltSizes {
        weights_bytes: built.weights_bytes,
        token_bytes: built.token_bytes,
        token_products: built.token_products,
        cache_bytes: built.cache_bytes,
    };
    Ok(Entry {
        id,
        name: model.name,
        architecture: model.architecture,
        licence: model.licence,
        file,
        context_tokens_max: model.context_tokens_max,
        quant: model.quant,
        head: model.head,
        infill: model.infill,
        kl: model.kl,
        built: model.built.into_iter().map(|(quant, built)| (quant, sizes(built))).collect(),
        sources,
    })
}

fn pinned(name: String, bytes: u64, sha256: Digest) -> Result<PinnedFile, String> {
    if !(1..=limits::DOWNLOAD_BYTES_MAX).contains(&bytes) {
        return Err(format!("{name} has {bytes} bytes"));
    }
    Ok(PinnedFile { name: plain_name(name)?, bytes, sha256 })
}

fn source(record: SourceRecord, bytes: u64) -> Result<Source, String> {
    match record {
        SourceRecord::Hub { repo, revision, file } => Ok(Source::Hub(HubFile {
            repo: plain_path(repo)?,
            revision: plain_name(revision)?,
            file: plain_path(file)?,
        })),
        SourceRecord::Pip { pieces } => {
            let pieces = pieces.into_iter().map(piece).collect::<Result<Vec<_>, _>>()?;
            let total = pieces.iter().try_fold(0, |sum: u64, piece| sum.checked_add(piece.bytes));
            if total == Some(bytes) {
                Ok(Source::Pip(pieces))
            } else {
                Err(format!("the pieces do not add up to {bytes} bytes"))
            }
        }
    }
}

fn piece(record: PieceRecord) -> Result<Piece, String> {
    Ok(Piece {
        package: plain_name(record.package)?,
        version: plain_name(record.version)?,
        file: plain_path(record.file)?,
        bytes: record.bytes,
    })
}

fn runtimes(runtime: Runtime) -> Result<Vec<RuntimeEntry>, String> {
    let one = |library: Library| {
        let name = library.file.rsplit('/').next().unwrap_or_default().to_owned();
        let record = SourceRecord::Pip {
            pieces: vec![PieceRecord {
                package: runtime.package.clone(),
                version: runtime.version.clone(),
                file: library.file,
                bytes: library.bytes,
            }],
        };
        Ok(RuntimeEntry {
            version: runtime.version.clone(),
            os: library.os,
            arch: library.arch,
            file: pinned(name, library.bytes, library.sha256)?,
            source: source(record, library.bytes)?,
        })
    };
    runtime.libraries.into_iter().map(one).collect()
}

/// A name that is safe as a file name, as a segment of an address and as an argument of a command.
pub(crate) fn plain_name(name: String) -> Result<String, String> {
    let first_is_plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first_is_plain && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        Ok(name)
    } else {
        Err(format!("{name:?} is no plain name"))
    }
}

/// A path of such names.
pub(crate) fn plain_path(path: String) -> Result<String, String> {
    for segment in path.split('/') {
        plain_name(segment.to_owned()).map_err(|_| format!("{path:?} is no plain path"))?;
    }
    Ok(path)
}
