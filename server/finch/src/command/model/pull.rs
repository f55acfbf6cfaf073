//! `finch model pull`: a model of the catalogue, or any of a hub, from its files to the installed model.
//!
//! A model of the catalogue is known to the byte and was measured when it was listed. One of a hub is imported like a file
//! of the user's own, and refused for the same reasons; what was fetched stays until it is installed.

use anyhow::{Result, bail};
use finch_model::catalogue::Catalogue;
use finch_model::fetch::HubReference;
use finch_model::import::ImportRequest;
use finch_model::manifest::Quant;

use super::{add, demand, id_of, parse_quant};
use crate::Exit;
use crate::cli;
use crate::command::{print, setup};
use crate::install::{self, FetchedSource};
use crate::interrupt::Interrupt;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: &Surroundings, arguments: &cli::Pull) -> Result<Exit> {
    let source = if arguments.keep_source { FetchedSource::Keep } else { FetchedSource::Delete };
    let quant = arguments.quant.as_deref().map(parse_quant).transpose()?;
    if arguments.model.contains('/') {
        return of_hub(surroundings, arguments, quant, source);
    }
    if arguments.id.is_some() || arguments.force {
        bail!("--id and --force are for models of a hub, such as OWNER/REPO");
    }
    let catalogue = Catalogue::builtin();
    let entry = setup::find(&catalogue, &arguments.model)?;
    let quant = quant.unwrap_or(entry.quant);
    let folder = install::model(surroundings, entry, quant, source, &Interrupt::listen()?)?;
    print(&format!("installed {} in {}\n", entry.id, folder.display()))?;
    Ok(Exit::Done)
}

fn of_hub(
    surroundings: &Surroundings,
    arguments: &cli::Pull,
    quant: Option<Quant>,
    source: FetchedSource,
) -> Result<Exit> {
    let reference: HubReference = arguments.model.parse()?;
    let id = arguments.id.as_deref().map(str::parse).transpose()?;
    let interrupt = Interrupt::listen()?;
    let fetched = install::repository(surroundings, &reference, &interrupt)?;
    let id = id.map_or_else(|| id_of(&fetched.path), Ok)?;
    let quant = quant.unwrap_or(Quant::Int8);
    let mut request = ImportRequest::new(fetched.path, id, surroundings.home.models(), quant);
    request.licence = fetched.licence;
    let exit = add(surroundings, request, demand(arguments.force), &interrupt)?;
    if source == FetchedSource::Delete {
        install::forget(surroundings, &reference)?;
    }
    Ok(exit)
}
