//! A plan is made: read around, drafted, attacked, revised, and its file kept up to date on the way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_llm::{Origin, Task};
use tokio::sync::mpsc;

use super::event::tell;
use super::plan_file::Written;
use super::reading::Files;
use super::{Door, PlanState, TaskError, TaskEvent, TaskId, Workbench};
use crate::limits::{EVENTS_MAX, PLAN_ROUNDS_MAX};
use crate::plan::{Ended, Outcome, Plan, PlanEvent, PlanLoop, Review, Steering};
use crate::room::Share;
use crate::store::State;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub task: String,
    /// A plan to attack in place of a draft, as the user has edited it.
    pub first: Option<Plan>,
    /// What the user says to begin with.
    pub direction: Option<String>,
    /// As the workbench has it, if none is given.
    pub rounds_max: Option<u32>,
}

/// A plan, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub path: PathBuf,
    pub outcome: Outcome,
}

/// What the file is written from.
struct Progress {
    plan: Option<Plan>,
    round: u32,
    reviews: Vec<Review>,
}

impl Workbench {
    /// Makes a plan. Nothing in the workspace changes: there is no tool that could, and nobody is asked. The plan's file
    /// is there from the first draft on.
    ///
    /// # Errors
    /// [`TaskError`] if there is no plan. If it stops half-way, the file holds what there is.
    pub async fn plan(
        &self,
        id: &TaskId,
        wish: &Wish,
        steering: &dyn Steering,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<Planned, TaskError> {
        let keeping = self.keeping(id);
        let under_way = keeping.take_up(State::Planning).await?;
        let planned = self.made_plan(id, wish, steering, door, events).await;
        if let Ok(planned) = &planned {
            keeping.plan(&planned.path, None).await;
        }
        under_way.ended(if planned.is_ok() { State::Planned } else { State::Failed }).await;
        planned
    }

    async fn made_plan(
        &self,
        id: &TaskId,
        wish: &Wish,
        steering: &dyn Steering,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<Planned, TaskError> {
        let path = self.plan_path(id);
        let briefing = self.briefing(&[]).await;
        let notes = self.read_around(&wish.task, &briefing, door, events).await?;
        let mut known = notes.text;
        if !briefing.text.is_empty() {
            let asked_for = self.room().cut(&briefing.text, Share::Instructions);
            known = format!("{asked_for}\n\n{known}");
        }
        let plan_loop = PlanLoop {
            provider: Arc::clone(&self.provider),
            client: self.client.clone(),
            origin: Origin { task: Task::Plan, files: notes.files, ..self.origin.clone() },
            source: Arc::new(Files { context: self.context(door) }),
            notes: known,
            rounds_max: wish.rounds_max.unwrap_or(self.rounds_max).clamp(1, PLAN_ROUNDS_MAX),
            first: wish.first.clone(),
            direction: wish.direction.clone(),
        };
        let (sender, happened) = mpsc::channel(EVENTS_MAX);
        let making = async {
            let made = plan_loop.run(&wish.task, steering, &sender).await;
            drop(sender);
            made
        };
        let (made, kept) = tokio::join!(making, self.keep_up(&path, happened, events));
        let outcome = made?;
        kept?;
        self.finish(&path, &outcome, events).await?;
        Ok(Planned { path, outcome })
    }

    /// Writes the file anew with each draft and each review.
    async fn keep_up(
        &self,
        path: &Path,
        mut happened: mpsc::Receiver<PlanEvent>,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<(), TaskError> {
        let mut progress = Progress { plan: None, round: 0, reviews: Vec::new() };
        let mut kept = Ok(());
        while let Some(event) = happened.recv().await {
            match &event {
                PlanEvent::Drafting { .. } => {}
                PlanEvent::Drafted { round, plan } => {
                    progress = Progress { plan: Some(plan.clone()), round: *round, reviews: Vec::new() };
                }
                PlanEvent::Reviewed { review, .. } => progress.reviews.push(review.clone()),
            }
            tell(events, TaskEvent::Plan(event)).await;
            // The loop goes on whatever becomes of the file; the error is told at its end.
            if let (Some(plan), Ok(())) = (&progress.plan, &kept) {
                let Progress { round, reviews, .. } = &progress;
                kept =
                    self.show(path, &Written { plan, state: PlanState::Drafted, round: *round, reviews }, events).await;
            }
        }
        kept
    }

    async fn finish(&self, path: &Path, outcome: &Outcome, events: &mpsc::Sender<TaskEvent>) -> Result<(), TaskError> {
        let Some(last) = outcome.rounds.last() else { return Ok(()) };
        let state = match outcome.ended {
            Ended::Settled => PlanState::Settled,
            Ended::Approved => PlanState::Taken,
            Ended::Cancelled => PlanState::Stopped,
            Ended::RoundsOver => PlanState::RoundsOver,
        };
        self.show(path, &Written { plan: &last.plan, state, round: last.number, reviews: &last.reviews }, events).await
    }

    async fn show(
        &self,
        path: &Path,
        written: &Written<'_>,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<(), TaskError> {
        self.write_plan(path, written).await?;
        let (hash, state, open) = (written.plan.hash(), written.state, written.open());
        tell(events, TaskEvent::PlanFile { path: path.to_owned(), hash, state, open }).await;
        Ok(())
    }

    /// What the project asks for, given the files that the task is about to touch.
    pub(super) async fn briefing(&self, files: &[String]) -> super::Briefing {
        let (briefing, workspace) = (Arc::clone(&self.briefing), self.workspace().to_owned());
        let files = files.to_vec();
        let asking = move || {
            let touched: Vec<_> = files.iter().filter_map(|file| crate::view::resolve(&workspace, file).ok()).collect();
            briefing(&touched)
        };
        tokio::task::spawn_blocking(asking).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the files with instructions could not be read");
            super::Briefing::default()
        })
    }
}
