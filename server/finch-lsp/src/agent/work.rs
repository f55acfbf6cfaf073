//! What a turn does: a task of the workbench, with the editor as its door.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::plan::{Ended, Plan, Weight};
use finch_agent::task::{Carried, Chosen, Door, Planned, TaskEvent, TaskId, Wish, WorkEnd};
use finch_text::PositionEncoding;
use tokio::sync::mpsc;

use super::asker::{EditorAsker, Way};
use super::buffers::EditorBuffers;
use super::commands::{Verdict, first_line};
use super::documents::EditorDocuments;
use super::mailbox::Mailbox;
use super::reports::EditorReports;
use super::restarter::EditorRestarter;
use super::user::EditorUser;
use super::{Agent, Bench, files, off_thread};
use crate::dispatch::Shared;
use crate::facts::OwnFacts;
use crate::places::place_of;
use crate::wire::turn_event::TurnOutcome;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Work {
    Plan(Box<Wish>),
    Approve {
        uri: String,
        hash: String,
    },
    Revise {
        uri: String,
        plan: Option<Plan>,
        direction: Option<String>,
    },
    Undo(Option<TaskId>),
    /// What was interrupted is gone on with.
    Resume(TaskId),
    Ask {
        question: String,
    },
    Change {
        instruction: String,
    },
    Choose {
        id: TaskId,
        revision: u64,
        choice: Choice,
        verdict: Verdict,
    },
}

/// Which of the staged edits.
#[derive(Debug)]
pub(super) enum Choice {
    Hunk(String, usize),
    File(String),
    All,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) outcome: TurnOutcome,
    pub(super) message: String,
    /// The document that holds it.
    pub(super) document: Option<PathBuf>,
}

/// What it is done with.
pub(super) struct With {
    pub(super) shared: Arc<Shared>,
    pub(super) bench: Bench,
    pub(super) id: TaskId,
    pub(super) mailbox: Arc<Mailbox>,
    /// The plan that it is about.
    pub(super) plan: Option<PathBuf>,
    pub(super) door: Door,
    pub(super) events: mpsc::Sender<TaskEvent>,
}

/// The editor, as a task sees it.
pub(super) fn door(shared: &Arc<Shared>, agent: &Agent, turn: &str, title: &str) -> Door {
    let facts = shared.with_session(|session| (session.facts.own, session.facts.encoding));
    let (own, encoding) = facts.unwrap_or((OwnFacts::default(), PositionEncoding::Utf16));
    let way = |knows: bool| if knows { Way::Approve } else { Way::Message };
    let buffers = EditorBuffers { shared: Arc::clone(shared) };
    let (turn, title) = (turn.to_owned(), title.to_owned());
    let asker = EditorAsker { shared: Arc::clone(shared), turn: turn.clone(), way: way(own.approve) };
    let user = EditorUser { shared: Arc::clone(shared), turn, way: way(own.ask_user) };
    let reports = EditorReports { buffers: buffers.clone(), encoding };
    Door {
        asker: Some(Arc::new(asker)),
        user: Some(Arc::new(user)),
        buffers: Arc::new(buffers.clone()),
        documents: Arc::new(EditorDocuments { buffers, title }),
        reports: own.diagnostics.then(|| Arc::new(reports) as _),
        restarter: own.restart.then(|| Arc::new(EditorRestarter { shared: Arc::clone(shared) }) as _),
        edits: agent.backend.edits,
    }
}

impl Work {
    /// # Errors
    /// Why it came to nothing, for the user.
    pub(super) async fn run(self, with: &With) -> Result<Done, String> {
        let With { bench, id, door, events, .. } = with;
        let workbench = &bench.workbench;
        match self {
            Self::Plan(wish) => with.make_plan(&wish).await,
            Self::Revise { plan, direction, .. } => with.revise(plan, direction).await,
            Self::Approve { hash, .. } => with.carry_out(&hash).await,
            Self::Resume(_) => {
                let unfinished = bench.interrupted().await.into_iter().find(|one| one.id == *id);
                with.carry_out(&unfinished.ok_or("there is nothing to go on with")?.hash).await
            }
            Self::Undo(which) => {
                let undone = workbench.undo(which.as_ref(), door, events).await.map_err(|error| error.to_string())?;
                if let Some(agent) = &with.shared.agent {
                    agent.papers.undone(&undone.id.to_string());
                    agent.offers_changed();
                }
                Ok(done(format!("Taken back in {}", counted(undone.paths.len())), None))
            }
            Self::Ask { question } => {
                let answering = Box::pin(workbench.answer(id, &question, door, events));
                let answer = answering.await.map_err(|error| error.to_string())?;
                with.keep_answer(&question, &answer).await
            }
            Self::Change { instruction } => {
                let changing = Box::pin(workbench.change(id, &instruction, door, events));
                let said = changing.await.map_err(|error| error.to_string())?;
                Ok(done(first_line(&said), None))
            }
            Self::Choose { id, revision, choice, verdict } => {
                let chosen = chosen(choice).await?;
                let made = match verdict {
                    Verdict::Accept => workbench.accept(&id, revision, &chosen, door, events).await,
                    Verdict::Reject => workbench.reject(&id, revision, &chosen, events).await,
                };
                made.map_err(|error| error.to_string())?;
                let message = match verdict {
                    Verdict::Accept => "The edits are in the files",
                    Verdict::Reject => "The edits are dropped",
                };
                Ok(done(message.to_owned(), None))
            }
        }
    }
}

