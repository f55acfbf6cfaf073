//! Connections that say nothing, connections that say it slowly, and many clients at once: what somebody else waits for
//! meanwhile, and what all of them cost the daemon in memory. Fails where somebody is not served or it costs too much.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use finch_http::endpoint::Token;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::home::Home;
use super::load;
use crate::editor::resident_kib;

/// Half of them have shown the token.
const IDLE: usize = 1_000;
const SLOW: usize = 500;
const ACTIVE: usize = 200;
/// Less than what a connection that has not shown the token may be silent, so that all of them are there throughout.
const LASTS: Duration = Duration::from_secs(6);
/// Between two bytes of a slow one.
const DRIP: Duration = Duration::from_secs(1);
/// Between two requests of an active client, and of the one that is measured.
const ACTIVE_PAUSE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);
/// Whoever waits longer is not served.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const QUIET_ROUNDS: usize = 20;
/// Different texts before anything is measured, so many at the same time: together more than the engine keeps apart.
const WARM_UP: usize = 40;
const WARM_UP_AT_ONCE: usize = 8;
/// How long who is told to come again later waits, as the answer says.
const LATER: Duration = Duration::from_secs(1);
const FDS_MIN: usize = 4_096;
const MORE_MIB_MAX: f64 = 64.0;

pub(crate) fn print(id: &str) -> Result<()> {
    enough_fds()?;
    let home = Home::of_model(id)?;
    let daemon = home.daemon()?;
    let token = Token::read_or_make(home.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(load::ready(&daemon.url(), &token))?;
    let door = Arc::new(Door { address: daemon.address(), token });
    runtime.block_on(flood(&door, daemon.pid()))
}

async fn flood(door: &Arc<Door>, pid: u32) -> Result<()> {
    for first in (0..WARM_UP).step_by(WARM_UP_AT_ONCE) {
        let warm: JoinSet<_> =
            (first..first + WARM_UP_AT_ONCE).map(|number| Arc::clone(door).ask_once(number)).collect();
        warm.join_all().await.into_iter().collect::<Result<()>>()?;
    }
    let mut quiet = Times::default();
    for _ in 0..QUIET_ROUNDS {
        quiet.measure(door).await?;
    }
    let before = mib(pid)?;
    let over = Arc::new(AtomicBool::new(false));
    let idle = door.idle().await?;
    let mut others = JoinSet::new();
    for number in 0..SLOW {
        others.spawn(Arc::clone(door).drip(number, Arc::clone(&over)));
    }
    let counts = Arc::new(Counts::default());
    for number in 0..ACTIVE {
        others.spawn(Arc::clone(door).go_on(number, Arc::clone(&over), Arc::clone(&counts)));
    }
    let (started, mut flooded, mut most) = (Instant::now(), Times::default(), before);
    while started.elapsed() < LASTS {
        flooded.measure(door).await?;
        most = most.max(mib(pid)?);
        sleep(PAUSE).await;
    }
    over.store(true, Ordering::Relaxed);
    others.join_all().await.into_iter().collect::<Result<()>>()?;
    drop(idle);
    let [answered, later] = [&counts.answered, &counts.later].map(|count| count.load(Ordering::Relaxed));
    println!(
        "{IDLE} idle connections, {SLOW} slow ones, {ACTIVE} active clients ({answered} answers, {later} told to come again \
         later) for {LASTS:?}:"
    );
    println!("  somebody else meanwhile: {flooded}; before: {quiet}");
    let more = most - before;
    println!("  memory: {before:.0} MiB before, {most:.0} MiB at most, {more:+.1} MiB (goal {MORE_MIB_MAX})");
    ensure!(answered >= ACTIVE, "{ACTIVE} clients had {answered} answers");
    ensure!(more <= MORE_MIB_MAX, "the flood costs {more:.1} MiB");
    Ok(())
}

/// Each connection is a file descriptor here and one in the daemon, which has the same bound.
fn enough_fds() -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let soft = soft.context("no bound of file descriptors")?;
    let is_enough = soft.parse::<usize>().map_or(soft == "unlimited", |soft| soft >= FDS_MIN);
    ensure!(is_enough, "{soft} file descriptors are too few for the flood: run `ulimit -n {FDS_MIN}` before it");
    Ok(())
}

fn mib(pid: u32) -> Result<f64> {
    Ok(resident_kib(pid)? as f64 / 1024.0)
}

/// How long one client waits for a status and for a few words.
#[derive(Default)]
struct Times {
    status: Vec<Duration>,
    words: Vec<Duration>,
}

