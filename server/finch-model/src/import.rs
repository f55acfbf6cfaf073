//! Builds a model directory from a checkpoint: graph, weights, tokenizer, manifest.
//!
//! Weights are streamed, so memory stays far below the largest tensor however large the model is, and an import that was
//! interrupted goes on where it stopped, unless its source has changed. Everything is written into a
//! hidden directory beside the target and renamed at the end: a directory with a model's name is always whole. Blocking;
//! callers put it on a thread of its own and cancel it through the progress callback.

mod export;
mod journal;
mod staging;
mod stream;

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use prost::Message;

pub use self::export::Export;
use self::journal::{Done, Journal};
use self::staging::Claim;
use self::stream::Stream;
use crate::catalogue::Catalogue;
use crate::chat::{self, ChatTemplates};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Digest, Hasher};
use crate::graph::{self, Plan, Precision, Precisions, Rounding};
use crate::manifest::{
    Build, BuiltFile, GRAPH_FILE, InfillStyle, Layout, Manifest, ManifestError, ModelId, Quant, SourceFile,
    TOKENIZER_FILE, Tokens, WEIGHTS_FILE,
};
use crate::tokenizer::Tokenizer;
use crate::{limits, onnx};

/// Positions a build can attend over unless asked for more.
pub const CONTEXT_TOKENS_DEFAULT: usize = 4096;

/// A divergence measured over fewer tokens of code says too little to accept a build by it.
pub const KL_TOKENS_MIN: usize = 2_000;

/// How far a build is from its source weights. Invariant: measured over at least [`KL_TOKENS_MIN`] tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    mean: f64,
    tokens: usize,
}

/// A measurement that counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadDivergence {
    /// Measure over more text.
    #[error(
        "the divergence from the source weights was measured over {tokens} tokens of code, and at least {KL_TOKENS_MIN} are needed"
    )]
    TooFewTokens {
        /// Those that were compared.
        tokens: usize,
    },
    /// One of the two models computes nonsense.
    #[error("the divergence from the source weights is {mean}, which is no number of a working model")]
    NoNumber {
        /// What came out.
        mean: f64,
    },
}

impl Divergence {
    /// A mean in nats a token, over so many tokens.
    pub fn new(mean: f64, tokens: usize) -> Result<Self, BadDivergence> {
        if tokens < KL_TOKENS_MIN {
            Err(BadDivergence::TooFewTokens { tokens })
        } else if !mean.is_finite() {
            Err(BadDivergence::NoNumber { mean })
        } else {
            Ok(Self { mean, tokens })
        }
    }

    /// The mean in nats a token.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }
}

/// What to build, and where.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The GGUF file, the directory in the layout of a hub, or the ready-made export.
    pub source: PathBuf,
    /// The name the model will have.
    pub id: ModelId,
    /// The directory of all models.
    pub home_models: PathBuf,
    /// How weights are stored.
    pub quant: Quant,
    /// How the head is stored, where not as suits `quant`.
    pub head: Option<Quant>,
    /// How the embeddings are stored, where not as suits `quant`.
    pub embeddings: Option<Quant>,
    /// What to take float weights for; only [`Quant::Fp32`] builds look at it.
    pub reference: Reference,
    /// The licence of the weights; otherwise what the file says of itself.
    pub licence: Option<String>,
    /// How to prompt; otherwise as the catalogue says of the file, or fill-in-the-middle where the vocabulary has the
    /// tokens.
    pub infill: Option<InfillStyle>,
    /// The measured divergence from the source weights, where it is known already.
    pub kl: Option<Divergence>,
    /// What to do if the same build is there already.
    pub finished: Finished,
    /// The longest context the graph can attend over; the model's own limit if that is lower.
    pub context_tokens_max: usize,
}

/// What a float build is a reference for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The source weights themselves.
    Source,
    /// What a plain 4-bit GGUF file of them would hold: the yardstick for 4-bit builds of unknown models.
    PlainFourBit,
}

/// What to do with a build of the same weights in the same way that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Replace it.
    BuildAgain,
    /// Take it as the result.
    Take,
}

impl ImportRequest {
    /// A build with the usual choices.
    #[must_use]
    pub fn new(source: PathBuf, id: ModelId, home_models: PathBuf, quant: Quant) -> Self {
        Self {
            source,
            id,
            home_models,
            quant,
            head: None,
            embeddings: None,
            reference: Reference::Source,
            licence: None,
            infill: None,
            kl: None,
            finished: Finished::BuildAgain,
            context_tokens_max: CONTEXT_TOKENS_DEFAULT,
        }
    }

    fn precisions(&self) -> Precisions {
        let of = |quant| self.precision(quant);
        Precisions { layers: of(self.quant), head: self.head.map(of), embeddings: self.embeddings.map(of) }
    }

    fn precision(&self, quant: Quant) -> Precision {
        match (quant, self.reference) {
            (Quant::Int4, _) => Precision::Int4,
            (Quant::Int8, _) => Precision::Int8,
            (Quant::Fp16, _) => Precision::Half,
            (Quant::Fp32, Reference::Source) => Precision::Floats(Rounding::None),
            (Quant::Fp32, Reference::PlainFourBit) => Precision::Floats(Rounding::Q4Zero),
        }
    }
}

