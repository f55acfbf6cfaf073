//! A daemon that is killed again and again, while it answers and takes feedback, under an editor that goes on typing: how
//! soon the editor is answered again, and whether feedback that was acknowledged is there in the end.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use finch_http::endpoint::{Endpoint, Token};
use serde_json::json;

use super::home::{Home, exchange};
use super::median;
use crate::editor::{self, Server};
use crate::feedback::{self, Acknowledged};

const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// Who says something of what was suggested, without end.
const CRITICS: usize = 2;
/// Between two words of one of them.
const CRITIC_PAUSE: Duration = Duration::from_millis(10);
/// What somebody else asks for meanwhile, again and again.
const TALK: &str = r#"{"prompt": "def add(a, b):\n", "max_tokens": 64, "stream": true}"#;

pub(crate) fn print(id: &str, kills: usize) -> Result<()> {
    if kills == 0 {
        return Ok(());
    }
    let home = Home::of_model(id)?;
    let mut server = Server::start_with_daemon(home.path())?;
    server.initialize()?;
    server.wait_until_ready()?;
    let (acknowledged, over) = (Acknowledged::default(), AtomicBool::new(false));
    let times = std::thread::scope(|scope| {
        load(scope, &home, &over, &acknowledged);
        let times = (0..kills).map(|round| kill(&home, &mut server, round)).collect::<Result<Vec<_>>>();
        over.store(true, Ordering::Relaxed);
        times
    });
    let mut times = times?;
    drop(server);
    let slowest = times.iter().max().copied().unwrap_or_default();
    println!(
        "daemon killed {kills} times while it worked: an editor's answer again after {:.0?}, slowest {slowest:.0?} (goal 3 s)",
        median(&mut times)
    );
    let kept = acknowledged.kept_in(home.path())?;
    println!("  {kept} (goal 0 lost)");
    ensure!(kept.acknowledged() >= kills, "only {} records were acknowledged under {kills} kills", kept.acknowledged());
    ensure!(kept.lost() == 0, "{kept}");
    Ok(())
}

/// Kills the daemon and says how long the editor was without an answer.
fn kill(home: &Home, server: &mut Server, round: usize) -> Result<Duration> {
    let pid = home.daemon_pid().context("the editor has no daemon")?;
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status()?;
    ensure!(killed.success(), "the daemon {pid} was gone before it was killed");
    let started = Instant::now();
    while !is_answered(server, round)? {
        ensure!(started.elapsed() < RECOVERY_MAX, "no answer {RECOVERY_MAX:?} after the daemon was killed");
    }
    Ok(started.elapsed())
}

/// Types on and asks: whether the model has answered, be it that it has nothing to add.
fn is_answered(server: &mut Server, round: usize) -> Result<bool> {
    server.complete_in(&format!("kill-{round}.py"), &editor::python(60 + round), 30)?;
    let explained = server.request("finch/explainLast", &json!({}))?;
    Ok(explained["generated_tokens"].as_u64() > Some(0))
}

/// What the daemon has to do meanwhile, whichever daemon there is.
fn load<'scope>(
    scope: &'scope Scope<'scope, '_>,
    home: &'scope Home,
    over: &'scope AtomicBool,
    acknowledged: &'scope Acknowledged,
) {
    for critic in 0..CRITICS {
        scope.spawn(move || {
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let note = format!("critic {critic}, word {number}");
                let body = feedback::body(&note);
                if ask(home, "POST /v1/feedback", &body).is_some_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
                    acknowledged.add(note);
                }
                std::thread::sleep(CRITIC_PAUSE);
            }
        });
    }
    scope.spawn(move || {
        while !over.load(Ordering::Relaxed) {
            // The daemon dies under most of these answers.
            drop(ask(home, "POST /v1/completions", TALK));
            std::thread::sleep(CRITIC_PAUSE);
        }
    });
}

/// The whole answer of the daemon that is there now, if there is one and it lives long enough.
fn ask(home: &Home, what: &str, body: &str) -> Option<String> {
    let address = Endpoint::read(home.path()).ok()??.address()?;
    let token = Token::read_or_make(home.path()).ok()?;
    exchange(address, what, Some(&token), body).ok()
}
