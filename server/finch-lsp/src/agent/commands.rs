//! The agent's commands: read, looked at against the session in wire order, and begun.

use std::sync::Arc;

use finch_agent::plan::Plan;
use finch_agent::task::{TaskId, Wish};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType};

use super::place::{Excerpt, excerpt, folder, folders};
use super::start::{Job, start};
use super::work::{Choice, Work};
use super::{files, log};
use crate::dispatch::Shared;
use crate::handlers::HandlerError;
use crate::limits::TASK_TEXT_BYTES_MAX;
use crate::session::Session;
use crate::wire::agent::{
    AllChoice, ApprovePlan, AskAbout, EditPlace, FileChoice, FixPlace, HunkChoice, Place, PlanTask, RevisePlan,
    SomeTurn, Turn,
};
use crate::wire::inline::Range;
use crate::wire::turn_event::TaskKind;

/// What the user wants.
#[derive(Debug)]
pub(crate) enum Command {
    Plan(PlanTask),
    Approve(ApprovePlan),
    Revise(RevisePlan),
    Stop(SomeTurn),
    Resume(Turn),
    Undo(SomeTurn),
    Ask(AskAbout),
    Explain(Place),
    Fix(FixPlace),
    Edit(EditPlace),
    Test(Place),
    Document(Place),
    Hunk(HunkChoice, Verdict),
    File(FileChoice, Verdict),
    All(AllChoice, Verdict),
    ShowLog,
}

/// What becomes of staged edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Reject,
}

impl Command {
    /// `None` if it is no command of the agent.
    ///
    /// # Errors
    /// [`HandlerError::BadRequest`] if its argument cannot be read.
    pub(crate) fn read(params: &ExecuteCommandParams) -> Option<Result<Self, HandlerError>> {
        let read = match params.command.as_str() {
            "finch.plan" => argument(params).map(Self::Plan),
            "finch.approve" => argument(params).map(Self::Approve),
            "finch.revise" => argument(params).map(Self::Revise),
            "finch.stop" => optional(params).map(Self::Stop),
            "finch.resume" => argument(params).map(Self::Resume),
            "finch.undoTurn" => optional(params).map(Self::Undo),
            "finch.ask" => argument(params).map(Self::Ask),
            "finch.explain" => argument(params).map(Self::Explain),
            "finch.fix" => argument(params).map(Self::Fix),
            "finch.edit" => argument(params).map(Self::Edit),
            "finch.test" => argument(params).map(Self::Test),
            "finch.document" => argument(params).map(Self::Document),
            "finch.acceptHunk" => argument(params).map(|choice| Self::Hunk(choice, Verdict::Accept)),
            "finch.rejectHunk" => argument(params).map(|choice| Self::Hunk(choice, Verdict::Reject)),
            "finch.acceptFile" => argument(params).map(|choice| Self::File(choice, Verdict::Accept)),
            "finch.rejectFile" => argument(params).map(|choice| Self::File(choice, Verdict::Reject)),
            "finch.acceptAll" => argument(params).map(|choice| Self::All(choice, Verdict::Accept)),
            "finch.rejectAll" => argument(params).map(|choice| Self::All(choice, Verdict::Reject)),
            "finch.showLog" => Ok(Self::ShowLog),
            _ => return None,
        };
        Some(read)
    }
}

/// Does what can be done at once, and begins a turn for the rest. The answer names the turn.
///
/// # Errors
/// [`HandlerError`] if it cannot be done, for a reason that is known at once.
pub(crate) fn execute(
    shared: &Arc<Shared>,
    command: Command,
) -> impl Future<Output = Result<Option<Value>, HandlerError>> + Send + use<> {
    // Looked at here and now, as the documents are on the wire.
    let job = shared.with_session(|session| job(session, &command));
    let shared = Arc::clone(shared);
    async move {
        match command {
            Command::Stop(SomeTurn { turn }) => {
                if let Some(agent) = &shared.agent {
                    agent.turns.stop(turn.as_deref());
                }
                Ok(None)
            }
            Command::ShowLog => {
                log::show(&shared).await;
                Ok(None)
            }
            _ => {
                let broken = HandlerError::Failed { reason: "the session is broken; restart the editor".to_owned() };
                let job = job.ok_or(broken)??.ok_or_else(|| bad("there is nothing to do"))?;
                let turn = start(shared, job).await?;
                Ok(Some(json!(turn)))
            }
        }
    }
}

