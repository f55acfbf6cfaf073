//! Whether a build is good enough: its divergence from the source weights, measured before anybody can use it.
//!
//! The candidate and a full-precision build of the same file are made beside the installed models, compared, and only
//! then is the candidate moved into place. The catalogue's own models have had this done once and carry the figure.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use finch_engine::kl;
use finch_model::import::{self, ImportRequest, Reference};
use finch_model::manifest::Quant;

use crate::install;
use crate::local;
use crate::progress::Step;
use crate::surroundings::Surroundings;

/// An 8-bit build may stray so far from its source weights: mean Kullback-Leibler divergence in nats.
const KL_INT8_MAX: f64 = 0.02;
/// Weights of 16 bits hardly differ from what they were.
const KL_FP16_MAX: f64 = 0.002;

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
pub(crate) fn import(surroundings: &Surroundings, mut request: ImportRequest, demand: Demand) -> Result<Verdict> {
    let whole = [Some(request.quant), request.head, request.embeddings];
    if whole.into_iter().flatten().all(|quant| quant == Quant::Fp32) {
        return Ok(Verdict::Accepted { folder: install::build(request)?, kl: None });
    }
    std::fs::create_dir_all(surroundings.home.models())?;
    let bench = tempfile::Builder::new().prefix(".measuring-").tempdir_in(surroundings.home.models())?;
    request.home_models = bench.path().join("candidate");
    let candidate = install::build(request.clone())?;
    install::runtime(surroundings)?;
    let source = reference(&request, bench.path(), Reference::Source)?;
    let kl = measure(surroundings, &source, &candidate)?;
    let kl_max = match request.quant {
        Quant::Int8 => KL_INT8_MAX,
        Quant::Fp16 | Quant::Fp32 => KL_FP16_MAX,
        Quant::Int4 => {
            let plain = reference(&request, bench.path(), Reference::PlainFourBit)?;
            measure(surroundings, &source, &plain)?.mean_kl
        }
    };
    if kl.mean_kl > kl_max && demand == Demand::Refuse {
        return Ok(Verdict::Refused { kl: kl.mean_kl, kl_max });
    }
    let folder = import::adopt(&candidate, &surroundings.home.models(), (kl.mean_kl, kl.tokens))
        .context("installing the model")?;
    Ok(Verdict::Accepted { folder, kl: Some(kl.mean_kl) })
}

/// A full-precision build of the file, or of what a plain 4-bit file of it would hold.
fn reference(request: &ImportRequest, bench: &Path, reference: Reference) -> Result<PathBuf> {
    let home_models = bench.join(format!("{reference:?}"));
    install::build(ImportRequest {
        quant: Quant::Fp32,
        head: None,
        embeddings: None,
        reference,
        home_models,
        ..request.clone()
    })
}

fn measure(surroundings: &Surroundings, source: &Path, candidate: &Path) -> Result<kl::KlReport> {
    let step = Step::start("measuring the divergence from the source weights");
    let report = kl::measure(&local::runtime(surroundings)?, source, candidate, kl::CORPUS)?;
    step.done();
    Ok(report)
}
