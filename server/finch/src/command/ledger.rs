//! `finch ledger`: what left this machine, when, to whom, and what it cost.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::print;
use super::table::aligned;
use crate::Exit;
use crate::calendar::Moment;
use crate::cli;
use crate::ledger::{self, Entry, Since, Skipped, Summary, Total};
use crate::progress::say;
use crate::surroundings::{Surroundings, now_ms};

pub(super) fn run(surroundings: &Surroundings, arguments: &cli::Ledger) -> Result<Exit> {
    let folder = surroundings.ledger_folder();
    let since = arguments.days.map_or(Since::EVER, |days| Since::days(days, now_ms()));
    let (mut entries, skipped) =
        ledger::read(&folder, since).with_context(|| format!("reading the ledger in {}", folder.display()))?;
    if let Some(name) = &arguments.provider {
        entries.retain(|entry| entry.departs.provider.eq_ignore_ascii_case(name));
    }
    let summary = Summary::of(&entries);
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(Report::of(&entries, &summary, &skipped))?))?;
    } else if entries.is_empty() {
        print(&nothing(arguments))?;
    } else {
        print(&format!("{}\n{}", departures(&entries), totals(&summary)))?;
        if summary.left().requests == 0 {
            print(&nothing(arguments))?;
        }
    }
    warn(&skipped);
    Ok(Exit::Done)
}

fn nothing(arguments: &cli::Ledger) -> String {
    match (arguments.days, &arguments.provider) {
        (None, None) => "nothing ever left this machine\n".to_owned(),
        (days, provider) => {
            let to = provider.as_ref().map(|name| format!(" to {name}")).unwrap_or_default();
            let ever = if days.is_none() { "ever " } else { "" };
            let when = match days {
                None => String::new(),
                Some(1) => " in the last day".to_owned(),
                Some(days) => format!(" in the last {days} days"),
            };
            format!("nothing {ever}left this machine{to}{when}\n")
        }
    }
}

fn warn(skipped: &Skipped) {
    if skipped.lines() > 0 {
        say(&format!(
            "finch: lines of the ledger that were passed over: {} torn, {} too long, {} damaged, {} of a later version",
            skipped.torn, skipped.too_long, skipped.damaged, skipped.unknown
        ));
    }
    if skipped.oldest > 0 {
        say(&format!("finch: the {} oldest departures are not counted; narrow it with --days", skipped.oldest));
    }
}

/// `finch ledger --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Report<'a> {
    entries: Vec<EntryOut<'a>>,
    totals: Vec<TotalOut<'a>>,
    /// Lines of the ledger that were passed over.
    skipped: u64,
}

#[derive(Debug, Serialize)]
struct EntryOut<'a> {
    at_ms: u64,
    provider: &'a str,
    model: &'a str,
    host: &'a str,
    is_loopback: bool,
    task: &'static str,
    workspace: Option<&'a str>,
    files: &'a [String],
    files_more: u64,
    bytes: u64,
    /// Null while it is not over, or if nobody knows; so are the others.
    outcome: Option<String>,
    prompt_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    generated_tokens: Option<u64>,
    cost: Option<f64>,
    ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct TotalOut<'a> {
    provider: &'a str,
    is_loopback: bool,
    requests: u64,
    bytes: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    generated_tokens: u64,
    cost: Option<f64>,
}

impl<'a> Report<'a> {
    fn of(entries: &'a [Entry], summary: &'a Summary, skipped: &Skipped) -> Self {
        Self {
            entries: entries.iter().map(EntryOut::of).collect(),
            totals: summary.providers.iter().map(TotalOut::of).collect(),
            skipped: skipped.lines(),
        }
    }
}

impl<'a> EntryOut<'a> {
    fn of(entry: &'a Entry) -> Self {
        let (departs, ended) = (&entry.departs, entry.ended.as_ref());
        Self {
            at_ms: departs.at_ms,
            provider: &departs.provider,
            model: &departs.model,
            host: &departs.host,
            is_loopback: departs.is_loopback,
            task: departs.task.name(),
            workspace: departs.workspace.as_deref(),
            files: &departs.files,
            files_more: departs.files_more,
            bytes: departs.bytes,
            outcome: ended.map(|ended| ended.outcome.to_string()),
            prompt_tokens: ended.map(|ended| ended.prompt_tokens),
            cached_tokens: ended.map(|ended| ended.cached_tokens),
            generated_tokens: ended.map(|ended| ended.generated_tokens),
            cost: ended.and_then(|ended| ended.cost),
            ms: ended.map(|ended| ended.ms),
        }
    }
}

impl<'a> TotalOut<'a> {
    fn of(total: &'a Total) -> Self {
        Self {
            provider: &total.provider,
            is_loopback: total.is_loopback,
            requests: total.requests,
            bytes: total.bytes,
            prompt_tokens: total.prompt_tokens,
            cached_tokens: total.cached_tokens,
            generated_tokens: total.generated_tokens,
            cost: total.cost,
        }
    }
}

/// One line for each departure.
fn departures(entries: &[Entry]) -> String {
    let mut lines = vec![
        ["time (UTC)", "provider", "host", "task", "bytes", "tokens", "cost", "outcome", "workspace and files"]
            .map(str::to_owned),
    ];
    lines.extend(entries.iter().map(cells));
    aligned(&lines, &[4, 5, 6])
}

fn cells(entry: &Entry) -> [String; 9] {
    let (departs, ended) = (&entry.departs, entry.ended.as_ref());
    let who = match departs.model.as_str() {
        "" => departs.provider.clone(),
        model => format!("{} {model}", departs.provider),
    };
    let tokens = ended.map(|ended| tokens(ended.prompt_tokens, ended.generated_tokens));
    [
        Moment::of(departs.at_ms).short(),
        who,
        host(departs.is_loopback, &departs.host),
        departs.task.name().to_owned(),
        departs.bytes.to_string(),
        tokens.unwrap_or_else(|| "-".to_owned()),
        cost(ended.and_then(|ended| ended.cost)),
        ended.map_or("no end known".to_owned(), |ended| ended.outcome.to_string()),
        place(entry),
    ]
}

