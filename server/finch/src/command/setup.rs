//! `finch setup`, and the set-up that a first command does by itself.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use finch_model::catalogue::{Catalogue, Entry};
use finch_model::manifest::ModelId;

use super::print;
use crate::Exit;
use crate::choice::Here;
use crate::cli;
use crate::install::{self, FetchedSource};
use crate::interrupt::Interrupt;
use crate::local;
use crate::progress::say;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: &Surroundings, arguments: &cli::Setup) -> Result<Exit> {
    let catalogue = Catalogue::builtin();
    // How fast prompts are read is measured with the library.
    let interrupt = Interrupt::listen()?;
    install::runtime(surroundings, &interrupt)?;
    let wanted = wanted(surroundings, &catalogue)?;
    let entry = match arguments.yes || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        true => wanted,
        false => match choose(&catalogue, wanted)? {
            Some(entry) => entry,
            None => return Ok(Exit::NothingToOffer),
        },
    };
    let folder = surroundings.home.model(&entry.id);
    if !local::installed(&surroundings.home).contains(&entry.id) {
        install::model(surroundings, entry, entry.quant, FetchedSource::Delete, &interrupt)?;
    }
    remember(surroundings, &entry.id, catalogue.default_id())?;
    print(&format!("ready: {} in {}\n", entry.id, folder.display()))?;
    print("try `finch complete FILE:LINE:COL`, or start your editor; `finch doctor` checks everything\n")?;
    Ok(Exit::Done)
}

/// Makes sure that there is a runtime library and the wanted model; says so when something has to be fetched.
pub(super) fn ensure(surroundings: &Surroundings) -> Result<PathBuf> {
    let model = local::wanted_model(surroundings);
    let has_runtime = finch_engine::runtime::find(surroundings.home.root()).is_ok();
    if model.is_err() || !has_runtime {
        say("finch is not set up yet; fetching what it needs (this happens once)");
    }
    // Looking for the library may ask Python, which a command that has everything need not do twice.
    if !has_runtime {
        install::runtime(surroundings, &Interrupt::never())?;
    }
    match model {
        Ok(folder) => Ok(folder),
        Err(_) => {
            let catalogue = Catalogue::builtin();
            let entry = wanted(surroundings, &catalogue)?;
            install::model(surroundings, entry, entry.quant, FetchedSource::Delete, &Interrupt::never())
        }
    }
}

/// The model of the configuration, or the one that suits this machine.
fn wanted<'a>(surroundings: &Surroundings, catalogue: &'a Catalogue) -> Result<&'a Entry> {
    if let Some(id) = &surroundings.config.engine.model {
        return find(catalogue, id);
    }
    let suited = Here::measure(surroundings).suited(catalogue).context("the catalogue has no models")?;
    let default = catalogue.default_id();
    if suited.id != *default {
        say(&format!(
            "{default} would not fit or be too slow here now, so it is {}; see `finch model list`",
            suited.id
        ));
    }
    Ok(suited)
}

/// A model that finch knows where to get.
pub(super) fn find<'a>(catalogue: &'a Catalogue, id: &str) -> Result<&'a Entry> {
    let parsed: ModelId = id.parse()?;
    match catalogue.find(&parsed) {
        Some(entry) => Ok(entry),
        None => bail!(
            "{id} is not in the catalogue; see `finch model list`, pull one of a hub as OWNER/REPO, or import your own with `finch model import`"
        ),
    }
}

/// Asks which model to take; `None` when the user breaks off.
fn choose<'a>(catalogue: &'a Catalogue, proposed: &'a Entry) -> Result<Option<&'a Entry>> {
    cliclack::intro("finch setup")?;
    let mut question = cliclack::select("Which model shall answer?").initial_value(proposed.id.as_str());
    for entry in catalogue.models() {
        let hint = format!("{}, {} MB to fetch", entry.licence, entry.file.bytes / 1_000_000);
        question = question.item(entry.id.as_str(), &entry.name, hint);
    }
    let answer = match question.interact() {
        Ok(id) => id,
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(catalogue.models().iter().find(|entry| entry.id.as_str() == answer))
}

/// Writes the choice into the configuration when it is not the default, and keeps everything else in the file.
fn remember(surroundings: &Surroundings, chosen: &ModelId, default: &ModelId) -> Result<()> {
    let configured = surroundings.config.engine.model.as_deref().unwrap_or(default.as_str());
    if configured == chosen.as_str() {
        return Ok(());
    }
    let path = &surroundings.config_path;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let mut document: toml_edit::DocumentMut = text.parse()?;
    document["engine"].or_insert(toml_edit::table())["model"] = toml_edit::value(chosen.as_str());
    finch_model::home::write_atomic(path, document.to_string().as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
