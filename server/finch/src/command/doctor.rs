//! `finch doctor`: what works, what does not, and what to do about it.

use anyhow::{Context as _, Result, anyhow};
use finch_engine::machine;
use finch_http::contact::Contact;
use finch_llm::router::{Consent, Policy};
use finch_model::Manifest;
use serde::Serialize;

use super::answerer::workspace_of;
use super::print;
use crate::Exit;
use crate::cli::Json;
use crate::clouds;
use crate::config::{CloudConfig, Provider, RouterConfig};
use crate::confinement;
use crate::daemon::start;
use crate::local;
use crate::projects;
use crate::services;
use crate::surroundings::{self, Surroundings};
use crate::trial;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    good: bool,
    /// What was found, or what is wrong and what to do.
    said: String,
}

impl Finding {
    fn of(what: impl Into<String>, found: Result<String>) -> Self {
        let what = what.into();
        match found {
            Ok(said) => Self { what, good: true, said },
            Err(error) => Self { what, good: false, said: format!("{error:#}") },
        }
    }
}

pub(super) fn run(mut surroundings: Surroundings, arguments: &Json) -> Result<Exit> {
    let mut findings =
        vec![Finding::of("home", home(&surroundings)), Finding::of("configuration", configuration(&surroundings))];
    findings.extend(
        surroundings
            .problems
            .iter()
            .map(|problem| Finding::of("configuration", Err(anyhow!("{}", problem.replace('\n', " "))))),
    );
    findings.push(Finding::of("daemon", daemon(&surroundings)));
    findings.extend(commands(&surroundings));
    findings.extend(providers(&mut surroundings)?);
    let surroundings = &surroundings;
    findings.extend([
        Finding::of("ONNX Runtime", runtime(surroundings)),
        Finding::of("devices", devices(surroundings)),
        Finding::of("model", model(surroundings)),
        Finding::of("completion", completion(surroundings)),
    ]);
    let good = findings.iter().all(|finding| finding.good);
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(&findings)?))?;
    } else {
        for finding in &findings {
            print(&format!("{} {}: {}\n", if finding.good { "ok  " } else { "FAIL" }, finding.what, finding.said))?;
        }
    }
    Ok(if good { Exit::Done } else { Exit::Failed })
}

/// Whether the daemon runs, which one, and where. That none does is no failure: an editor starts it.
fn daemon(surroundings: &Surroundings) -> Result<String> {
    let (_, contact) = super::runtime()?.block_on(start::find(surroundings.home.root()))?;
    let none = match surroundings.config.daemon.auto_spawn {
        true => "none runs; an editor starts it, and so does `finch daemon start`",
        false => "none runs, and daemon.auto_spawn is false; `finch daemon start` starts it",
    };
    match contact {
        Contact::Daemon(daemon) | Contact::Other(daemon) => Ok(format!(
            "finch {} at {}, process {}, protocol {}",
            daemon.health.version, daemon.endpoint.url, daemon.endpoint.pid, daemon.health.protocol
        )),
        Contact::None => Ok(none.to_owned()),
        Contact::Stranger { address } => Ok(format!("{none}; whoever listens at {address} is another program")),
        Contact::Silent { address } => Err(anyhow!(
            "whoever listens at {address} does not answer; if that is a daemon that is held up, `finch daemon stop` says \
             which process it is"
        )),
    }
}

/// What holds the agent's commands. Where nothing does, each is asked about, which is no failure.
fn commands(surroundings: &Surroundings) -> Vec<Finding> {
    let tried = || -> Result<String> {
        let sandbox = confinement::sandbox()?;
        Ok(confinement::said(super::runtime()?.block_on(sandbox.availability())))
    };
    let refused = confinement::grants(&surroundings.config.agent, surroundings.home.root()).1;
    let refused = refused.into_iter().map(|refused| Finding::of("agent", Err(anyhow!(refused))));
    std::iter::once(Finding::of("sandbox", tried())).chain(refused).collect()
}

/// finch must be able to write in its own folder.
fn home(surroundings: &Surroundings) -> Result<String> {
    let root = surroundings.home.root();
    std::fs::create_dir_all(root)?;
    let probe = tempfile::NamedTempFile::new_in(root)?;
    probe.close()?;
    Ok(root.display().to_string())
}

