//! A daemon that is killed again and again under an editor that goes on typing: how soon it is answered again.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::home::Home;
use super::median;
use crate::editor::{self, Server};

const RECOVERY_MAX: Duration = Duration::from_secs(30);

pub(super) fn print(id: &str, kills: usize) -> Result<()> {
    if kills == 0 {
        return Ok(());
    }
    let home = Home::of_model(id)?;
    let mut server = Server::start_with_daemon(home.path())?;
    server.initialize()?;
    server.wait_until_ready()?;
    let mut times = Vec::new();
    for round in 0..kills {
        let pid = home.daemon_pid().context("the editor has no daemon")?;
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status()?;
        ensure!(killed.success(), "the daemon {pid} was gone before it was killed");
        let started = Instant::now();
        while !is_answered(&mut server, round)? {
            ensure!(started.elapsed() < RECOVERY_MAX, "no answer {RECOVERY_MAX:?} after the daemon was killed");
        }
        times.push(started.elapsed());
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    println!(
        "daemon killed {kills} times under an editor: an answer again after {:.0?}, slowest {slowest:.0?} (goal 3 s)",
        median(&mut times)
    );
    Ok(())
}

/// Types on and asks: whether the model has answered, be it that it has nothing to add.
fn is_answered(server: &mut Server, round: usize) -> Result<bool> {
    server.complete_in(&format!("kill-{round}.py"), &editor::python(60 + round), 30)?;
    let explained = server.request("finch/explainLast", &json!({}))?;
    Ok(explained["generated_tokens"].as_u64() > Some(0))
}
