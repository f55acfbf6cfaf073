//! The real daemon at work for minutes or for an hour: two editors that type, clients of the API, a cloud that fails now and
//! then, and faults among the requests. What was asked rightly is answered rightly, feedback is not lost, and the daemon is
//! as large and as tidy at the end as at its beginning; otherwise this fails.

mod client;
mod faults;
mod tally;
mod typist;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use finch_http::endpoint::{Endpoint, Token};
use finch_llm::cloud::Service;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::daemon::home::{Daemon, Home};
use crate::feedback::Acknowledged;
use crate::llmock::{KEY, Llmock};
use client::Door;
use tally::{Kind, Outcome, Tally};
use typist::Typist;
use watch::Watch;

const MODEL: &str = "smollm2-135m";
/// Between two requests: two a second.
const PERIOD: Duration = Duration::from_millis(500);
/// Whoever waits longer than this for an answer has none.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long the daemon may take to be ready, and to have nothing left to do once nobody asks any more.
const READY_MAX: Duration = Duration::from_secs(60);
const SETTLE_MAX: Duration = Duration::from_secs(30);
const POLL_PAUSE: Duration = Duration::from_millis(200);
/// File descriptors that may have come to stay.
const FDS_MORE_MAX: usize = 4;
/// From this length on the slope of the memory counts. What is computed of prompts comes and goes by tens of MiB, which
/// hides a slope in a shorter run.
const SLOPE_COUNTS_FROM: Duration = Duration::from_secs(60 * 60);

/// What is asked one after the other, again and again. One of 20 is a fault.
const ROUND: [Kind; 20] = [
    Kind::Suggestion(0),
    Kind::ChatStreamed,
    Kind::Feedback,
    Kind::Suggestion(1),
    Kind::Completion,
    Kind::CloudWhole,
    Kind::Suggestion(0),
    Kind::ChatWhole,
    Kind::Status,
    Kind::Suggestion(1),
    Kind::Fault,
    Kind::Feedback,
    Kind::Completion,
    Kind::Suggestion(0),
    Kind::CloudStreamed,
    Kind::ChatStreamed,
    Kind::Suggestion(1),
    Kind::Feedback,
    Kind::ChatWhole,
    Kind::Completion,
];

