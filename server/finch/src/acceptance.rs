//! Whether a build is good enough: its divergence from the source weights, measured before anybody can use it.
//!
//! The candidate and a full-precision build of the same file are made beside the installed models, compared, and only
//! then is the candidate moved into place. The catalogue's own models have had this done once and carry the figure.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_engine::{EngineError, kl};
use finch_model::import::{self, Divergence, Export, Finished, ImportRequest, Reference};
use finch_model::manifest::{ModelId, Quant};

use crate::install;
use crate::interrupt::{Interrupt, Interrupted};
use crate::local;
use crate::progress::Step;
use crate::surroundings::Surroundings;
use crate::trial;

/// An 8-bit build may stray so far from its source weights: mean Kullback-Leibler divergence in nats.
const KL_INT8_MAX: f64 = 0.02;
/// Weights of 16 bits hardly differ from what they were.
const KL_FP16_MAX: f64 = 0.002;

/// A 4-bit build has a head of 4 bits too where its divergence is no more than this share of the most it may have.
const KL_SMALL_HEAD_SHARE_MAX: f64 = 0.75;

/// What to do with a build that strays too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Refuse,
    /// Install it all the same, with its figure.
    Measure,
}

/// How an import ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accepted { folder: PathBuf, kl: Option<f64> },
    Refused { kl: f64, kl_max: f64 },
}

/// Builds a model from a file and installs it if it is close enough to the file's weights.
///
/// An interrupt keeps what is built, and the next import of the same takes it.
pub(crate) fn import(
    surroundings: &Surroundings,
    request: ImportRequest,
    demand: Demand,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    if Export::find(&request.source).is_some() {
        return install_export(surroundings, request, interrupt);
    }
    let whole = [Some(request.quant), request.head, request.embeddings];
    if whole.into_iter().flatten().all(|quant| quant == Quant::Fp32) {
        return Ok(Verdict::Accepted { folder: install::build(request, interrupt)?, kl: None });
    }
    let bench = Bench::claim(&surroundings.home.models(), &request.id)?;
    let verdict = judge(surroundings, request, demand, bench.path(), interrupt);
    if verdict.as_ref().is_err_and(|error| error.is::<Interrupted>()) {
        bench.keep();
    }
    verdict
}

/// A ready-made export has no source weights to be measured against: it is installed if it loads.
fn install_export(surroundings: &Surroundings, mut request: ImportRequest, interrupt: &Interrupt) -> Result<Verdict> {
    let models = surroundings.home.models();
    let bench = Bench::claim(&models, &request.id)?;
    request.home_models = bench.path().join("candidate");
    let candidate = install::build(request, interrupt)?;
    install::runtime(surroundings, interrupt)?;
    let tried = trial::try_out(surroundings, &candidate);
    // A trial that the same Ctrl-C ended says nothing about the export.
    if interrupt.flow().is_break() {
        return Err(Interrupted.into());
    }
    tried?;
    let folder = import::adopt(&candidate, &models, None).context("installing the model")?;
    trial::vouch(surroundings, &folder)?;
    Ok(Verdict::Accepted { folder, kl: None })
}

fn judge(
    surroundings: &Surroundings,
    mut request: ImportRequest,
    demand: Demand,
    bench: &Path,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    request.finished = Finished::Take;
    let alone = || measured(surroundings, &request, bench, "candidate", interrupt);
    let (Measured { candidate, kl, .. }, kl_max) = match request.quant {
        Quant::Int8 => (alone()?, KL_INT8_MAX),
        Quant::Fp16 | Quant::Fp32 => (alone()?, KL_FP16_MAX),
        Quant::Int4 => four_bits(surroundings, &request, bench, interrupt)?,
    };
    if kl.mean() > kl_max && demand == Demand::Refuse {
        return Ok(Verdict::Refused { kl: kl.mean(), kl_max });
    }
    let folder = import::adopt(&candidate, &surroundings.home.models(), Some(kl)).context("installing the model")?;
    trial::vouch(surroundings, &folder)?;
    Ok(Verdict::Accepted { folder, kl: Some(kl.mean()) })
}

/// A build that was tried out, what it was compared with, and its divergence from that.
struct Measured {
    candidate: PathBuf,
    source: PathBuf,
    kl: Divergence,
}

