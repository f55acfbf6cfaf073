//! `finch feedback`: what a person says of a suggestion, from a terminal.
//!
//! The suggestion is looked up in the journal, whichever process made it. What is said is on the disk when the command
//! ends well.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use finch_learn::record::{Event, Feedback, Record, Verdict};
use finch_learn::{Forgot, Which, past};
use serde::Serialize;

use super::{print, visible};
use crate::Exit;
use crate::cli::{self, About, Json};
use crate::limits::FEEDBACK_WAIT;
use crate::progress::say;
use crate::surroundings::{Surroundings, now_ms};

pub(super) fn run(surroundings: &Surroundings, command: cli::Feedback) -> Result<Exit> {
    match command {
        cli::Feedback::Good(about) => record(surroundings, Verdict::Good, about),
        cli::Feedback::Bad { minor: true, about } => record(surroundings, Verdict::BadMinor, about),
        cli::Feedback::Bad { minor: false, about } => record(surroundings, Verdict::Bad, about),
        cli::Feedback::List(arguments) => list(surroundings, &arguments),
        cli::Feedback::Forget { which } => forget(surroundings, which.0),
    }
}

fn record(surroundings: &Surroundings, verdict: Verdict, about: About) -> Result<Exit> {
    let Some(journal) = surroundings.journal() else {
        bail!("nothing is recorded: learning.enabled is false in {}", surroundings.config_path.display());
    };
    let Some(suggestion) = past::suggestion(&surroundings.journal_folder(), about.id)? else {
        match about.id {
            Some(id) => bail!("there is no suggestion {id} in the journal; leave --id away for the last one"),
            None => bail!("there is no suggestion in the journal yet; accept or look at one in your editor first"),
        }
    };
    let now_ms = now_ms();
    let note = about.note.filter(|note| !note.trim().is_empty());
    let id = journal.feedback_id(now_ms);
    let feedback = Feedback { id, weight: verdict.weight(), note, correction: None };
    let said = format!("suggestion {} of {} ({})", suggestion.suggestion, suggestion.model, suggestion.language);
    let (sender, written) = mpsc::channel();
    let done = move |result| {
        if sender.send(result).is_err() {
            tracing::debug!("nobody waits for that feedback any more");
        }
    };
    journal.record_then(Record::new(now_ms, suggestion, Event::Feedback(feedback)), done);
    written.recv_timeout(FEEDBACK_WAIT).context("the disk did not answer in time; try again")??;
    print(&format!("recorded {id}: {} on {said}\n", verdict.weight()))?;
    journal.close();
    Ok(Exit::Done)
}

/// `finch feedback list --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Said {
    id: u64,
    at_ms: u64,
    weight: i32,
    note: Option<String>,
    correction: Option<String>,
    suggestion: u64,
    session: String,
    language: String,
    provider: String,
    model: String,
}

impl Said {
    fn of(record: Record) -> Option<Self> {
        let Event::Feedback(Feedback { id, weight, note, correction }) = record.event else { return None };
        let about = record.about;
        Some(Self {
            id,
            at_ms: record.at_ms,
            weight,
            note,
            correction,
            suggestion: about.suggestion,
            session: about.session,
            language: about.language,
            provider: about.provider,
            model: about.model,
        })
    }
}

fn list(surroundings: &Surroundings, arguments: &Json) -> Result<Exit> {
    let (records, skipped) = past::feedback(&surroundings.journal_folder())?;
    if skipped.total() > 0 {
        say(&format!("finch: {} lines of the journal were passed over", skipped.total()));
    }
    let said: Vec<Said> = records.into_iter().filter_map(Said::of).collect();
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(&said)?))?;
        return Ok(Exit::Done);
    }
    let now_ms = now_ms();
    for said in &said {
        let ago = ago(now_ms.saturating_sub(said.at_ms));
        // A file may hold anything; a terminal obeys some of it.
        let note: String = said.note.iter().flat_map(|note| note.chars()).map(visible).collect();
        print(&format!("{}  {:>3}  {ago:>8}  {}  {}  {note}\n", said.id, said.weight, said.language, said.model))?;
    }
    Ok(Exit::Done)
}

fn ago(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} m ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn forget(surroundings: &Surroundings, which: Which) -> Result<Exit> {
    let Forgot { hidden, waits_for_a_process } = finch_learn::forget(&surroundings.journal_folder(), which, now_ms())?;
    print(&format!("forgot {hidden}\n"))?;
    if waits_for_a_process {
        say(
            "finch: some of it stands in a file that an editor's finch still writes to; it counts no more, and is removed \
             from there by the next finch that writes after that one has ended",
        );
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn times_are_told_in_the_largest_unit() {
        let told = [0, 59_999, 60_000, 7_200_000, 200_000_000].map(ago);
        assert_eq!(told, ["0 s ago", "59 s ago", "1 m ago", "2 h ago", "2 d ago"]);
    }
}
