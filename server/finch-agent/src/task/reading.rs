//! Reads around before a plan is made, with tools that cannot write and nobody to ask.

use std::path::Path;
use std::sync::Arc;

use finch_llm::{Message, Origin, Task};
use tokio::sync::mpsc;

use super::brief::{self, Briefing};
use super::kept::Keeping;
use super::{Door, TaskError, TaskEvent, Workbench, event::tell};
use crate::limits::{
    EVENTS_MAX, PLAN_READING_ANSWERS_MAX, PLAN_READING_TIME_MAX, PLAN_SOURCE_BYTES_MAX, SMALL_NAMED_FILES_MAX,
    SMALL_NAMED_WORDS_MAX, SMALL_READING_ANSWERS_MAX, SMALL_READING_TIME_MAX, SMALL_READING_TOKENS_MAX,
};
use crate::plan::Source;
use crate::room::{Room, Share};
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

const READING: TurnLimits =
    TurnLimits { answers_max: PLAN_READING_ANSWERS_MAX, time_max: PLAN_READING_TIME_MAX, ..TurnLimits::USUAL };

/// How far a model reads that holds little.
const SHORT_READING: TurnLimits = TurnLimits {
    answers_max: SMALL_READING_ANSWERS_MAX,
    answer_tokens_max: SMALL_READING_TOKENS_MAX,
    time_max: SMALL_READING_TIME_MAX,
    ..TurnLimits::USUAL
};

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
        let origin = Origin { task: Task::Plan, ..self.origin.clone() };
        let room = Room::of(&*self.provider, &self.origin, Task::Plan);
        let (role, limits) = match room.is_small() {
            true => (brief::SHORT_READER, SHORT_READING),
            false => (brief::READER, READING),
        };
        let context = self.context(door);
        let shown = if room.is_small() { named_files(task, &context) } else { Vec::new() };
        let texts: Vec<String> = shown.iter().map(|(name, text)| numbered(name, text)).collect();
        let known = room.cut(&texts.join("\n"), Share::Notes);
        let asked = format!("{}\n\n{known}", room.cut(task, Share::Task));
        let mut conversation = Conversation::new("", asked.trim_end());
        shown.iter().for_each(|(name, _)| conversation.add_file(name.clone()));
        briefing.tell(role, self, &mut conversation);
        let agent = Agent { origin, limits, ..self.agent(looking_tools(), &context, None) };
        let (end, mut files) = self.run(&agent, &mut conversation, None, events).await;
        files.extend(briefing.files.iter().cloned().chain(shown.into_iter().map(|(name, _)| name)));
        files.sort();
        files.dedup();
        match (end, last_words(&conversation)) {
            (_, Some(words)) => Ok(Notes { text: format!("{known}\n\n{words}").trim_start().to_owned(), files }),
            (End::Failed(error), None) => Err(error.into()),
            (end, None) => {
                tracing::info!(?end, "nothing was found out about the repository; the plan is made without");
                Ok(Notes { text: known, files })
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

/// The files that a task names and that a tool might read, the first ones.
fn named_files(task: &str, context: &ToolContext) -> Vec<(String, String)> {
    let files = Files { context: context.clone() };
    let mut named: Vec<(String, String)> = Vec::new();
    for word in task.split_whitespace().take(SMALL_NAMED_WORDS_MAX) {
        let name = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '_'));
        let name = name.split(':').next().unwrap_or(name).trim_end_matches('.');
        let is_new = named.iter().all(|(known, _)| known != name);
        if is_new
            && name.contains(['.', '/'])
            && let Some(text) = files.text(name)
        {
            named.push((name.to_owned(), text));
        }
        if named.len() == SMALL_NAMED_FILES_MAX {
            break;
        }
    }
    named
}

fn numbered(name: &str, text: &str) -> String {
    let lines = (1..).zip(text.lines()).map(|(number, line)| format!("{number}\t{line}\n"));
    std::iter::once(format!("{name}:\n")).chain(lines).collect()
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
