//! What the daemon costs and what it saves: its door beside the engine in the process, an editor through it beside one of
//! its own, the memory of several editors, how soon it is there, and how soon again after it was killed.

mod door;
mod editors;
pub(crate) mod flood;
pub(crate) mod home;
pub(crate) mod kills;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use home::Home;

const STARTS: usize = 20;
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(crate) fn print(id: &str, kills: usize) -> Result<()> {
    starts()?;
    door::print(id)?;
    editors::print(id)?;
    load::print(id)?;
    flood::print(id)?;
    kills::print(id, kills)
}

/// From the start of the process to the first answer of its door; the model loads behind it.
fn starts() -> Result<()> {
    let home = Home::empty()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let daemon = home.daemon()?;
        times.push(started.elapsed());
        drop(daemon);
    }
    times.sort();
    println!(
        "daemon answers after its start: median {:.1?}, slowest of {STARTS} {:.1?} (goal 100 ms)",
        times[STARTS / 2],
        times[STARTS - 1]
    );
    Ok(())
}

/// Asks again and again until it holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    while !holds() {
        ensure!(started.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn median<T: Copy + PartialOrd>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() / 2]
}