/// A 4-bit build, and the most it may diverge. A head of 4 bits is a third less to read for every token, and
/// taken where the build stays well below the yardstick with it.
fn four_bits(
    surroundings: &Surroundings,
    request: &ImportRequest,
    bench: &Path,
    interrupt: &Interrupt,
) -> Result<(Measured, f64)> {
    let is_free = request.head.is_none() && request.embeddings.is_none();
    let small = ImportRequest { head: is_free.then_some(Quant::Int4).or(request.head), ..request.clone() };
    let found = measured(surroundings, &small, bench, "candidate", interrupt)?;
    let plain = reference(request, bench, Reference::PlainFourBit, interrupt)?;
    let kl_max = measure(surroundings, &found.source, &plain, interrupt)?.mean();
    if !is_free || found.kl.mean() <= kl_max * KL_SMALL_HEAD_SHARE_MAX {
        return Ok((found, kl_max));
    }
    Ok((measured(surroundings, request, bench, "large-head", interrupt)?, kl_max))
}

/// Builds, tries out and compares with the source weights.
fn measured(
    surroundings: &Surroundings,
    request: &ImportRequest,
    bench: &Path,
    name: &str,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let request = ImportRequest { home_models: bench.join(name), ..request.clone() };
    let candidate = install::build(request.clone(), interrupt)?;
    install::runtime(surroundings, interrupt)?;
    let tried = trial::try_out(surroundings, &candidate);
    // A trial that the same Ctrl-C ended says nothing about the build.
    if interrupt.flow().is_break() {
        return Err(Interrupted.into());
    }
    tried?;
    let source = reference(&request, bench, Reference::Source, interrupt)?;
    let kl = measure(surroundings, &source, &candidate, interrupt)?;
    Ok(Measured { candidate, source, kl })
}

/// Where builds are compared: beside the models, so that the good one is only renamed, and under the id's own name, so that
/// an import that was broken off finds what it had built. Removed however the comparison ends.
struct Bench {
    folder: PathBuf,
    kept: bool,
    /// Held open for its lock.
    _lock: File,
}

const BENCH: &str = ".measuring-";

impl Bench {
    fn claim(models: &Path, id: &ModelId) -> Result<Self> {
        let folder = models.join(format!("{BENCH}{id}"));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let Some(lock) = lock(&folder)? else {
            bail!("another import of {id} is running; wait until it is done");
        };
        // What killed imports of other models left behind takes as much room as they.
        for entry in std::fs::read_dir(models)?.flatten() {
            let other = entry.path();
            let left = entry.file_name().to_string_lossy().starts_with(BENCH) && other != folder;
            if left && lock_of(&other).is_some() {
                std::fs::remove_dir_all(&other).with_context(|| format!("removing {}", other.display()))?;
            }
        }
        Ok(Self { folder, kept: false, _lock: lock })
    }

    fn path(&self) -> &Path {
        &self.folder
    }

    /// Leaves everything for the next import of the same.
    fn keep(mut self) {
        self.kept = true;
    }
}

fn lock_of(bench: &Path) -> Option<File> {
    lock(bench).ok().flatten()
}

/// None where somebody else has it.
fn lock(bench: &Path) -> Result<Option<File>> {
    let path = bench.join(".lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!("{} stays behind: {error}", self.folder.display());
        }
    }
}

/// A full-precision build of the file, or of what a plain 4-bit file of it would hold.
fn reference(request: &ImportRequest, bench: &Path, reference: Reference, interrupt: &Interrupt) -> Result<PathBuf> {
    let home_models = bench.join(format!("{reference:?}"));
    let request =
        ImportRequest { quant: Quant::Fp32, head: None, embeddings: None, reference, home_models, ..request.clone() };
    install::build(request, interrupt)
}

fn measure(surroundings: &Surroundings, source: &Path, candidate: &Path, interrupt: &Interrupt) -> Result<Divergence> {
    let step = Step::start("measuring the divergence from the source weights");
    let text = (kl::CORPUS, import::KL_TOKENS_MIN);
    let report = kl::measure_while(&local::runtime(surroundings)?, (source, candidate), text, &mut |done, total| {
        step.tokens(done, total);
        interrupt.flow()
    });
    match report {
        Err(EngineError::Cancelled) => {
            step.stopped();
            Err(Interrupted.into())
        }
        report => {
            let report = report?;
            step.done();
            Ok(Divergence::new(report.mean_kl, report.tokens)?)
        }
    }
}