/// Why a model could not be built, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be used: take another file.
    #[error(transparent)]
    Source(#[from] CheckpointError),
    /// The vocabulary has no such tokens: ask for the other style.
    #[error("{file} has no fill-in-the-middle tokens; import it with the infill style prefix")]
    NoFimTokens {
        /// The source.
        file: String,
    },
    /// Somebody else builds into the same directory: wait for it.
    #[error("another import into {} is running; wait until it is done", models.display())]
    Busy {
        /// The directory of all models.
        models: PathBuf,
    },
    /// The disk is full: make room. What was written is removed again.
    #[error("no space left for {}; free some and import again", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The progress callback asked to stop. The next import of the same goes on from there.
    #[error("the import was cancelled")]
    Cancelled,
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The built model does not hold together.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl ImportError {
    fn at(path: &Path) -> impl Fn(io::Error) -> ImportError {
        |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ImportError::DiskFull { path: path.to_owned() }
            }
            _ => ImportError::Io { path: path.to_owned(), source },
        }
    }
}

/// Builds the model and returns its directory. `progress` hears bytes done and bytes in all, and may break off.
pub fn import(
    request: ImportRequest,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<PathBuf, ImportError> {
    if let Some(export) = Export::find(&request.source) {
        return export::install(request, &export, progress);
    }
    let checkpoint = Checkpoint::open(&request.source)?;
    let mut plan = graph::plan(&checkpoint, request.precisions(), request.context_tokens_max)?;
    let vocabulary = Tokenizer::read(&checkpoint, plan.shape.vocab)?;
    let tokens = vocabulary.special();
    let infill = infill(&request, &tokens, &checkpoint)?;

    let claim = Claim::of(&request.home_models)?;
    let total = source_bytes(&checkpoint) + stream::source_bytes(&plan, &checkpoint);
    let mut progress = Progress { done: 0, total, report: progress };
    let sha256 = digest(&checkpoint, &mut progress)?;
    let infill = request.infill.or_else(|| Catalogue::builtin().infill_of(sha256)).unwrap_or(infill);
    let recipe = recipe(&request, sha256, &plan);
    if request.finished == Finished::Take
        && let Some(dir) = finished(&request, recipe)
    {
        return Ok(dir);
    }
    let staging = claim.begin(&request.id, recipe)?;
    let mut files = match write_weights(staging.dir(), &checkpoint, &mut plan, &mut progress) {
        Ok(file) => vec![file],
        Err(ImportError::Cancelled) => {
            staging.keep();
            return Err(ImportError::Cancelled);
        }
        Err(error) => return Err(error),
    };
    files.push(write(staging.dir(), GRAPH_FILE, |out| write_graph(&mut plan, out).map_err(Interrupted::from))?);
    files.push(write(staging.dir(), TOKENIZER_FILE, |out| vocabulary.write_json(out).map_err(Interrupted::from))?);
    for (name, text) in ChatTemplates::of_checkpoint(&checkpoint).files() {
        files.push(write(staging.dir(), name, |out| chat::write(out, text).map_err(Interrupted::from))?);
    }
    let licence = request.licence.or_else(|| checkpoint.text("general.license").map(str::to_owned));
    let manifest = Manifest {
        id: request.id,
        architecture: plan.architecture.to_owned(),
        licence: licence.unwrap_or_else(unknown),
        layout: Layout::Finch,
        quant: request.quant,
        shape: plan.shape,
        tokens,
        infill,
        source: SourceFile { file: file_name(&request.source), sha256, bytes: source_bytes(&checkpoint) },
        build: Build {
            finch: env!("CARGO_PKG_VERSION").to_owned(),
            kl: request.kl.map(|kl| kl.mean),
            kl_tokens: request.kl.map(|kl| kl.tokens),
            recipe: Some(recipe),
        },
        files,
    };
    manifest.write(staging.dir())?;
    staging.publish()
}

/// How to ask for an infill: as asked for, or as the vocabulary can.
fn infill(request: &ImportRequest, tokens: &Tokens, checkpoint: &Checkpoint) -> Result<InfillStyle, ImportError> {
    match (request.infill, tokens.fim) {
        (Some(InfillStyle::Fim), None) => Err(ImportError::NoFimTokens { file: checkpoint.file().to_owned() }),
        (Some(style), _) => Ok(style),
        (None, Some(_)) => Ok(InfillStyle::Fim),
        (None, None) => Ok(InfillStyle::Prefix),
    }
}

/// A sum over all that decides about the bytes of a build.
fn recipe(request: &ImportRequest, source: Digest, plan: &Plan) -> Digest {
    let mut text = format!(
        "{} {source} {:?} {} {:?}",
        env!("CARGO_PKG_VERSION"),
        request.precisions(),
        request.context_tokens_max,
        request.infill
    );
    for view in plan.weights.iter().flat_map(|weight| &weight.views) {
        text.push_str(&format!("\n{} {:?} {:?}", view.name, view.piece, view.dims));
    }
    Digest::of_bytes(text.as_bytes())
}

/// The model of this name, if it is whole and built by this recipe.
fn finished(request: &ImportRequest, recipe: Digest) -> Option<PathBuf> {
    let dir = request.home_models.join(&request.id);
    let manifest = Manifest::read(&dir).ok()?;
    (manifest.build.recipe == Some(recipe)).then_some(dir)
}

/// Writes the weights, or what an interrupted import has not written of them.
fn write_weights(
    part: &Path,
    checkpoint: &Checkpoint,
    plan: &mut Plan,
    progress: &mut Progress<'_>,
) -> Result<BuiltFile, ImportError> {
    let path = part.join(WEIGHTS_FILE);
    let mut filled = || {
        let (mut journal, mut done) = Journal::open(part)?;
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        if file.metadata()?.len() < done.bytes || done.weights > plan.weights.len() {
            done = Done::default();
        }
        file.set_len(done.bytes)?;
        file.seek(SeekFrom::End(0))?;
        let durable = file.try_clone()?;
        let mut out = BufWriter::with_capacity(limits::IMPORT_CHUNK_BYTES, file);
        let mut stream = Stream::new(checkpoint, &mut out);
        let mut settle = |done| {
            durable.sync_data()?;
            journal.note(done)
        };
        plan.graph.initializer.extend(stream.write_all(&plan.weights, done.weights, progress, &mut settle)?);
        stream.finish()?;
        drop(out);
        durable.sync_all()?;
        journal.remove()?;
        Ok(durable.metadata()?.len())
    };
    match filled() {
        Ok(bytes) => Ok(BuiltFile { name: WEIGHTS_FILE.to_owned(), bytes }),
        Err(interrupted) => Err(Interrupted::at(interrupted, &path)),
    }
}

/// Moves a model that was built elsewhere on the same disk among `home_models`, with its divergence where it was measured.
pub fn adopt(built: &Path, home_models: &Path, kl: Option<Divergence>) -> Result<PathBuf, ImportError> {
    let mut manifest = Manifest::read(built)?;
    manifest.build.kl = kl.map(|kl| kl.mean);
    manifest.build.kl_tokens = kl.map(|kl| kl.tokens);
    let staging = Claim::of(home_models)?.begin(&manifest.id, manifest.source.sha256)?;
    for file in &manifest.files {
        let from = built.join(&file.name);
        fs::rename(&from, staging.dir().join(&file.name)).map_err(ImportError::at(&from))?;
    }
    manifest.write(staging.dir())?;
    staging.publish()
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Counts bytes and asks whether to go on.
struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl Progress<'_> {
    fn advance(&mut self, bytes: u64) -> Result<(), Interrupted> {
        self.done += bytes;
        match (self.report)(self.done, self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Interrupted::Cancelled),
        }
    }
}

