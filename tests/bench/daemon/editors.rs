//! Editors on one daemon: what a suggestion takes beside an editor that has the model to itself, and their memory.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::home::Home;
use super::median;
use crate::editor::{self, Server};

const EDITORS: usize = 5;
const ROUNDS: usize = 15;

pub(super) fn print(id: &str) -> Result<()> {
    let home = Home::of_model(id)?;
    let daemon = home.daemon()?;
    latency(id, &home)?;
    let mut editors = Vec::new();
    for _ in 0..EDITORS {
        let mut server = ready(Server::start_with_daemon(home.path())?)?;
        server.complete_in("memory.py", &editor::python(200), 40)?;
        editors.push(server);
    }
    let each = editors.iter().map(Server::resident_mib).collect::<Result<Vec<_>>>()?;
    let all: u64 = each.iter().sum();
    let daemon = editor::resident_mib(daemon.pid())?;
    println!(
        "memory: daemon {daemon} MiB, {EDITORS} editors {all} MiB more, largest {} (goal 24 each)",
        each.iter().max().context("no editor")?
    );
    Ok(())
}

fn ready(mut server: Server) -> Result<Server> {
    server.initialize()?;
    server.wait_until_ready()?;
    Ok(server)
}

fn latency(id: &str, home: &Home) -> Result<()> {
    let (mut own, mut shared) = (ready(Server::start(Some(id))?)?, ready(Server::start_with_daemon(home.path())?)?);
    let (mut embedded, mut through): (Vec<Duration>, Vec<Duration>) = Default::default();
    for round in 0..ROUNDS {
        let text = editor::python(200 + round);
        for (server, times) in [(&mut own, &mut embedded), (&mut shared, &mut through)] {
            let name = format!("latency-{round}.py");
            server.complete_in(&name, &text, 40 + round * 5)?;
            // The second has the prompt in its cache, as a key has the one before it.
            let started = Instant::now();
            server.complete_in(&name, &text, 40 + round * 5)?;
            times.push(started.elapsed());
        }
    }
    let ms = |times: &mut Vec<Duration>| median(times).as_secs_f64() * 1e3;
    let (embedded, through) = (ms(&mut embedded), ms(&mut through));
    println!(
        "suggestion in an editor, p50: model in the process {embedded:.1} ms, through the daemon {through:.1} ms, added {:.1} ms (goal 5 ms)",
        through - embedded
    );
    Ok(())
}
