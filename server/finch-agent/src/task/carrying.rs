//! An approved plan is carried out, step by step: each is done, checked, and ticked in the plan's file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_llm::Message;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::event::tell;
use super::kept::Keeping;
use super::reading::looking_tools;
use super::settling::{Remembered, settle};
use super::{Door, Edits, PlanState, StepState, TaskError, TaskEvent, TaskId, Workbench, brief};
use crate::limits::{CHECK_TRIES_MAX, EVENTS_MAX};
use crate::plan::{Plan, Step};
use crate::room::Share;
use crate::store::State;
use crate::tool::Live;
use crate::tools::{Bash, Documents, Edit, Restart, Write};
use crate::turn::{Agent, Conversation, End, Event, Pinned};
use crate::{Outcome, Tool, ToolContext};

/// A plan that was worked on.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    pub path: PathBuf,
    pub ended: WorkEnd,
}

/// How the work ended.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkEnd {
    /// Every step is ticked.
    Done,
    /// The turn of a step, from 1, came to another end than an answer.
    Stopped { step: usize, end: End },
    /// A step, from 1, is not done, and what follows was not begun.
    NotDone { step: usize, why: String },
}

/// What the steps of one run have in common.
struct Work<'a> {
    agent: Agent,
    bash: Bash,
    documents: Arc<Remembered>,
    keeping: Keeping,
    door: &'a Door,
    events: &'a mpsc::Sender<TaskEvent>,
}

/// What became of a check.
enum Checked {
    Passed,
    Failed(String),
    Refused(String),
}

impl Workbench {
    /// Carries out the plan in this file. It goes on at the first step without a tick.
    ///
    /// # Errors
    /// [`TaskError`] if the file holds no plan, or another than the one with this hash; nothing is done then.
    pub async fn carry_out(
        self: &Arc<Self>,
        id: &TaskId,
        path: &Path,
        hash: &str,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<Carried, TaskError> {
        let _working = self.working.try_lock().map_err(|_| TaskError::Busy)?;
        let mut plan = self.read_plan(path, door).await?;
        if plan.hash().to_string() != hash {
            return Err(TaskError::PlanChanged { path: path.to_owned() });
        }
        let keeping = self.keeping(id);
        let under_way = keeping.take_up(State::Working).await?;
        keeping.plan(path, Some(plan.hash())).await;
        let work = self.work(id, door, events);
        let mut conversation = self.taken_up(&work, &plan).await;
        self.note(path, &plan, PlanState::Working, &work).await?;
        let ended = self.steps(&work, path, &mut plan, &mut conversation).await?;
        let (state, end) = match &ended {
            WorkEnd::Done => (PlanState::Done, State::Done),
            WorkEnd::Stopped { .. } => (PlanState::Stopped, State::Interrupted),
            WorkEnd::NotDone { .. } => (PlanState::Stopped, State::Failed),
        };
        self.note(path, &plan, state, &work).await?;
        under_way.ended(end).await;
        self.stage_for_review(id, &work.agent.context.view, events).await;
        Ok(Carried { path: path.to_owned(), ended })
    }

    /// What was said before finch ended, or the beginning.
    async fn taken_up(&self, work: &Work<'_>, plan: &Plan) -> Conversation {
        if let Some(before) = work.keeping.conversation().await {
            return before;
        }
        let mut conversation = Conversation::new("", self.room().cut(&plan.task, Share::Task));
        conversation.pinned = vec![self.pinned(plan)];
        work.keeping.begun(&conversation).await;
        conversation
    }

    /// Every step that is not ticked, in order.
    async fn steps(
        &self,
        work: &Work<'_>,
        path: &Path,
        plan: &mut Plan,
        conversation: &mut Conversation,
    ) -> Result<WorkEnd, TaskError> {
        for at in 0..plan.steps.len() {
            if plan.steps[at].is_done {
                continue;
            }
            let (number, step) = (at + 1, plan.steps[at].clone());
            conversation.pinned = vec![self.pinned(plan)];
            self.briefing(&step.files).await.tell(brief::WORKER, self, conversation);
            work.tell_step(number, &step, StepState::Working).await;
            if let Some(end) = self.step(work, number, &step, conversation).await {
                work.tell_step(number, &step, StepState::Failed).await;
                return Ok(end);
            }
            self.tick(path, work.door, plan, number).await?;
            plan.steps[at].is_done = true;
            work.tell_step(number, &step, StepState::Done).await;
            work.tell_plan(path, plan, PlanState::Working).await;
        }
        Ok(WorkEnd::Done)
    }

    fn work<'a>(self: &Arc<Self>, id: &TaskId, door: &'a Door, events: &'a mpsc::Sender<TaskEvent>) -> Work<'a> {
        let documents = Arc::new(Remembered::new(self, id, door, events));
        let for_tools: Arc<dyn Documents> = Arc::clone(&documents) as _;
        let bash = || match door.edits {
            Edits::Apply => Bash::new(Arc::clone(&self.runner), Arc::clone(&for_tools)).lasting(self.command_time),
            Edits::Review => Bash::reviewed(Arc::clone(&self.runner)).lasting(self.command_time),
        };
        let mut tools = looking_tools();
        tools.extend([Arc::new(Edit) as Arc<dyn Tool>, Arc::new(Write), Arc::new(bash())]);
        tools.extend(door.tools());
        tools.extend(door.restarter.iter().map(|it| Arc::new(Restart::new(Arc::clone(it))) as Arc<dyn Tool>));
        tools.extend(self.more_tools.iter().cloned());
        let agent = self.agent(tools, &self.context(door), door.asker.clone());
        Work { agent, bash: bash(), documents, keeping: self.keeping(id), door, events }
    }

    /// One step. `None` if it is done.
    async fn step(
        &self,
        work: &Work<'_>,
        number: usize,
        step: &Step,
        conversation: &mut Conversation,
    ) -> Option<WorkEnd> {
        let mut told = assignment(number, step);
        let mut why = String::new();
        for attempt in 1..=CHECK_TRIES_MAX {
            let told_now = Message::User(told);
            work.keeping.said(&told_now).await;
            conversation.add(told_now);
            match self.run(&work.agent, conversation, Some(&work.keeping), work.events).await {
                (End::Answered, _) => {}
                (end, _) => return Some(WorkEnd::Stopped { step: number, end }),
            }
            if let Err(problem) = self.settle_step(work).await {
                told = format!("The edits of this step are not in the files: {problem}.");
                why = problem;
                continue;
            }
            if step.check.is_empty() {
                return None;
            }
            work.tell_step(number, step, StepState::Checking).await;
            match work.check(&step.check, format!("check-{number}-{attempt}")).await {
                Checked::Passed => return None,
                Checked::Refused(reason) => return Some(WorkEnd::NotDone { step: number, why: reason }),
                Checked::Failed(output) => {
                    let output = self.room().cut(&output, Share::Notes);
                    told = format!("The step is not done: its check `{}` failed.\n\n{output}\n\nMend it.", step.check);
                    why = format!("its check `{}` fails", step.check);
                }
            }
        }
        Some(WorkEnd::NotDone { step: number, why })
    }

    fn pinned(&self, plan: &Plan) -> Pinned {
        Pinned { title: "The plan".to_owned(), text: self.room().cut(&plan.to_markdown(), Share::Plan) }
    }

    async fn settle_step(&self, work: &Work<'_>) -> Result<(), String> {
        match work.door.edits {
            Edits::Apply => settle(&work.agent.context.view, &*work.documents, |path| self.name(path)).await,
            Edits::Review => Ok(()),
        }
    }

    /// Says in the plan's file, and to who listens, how far it is.
    async fn note(&self, path: &Path, plan: &Plan, state: PlanState, work: &Work<'_>) -> Result<(), TaskError> {
        self.write_state(path, work.door, plan, state).await?;
        work.tell_plan(path, plan, state).await;
        Ok(())
    }
}

impl Work<'_> {
    async fn tell_step(&self, number: usize, step: &Step, state: StepState) {
        tell(self.events, TaskEvent::Step { number, title: step.title.clone(), state }).await;
    }

