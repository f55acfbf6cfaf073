//! `finch model`: what is installed, and adding, measuring and removing it.

mod list;
mod probe;
mod pull;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_model::import::ImportRequest;
use finch_model::manifest::{InfillStyle, ModelId, Quant};

use super::print;
use crate::Exit;
use crate::acceptance::{self, Verdict};
use crate::cli;
use crate::interrupt::Interrupt;
use crate::local;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: &Surroundings, command: cli::Model) -> Result<Exit> {
    match command {
        cli::Model::List(arguments) => list::run(surroundings, arguments.json),
        cli::Model::Pull(arguments) => pull::run(surroundings, &arguments),
        cli::Model::Import { path, id, quant, head, embeddings, infill, force } => {
            let id = id.as_deref().map_or_else(|| id_of(&path), |id| Ok(id.parse()?))?;
            let mut request = ImportRequest::new(path, id, surroundings.home.models(), parse_quant(&quant)?);
            request.head = head.as_deref().map(parse_quant).transpose()?;
            request.embeddings = embeddings.as_deref().map(parse_quant).transpose()?;
            request.infill = infill.as_deref().map(parse_infill).transpose()?;
            add(surroundings, request, demand(force), &Interrupt::listen()?)
        }
        cli::Model::Probe { id, json } => probe::run(surroundings, id.as_deref(), json),
        cli::Model::Remove { id } => remove(surroundings, &id),
    }
}

/// What `--force` means.
fn demand(force: bool) -> acceptance::Demand {
    if force { acceptance::Demand::Measure } else { acceptance::Demand::Refuse }
}

fn parse_quant(text: &str) -> Result<Quant> {
    text.parse().ok().with_context(|| format!("{text} is no way to store weights; use int4, int8, fp16 or fp32"))
}

fn parse_infill(text: &str) -> Result<InfillStyle> {
    match text {
        "fim" => Ok(InfillStyle::Fim),
        "prefix" => Ok(InfillStyle::Prefix),
        _ => bail!("{text} is no way to ask for ghost text; use fim or prefix"),
    }
}

fn add(
    surroundings: &Surroundings,
    request: ImportRequest,
    demand: acceptance::Demand,
    interrupt: &Interrupt,
) -> Result<Exit> {
    match acceptance::import(surroundings, request, demand, interrupt)? {
        Verdict::Accepted { folder, kl } => {
            let kl = kl.map(|kl| format!("; divergence from the source weights {kl:.4}")).unwrap_or_default();
            print(&format!("installed in {}{kl}\n", folder.display()))?;
            Ok(Exit::Done)
        }
        Verdict::Refused { kl, kl_max } => bail!(
            "this build strays too far from its source weights: divergence {kl:.4}, and at most {kl_max:.4} is accepted; \
             import it with more bits (--quant int8), or anyway with --force"
        ),
    }
}

/// `Some Model.Q4_K_M.gguf` becomes `some-model.q4-k-m`.
fn id_of(path: &Path) -> Result<ModelId> {
    let path = path.canonicalize().with_context(|| format!("cannot open {}", path.display()))?;
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let stem = name.unwrap_or_default().to_string_lossy().to_lowercase();
    let id: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(64).collect();
    id.trim_start_matches(['.', '-']).parse().context("give the model a name with --id")
}

fn installed(surroundings: &Surroundings, id: &str) -> Result<PathBuf> {
    let id: ModelId = id.parse()?;
    if !local::installed(&surroundings.home).contains(&id) {
        bail!("{id} is not installed; run `finch model pull {id}`, or see `finch model list`");
    }
    Ok(surroundings.home.model(&id))
}

fn remove(surroundings: &Surroundings, id: &str) -> Result<Exit> {
    let folder = installed(surroundings, id)?;
    // Out of sight in one step, so that a half-deleted model is never found.
    let doomed = surroundings.home.models().join(format!(".removed-{}-{id}", std::process::id()));
    std::fs::rename(&folder, &doomed).with_context(|| format!("removing {}", folder.display()))?;
    std::fs::remove_dir_all(&doomed).with_context(|| format!("deleting {}", doomed.display()))?;
    print(&format!("removed {id}\n"))?;
    Ok(Exit::Done)
}
