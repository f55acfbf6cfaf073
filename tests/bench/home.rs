//! Where the figures find models and the ONNX Runtime library: FINCH_HOME, filled by `finch setup` or `finch model`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use finch_engine::{Engine, EngineOptions, Runtime};

pub(crate) fn home() -> Result<PathBuf> {
    let path = std::env::var_os("FINCH_HOME").map(PathBuf::from);
    path.or_else(|| Some(std::env::home_dir()?.join(".finch"))).context("set FINCH_HOME")
}

pub(crate) fn model(id: &str) -> Result<PathBuf> {
    let folder = home()?.join("models").join(id);
    ensure!(folder.is_dir(), "{id} is not installed: run `finch model pull {id}`");
    Ok(folder)
}

pub(crate) fn engine(id: &str, options: EngineOptions) -> Result<Engine> {
    let runtime = Runtime::load(&finch_engine::runtime::find(&home()?)?)?;
    Ok(Engine::load(&runtime, &model(id)?, options)?)
}

/// The GGUF file that a model was made from, for the peer to read.
pub(crate) fn source(id: &str) -> Result<PathBuf> {
    let manifest = finch_model::Manifest::read(&model(id)?)?;
    let path = home()?.join("models/.downloads").join(&manifest.source.file);
    ensure!(path.is_file(), "{} is gone: run `finch model pull {id}` again", path.display());
    Ok(path)
}
