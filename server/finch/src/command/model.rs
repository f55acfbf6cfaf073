//! `finch model`: what is installed, and adding, measuring and removing it.

mod pull;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_model::catalogue::Catalogue;
use finch_model::import::ImportRequest;
use finch_model::manifest::{Manifest, ModelId, Quant};
use serde::Serialize;

use super::print;
use crate::Exit;
use crate::acceptance::{self, Verdict};
use crate::cli;
use crate::interrupt::Interrupt;
use crate::local;
use crate::surroundings::Surroundings;
use crate::trial;

pub(super) fn run(surroundings: &Surroundings, command: cli::Model) -> Result<Exit> {
    match command {
        cli::Model::List(arguments) => list(surroundings, arguments.json),
        cli::Model::Pull(arguments) => pull::run(surroundings, &arguments),
        cli::Model::Import { path, id, quant, head, embeddings, force } => {
            let id = id.as_deref().map_or_else(|| id_of(&path), |id| Ok(id.parse()?))?;
            let mut request = ImportRequest::new(path, id, surroundings.home.models(), parse_quant(&quant)?);
            request.head = head.as_deref().map(parse_quant).transpose()?;
            request.embeddings = embeddings.as_deref().map(parse_quant).transpose()?;
            add(surroundings, request, demand(force), &Interrupt::listen()?)
        }
        cli::Model::Probe { id, json } => probe(surroundings, id.as_deref(), json),
        cli::Model::Remove { id } => remove(surroundings, &id),
    }
}

/// One line of `finch model list`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    installed: bool,
    quant: String,
    /// Bytes on disk when installed, bytes to fetch when not.
    bytes: u64,
    licence: String,
    /// Mean divergence of the build from its source weights, where it is known.
    kl: Option<f64>,
    /// Why an installed model cannot be used.
    problem: Option<String>,
}

fn list(surroundings: &Surroundings, json: bool) -> Result<Exit> {
    let installed = local::installed(&surroundings.home);
    let mut rows: Vec<Row> = installed.iter().map(|id| installed_row(id, &surroundings.home.model(id))).collect();
    let catalogue = Catalogue::builtin();
    rows.extend(catalogue.models().iter().filter(|entry| !installed.contains(&entry.id)).map(|entry| Row {
        id: entry.id.to_string(),
        installed: false,
        quant: entry.quant.to_string(),
        bytes: entry.file.bytes,
        licence: entry.licence.clone(),
        kl: entry.kl.get(&entry.quant).copied(),
        problem: None,
    }));
    if json {
        print(&format!("{:#}\n", serde_json::to_value(&rows)?))?;
        return Ok(Exit::Done);
    }
    for row in &rows {
        let state = match (&row.problem, row.installed) {
            (Some(problem), _) => format!("cannot be used: {problem}"),
            (None, true) => "installed".to_owned(),
            (None, false) => "can be pulled".to_owned(),
        };
        print(&format!(
            "{:<24} {:<5} {:>6} MB  {:<12} {state}\n",
            row.id,
            row.quant,
            row.bytes / 1_000_000,
            row.licence
        ))?;
    }
    Ok(Exit::Done)
}

fn installed_row(id: &ModelId, folder: &Path) -> Row {
    let id = id.to_string();
    match Manifest::read(folder) {
        Ok(manifest) => Row {
            id,
            installed: true,
            quant: manifest.quant.to_string(),
            bytes: manifest.bytes(),
            licence: manifest.licence,
            kl: manifest.build.kl,
            problem: None,
        },
        Err(error) => Row {
            id,
            installed: true,
            quant: String::new(),
            bytes: 0,
            licence: String::new(),
            kl: None,
            problem: Some(error.to_string()),
        },
    }
}

/// What `--force` means.
fn demand(force: bool) -> acceptance::Demand {
    if force { acceptance::Demand::Measure } else { acceptance::Demand::Refuse }
}

fn parse_quant(text: &str) -> Result<Quant> {
    text.parse().ok().with_context(|| format!("{text} is no way to store weights; use int4, int8, fp16 or fp32"))
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

fn probe(surroundings: &Surroundings, id: Option<&str>, json: bool) -> Result<Exit> {
    let folder = match id {
        Some(id) => installed(surroundings, id)?,
        None => local::wanted_model(surroundings)?,
    };
    let step = crate::progress::Step::start("measuring");
    trial::admit(surroundings, &folder)?;
    let report = finch_engine::probe::probe(&local::runtime(surroundings)?, &folder)?;
    step.done();
    if json {
        print(&format!("{:#}\n", serde_json::to_value(Probe::from(&report))?))?;
    } else {
        print(&format!(
            "{} ({}, {}, {} threads)\n  loads in {:.1} s, reads {:.0} tokens/s, writes {:.0} tokens/s\n  context {} tokens, prompted {}\n",
            report.model,
            report.architecture,
            report.quant,
            report.threads,
            report.load.as_secs_f64(),
            report.prefill_tokens_per_s,
            report.decode_tokens_per_s,
            report.context_tokens_max,
            report.infill,
        ))?;
    }
    Ok(Exit::Done)
}

/// `finch model probe --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Probe {
    model: String,
    architecture: String,
    quant: String,
    infill: String,
    context_tokens_max: usize,
    load_ms: u128,
    threads: usize,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    memory_bytes: Option<u64>,
}

impl From<&finch_engine::probe::ProbeReport> for Probe {
    fn from(report: &finch_engine::probe::ProbeReport) -> Self {
        Self {
            model: report.model.clone(),
            architecture: report.architecture.clone(),
            quant: report.quant.to_string(),
            infill: report.infill.to_string(),
            context_tokens_max: report.context_tokens_max,
            load_ms: report.load.as_millis(),
            threads: report.threads,
            prefill_tokens_per_s: report.prefill_tokens_per_s,
            decode_tokens_per_s: report.decode_tokens_per_s,
            memory_bytes: report.memory_bytes,
        }
    }
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