/// Says why a command came to nothing to clients that take no events: several show no error of a command.
pub(crate) async fn say_why_not(shared: &Shared, error: &HandlerError) {
    if shared.with_session(|session| session.facts.own.turn_events) == Some(false) {
        files::message(shared, MessageType::ERROR, format!("finch: {error}")).await;
    }
}

/// The job that a command is; none for those that are done at once.
fn job(session: &Session, command: &Command) -> Result<Option<Job>, HandlerError> {
    let job = match command {
        Command::Plan(wish) => plan(session, wish)?,
        Command::Approve(ApprovePlan { uri, hash }) => {
            let work = Work::Approve { uri: uri.clone(), hash: hash.clone() };
            Job { title: "Carry out a plan".to_owned(), task: TaskKind::Work, folders: folders(session), work }
        }
        Command::Revise(wish) => revise(session, wish)?,
        Command::Undo(SomeTurn { turn }) => {
            let work = Work::Undo(turn.as_deref().map(task_id).transpose()?);
            Job { title: "Undo a task".to_owned(), task: TaskKind::Undo, folders: vec![folder(session, None)?], work }
        }
        Command::Resume(Turn { turn }) => {
            let work = Work::Resume(task_id(turn)?);
            Job { title: "Go on with a task".to_owned(), task: TaskKind::Work, folders: folders(session), work }
        }
        Command::Ask(AskAbout { text, uri, range }) => {
            let about = about(session, uri.as_deref(), *range)?;
            asking(session, uri.as_deref(), "Answer a question", with(&cut(text), about.as_ref()))?
        }
        Command::Explain(Place { uri, range }) => {
            let about = excerpt(session, uri, *range)?;
            let question = "Explain this code: what it does, why, and what is easy to get wrong.";
            asking(session, Some(uri), "Explain", with(question, Some(&about)))?
        }
        Command::Fix(wish) => fix(session, wish)?,
        Command::Edit(EditPlace { uri, range, instruction }) => {
            let about = excerpt(session, uri, *range)?;
            changing(session, uri, "Edit", with(&cut(instruction), Some(&about)))?
        }
        Command::Test(Place { uri, range }) => {
            let words = "Write a test for this code, where and how this project has its tests.";
            changing(session, uri, "Write a test", with(words, Some(&excerpt(session, uri, *range)?)))?
        }
        Command::Document(Place { uri, range }) => {
            let words =
                "Document this code with comments as its language and this project write them; change nothing else.";
            changing(session, uri, "Document", with(words, Some(&excerpt(session, uri, *range)?)))?
        }
        Command::Hunk(HunkChoice { turn, revision, uri, hunk }, verdict) => {
            choosing(session, (turn, *revision), Choice::Hunk(uri.clone(), *hunk), *verdict)?
        }
        Command::File(FileChoice { turn, revision, uri }, verdict) => {
            choosing(session, (turn, *revision), Choice::File(uri.clone()), *verdict)?
        }
        Command::All(AllChoice { turn, revision }, verdict) => {
            choosing(session, (turn, *revision), Choice::All, *verdict)?
        }
        Command::Stop(_) | Command::ShowLog => return Ok(None),
    };
    Ok(Some(job))
}

fn plan(session: &Session, wish: &PlanTask) -> Result<Job, HandlerError> {
    let about = about(session, wish.uri.as_deref(), wish.range)?;
    let task = match (&wish.task, &about) {
        (Some(task), about) => with(&cut(task), about.as_ref()),
        (None, Some(about)) => {
            let (text, (first, _)) = (about.text.trim(), about.lines);
            if text.is_empty() {
                return Err(bad("there is no text at that place to make a task of"));
            }
            format!("{text}\n\n(It stands in {}, line {first}.)", about.name)
        }
        (None, None) => return Err(bad("finch.plan needs a task, or a uri and a range with its text")),
    };
    let title = format!("Plan: {}", first_line(&task));
    let work = Work::Plan(Box::new(Wish { task, ..Wish::default() }));
    Ok(Job { title, task: TaskKind::Plan, folders: vec![folder(session, wish.uri.as_deref())?], work })
}