/// Why writing a file ended early, before its path is known.
#[derive(Debug)]
enum Interrupted {
    Cancelled,
    Io(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Interrupted::Io(error)
    }
}

impl Interrupted {
    fn at(self, path: &Path) -> ImportError {
        match self {
            Interrupted::Cancelled => ImportError::Cancelled,
            Interrupted::Io(error) => ImportError::at(path)(error),
        }
    }
}

fn source_bytes(checkpoint: &Checkpoint) -> u64 {
    checkpoint.files().iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

/// The sum of a file, or of the names and sums of several.
fn digest(checkpoint: &Checkpoint, progress: &mut Progress<'_>) -> Result<Digest, ImportError> {
    let mut sums = Vec::new();
    for (name, bytes) in checkpoint.files() {
        let mut hasher = Hasher::default();
        for bytes in bytes.chunks(limits::IMPORT_CHUNK_BYTES) {
            hasher.update(bytes);
            checkpoint.release(bytes);
            progress.advance(bytes.len() as u64).map_err(|interrupted| interrupted.at(Path::new(checkpoint.file())))?;
        }
        sums.push((name, hasher.finish()));
    }
    match sums.as_slice() {
        [(_, sum)] => Ok(*sum),
        sums => {
            let list: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
            Ok(Digest::of_bytes(list.as_bytes()))
        }
    }
}

/// Writes one file of the model and makes it durable.
fn write(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), Interrupted>,
) -> Result<BuiltFile, ImportError> {
    let path = dir.join(name);
    let filled = || {
        let mut out = BufWriter::with_capacity(limits::IMPORT_CHUNK_BYTES, File::create(&path)?);
        fill(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    };
    match filled() {
        Ok(bytes) => Ok(BuiltFile { name: name.to_owned(), bytes }),
        Err(interrupted) => Err(Interrupted::at(interrupted, &path)),
    }
}

fn write_graph(plan: &mut Plan, out: &mut impl Write) -> io::Result<()> {
    let graph = std::mem::take(&mut plan.graph);
    out.write_all(&onnx::model(graph, env!("CARGO_PKG_VERSION")).encode_to_vec())
}