fn host(is_loopback: bool, host: &str) -> String {
    if is_loopback { format!("stayed here ({host})") } else { host.to_owned() }
}

fn tokens(prompt: u64, generated: u64) -> String {
    format!("{prompt}+{generated}")
}

fn cost(cost: Option<f64>) -> String {
    cost.map_or("-".to_owned(), |cost| format!("{cost:.4}"))
}

/// The workspace, and the files that text was taken from.
fn place(entry: &Entry) -> String {
    let departs = &entry.departs;
    let mut files = departs.files.join(", ");
    if departs.files_more > 0 {
        files.push_str(&format!(" and {} more", departs.files_more));
    }
    match (&departs.workspace, files.trim()) {
        (None, "") => "-".to_owned(),
        (Some(workspace), "") => workspace.clone(),
        (None, files) => files.to_owned(),
        (Some(workspace), files) => format!("{workspace}: {files}"),
    }
}

/// A line for each provider, and one for all that left if there is more than one.
fn totals(summary: &Summary) -> String {
    let head = ["total", "requests", "bytes", "tokens", "cost"].map(str::to_owned);
    let line = |name: String, total: &Total| {
        let tokens = tokens(total.prompt_tokens, total.generated_tokens);
        [name, total.requests.to_string(), total.bytes.to_string(), tokens, cost(total.cost)]
    };
    let named = |total: &Total| {
        let stayed = if total.is_loopback { " (stayed here)" } else { "" };
        line(format!("{}{stayed}", total.provider), total)
    };
    let mut lines = vec![head];
    lines.extend(summary.providers.iter().map(named));
    if summary.providers.len() > 1 {
        lines.push(line("left this machine".to_owned(), &summary.left()));
    }
    aligned(&lines, &[1, 2, 3, 4])
}

#[cfg(test)]
mod tests {
    use finch_llm::Task;

    use super::*;
    use crate::ledger::{Departs, Ended, Outcome};

    fn entry(provider: &str, is_loopback: bool, outcome: Option<Outcome>) -> Entry {
        let departs = Departs {
            at_ms: 1_795_305_845_000,
            provider: provider.into(),
            model: "m".into(),
            host: if is_loopback { "localhost".into() } else { format!("api.{provider}.example") },
            is_loopback,
            task: Task::Chat,
            workspace: Some("/w".into()),
            files: vec!["a.rs".into(), "b\u{1b}[2J.rs".into()],
            files_more: u64::from(!is_loopback),
            bytes: 1234,
        };
        let ended = |outcome| Ended {
            at_ms: 1_795_305_846_000,
            outcome,
            prompt_tokens: 300,
            cached_tokens: 100,
            generated_tokens: 50,
            cost: (!is_loopback).then_some(0.0125),
            ms: 1000,
        };
        Entry { id: "1-1".into(), departs, ended: outcome.map(ended) }
    }

    #[test]
    fn the_tables_have_a_line_for_each_departure_and_provider() {
        let entries = [
            entry("claude", false, Some(Outcome::Answered)),
            entry("ollama", true, Some(Outcome::Failed("overloaded".into()))),
            entry("openai", false, None),
        ];
        let expected = "
time (UTC)        provider  host                     task  bytes  tokens    cost  outcome            workspace and files
2026-11-22 00:04  claude m  api.claude.example       chat   1234  300+50  0.0125  answered           /w: a.rs, b [2J.rs and 1 more
2026-11-22 00:04  ollama m  stayed here (localhost)  chat   1234  300+50       -  failed:overloaded  /w: a.rs, b [2J.rs
2026-11-22 00:04  openai m  api.openai.example       chat   1234       -       -  no end known       /w: a.rs, b [2J.rs and 1 more
";
        assert_eq!(departures(&entries), expected[1..]);
        let expected = "
total                 requests  bytes  tokens    cost
claude                       1   1234  300+50  0.0125
ollama (stayed here)         1   1234  300+50       -
openai                       1   1234     0+0       -
left this machine            2   2468  300+50  0.0125
";
        assert_eq!(totals(&Summary::of(&entries)), expected[1..]);
    }

    #[test]
    fn json_has_entries_and_totals() {
        let entries = [entry("claude", false, None), entry("claude", false, Some(Outcome::Cancelled))];
        let summary = Summary::of(&entries);
        let json = serde_json::to_value(Report::of(&entries, &summary, &Skipped { torn: 2, ..Skipped::default() }));
        let json = json.unwrap();
        assert_eq!((&json["entries"][0]["outcome"], &json["entries"][0]["ms"]), (&().into(), &().into()));
        assert_eq!(
            (&json["entries"][1]["outcome"], &json["entries"][1]["task"]),
            (&"cancelled".into(), &"chat".into())
        );
        assert_eq!((&json["totals"][0]["requests"], &json["skipped"]), (&2.into(), &2.into()));
    }

    #[test]
    fn nothing_is_said_in_so_many_words() {
        let check = |days, provider: Option<&str>, text: &str| {
            let provider = provider.map(str::to_owned);
            assert_eq!(nothing(&cli::Ledger { json: false, days, provider }), format!("{text}\n"));
        };
        check(None, None, "nothing ever left this machine");
        check(Some(7), None, "nothing left this machine in the last 7 days");
        check(None, Some("grok"), "nothing ever left this machine to grok");
        check(Some(1), Some("grok"), "nothing left this machine to grok in the last day");
    }
}