fn revise(session: &Session, wish: &RevisePlan) -> Result<Job, HandlerError> {
    let direction = wish.direction.as_deref().map(cut).filter(|direction| !direction.trim().is_empty());
    // The plan as the user sees it; else the disk's is read.
    let plan = match session.documents.snapshot(&wish.uri) {
        Ok(snapshot) => {
            let plan = Plan::from_markdown(&snapshot.document.text());
            Some(plan.map_err(|error| HandlerError::Failed { reason: error.to_string() })?)
        }
        Err(_) => None,
    };
    let work = Work::Revise { uri: wish.uri.clone(), plan, direction };
    Ok(Job { title: "Revise a plan".to_owned(), task: TaskKind::Plan, folders: folders(session), work })
}

fn fix(session: &Session, wish: &FixPlace) -> Result<Job, HandlerError> {
    let FixPlace { uri, range, diagnostic } = wish;
    let about = excerpt(session, uri, *range)?;
    let source = diagnostic.source.as_ref().map_or(String::new(), |source| format!(" [{source}]"));
    let line = diagnostic.range.start.line.saturating_add(1);
    let words = format!("Fix what is reported here in line {line}:\n{}{source}", cut(&diagnostic.message));
    changing(session, uri, "Fix", with(&words, Some(&about)))
}

fn asking(session: &Session, uri: Option<&str>, title: &str, question: String) -> Result<Job, HandlerError> {
    let folders = vec![folder(session, uri)?];
    Ok(Job { title: title.to_owned(), task: TaskKind::Ask, folders, work: Work::Ask { question } })
}

fn changing(session: &Session, uri: &str, title: &str, instruction: String) -> Result<Job, HandlerError> {
    let folders = vec![folder(session, Some(uri))?];
    Ok(Job { title: title.to_owned(), task: TaskKind::Change, folders, work: Work::Change { instruction } })
}

fn choosing(
    session: &Session,
    (turn, revision): (&str, u64),
    choice: Choice,
    verdict: Verdict,
) -> Result<Job, HandlerError> {
    let work = Work::Choose { id: task_id(turn)?, revision, choice, verdict };
    let title = match verdict {
        Verdict::Accept => "Accept edits",
        Verdict::Reject => "Reject edits",
    };
    Ok(Job { title: title.to_owned(), task: TaskKind::Change, folders: folders(session), work })
}

fn about(session: &Session, uri: Option<&str>, range: Option<Range>) -> Result<Option<Excerpt>, HandlerError> {
    match (uri, range) {
        (Some(uri), Some(range)) => excerpt(session, uri, range).map(Some),
        (_, _) => Ok(None),
    }
}

fn with(words: &str, about: Option<&Excerpt>) -> String {
    about.map_or_else(|| words.to_owned(), |about| format!("{words}\n\n{}", about.in_words()))
}

/// No more of what the client sends than a task may be long.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TASK_TEXT_BYTES_MAX.min(text.len()))].to_owned()
}

pub(super) fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    finch_agent::characters::shown_on_one_line(&line.chars().take(80).collect::<String>())
}

fn task_id(turn: &str) -> Result<TaskId, HandlerError> {
    turn.parse::<TaskId>().map_err(|error| bad(error.to_string()))
}

fn bad(reason: impl Into<String>) -> HandlerError {
    HandlerError::BadRequest { reason: reason.into() }
}

fn optional<T: DeserializeOwned + Default>(params: &ExecuteCommandParams) -> Result<T, HandlerError> {
    match params.arguments.first() {
        None | Some(Value::Null) => Ok(T::default()),
        Some(_) => argument(params),
    }
}

/// The one argument of a command.
fn argument<T: DeserializeOwned>(params: &ExecuteCommandParams) -> Result<T, HandlerError> {
    let first = params.arguments.first().cloned().unwrap_or_default();
    serde_json::from_value(first).map_err(|error| bad(format!("{}: {error}", params.command)))
}