impl With {
    fn plan(&self) -> Result<&Path, String> {
        self.plan.as_deref().ok_or_else(|| "there is no plan".to_owned())
    }

    async fn carry_out(&self, hash: &str) -> Result<Done, String> {
        let Self { bench, id, door, events, .. } = self;
        let carrying = Box::pin(bench.workbench.carry_out(id, self.plan()?, hash, door, events));
        let Carried { path, ended } = carrying.await.map_err(|error| error.to_string())?;
        Ok(carried(path, ended))
    }

    async fn make_plan(&self, wish: &Wish) -> Result<Done, String> {
        let Self { bench, id, mailbox, door, events, .. } = self;
        let planning = Box::pin(bench.workbench.plan(id, wish, &**mailbox, door, events));
        let Planned { path, outcome } = planning.await.map_err(|error| error.to_string())?;
        let open = outcome.findings(Weight::MustAddress).count() + outcome.unheard().count();
        let message = match outcome.ended {
            Ended::Settled => "The plan is settled".to_owned(),
            Ended::Approved => "The plan is taken as it is".to_owned(),
            Ended::Cancelled => "The planning was stopped".to_owned(),
            Ended::RoundsOver => format!("The rounds are over; still open: {open}"),
        };
        Ok(done(message, Some(path)))
    }

    async fn revise(&self, plan: Option<Plan>, direction: Option<String>) -> Result<Done, String> {
        let plan = match plan {
            Some(plan) => plan,
            None => {
                let read = self.bench.workbench.read_plan(self.plan()?, &self.door).await;
                read.map_err(|error| error.to_string())?
            }
        };
        let wish = Wish { task: plan.task.clone(), first: Some(plan), direction, rounds_max: None };
        self.make_plan(&wish).await
    }

    async fn keep_answer(&self, question: &str, answer: &str) -> Result<Done, String> {
        let agent = self.shared.agent.as_ref().ok_or("there is no agent")?;
        let path = agent.backend.answers.join(format!("{}.md", self.id));
        let quoted: String = question.lines().map(|line| format!("> {line}").trim_end().to_owned() + "\n").collect();
        files::save(path.clone(), format!("{quoted}\n{answer}\n")).await?;
        Ok(done("The question is answered".to_owned(), Some(path)))
    }
}

async fn chosen(choice: Choice) -> Result<Chosen, String> {
    let find = |uri: String| async move {
        let named = uri.clone();
        let path = off_thread(move || place_of(&uri)).await?;
        path.ok_or_else(|| format!("{named} is no file of this machine"))
    };
    Ok(match choice {
        Choice::Hunk(uri, index) => Chosen::Hunk { path: find(uri).await?, index },
        Choice::File(uri) => Chosen::File(find(uri).await?),
        Choice::All => Chosen::All,
    })
}

fn carried(path: PathBuf, ended: WorkEnd) -> Done {
    match ended {
        WorkEnd::Done => done("All steps are done".to_owned(), Some(path)),
        WorkEnd::Stopped { step, end } => {
            let message = format!("Step {step} was not finished: {end}");
            Done { outcome: TurnOutcome::Failed, message, document: Some(path) }
        }
        WorkEnd::NotDone { step, why } => {
            let message = format!("Step {step} is not done: {why}");
            Done { outcome: TurnOutcome::Failed, message, document: Some(path) }
        }
    }
}

fn done(message: String, document: Option<PathBuf>) -> Done {
    Done { outcome: TurnOutcome::Done, message, document }
}

fn counted(files: usize) -> String {
    if files == 1 { "one file".to_owned() } else { format!("{files} files") }
}
