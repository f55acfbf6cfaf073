//! `finch daemon`: runs, starts, stops and shows the one process that holds the model.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_http::contact::{Contact, Proven};
use serde_json::{Value, json};

use super::print;
use crate::Exit;
use crate::cli::{self, Global};
use crate::daemon::run::Says;
use crate::daemon::start::{Came, Starter};
use crate::daemon::stop::{Stopped, UnderWay};
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
        Stopped::Ended { url } => print(&format!("stopped: {url}\n"))?,
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

/// The same for people: a line for each thing that it tells, in its order.
fn shown(daemon: &Proven, status: &Value) -> String {
    let mut text =
        format!("finch {} at {}, process {}\n", daemon.health.version, daemon.endpoint.url, daemon.endpoint.pid);
    lines(&mut text, "", status);
    text.chars().map(|character| if character == '\n' { '\n' } else { super::visible(character) }).collect()
}

fn lines(text: &mut String, name: &str, value: &Value) {
    let under = |inner: &str| if name.is_empty() { inner.to_owned() } else { format!("{name} {inner}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| lines(text, &under(key), value)),
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.for_each(|(index, value)| lines(text, &under(&(index + 1).to_string()), value));
        }
        Value::Null => {}
        Value::String(word) => line(text, name, word),
        Value::Bool(_) | Value::Number(_) => line(text, name, &value.to_string()),
    }
}

fn line(text: &mut String, name: &str, said: &str) {
    writeln!(text, "{}: {said}", name.replace('_', " ")).unwrap_or_else(|_| unreachable!("a String takes all"));
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
