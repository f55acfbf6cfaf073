//! Begins a turn: finds what stands behind its folder, gives it a name, and runs it in a task of the session.
//!
//! Invariant: whatever ends a turn, its future is dropped, and the client is told once how it ended.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use finch_agent::EVENTS_MAX;
use finch_agent::characters::shown_on_one_line;
use finch_agent::task::{Kind, TaskId};
use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::follow::Show;
use super::turns::{AtPlan, Turn};
use super::work::{Done, With, Work, door};
use super::{Agent, Bench, off_thread};
use crate::dispatch::Shared;
use crate::handlers::HandlerError;
use crate::places::place_of;
use crate::wire;
use crate::wire::turn_event::{TaskKind, TurnOutcome};

/// What a command wants done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) title: String,
    pub(super) task: TaskKind,
    /// The folder that is worked in first, or all that it may be.
    pub(super) folders: Vec<PathBuf>,
    pub(super) work: Work,
}

/// Where a job is done.
struct Site {
    bench: Bench,
    /// The plan that it is about.
    plan: Option<PathBuf>,
}

/// # Errors
/// [`HandlerError`] if it cannot begin.
pub(super) async fn start(shared: Arc<Shared>, job: Job) -> Result<wire::agent::Turn, HandlerError> {
    let no_agent = || failed("this server has no agent".to_owned());
    let agent = shared.agent.as_ref().ok_or_else(no_agent)?;
    let site = site(agent, &job).await.map_err(failed)?;
    if let Some(at) = site.plan.as_deref().and_then(|plan| agent.turns.at_plan(plan)) {
        return hear(&at, &job.work);
    }
    if let (Some(plan), Work::Approve { hash, .. }) = (&site.plan, &job.work)
        && agent.papers.is_outdated(plan, hash)
    {
        let reason =
            "the editor shows an older text of this plan: reload the document, look at it, and approve it then";
        return Err(failed(reason.to_owned()));
    }
    let workbench = &site.bench.workbench;
    let id = id(&site, &job.work).await?;
    let turn = agent.turns.begin(id.to_string(), job.task, workbench.workspace())?;
    if let Some(plan) = &site.plan
        && job.task == TaskKind::Work
    {
        turn.is_at(plan);
    }
    let answer = wire::agent::Turn { turn: turn.id.clone() };
    let running = run(Arc::clone(&shared), turn, id, site, job);
    shared.tasks.spawn_for_session(Box::pin(running));
    Ok(answer)
}

/// What the turn is called. What goes on with a task keeps its name, and so do the edits of one.
async fn id(Site { bench, plan }: &Site, work: &Work) -> Result<TaskId, HandlerError> {
    let workbench = &bench.workbench;
    Ok(match work {
        Work::Choose { id, .. } | Work::Resume(id) | Work::Undo(Some(id)) => id.clone(),
        Work::Approve { uri, .. } => {
            let known = match plan {
                Some(plan) => workbench.task_of(plan).await,
                None => None,
            };
            match known {
                Some(id) => id,
                None => workbench.begin(Kind::Plan, uri).await,
            }
        }
        Work::Plan(wish) => workbench.begin(Kind::Plan, &wish.task).await,
        Work::Revise { direction, .. } => workbench.begin(Kind::Plan, direction.as_deref().unwrap_or("Revise")).await,
        Work::Ask { question } => workbench.begin(Kind::Ask, question).await,
        Work::Change { instruction } => workbench.begin(Kind::Change, instruction).await,
        // Which task it is is found out on the way; nothing is kept of the turn itself.
        Work::Undo(None) => {
            static NUMBER: AtomicU64 = AtomicU64::new(1);
            let name = format!("{:016}", NUMBER.fetch_add(1, Ordering::Relaxed));
            name.parse::<TaskId>().map_err(|error| failed(error.to_string()))?
        }
    })
}