impl Times {
    async fn measure(&mut self, door: &Door) -> Result<()> {
        let (mut stream, number) = (door.connect().await?, self.words.len());
        let started = Instant::now();
        in_time(door.exchange(&mut stream, "GET /v1/status", "")).await?;
        self.status.push(started.elapsed());
        let body = json!({
            "prompt": format!("def measured_{number}(a, b):\n    return "), "max_tokens": 8, "temperature": 0,
            "finch": {"client": "measured", "lane": "interactive"},
        });
        let started = Instant::now();
        in_time(door.exchange(&mut stream, "POST /v1/completions", &body.to_string())).await?;
        self.words.push(started.elapsed());
        Ok(())
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |times: &[Duration], percent: usize| {
            let mut times = times.to_vec();
            times.sort();
            times[(times.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64() * 1e3
        };
        let (status, words) = (&self.status, &self.words);
        write!(
            f,
            "status p50 {:.1} ms, p95 {:.1} ms, 8 tokens p50 {:.0} ms, p95 {:.0} ms",
            ms(status, 50),
            ms(status, 95),
            ms(words, 50),
            ms(words, 95)
        )
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ANSWER_MAX, asked).await.with_context(|| format!("no answer within {ANSWER_MAX:?}"))?
}

#[derive(PartialEq, Eq)]
enum Told {
    Answered,
    /// Too many wait already.
    Later,
}

/// What the active clients were told.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    later: AtomicUsize,
}

/// The daemon's door, spoken to in bytes.
struct Door {
    address: SocketAddr,
    token: Token,
}

impl Door {
    async fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.address).await?)
    }

    fn head(&self, what: &str) -> String {
        format!("{what} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n", self.address, self.token.expose())
    }

    /// One request that has to be answered well; the connection can take the next.
    async fn exchange(&self, stream: &mut TcpStream, what: &str, body: &str) -> Result<()> {
        let status = self.told(stream, what, body).await?;
        ensure!(status == Told::Answered, "{what}: too many wait already");
        Ok(())
    }

    /// One request and its whole answer.
    async fn told(&self, stream: &mut TcpStream, what: &str, body: &str) -> Result<Told> {
        let head = self.head(what);
        let length = body.len();
        let text = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            ensure!(stream.read_buf(&mut answer).await? > 0, "{what}: closed after {} bytes", answer.len());
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let told = match head.split(' ').nth(1) {
                Some("200") => Told::Answered,
                Some("429") if head.to_ascii_lowercase().contains("\nretry-after: 1\r") => Told::Later,
                _ => bail!("{what}: {text}"),
            };
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.context("an answer without a length")? {
                return Ok(told);
            }
        }
    }

    /// Connections that have said nothing, or nothing more.
    async fn idle(&self) -> Result<Vec<TcpStream>> {
        let mut streams = Vec::new();
        for number in 0..IDLE {
            let mut stream = self.connect().await?;
            if number % 2 == 0 {
                in_time(self.exchange(&mut stream, "GET /v1/status", "")).await?;
            }
            streams.push(stream);
        }
        Ok(streams)
    }

    async fn ask_once(self: Arc<Self>, number: usize) -> Result<()> {
        let mut stream = self.connect().await?;
        in_time(self.exchange(&mut stream, "POST /v1/completions", &few_words(number))).await
    }

    /// Says its head byte by byte.
    async fn drip(self: Arc<Self>, number: usize, over: Arc<AtomicBool>) -> Result<()> {
        let mut stream = self.connect().await?;
        let head = self.head("GET /v1/status");
        let (begin, rest) = head.as_bytes().split_at(20 + number % 20);
        stream.write_all(begin).await?;
        for byte in rest {
            if over.load(Ordering::Relaxed) {
                break;
            }
            sleep(DRIP).await;
            stream.write_all(&[*byte]).await.context("a slow connection was closed before its time")?;
        }
        Ok(())
    }

    /// Asks for words and for the status, again and again.
    async fn go_on(self: Arc<Self>, number: usize, over: Arc<AtomicBool>, counts: Arc<Counts>) -> Result<()> {
        let mut stream = self.connect().await?;
        while !over.load(Ordering::Relaxed) {
            in_time(self.exchange(&mut stream, "GET /v1/status", "")).await?;
            counts.answered.fetch_add(1, Ordering::Relaxed);
            match in_time(self.told(&mut stream, "POST /v1/completions", &few_words(number))).await? {
                Told::Answered => counts.answered.fetch_add(1, Ordering::Relaxed),
                Told::Later => {
                    counts.later.fetch_add(1, Ordering::Relaxed);
                    sleep(LATER).await;
                    continue;
                }
            };
            sleep(ACTIVE_PAUSE).await;
        }
        Ok(())
    }
}

fn few_words(number: usize) -> String {
    json!({"prompt": format!("def one_of_many_{number}(a):\n    return "), "max_tokens": 2, "temperature": 0})
        .to_string()
}
