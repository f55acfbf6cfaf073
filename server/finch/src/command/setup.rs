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
use crate::services::SERVICES;
use crate::setup::{self, Checker, Clouds, Existing, Model, Naming, Plan, Wizard};
use crate::surroundings::{self, Surroundings};

pub(super) fn run(surroundings: &Surroundings, arguments: &cli::Setup) -> Result<Exit> {
    let catalogue = Catalogue::builtin();
    // How fast prompts are read is measured with the library.
    let interrupt = Interrupt::listen()?;
    install::runtime(surroundings, &interrupt)?;
    let installed = local::installed(&surroundings.home);
    let proposed = match &surroundings.config.engine.model {
        Some(id) if installed.iter().any(|model| model.as_str() == id) => id.clone(),
        _ => wanted(surroundings, &catalogue)?.id.as_str().to_owned(),
    };
    let plan = match arguments.yes || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        true => Plan { model: proposed, clouds: Clouds::None },
        false => match ask(surroundings, &catalogue, &installed, &proposed, &interrupt)? {
            Some(plan) => plan,
            None => return Ok(Exit::NothingToOffer),
        },
    };
    let id: ModelId = plan.model.parse()?;
    if !installed.contains(&id) {
        let entry = find(&catalogue, &plan.model)?;
        install::model(surroundings, entry, entry.quant, FetchedSource::Delete, &interrupt)?;
    }
    let configured = surroundings.config.engine.model.as_deref().unwrap_or(catalogue.default_id().as_str());
    let naming = if configured == plan.model { Naming::Understood } else { Naming::Named };
    setup::save(&surroundings.config_path, &plan, naming)?;
    print(&format!("ready: {id} in {}\n", surroundings.home.model(&id).display()))?;
    print("try `finch complete FILE:LINE:COL`, or start your editor; `finch doctor` checks everything\n")?;
    Ok(Exit::Done)
}

/// Asks for the model and the clouds; `None` when the user breaks off.
fn ask(
    surroundings: &Surroundings,
    catalogue: &Catalogue,
    installed: &[ModelId],
    proposed: &str,
    interrupt: &Interrupt,
) -> Result<Option<Plan>> {
    let existing = Existing::of(&setup::read(&surroundings.config_path)?);
    let models = models(catalogue, installed);
    let place = models.iter().position(|model| model.id == proposed).unwrap_or(0);
    let names = SERVICES.iter().flat_map(|row| row.key_variables);
    let variables = surroundings::set_variables(names.copied());
    let file = surroundings.config_path.display().to_string();
    let checker = Checker { config_path: &surroundings.config_path, interrupt };
    setup::converse(Wizard::new(models, place, &existing, &variables, file), &checker)
}

/// The models of the catalogue, and those that are installed beside them.
fn models(catalogue: &Catalogue, installed: &[ModelId]) -> Vec<Model> {
    let here = |id: &ModelId| installed.contains(id);
    let of_catalogue = catalogue.models().iter().map(|entry| Model {
        id: entry.id.as_str().to_owned(),
        label: entry.name.clone(),
        hint: match here(&entry.id) {
            true => format!("{}, installed", entry.licence),
            false => format!("{}, {} MB to fetch", entry.licence, entry.file.bytes / 1_000_000),
        },
    });
    let of_user = installed.iter().filter(|id| catalogue.find(id).is_none()).map(|id| Model {
        id: id.as_str().to_owned(),
        label: id.as_str().to_owned(),
        hint: "installed".to_owned(),
    });
    of_catalogue.chain(of_user).collect()
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
