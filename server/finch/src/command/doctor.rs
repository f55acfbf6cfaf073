//! `finch doctor`: what works, what does not, and what to do about it.

use anyhow::Result;
use finch_engine::machine;
use finch_model::Manifest;
use serde::Serialize;

use super::print;
use crate::Exit;
use crate::cli::Json;
use crate::local;
use crate::surroundings::Surroundings;
use crate::trial;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    good: bool,
    /// What was found, or what is wrong and what to do.
    said: String,
}

impl Finding {
    fn of(what: &'static str, found: Result<String>) -> Self {
        match found {
            Ok(said) => Self { what, good: true, said },
            Err(error) => Self { what, good: false, said: format!("{error:#}") },
        }
    }
}

pub(super) fn run(surroundings: &Surroundings, arguments: &Json) -> Result<Exit> {
    let findings = [
        Finding::of("home", home(surroundings)),
        Finding::of("configuration", configuration(surroundings)),
        Finding::of("ONNX Runtime", runtime(surroundings)),
        Finding::of("devices", devices(surroundings)),
        Finding::of("model", model(surroundings)),
        Finding::of("completion", completion(surroundings)),
    ];
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
