//! The sandbox around the agent's commands: this binary is its own keeper, and the configuration says what commands have
//! beside the workspace.

use std::path::Path;

use anyhow::Result;
use finch_agent::sandbox::{Availability, Grants, Refused, Sandbox, Wishes};

use crate::config::AgentConfig;
use crate::surroundings;

/// The first argument by which this binary is a keeper. Looked for before anything else is done.
pub(crate) const SUBCOMMAND: &str = "sandbox";

/// The sandbox of this machine.
pub(crate) fn sandbox() -> Result<Sandbox> {
    Ok(Sandbox::new(vec![surroundings::own_binary()?.into(), SUBCOMMAND.into()]))
}

/// What commands have beside the workspace, and what of the configuration they are not given.
pub(crate) fn grants(config: &AgentConfig, finch_home: &Path) -> (Grants, Vec<Refused>) {
    Grants::of(&Wishes {
        caches: config.caches.clone(),
        readable: config.readable.clone(),
        environment: config.environment.clone(),
        user_home: std::env::home_dir(),
        finch_home: finch_home.to_owned(),
        programs: surroundings::program_folders(),
    })
}

/// What the sandbox can do, in words.
pub(crate) fn said(availability: &Availability) -> String {
    match availability {
        Availability::Whole => "whole: a command writes in the workspace, its temporary folder and the listed caches, \
                                reads no home, and has the network only where you permit it"
            .to_owned(),
        Availability::ByEntry => {
            "without namespaces: as a whole one, but a command makes no new files directly in the \
                                  workspace's own folder, and sees no edits that you have not accepted"
                .to_owned()
        }
        Availability::Unavailable { reason } => {
            format!("there is none, so you are asked about every command, each time ({reason})")
        }
    }
}
