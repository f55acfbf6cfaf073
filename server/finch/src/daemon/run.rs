//! The life of a daemon: lock, listener, `endpoint.json`, answers, and an end that lets go of them in turn.
//!
//! Nothing slow stands before the listener, so that who started it finds it at once: the model is loaded and the keys of
//! clouds are got behind it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use finch_http::contact::Contact;
use finch_http::endpoint::{ENDPOINT_FILE, Endpoint, EndpointError, Nonce, TOKEN_FILE, Token};
use finch_http::{Ended, Host, Sessions};
use finch_llm::Provider;
use finch_llm::router::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;

use super::lock::{LIFE, Lock};
use super::log::Log;
use super::models::Shelf;
use super::port;
use super::settings::Settings;
use super::start::{self, BEGINS_OR_ENDS};
use crate::Exit;
use crate::cli::Global;
use crate::clouds::Stop;
use crate::config::watch::Look;
use crate::limits::{DAEMON_LOOK_PAUSE, LOCK_LOOK_PAUSE, LOCK_WAIT};
use crate::local::LocalProvider;
use crate::progress::say;
use crate::routing::Desk;
use crate::surroundings::{self, Surroundings};

/// Where a daemon says what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// On stderr.
    Here,
    /// In its log.
    ToFile,
}

/// Is the daemon of this FINCH_HOME, unless there is one, until it is told to end or nobody was there for long.
pub(crate) fn run(global: &Global, says: Says) -> Result<Exit> {
    let home = surroundings::home()?;
    let Some(lock) = take_lock(&home)? else { return already(&home, says) };
    match says {
        Says::Here => crate::log_to(std::io::stderr, level(global)),
        Says::ToFile => crate::log_to(Log::open(&home)?, level(global)),
    }
    let surroundings = Surroundings::read(global)?;
    let runtime = crate::command::runtime()?;
    let ended = runtime.block_on(live(surroundings, lock));
    // A model that is still being loaded would hold the process back.
    runtime.shutdown_background();
    ended.inspect_err(|error| tracing::error!("{error:#}"))
}

/// The lock is waited for a moment: who looks whether it is free holds it for an instant.
fn take_lock(home: &Path) -> Result<Option<Lock>> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match Lock::take(home, LIFE)? {
            None if Instant::now() < until => std::thread::sleep(DAEMON_LOOK_PAUSE),
            taken_or_late => return Ok(taken_or_late),
        }
    }
}

/// Another daemon serves this FINCH_HOME, and that is as good; but one that nobody can ask may be about to end.
fn already(home: &Path, says: Says) -> Result<Exit> {
    if says == Says::ToFile {
        // Who started this one looks for itself.
        return Ok(Exit::Done);
    }
    let (_, contact) = crate::command::runtime()?.block_on(start::find(home))?;
    Ok(match contact {
        Contact::Daemon(daemon) | Contact::Other(daemon) => {
            let Endpoint { url, pid, .. } = &daemon.endpoint;
            say(&format!("a daemon runs already: {url}, process {pid}"));
            Exit::Done
        }
        Contact::None | Contact::Stranger { .. } => {
            say(&format!("{BEGINS_OR_ENDS}; try again in a moment"));
            Exit::Failed
        }
        Contact::Silent { address } => {
            say(&format!("a daemon runs already, and does not answer at {address}; it ends, or is held up"));
            Exit::Failed
        }
    })
}

fn level(global: &Global) -> LevelFilter {
    if global.verbose > 0 { LevelFilter::DEBUG } else { LevelFilter::INFO }
}

async fn live(surroundings: Surroundings, lock: Lock) -> Result<Exit> {
    let home = surroundings.home.root().to_owned();
    // From here on it can be told to end, and ends in order.
    let mut signals = Signals::listen()?;
    let listener = port::bind(surroundings.config.daemon.port).await?;
    let token = Token::read_or_make(&home)?;
    let place = Place::take(&home, &listener, token.clone())?;
    place.write()?;
    announce(&place.endpoint)?;

    let (host, keeps) = compose(&surroundings, token, place.nonce.clone())?;
    let (told, stop) = watch::channel(0_u32);
    let mut to_stop = stop.clone();
    let stop = async move {
        // When the sender is gone, so is the daemon.
        to_stop.wait_for(|count| *count > 0).await.ok();
    };
    let ended = tokio::select! {
        ended = finch_http::serve(listener, host, stop) => Some(ended),
        () = signals.twice(&told, &lock, &place) => None,
    };
    place.leave();
    keeps.close();
    let (why, exit) = match ended.transpose().context("serving")? {
        Some(Ended::Stopped) => ("ended, as it was told", Exit::Done),
        Some(Ended::Idle) => ("ended: no client was there for long enough", Exit::Done),
        None => ("ended at once, as it was told twice", Exit::Interrupted),
    };
    // Whoever gets the lock next finds the log at its end.
    tracing::info!("{why}");
    drop(lock);
    Ok(exit)
}

