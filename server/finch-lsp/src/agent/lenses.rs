//! What can be done with a plan or a review, as code lenses and as code actions on the document.
//!
//! The hash in an approval is that of the text that the user sees: the editor's where the document is open, else the
//! disk's. Lenses of a review stand only while it is what was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::plan::Plan;
use finch_text::Document;
use serde_json::{Value, json};
use tower_lsp::lsp_types::{CodeLens, Command, Position, Range};

use super::papers::{Paper, Review};
use super::place::folders;
use super::review::About;
use super::turns::AtPlan;
use super::{files, off_thread};
use crate::dispatch::Shared;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::places::place_of;
use crate::wire::turn_event::TaskKind;

/// Something that can be done, at a line.
#[derive(Debug, Clone, PartialEq)]
struct Offer {
    line: usize,
    title: String,
    command: &'static str,
    argument: Option<Value>,
}

impl Offer {
    fn new(line: usize, title: impl Into<String>, command: &'static str, argument: Value) -> Self {
        Self { line, title: title.into(), command, argument: Some(argument) }
    }

    fn into_command(self) -> Command {
        let arguments = self.argument.map(|argument| vec![argument]);
        Command { title: self.title, command: self.command.to_owned(), arguments }
    }
}

/// The lenses of a document.
pub(crate) fn code_lenses(shared: &Arc<Shared>, uri: String) -> impl Future<Output = Vec<CodeLens>> + Send + use<> {
    let offers = offers(shared, uri);
    async move {
        let lens = |offer: Offer| {
            let line = u32::try_from(offer.line).unwrap_or(u32::MAX);
            let start = Position { line, character: 0 };
            CodeLens { range: Range { start, end: start }, command: Some(offer.into_command()), data: None }
        };
        offers.await.into_iter().map(lens).collect()
    }
}

/// The same as commands, for these lines of the document. What is at its top stands everywhere.
pub(crate) fn paper_actions(
    shared: &Arc<Shared>,
    uri: String,
    lines: std::ops::RangeInclusive<usize>,
) -> impl Future<Output = Vec<Command>> + Send + use<> {
    let offers = offers(shared, uri);
    async move {
        let mut offers = offers.await;
        // The place that a line belongs to begins above it.
        let start = offers.iter().map(|offer| offer.line).filter(|line| line <= lines.start()).max().unwrap_or(0);
        offers.retain(|offer| {
            !offer.command.is_empty() && (offer.line == 0 || (start..=*lines.end()).contains(&offer.line))
        });
        offers.into_iter().map(Offer::into_command).collect()
    }
}

fn offers(shared: &Arc<Shared>, uri: String) -> impl Future<Output = Vec<Offer>> + Send + use<> {
    let seen = shared.with_session(|session| {
        let document = session.documents.snapshot(&uri).ok().map(|snapshot| snapshot.document);
        (document, session.places.path(&uri).map(Path::to_owned), folders(session))
    });
    let shared = Arc::clone(shared);
    async move {
        let (Some((document, place, folders)), Some(agent)) = (seen, &shared.agent) else { return Vec::new() };
        let place = match place {
            Some(place) => Some(place),
            None => off_thread({
                let uri = uri.clone();
                move || place_of(&uri)
            })
            .await
            .ok()
            .flatten(),
        };
        let Some(place) = place else { return Vec::new() };
        if let Some(Paper::Review(review)) = agent.papers.of(&place) {
            let text = text(document, place).await;
            return if text.as_deref() == Some(&review.text) { of_review(&review) } else { Vec::new() };
        }
        match agent.plan_at(folders, &place).await {
            Some((_, plan)) => {
                let text = plan_text(document, place).await;
                of_plan(&uri, &text, agent.turns.at_plan(&plan), agent.papers.of(&plan))
            }
            None => Vec::new(),
        }
    }
}

/// A plan as the user sees it, with the ticks that stand on the disk.
async fn plan_text(document: Option<Document>, path: PathBuf) -> String {
    let hash = |text: &str| Plan::from_markdown(text).ok().map(|plan| plan.hash());
    let on_disk = text(None, path.clone()).await.unwrap_or_default();
    let shown = text(document, path).await.unwrap_or_default();
    if hash(&shown).is_some_and(|shown| hash(&on_disk) == Some(shown)) { on_disk } else { shown }
}

/// The document as the user sees it.
async fn text(document: Option<Document>, path: PathBuf) -> Option<String> {
    if let Some(document) = document {
        return Some(document.text());
    }
    let read = off_thread(move || {
        let is_small = std::fs::metadata(&path).is_ok_and(|found| found.len() <= DOCUMENT_BYTES_MAX as u64);
        is_small.then(|| std::fs::read_to_string(&path).ok()).flatten()
    });
    read.await.ok().flatten()
}

fn of_plan(uri: &str, text: &str, at: Option<AtPlan>, paper: Option<Paper>) -> Vec<Offer> {
    let revise = || Offer::new(0, "Revise…", "finch.revise", json!({"uri": uri}));
    if let Some(AtPlan { id, task, .. }) = at {
        let stop = Offer::new(0, "Stop", "finch.stop", json!({"turn": id}));
        return if task == TaskKind::Plan { vec![stop, revise()] } else { vec![stop] };
    }
    let mut offers = Vec::new();
    match Plan::from_markdown(text) {
        Ok(plan) => {
            if plan.steps.iter().any(|step| !step.is_done) {
                let argument = json!({"uri": uri, "hash": plan.hash().to_string()});
                offers.push(Offer::new(0, approval(Plan::open_findings(text)), "finch.approve", argument));
            }
            offers.push(revise());
        }
        // Only to be read: there is no command behind it.
        Err(bad) => offers.push(Offer { line: 0, title: format!("finch: {bad}"), command: "", argument: None }),
    }
    if let Some(Paper::Plan { worked: Some(turn), .. }) = paper {
        offers.push(Offer::new(0, "Undo this turn", "finch.undoTurn", json!({"turn": turn})));
    }
    offers
}

/// What an approval is called: who gives it sees what is open.
fn approval(open: usize) -> String {
    match open {
        0 => "Approve and carry out".to_owned(),
        1 => "Approve and carry out (1 finding open)".to_owned(),
        open => format!("Approve and carry out ({open} findings open)"),
    }
}

fn of_review(review: &Review) -> Vec<Offer> {
    let Review { turn, revision, marks, .. } = review;
    let mut offers = Vec::new();
    for mark in marks {
        let mut both = |what: &str, accept, reject, argument: Value| {
            offers.push(Offer::new(mark.line, format!("Accept{what}"), accept, argument.clone()));
            offers.push(Offer::new(mark.line, format!("Reject{what}"), reject, argument));
        };
        match &mark.about {
            About::All => {
                both(" all", "finch.acceptAll", "finch.rejectAll", json!({"turn": turn, "revision": revision}));
            }
            About::File(path) => {
                let uri = files::plain_uri(path);
                let argument = json!({"turn": turn, "revision": revision, "uri": uri});
                both(" file", "finch.acceptFile", "finch.rejectFile", argument);
            }
            About::Hunk(path, hunk) => {
                let uri = files::plain_uri(path);
                let argument = json!({"turn": turn, "revision": revision, "uri": uri, "hunk": hunk});
                both("", "finch.acceptHunk", "finch.rejectHunk", argument);
            }
        }
    }
    offers
}