fn configuration(surroundings: &Surroundings) -> Result<String> {
    let path = &surroundings.config_path;
    Ok(match path.is_file() {
        true => path.display().to_string(),
        false => format!("{}: not there; the defaults are used", path.display()),
    })
}

/// The project's file of this folder, and each provider that is not the local model: who it is, where its key comes from,
/// and whether it may be asked here and now. Opens no connection, and runs no command.
fn providers(surroundings: &mut Surroundings) -> Result<Vec<Finding>> {
    let workspace = workspace_of(&std::env::current_dir().context("this folder cannot be read")?);
    let settled = projects::settle(&surroundings.config, &workspace, &surroundings.trust());
    let mut findings: Vec<Finding> =
        settled.file.said().map(|said| Finding::of("project", Ok(said))).into_iter().collect();
    findings.extend(settled.complaints.into_iter().map(|complaint| Finding::of("project", Err(anyhow!(complaint)))));
    surroundings.config = settled.config;
    let router = &surroundings.config.router;
    let consent = router.consent.everywhere().unwrap_or_else(|| surroundings.trust().consent(&workspace));
    for provider in &surroundings.config.providers {
        let Provider::Cloud(cloud) = provider else { continue };
        findings.push(Finding::of(format!("provider {}", cloud.name), self::provider(cloud, router, consent)));
    }
    Ok(findings)
}

fn provider(cloud: &CloudConfig, router: &RouterConfig, consent: Consent) -> Result<String> {
    let source = clouds::source(cloud, surroundings::variable).map_err(|why| anyhow!("{}: {why}", cloud.label))?;
    let kind = services::row(cloud.service).map_or("", |row| row.word);
    let (host, leave) = (cloud.endpoint.host(), leave(cloud, router, consent));
    Ok(format!("{kind}, model {}, at {host}, {source}; {leave}", cloud.model))
}

/// Whether it may be asked for text of this folder.
fn leave(cloud: &CloudConfig, router: &RouterConfig, consent: Consent) -> String {
    if cloud.endpoint.is_loopback() {
        return "may be asked: it is on this machine".to_owned();
    }
    let rules = if router.rules.is_empty() { "" } else { ", where no rule of router.rules says otherwise" };
    let said = match (Policy::from(router.policy), consent) {
        (Policy::LocalOnly, _) => "is not asked: the policy is local-only",
        (_, Consent::Given) => "may be asked: you agreed that text of this folder may go to a cloud",
        (_, Consent::Refused) => "is not asked: you refused that text of this folder goes to a cloud",
        (_, Consent::Unknown) => "is not asked yet: agree in the editor, or with `finch consent give`",
    };
    format!("{said}{rules}")
}

fn runtime(surroundings: &Surroundings) -> Result<String> {
    let library = finch_engine::runtime::find(surroundings.home.root())?;
    finch_engine::Runtime::load(&library)?;
    Ok(library.path().display().to_string())
}

/// Where models compute. A device that the user wants and does not get is said, and is no failure: the next one computes.
fn devices(surroundings: &Surroundings) -> Result<String> {
    let placement = machine::placement(&local::runtime(surroundings)?, &local::options(surroundings))?;
    let said = std::iter::once(placement.to_string()).chain(placement.complaints());
    Ok(said.collect::<Vec<_>>().join("; "))
}

fn model(surroundings: &Surroundings) -> Result<String> {
    let folder = local::wanted_model(surroundings)?;
    let manifest = Manifest::read(&folder)?;
    Ok(format!("{} ({:?}, {} MB)", manifest.id, manifest.quant, manifest.bytes() / 1_000_000))
}

/// The proof of it all: the model loads and generates.
fn completion(surroundings: &Surroundings) -> Result<String> {
    let folder = local::wanted_model(surroundings)?;
    let runtime = local::runtime(surroundings)?;
    trial::admit(surroundings, &folder)?;
    let report = finch_engine::probe::probe(&runtime, &folder, local::options(surroundings))?;
    let (read, written) =
        (report.measured.prefill_tokens_per_s.unwrap_or_default(), report.measured.decode_tokens_per_s);
    Ok(format!("{read:.0} tokens/s read, {written:.0} tokens/s written"))
}
