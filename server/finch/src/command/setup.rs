//! `finch setup`, and the set-up that a first command does by itself.

use std::cell::LazyCell;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use finch_engine::estimate::Sizes;
use finch_model::catalogue::{Catalogue, Entry};
use finch_model::manifest::{Manifest, ModelId};

use super::print;
use crate::Exit;
use crate::choice::{Cost, Here};
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
    // A second of measuring, once, and only if somebody wants to know.
    let here = LazyCell::new(|| Here::measure(surroundings));
    let proposed = match &surroundings.config.engine.model {
        Some(id) if installed.iter().any(|model| model.as_str() == id) => id.clone(),
        _ => wanted(surroundings, &catalogue, || *here)?.id.as_str().to_owned(),
    };
    let plan = match arguments.yes || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        true => Plan { model: proposed, clouds: Clouds::None },
        false => match ask(surroundings, models(surroundings, &catalogue, &installed, &here), &proposed, &interrupt)? {
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
    print(&setup::editors(&surroundings::programs(&setup::EDITOR_PROGRAMS)))?;
    Ok(Exit::Done)
}

/// Asks for the model and the clouds; `None` when the user breaks off.
fn ask(surroundings: &Surroundings, models: Vec<Model>, proposed: &str, interrupt: &Interrupt) -> Result<Option<Plan>> {
    let existing = Existing::of(&setup::read(&surroundings.config_path)?);
    let place = models.iter().position(|model| model.id == proposed).unwrap_or(0);
    let names = SERVICES.iter().flat_map(|row| row.key_variables);
    let variables = surroundings::set_variables(names.copied());
    let file = surroundings.config_path.display().to_string();
    let checker = Checker { config_path: &surroundings.config_path, interrupt };
    setup::converse(Wizard::new(models, place, &existing, &variables, file), &checker)
}

/// The models of the catalogue, and those that are installed beside them.
fn models(surroundings: &Surroundings, catalogue: &Catalogue, installed: &[ModelId], here: &Here) -> Vec<Model> {
    let of_catalogue = catalogue.models().iter().map(|entry| {
        let state = match installed.contains(&entry.id) {
            true => "installed".to_owned(),
            false => format!("{} MB to fetch", entry.file.bytes / 1_000_000),
        };
        let cost = installed_cost(surroundings, &entry.id, here).or_else(|| here.cost_of(entry));
        choice(entry.id.as_str(), &entry.name, &format!("{}, {state}", entry.licence), cost)
    });
    let of_user = installed
        .iter()
        .filter(|id| catalogue.find(id).is_none())
        .map(|id| choice(id.as_str(), id.as_str(), "installed", installed_cost(surroundings, id, here)));
    of_catalogue.chain(of_user).collect()
}

/// What a model costs here that is installed and can be read.
fn installed_cost(surroundings: &Surroundings, id: &ModelId, here: &Here) -> Option<Cost> {
    let folder = surroundings.home.model(id);
    let manifest = Manifest::read(&folder).ok()?;
    Some(here.cost(&Sizes::read(&folder, &manifest).ok()?))
}

/// A model as it is offered. What is against it stands in the label, which is always shown.
fn choice(id: &str, name: &str, facts: &str, cost: Option<Cost>) -> Model {
    let objection = cost.and_then(|cost| cost.objection());
    Model {
        id: id.to_owned(),
        label: objection.map_or_else(|| name.to_owned(), |objection| format!("{name} ({objection})")),
        hint: cost.map_or_else(|| facts.to_owned(), |cost| format!("{facts}, {}", cost.pace())),
    }
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
            let entry = wanted(surroundings, &catalogue, || Here::measure(surroundings))?;
            install::model(surroundings, entry, entry.quant, FetchedSource::Delete, &Interrupt::never())
        }
    }
}

/// The model of the configuration, or the one that suits this machine.
fn wanted<'a>(surroundings: &Surroundings, catalogue: &'a Catalogue, here: impl FnOnce() -> Here) -> Result<&'a Entry> {
    if let Some(id) = &surroundings.config.engine.model {
        return find(catalogue, id);
    }
    let suited = here().suited(catalogue).context("the catalogue has no models")?;
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

#[cfg(test)]
mod tests {
    use finch_engine::estimate::Speed;

    use super::{Cost, Model, choice};

    #[track_caller]
    fn check(fits: Option<bool>, decode_tokens_per_s: f64, label: &str, hint: &str) {
        let expected = Speed { prefill_tokens_per_s: Some(640.0), decode_tokens_per_s };
        let cost = Cost { memory_bytes: 1, fits, expected };
        let expected = Model { id: "m".to_owned(), label: label.to_owned(), hint: hint.to_owned() };
        assert_eq!(choice("m", "Model", "MIT, 9 MB to fetch", Some(cost)), expected);
    }

    #[test]
    fn what_is_against_a_model_stands_in_its_label() {
        let fast = "MIT, 9 MB to fetch, about 40 tokens/s, ghost text in 0.5 s";
        check(Some(true), 40.0, "Model", fast);
        check(None, 40.0, "Model", fast);
        check(Some(false), 40.0, "Model (does not fit now)", fast);
        check(Some(true), 2.0, "Model (slow here)", "MIT, 9 MB to fetch, about 2.0 tokens/s, ghost text in 8.1 s");
        let unknown = choice("m", "Model", "installed", None);
        assert_eq!((unknown.label.as_str(), unknown.hint.as_str()), ("Model", "installed"));
    }
}
