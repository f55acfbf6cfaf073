//! `finch daemon`: runs, starts, stops and shows the one process that holds the model.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_http::contact::{Contact, Proven, UnderWay};
use finch_http::wire::{LaneLoadWire, LanesWire, StateWire, Status};
use serde_json::{Value, json};

use super::print;
use crate::Exit;
use crate::cli::{self, Global};
use crate::daemon::run::Says;
use crate::daemon::start::{Came, Starter};
use crate::daemon::stop::Stopped;
use crate::daemon::unit::System;
use crate::daemon::{run, start, stop, unit};
use crate::progress::say;
use crate::surroundings::{self, Surroundings};

pub(super) fn run(global: &Global, command: &cli::Daemon) -> Result<Exit> {
    match command {
        cli::Daemon::Run { detached: true, .. } => start::detach(global),
        cli::Daemon::Run { log_file: true, .. } => run::run(global, Says::ToFile),
        cli::Daemon::Run { .. } => run::run(global, Says::Here),
        cli::Daemon::Start => start(&Surroundings::read(global)?),
        cli::Daemon::Stop { now } => stop(if *now { UnderWay::Cut } else { UnderWay::Finish }),
        cli::Daemon::Status(arguments) => status(arguments),
        cli::Daemon::Install(arguments) => install(arguments),
    }
}

fn start(surroundings: &Surroundings) -> Result<Exit> {
    let starter = Starter::new(surroundings)?;
    let (daemon, came) = super::runtime()?.block_on(starter.ensure_running())?;
    let Proven { endpoint, health, .. } = &*daemon;
    let what = match came {
        Came::Started => "started",
        Came::ItRan => "runs already",
    };
    print(&format!("{what}: finch {} at {}, process {}\n", health.version, endpoint.url, endpoint.pid))?;
    Ok(Exit::Done)
}

fn stop(under_way: UnderWay) -> Result<Exit> {
    match super::runtime()?.block_on(stop::stop(&surroundings::home()?, under_way))? {
        Stopped::Ended { url, editors } => {
            print(&format!("stopped: {url}\n"))?;
            match editors {
                0 => {}
                1 => say("1 editor is open and starts it again, unless daemon.auto_spawn was false when it began"),
                _ => say(&format!(
                    "{editors} editors are open and start it again, unless daemon.auto_spawn was false when they began"
                )),
            }
        }
        Stopped::NoneRan => print("no daemon runs\n")?,
    }
    Ok(Exit::Done)
}

fn status(arguments: &cli::Json) -> Result<Exit> {
    let home = surroundings::home()?;
    let found = super::runtime()?.block_on(async {
        let (dialler, contact) = start::find(&home).await?;
        anyhow::Ok(match contact {
            Contact::Daemon(daemon) | Contact::Other(daemon) => {
                let status = dialler.status(&daemon).await?;
                Ok((daemon, status))
            }
            Contact::None if start::is_held(&home)? => Err(start::BEGINS_OR_ENDS.to_owned()),
            Contact::None => Err("no daemon runs".to_owned()),
            Contact::Stranger { address } => {
                Err(format!("no daemon runs: whoever listens at {address} is not the one that its file tells of"))
            }
            Contact::Silent { address } => {
                Err(format!("whoever listens at {address} does not answer; a daemon that is held up?"))
            }
        })
    })?;
    match found {
        Ok((daemon, status)) => {
            print(&if arguments.json { report(&daemon, status)? } else { shown(&daemon, &status) })?;
            Ok(Exit::Done)
        }
        Err(why) => {
            say(&why);
            Ok(Exit::NothingToOffer)
        }
    }
}

/// What the daemon says, with where it is.
fn report(daemon: &Proven, mut status: Value) -> Result<String> {
    if let Some(members) = status.as_object_mut() {
        members.insert("url".to_owned(), json!(daemon.endpoint.url));
        members.insert("pid".to_owned(), json!(daemon.endpoint.pid));
        members.insert("version".to_owned(), json!(daemon.health.version));
        members.insert("protocol".to_owned(), json!(daemon.health.protocol));
    }
    Ok(format!("{status:#}\n"))
}