async fn site(agent: &Agent, job: &Job) -> Result<Site, String> {
    match &job.work {
        Work::Approve { uri, .. } | Work::Revise { uri, .. } => {
            let named = uri.clone();
            let path = off_thread(move || place_of(&named)).await?;
            let plan = match path {
                Some(path) => agent.plan_at(job.folders.clone(), &path).await,
                None => None,
            };
            let (bench, plan) = plan.ok_or_else(|| format!("{uri} is no plan of a folder that is open"))?;
            Ok(Site { bench, plan: Some(plan) })
        }
        Work::Choose { id, .. } => {
            for folder in job.folders.clone() {
                let bench = agent.bench(folder).await?;
                if bench.workbench.staged(id).is_some() {
                    return Ok(Site { bench, plan: None });
                }
            }
            Err(format!("nothing is staged by the turn {id}"))
        }
        Work::Resume(id) => {
            for folder in job.folders.clone() {
                let bench = agent.bench(folder).await?;
                if let Some(one) = bench.interrupted().await.into_iter().find(|one| one.id == *id) {
                    return Ok(Site { bench, plan: Some(one.plan) });
                }
            }
            Err(format!("nothing was interrupted under the name {id}: make a new plan"))
        }
        Work::Plan(_) | Work::Undo(_) | Work::Ask { .. } | Work::Change { .. } => {
            let folder = job.folders.first().cloned().ok_or("no folder is open")?;
            Ok(Site { bench: agent.bench(folder).await?, plan: None })
        }
    }
}

/// A word for a turn that is at the plan already.
fn hear(at: &AtPlan, work: &Work) -> Result<wire::agent::Turn, HandlerError> {
    match (at.task, work) {
        (TaskKind::Plan, Work::Approve { .. }) => at.mailbox.finish(),
        (TaskKind::Plan, Work::Revise { direction: Some(direction), .. }) => at.mailbox.direct(direction.clone()),
        (TaskKind::Plan, Work::Revise { direction: None, .. }) => {
            return Err(failed("the plan is being revised already; say in which direction it should go".to_owned()));
        }
        _ => return Err(failed("the plan is being carried out; stop that first".to_owned())),
    }
    Ok(wire::agent::Turn { turn: at.id.clone() })
}

async fn run(shared: Arc<Shared>, turn: Turn, id: TaskId, site: Site, job: Job) {
    let Some(agent) = shared.agent.as_ref() else { return };
    let Site { bench, plan } = site;
    // It may hold text of a model or of a repository.
    let title = shown_on_one_line(&job.title);
    let mut show = Show::begin(&shared, bench.clone(), &turn, id.clone(), &title);
    let (events, mut happened) = mpsc::channel(EVENTS_MAX);
    let door = door(&shared, agent, &turn.id, &title);
    let mailbox = Arc::clone(&turn.mailbox);
    let with = With { shared: Arc::clone(&shared), bench, id, mailbox, plan, door, events };
    let work = job.work;
    let working = async move {
        // What belongs to the turn goes with it, so that the events end.
        let done = work.run(&with).await;
        drop(with);
        done
    };
    let ended = {
        let following = async {
            while let Some(event) = happened.recv().await {
                show.event(&turn, event).await;
            }
        };
        let both = AssertUnwindSafe(async { tokio::join!(Box::pin(working), following).0 }).catch_unwind();
        tokio::select! {
            biased;
            () = turn.stop.cancelled() => stopped(),
            ended = both => ended.unwrap_or_else(|_| Err("finch broke off; its log says more".to_owned())).unwrap_or_else(broken),
        }
    };
    // Before the client hears of the end: it may take it as the word to go on at once, under the same name.
    drop(turn);
    show.end(ended).await;
    agent.offers_changed();
}

fn stopped() -> Done {
    Done { outcome: TurnOutcome::Stopped, message: "Stopped".to_owned(), document: None }
}

fn broken(message: String) -> Done {
    Done { outcome: TurnOutcome::Failed, message, document: None }
}

fn failed(reason: String) -> HandlerError {
    HandlerError::Failed { reason }
}