    async fn tell_plan(&self, path: &Path, plan: &Plan, state: PlanState) {
        tell(self.events, TaskEvent::PlanFile { path: path.to_owned(), hash: plan.hash(), state, open: 0 }).await;
    }

    /// Runs the check of a step as any other command: it passes the gate and the sandbox.
    async fn check(&self, command: &str, call_id: String) -> Checked {
        let arguments = Map::from_iter([("command".to_owned(), Value::from(command))]);
        let call = Event::Call {
            id: call_id.clone(),
            name: "Bash".to_owned(),
            arguments_json: Value::Object(arguments.clone()).to_string(),
        };
        tell(self.events, TaskEvent::Turn(call)).await;
        let (sender, mut happened) = mpsc::channel(EVENTS_MAX);
        let context = ToolContext { live: Live::new(sender, &call_id), ..self.agent.context.clone() };
        let running = async move {
            let checked = self.run_check(arguments, &context).await;
            drop(context);
            checked
        };
        let telling = async {
            while let Some(event) = happened.recv().await {
                tell(self.events, TaskEvent::Turn(event)).await;
            }
        };
        let (ran, ()) = tokio::join!(running, telling);
        let (outcome, checked) = match ran {
            Ok(outcome) if outcome.is_error => (outcome.clone(), Checked::Failed(outcome.text)),
            Ok(outcome) => (outcome, Checked::Passed),
            Err(reason) => (Outcome::failed(reason.clone()), Checked::Refused(reason)),
        };
        tell(self.events, TaskEvent::Turn(Event::Called { id: call_id, outcome })).await;
        checked
    }

    async fn run_check(&self, arguments: Map<String, Value>, context: &ToolContext) -> Result<Outcome, String> {
        let access = match self.bash.access(&arguments, context) {
            Ok(access) => access,
            Err(bad) => return Ok(Outcome::failed(bad.to_string())),
        };
        match self.agent.gate.permit(access).await {
            Ok(permit) => Ok(self.bash.call(permit, arguments, context).await),
            Err(denied) => Err(format!("its check was {denied}")),
        }
    }
}

fn assignment(number: usize, step: &Step) -> String {
    let mut told = format!("Do step {number} of the plan: {}\n\n{}\n", step.title, step.what);
    if !step.files.is_empty() {
        told.push_str(&format!("\nFiles: {}\n", step.files.join(", ")));
    }
    if !step.check.is_empty() {
        told.push_str(&format!("\nWhen you are done this is run: `{}`\n", step.check));
    }
    told
}
