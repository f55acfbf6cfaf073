//! What quantisation costs: perplexity of every build the catalogue offers, and its divergence from the source weights.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use finch_engine::kl::{self, KlReport};
use finch_engine::{Runtime, runtime};
use finch_model::catalogue::{Catalogue, Entry};
use finch_model::import::{ImportRequest, Reference, import};
use finch_model::manifest::Quant;

use crate::home;

pub(crate) fn print(id: &str) -> Result<()> {
    let catalogue = Catalogue::builtin();
    let entry =
        catalogue.models().iter().find(|entry| entry.id.as_str() == id).context("the catalogue has no such model")?;
    let source = home::home()?.join("models/.downloads").join(&entry.file.name);
    let folder = tempfile::tempdir_in(home::home()?)?;
    let build = |name: &str, request: ImportRequest| -> Result<PathBuf> {
        let home_models = folder.path().join(name);
        std::fs::create_dir_all(&home_models)?;
        Ok(import(ImportRequest { home_models, ..request }, &mut |_, _| ControlFlow::Continue(()))?)
    };
    let plain = |quant| ImportRequest::new(source.clone(), entry.id.clone(), PathBuf::new(), quant);
    let reference = build("source", plain(Quant::Fp32))?;
    let runtime = Runtime::load(&runtime::find(&home::home()?)?)?;
    let judge = |candidate: &Path| kl::measure(&runtime, &reference, candidate, kl::CORPUS);
    println!("builds of {id} from {}:", entry.file.name);
    for quant in [Quant::Int8, Quant::Int4] {
        let built = build(quant.as_str(), offered(entry, plain(quant)))?;
        row(quant.as_str(), &judge(&built)?);
    }
    let rounded = ImportRequest { reference: Reference::PlainFourBit, ..plain(Quant::Fp32) };
    row("Q4_0 of the same", &judge(&build("q4_0", rounded)?)?);
    Ok(())
}

/// The build as `finch model pull` makes it.
fn offered(entry: &Entry, request: ImportRequest) -> ImportRequest {
    ImportRequest { head: entry.head.get(&request.quant).copied(), ..request }
}

fn row(name: &str, report: &KlReport) {
    println!(
        "  {name:<16} divergence {:.4}, perplexity {:.3} (source {:.3}), the same likeliest token {:.1} %, {} tokens",
        report.mean_kl,
        report.perplexity,
        report.reference_perplexity,
        report.top1_agreement * 100.0,
        report.tokens
    );
}