/// One line on stdout, for whoever waits until it can be asked; also where nobody reads it.
fn announce(endpoint: &Endpoint) -> Result<()> {
    tracing::info!("finch {} listens at {}, process {}", endpoint.version, endpoint.url, endpoint.pid);
    let line = format!("finch listens at {}\n", endpoint.url);
    match std::io::stdout().write_all(line.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("writing to stdout"),
        _ => Ok(()),
    }
}

/// What stays until the end beside the server.
struct Keeps {
    journal: Option<finch_learn::Journal>,
    /// Ends commands that print keys when it is dropped.
    running: watch::Sender<()>,
    watch: crate::config::watch::Watch,
}

impl Keeps {
    fn close(self) {
        // First the commands that the thread may wait for, then the thread.
        drop(self.running);
        drop(self.watch);
        if let Some(journal) = self.journal {
            journal.close();
        }
    }
}

/// What the server stands on. The model and the keys come later.
fn compose(surroundings: &Surroundings, token: Token, nonce: Nonce) -> Result<(Host, Keeps)> {
    let runtime = tokio::runtime::Handle::current();
    let (config, home) = (surroundings.config_path.clone(), &surroundings.home);
    let look = Look::at(config).beside(home.models()).beside(home.runtime());
    let (desk, journal) = (Desk::new(surroundings), surroundings.journal());
    let (provider, state, loader) = LocalProvider::later();
    let local: Arc<dyn Provider> = Arc::new(provider);
    let router = Router::new(desk.setup(&surroundings.config, Some(&local), Vec::new(), &runtime), runtime.clone());
    let shelf = Shelf::new(Arc::clone(&local), state.clone(), router.clone(), surroundings.home.clone());
    let (running, stop) = watch::channel(());
    let settings = Settings {
        surroundings: surroundings.clone(),
        desk,
        local,
        loader,
        state: state.clone(),
        router,
        runtime,
        shelf: shelf.clone(),
        stop: Stop::With(stop),
    };
    let host = Host {
        models: Arc::new(shelf),
        state,
        token,
        nonce,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        journal: journal.clone(),
        sessions: Some(Sessions::of_home(surroundings.home.root())),
        idle_max: surroundings.config.daemon.idle_max(),
    };
    Ok((host, Keeps { journal, running, watch: settings.follow(look)? }))
}

/// Where this daemon can be found, as it stands in `endpoint.json`.
struct Place {
    endpoint: Endpoint,
    nonce: Nonce,
    token: Token,
    home: PathBuf,
}

impl Place {
    fn take(home: &Path, listener: &TcpListener, token: Token) -> Result<Self> {
        let (nonce, address) = (Nonce::new()?, listener.local_addr().context("reading where it listens")?);
        let endpoint = Endpoint {
            url: format!("http://{address}"),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            nonce: nonce.clone(),
        };
        Ok(Self { endpoint, nonce, token, home: home.to_owned() })
    }

    fn write(&self) -> Result<()> {
        Ok(self.endpoint.write(&self.home)?)
    }

    /// Writes anew what somebody removed: without it nobody finds this daemon, and nobody may take its place.
    fn mend(&self) {
        let is_gone = matches!(Endpoint::read(&self.home), Ok(None) | Err(EndpointError::Broken { .. }));
        let endpoint = if is_gone { self.endpoint.write(&self.home).map(|()| true) } else { Ok(false) };
        for (name, written) in [(ENDPOINT_FILE, endpoint), (TOKEN_FILE, self.token.restore(&self.home))] {
            match written {
                Ok(true) => tracing::warn!("{name} was gone, and is written anew"),
                Ok(false) => {}
                Err(error) => tracing::warn!("{name} is gone: {error}"),
            }
        }
    }

    /// Removes the file, if it is still this daemon's.
    fn leave(&self) {
        match self.endpoint.remove(&self.home) {
            Ok(()) => {}
            Err(error) => tracing::warn!("the next daemon has to do without: {error}"),
        }
    }
}

/// What tells a daemon from outside to end.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    fn listen() -> Result<Self> {
        Ok(Self {})
    }

    /// Waits for one.
    #[cfg(unix)]
    async fn once(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn once(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns at the second signal; the first is told. A lock that is worth nothing any more is like the first.
    async fn twice(&mut self, told: &watch::Sender<u32>, lock: &Lock, place: &Place) {
        loop {
            tokio::select! {
                () = self.once() => {}
                () = lost(lock, place), if *told.borrow() == 0 => {
                    tracing::warn!("the folder of the daemon's files is gone or another one, so this daemon ends");
                }
            }
            told.send_modify(|count| *count += 1);
            if *told.borrow() > 1 {
                return;
            }
            tracing::info!("told to end: what is under way is finished first; once more ends it at once");
        }
    }
}

/// Waits until the lock is not the one any more that others ask for, and looks after the files by which they find it.
async fn lost(lock: &Lock, place: &Place) {
    while lock.stands() {
        place.mend();
        tokio::time::sleep(LOCK_LOOK_PAUSE).await;
    }
}
