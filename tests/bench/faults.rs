//! What becomes of a request to a cloud that goes wrong, way by way: what is reported, after how long, after how many tries.
//!
//! With finch's own waits, all ways at once, for most of the time is waiting; a conversation may wait 90 s for its first chunk.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use finch_llm::cloud::Waits;

use crate::cloud_faults::{self, Ask, Fault, Observed};

/// What a person waits for a completion at most, whoever it comes from.
const COMPLETION_MAX: Duration = Duration::from_secs(3);

/// As much of an error as a line has room for.
const SAID_CHARS: usize = 60;

struct Row {
    fault: Fault,
    completion: Observed,
    chat: Observed,
    /// Until the provider behind this one has answered, where several are asked in turn.
    next: Option<Duration>,
}

pub(crate) fn print() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let rows = runtime.block_on(rows())?;
    println!(
        "{:<39} {:<31} {:<31} {:>7}  {:<6}  what is said",
        "what it does", "completion", "conversation", "next, s", "key"
    );
    for row in &rows {
        println!("{row}");
    }
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    let (leaks, wrong) = (count(Row::has_leaked), count(|row| !row.is_right()));
    let late = count(|row| row.completion.time > COMPLETION_MAX || row.next > Some(COMPLETION_MAX));
    println!(
        "{} ways: {wrong} end otherwise than they have to, {leaks} with a key where none belongs, {late} completions later than {COMPLETION_MAX:?}",
        rows.len()
    );
    // Connections that still drip would hold the runtime.
    runtime.shutdown_background();
    Ok(())
}

async fn rows() -> Result<Vec<Row>> {
    let mut running = Vec::new();
    for (at, fault) in cloud_faults::all().into_iter().enumerate() {
        running.push(tokio::spawn(async move {
            // A bit apart, so that no row waits for another's processor time.
            tokio::time::sleep(Duration::from_millis(100) * u32::try_from(at)?).await;
            let completion = cloud_faults::observe(&fault, Ask::Completion, Waits::default()).await?;
            let chat = cloud_faults::observe(&fault, Ask::Chat, Waits::default()).await?;
            let next = cloud_faults::next_answers(&fault, Waits::default()).await?;
            anyhow::Ok(Row { fault, completion, chat, next })
        }));
    }
    let mut rows = Vec::new();
    for row in running {
        rows.push(row.await.context("a row")??);
    }
    Ok(rows)
}

impl Row {
    fn has_leaked(&self) -> bool {
        self.completion.has_leaked || self.chat.has_leaked
    }

    /// The right kind, the right text before it, and no try too many; patience may allow fewer.
    fn is_right(&self) -> bool {
        let fault = &self.fault;
        let is = |one: &Observed| one.end == fault.end && one.shown == fault.shown && one.tries <= fault.tries;
        is(&self.completion) && is(&self.chat)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [completion, chat] = [&self.completion, &self.chat].map(|one| {
            let tries = if one.tries == 1 { "try" } else { "tries" };
            format!("{}, {:.1} s, {} {tries}", one.end, one.time.as_secs_f64(), one.tries)
        });
        let next = self.next.map_or_else(|| "-".to_owned(), |next| format!("{:.1}", next.as_secs_f64()));
        let key = if self.has_leaked() { "LEAKED" } else { "kept" };
        let said: String = self.chat.said.chars().take(SAID_CHARS).collect();
        write!(f, "{:<39} {completion:<31} {chat:<31} {next:>7}  {key:<6}  {said}", self.fault.name)
    }
}