/// The same for people. Of a daemon of another version, whatever it says.
fn shown(daemon: &Proven, status: &Value) -> String {
    let told = match serde_json::from_value::<Status>(status.clone()) {
        Ok(status) => told(&status),
        Err(_) => format!("{status:#}"),
    };
    let Proven { endpoint, health, .. } = daemon;
    let text = format!("finch {} at {}, process {}\n{told}\n", health.version, endpoint.url, endpoint.pid);
    text.chars().map(|character| if character == '\n' { '\n' } else { super::visible(character) }).collect()
}

fn told(status: &Status) -> String {
    let Status { state, models, clients, requests, lanes, tokens, tokens_per_second, memory, .. } = status;
    let none_or = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let memory = memory.resident_bytes.map_or("unknown".to_owned(), |bytes| format!("{} MB", bytes / 1_000_000));
    let mut lines = vec![
        format!("local model: {}", of_state(state)),
        format!("models: {}", none_or(models)),
        format!("clients: {}", none_or(clients)),
        format!(
            "requests: {} under way, {} in all, {} refused, {} failed",
            requests.running, requests.total, requests.refused, requests.failed
        ),
    ];
    lines.extend(lanes.as_ref().map(of_lanes));
    lines.extend([
        format!("tokens: {} read, {} more from the cache, {} written", tokens.prompt, tokens.cached, tokens.generated),
        format!("speed: {tokens_per_second:.1} tokens/s over the last minute"),
        format!("memory: {memory}"),
        format!("up: {} s", status.uptime_s),
    ]);
    lines.join("\n")
}

fn of_lanes(lanes: &LanesWire) -> String {
    let lane = |name, LaneLoadWire { running, waiting }| format!("{name} {running} running, {waiting} waiting");
    let LanesWire { interactive, batch, warm } = *lanes;
    format!("lanes: {}; {}; {}", lane("interactive", interactive), lane("batch", batch), lane("warm", warm))
}

fn of_state(state: &StateWire) -> String {
    match state {
        StateWire::Absent { next } => format!("none; {next}"),
        StateWire::Starting => "starting".to_owned(),
        StateWire::Downloading { file, bytes_done, bytes_total } => match bytes_total {
            Some(total) => format!("fetching {file}: {} of {} MB", bytes_done / 1_000_000, total / 1_000_000),
            None => format!("fetching {file}: {} MB", bytes_done / 1_000_000),
        },
        StateWire::Importing { bytes_done, bytes_total } => {
            format!("building: {} of {} MB", bytes_done / 1_000_000, bytes_total / 1_000_000)
        }
        StateWire::Loading { model } => format!("{model}, loading"),
        StateWire::Ready { model } => format!("{model}, ready"),
        StateWire::Failed { error, next } => format!("failed: {error}; {next}"),
    }
}

fn install(arguments: &cli::Install) -> Result<Exit> {
    let system = match (arguments.systemd, arguments.launchd) {
        (true, _) => System::Systemd,
        (_, true) => System::Launchd,
        _ if cfg!(target_os = "macos") => System::Launchd,
        _ => System::Systemd,
    };
    let unit = unit::unit(system, &binary()?, &surroundings::home()?)?;
    if !arguments.print {
        let (path, then) = match system {
            System::Systemd => ("~/.config/systemd/user/finch.service", "systemctl --user enable --now finch"),
            System::Launchd => (
                "~/Library/LaunchAgents/finch.daemon.plist",
                "launchctl bootstrap gui/$UID ~/Library/LaunchAgents/finch.daemon.plist",
            ),
        };
        bail!(
            "finch puts nothing into the folders of your system; print the file and put it there yourself: \
             `finch daemon install --print > {path}`, then `{then}`"
        );
    }
    print(&unit)?;
    Ok(Exit::Done)
}

/// The path of this binary as it is called from elsewhere.
fn binary() -> Result<PathBuf> {
    let binary = std::env::current_exe().context("finding the finch binary")?;
    if !Path::is_file(&binary) {
        bail!("{} is not there any more; was finch updated meanwhile?", binary.display());
    }
    Ok(binary)
}