pub(crate) fn print(minutes: f64) -> Result<()> {
    let length = Duration::try_from_secs_f64(minutes * 60.0)?;
    // Listed first and priced, so that it is asked before the local model but for completions, which come to it never.
    let cloud = Llmock::start_with(&[
        "--error-rate",
        "429=.05",
        "--stream-fault",
        "truncate=.02",
        "--response-style",
        "static",
    ]);
    let home = Home::of_model_with(MODEL, &configuration(&cloud))?;
    let daemon = home.daemon()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (tally, watch, left) = runtime.block_on(soak(&home, &daemon, length))?;
    // Who still answers no editor is left to end with this process.
    runtime.shutdown_background();
    let status = daemon.end()?;
    let mut complaints = Vec::from_iter(left);
    if !status.success() || Endpoint::read(home.path())?.is_some() {
        complaints.push(format!("the daemon did not end in order: {status}"));
    }
    let kept = tally.acknowledged.kept_in(home.path())?;
    println!("{tally}{watch}\n{kept}; the daemon ended with {status}");
    if kept.lost() > 0 || kept.acknowledged() == 0 {
        complaints.push(kept.to_string());
    }
    complaints.extend(tally.complaints());
    if length >= SLOPE_COUNTS_FROM {
        complaints.extend(watch.slope_complaint());
    }
    if watch.fds_after > watch.fds_before + FDS_MORE_MAX {
        complaints.push(format!("{} file descriptors came to stay", watch.fds_after - watch.fds_before));
    }
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

fn configuration(cloud: &Llmock) -> String {
    let spec = cloud.spec(Service::OpenAi);
    // What is kept of prompts fills up in the first minutes, so that what grows behind that is a leak.
    format!(
        "cache_mib = 64\n[[providers]]\ntype = \"openai\"\nmodel = \"{}\"\nbase_url = \"{}\"\napi_key = \"{KEY}\"\n\
         cost = {{ input = 1, output = 1 }}\n[[providers]]\ntype = \"local\"\n\
         [router]\nhedge_ms = 0\n[[router.rules]]\ntasks = [\"completion\"]\npolicy = \"cheapest\"\n",
        spec.model, spec.endpoint
    )
}

/// What came of it, what was seen, and what there is to say of its end.
async fn soak(home: &Home, daemon: &Daemon, length: Duration) -> Result<(Tally, Watch, Option<String>)> {
    let door = Arc::new(Door::new(daemon.address(), Token::read_or_make(home.path())?)?);
    let acknowledged = Arc::new(Acknowledged::default());
    let mut typists = Vec::new();
    for _ in 0..2 {
        typists.push(Arc::new(Typist::start(home.path(), Arc::clone(&acknowledged))?));
    }
    ready(&door).await?;
    let asker = Asker { door, typists, acknowledged: Arc::clone(&acknowledged) };
    // What is opened once and kept is there before it is counted.
    for (number, kind) in ROUND.into_iter().enumerate() {
        asker.clone().ask(kind, number).await;
    }
    let running = asker.door.running().await?;
    let mut watch = Watch::start(daemon.pid())?;
    let mut tally = Tally::new(acknowledged);
    let (started, mut asked) = (Instant::now(), JoinSet::new());
    let (mut ticks, mut number) = (interval(PERIOD), ROUND.len());
    while started.elapsed() < length {
        ticks.tick().await;
        let kind = ROUND[number % ROUND.len()];
        let asker = asker.clone();
        asked.spawn(async move {
            let begun = Instant::now();
            (kind, asker.ask(kind, number).await, begun.elapsed())
        });
        number += 1;
        watch.look(started.elapsed())?;
        while let Some(ended) = asked.try_join_next() {
            tally.add(ended?);
        }
    }
    while let Some(ended) = asked.join_next().await {
        tally.add(ended?);
    }
    let left = settle(asker, running, daemon, &mut watch).await.err().map(|error| format!("{error:#}"));
    Ok((tally, watch, left))
}

async fn ready(door: &Door) -> Result<()> {
    let started = Instant::now();
    loop {
        let last = door.status().await.and_then(|status| {
            ensure!(status["state"]["state"] == "ready" || status["state"] == "ready", "{}", status["state"]);
            Ok(())
        });
        match last {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > READY_MAX => return Err(error.context("the daemon was not ready")),
            Err(_) => sleep(POLL_PAUSE).await,
        }
    }
}

/// Waits until nothing is under way that was not at the start, and the connections of the clients are gone.
async fn settle(asker: Asker, running: u64, daemon: &Daemon, watch: &mut Watch) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = asker.door.running().await?;
        if now <= running {
            break;
        }
        ensure!(
            started.elapsed() < SETTLE_MAX,
            "{now} requests are under way {SETTLE_MAX:?} after the last, not {running}"
        );
        sleep(POLL_PAUSE).await;
    }
    // With it go the connections that its clients keep for the next request.
    let Asker { door, typists, acknowledged } = asker;
    drop((door, acknowledged));
    while watch.count_fds(daemon.pid())? > watch.fds_before && started.elapsed() < SETTLE_MAX {
        sleep(POLL_PAUSE).await;
    }
    // They start another daemon where theirs ends, so they go first.
    for typist in typists {
        Arc::into_inner(typist).context("somebody still types")?.end().await?;
    }
    Ok(())
}

/// Everything that it takes to ask for anything.
#[derive(Clone)]
struct Asker {
    door: Arc<Door>,
    typists: Vec<Arc<Typist>>,
    acknowledged: Arc<Acknowledged>,
}

impl Asker {
    async fn ask(self, kind: Kind, number: usize) -> Outcome {
        let asked = async {
            match kind {
                Kind::Suggestion(editor) => self.typists[editor].ask(number).await,
                Kind::ChatStreamed => self.door.chat_streamed(number).await,
                Kind::ChatWhole => self.door.chat_whole(number).await,
                Kind::Completion => self.door.completion(number).await,
                Kind::CloudWhole => self.door.cloud_whole(number).await,
                Kind::CloudStreamed => self.door.cloud_streamed(number).await,
                Kind::Status => self.door.status().await.map(|_| Outcome::Right),
                Kind::Feedback => self.feedback(number).await,
                Kind::Fault => faults::make(&self.door, number / ROUND.len()).await,
            }
        };
        let ended = match timeout(ANSWER_MAX, asked).await {
            Ok(ended) => ended,
            Err(_) => Err(anyhow::anyhow!("no answer within {ANSWER_MAX:?}")),
        };
        ended.unwrap_or_else(|error| Outcome::Wrong(format!("request {number}, {kind}: {error:#}")))
    }

    async fn feedback(&self, number: usize) -> Result<Outcome> {
        let note = format!("soak, over HTTP, {number}");
        match self.door.post("/v1/feedback", crate::feedback::body(&note)).await? {
            (200, _) => self.acknowledged.add(note),
            (status, body) => bail!("{status}: {body}"),
        }
        Ok(Outcome::Right)
    }
}
