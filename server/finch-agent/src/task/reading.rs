//! Reads around before a plan is made, with tools that cannot write and nobody to ask.

use std::path::Path;
use std::sync::Arc;

use finch_llm::{Message, Origin, Task};
use tokio::sync::mpsc;

use super::brief::{self, Briefing};
use super::kept::Keeping;
use super::{Door, TaskError, TaskEvent, Workbench, event::tell};
use crate::limits::{EVENTS_MAX, PLAN_READING_ANSWERS_MAX, PLAN_READING_TIME_MAX, PLAN_SOURCE_BYTES_MAX};
use crate::plan::Source;
use crate::tools::{Glob, Grep, Read};
use crate::turn::{Agent, Conversation, End, Event, TurnLimits};
use crate::view::Content;
use crate::{Tool, ToolContext};

/// What was found out.
pub(super) struct Notes {
    pub(super) text: String,
    /// The files that it has text of, as they are called in the workspace.
    pub(super) files: Vec<String>,
}

/// Tools that can change nothing: there is no other in a phase that only looks.
pub(super) fn looking_tools() -> Vec<Arc<dyn Tool>> {
    vec![Arc::new(Read), Arc::new(Glob), Arc::new(Grep)]
}

impl Workbench {
    /// Lets the model read what it needs. One that finds nothing is no end of the plan.
    pub(super) async fn read_around(
        &self,
        task: &str,
        briefing: &Briefing,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<Notes, TaskError> {
        let limits = TurnLimits {
            answers_max: PLAN_READING_ANSWERS_MAX,
            time_max: PLAN_READING_TIME_MAX,
            ..TurnLimits::default()
        };
        let agent = Agent {
            origin: Origin { task: Task::Plan, ..self.origin.clone() },
            limits,
            ..self.agent(looking_tools(), &self.context(door), None)
        };
        let mut conversation = Conversation::new("", task);
        briefing.tell(brief::READER, self, &mut conversation);
        let (end, mut files) = self.run(&agent, &mut conversation, None, events).await;
        files.extend(briefing.files.iter().cloned());
        files.sort();
        files.dedup();
        match (end, last_words(&conversation)) {
            (_, Some(text)) => Ok(Notes { text, files }),
            (End::Failed(error), None) => Err(error.into()),
            (end, None) => {
                tracing::info!(?end, "nothing was found out about the repository; the plan is made without");
                Ok(Notes { text: String::new(), files })
            }
        }
    }

    /// One turn, whose events are told as the task's. Returns its end and the files whose text it has seen.
    pub(super) async fn run(
        &self,
        agent: &Agent,
        conversation: &mut Conversation,
        keeping: Option<&Keeping>,
        events: &mpsc::Sender<TaskEvent>,
    ) -> (End, Vec<String>) {
        let (sender, mut happened) = mpsc::channel(EVENTS_MAX);
        let mut files = Vec::new();
        let telling = async {
            while let Some(event) = happened.recv().await {
                let seen: Vec<String> = match &event {
                    Event::Called { outcome, .. } => outcome.files.iter().map(|file| self.name(file)).collect(),
                    _ => Vec::new(),
                };
                if let Some(keeping) = keeping {
                    keeping.happened(&event, &seen).await;
                }
                files.extend(seen);
                let is_last = matches!(event, Event::Ended(_));
                tell(events, TaskEvent::Turn(event)).await;
                if is_last {
                    break;
                }
            }
        };
        let (end, ()) = tokio::join!(agent.run(conversation, &sender), telling);
        (end, files)
    }
}

/// What the model said last.
pub(super) fn last_words(conversation: &Conversation) -> Option<String> {
    conversation.messages().iter().rev().find_map(|message| match message {
        Message::Assistant(answer) if !answer.text.trim().is_empty() => Some(answer.text.clone()),
        _ => None,
    })
}

/// Files as the personas' claims are held against them: those that a tool may read, as the editor has them.
pub(super) struct Files {
    pub(super) context: ToolContext,
}

impl Source for Files {
    fn text(&self, path: &str) -> Option<String> {
        let full = crate::view::resolve(&self.context.workspace, path).ok()?;
        if !self.may_be_read(&full) {
            return None;
        }
        match self.context.view.look(&full).ok()? {
            Content::Text(seen) if seen.text.len() <= PLAN_SOURCE_BYTES_MAX => Some(seen.text.to_string()),
            _ => None,
        }
    }
}

impl Files {
    fn may_be_read(&self, full: &Path) -> bool {
        full.starts_with(&self.context.workspace) && !(self.context.leave_out)(full)
    }
}
