//! Work without a plan: a question that is answered, an instruction that is carried out in files.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::reading::{last_words, looking_tools};
use super::settling::{Remembered, settle};
use super::{Door, Edits, TaskError, TaskEvent, TaskId, Workbench, brief};
use crate::Tool;
use crate::room::Share;
use crate::store::State;
use crate::tools::{Edit, Write};
use crate::turn::{Agent, Conversation, End};

impl Workbench {
    /// Answers a question, with tools that read.
    ///
    /// # Errors
    /// [`TaskError`] if there is no answer.
    pub async fn answer(
        &self,
        id: &TaskId,
        question: &str,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<String, TaskError> {
        let agent = self.agent(looking_tools(), &self.context(door), door.asker.clone());
        let under_way = self.keeping(id).take_up(State::Working).await?;
        let answer = self.talk(brief::ANSWERER, question, &agent, events).await;
        under_way.ended(if answer.is_ok() { State::Done } else { State::Failed }).await;
        answer
    }

    /// Changes files as told, with tools that read and edit and none that runs a command. Returns what the model says.
    ///
    /// # Errors
    /// [`TaskError`] if it comes to nothing.
    pub async fn change(
        self: &Arc<Self>,
        id: &TaskId,
        instruction: &str,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<String, TaskError> {
        let _working = self.working.try_lock().map_err(|_| TaskError::Busy)?;
        let documents = Remembered::new(self, id, door, events);
        let mut tools = looking_tools();
        tools.extend([Arc::new(Edit) as Arc<dyn Tool>, Arc::new(Write)]);
        tools.extend(door.tools());
        let agent = self.agent(tools, &self.context(door), door.asker.clone());
        let under_way = self.keeping(id).take_up(State::Working).await?;
        let said = self.talk(brief::CHANGER, instruction, &agent, events).await;
        let view = &agent.context.view;
        let settled = match (&said, door.edits) {
            (Err(_), _) => Ok(()),
            (Ok(_), Edits::Apply) => settle(view, &documents, |path| self.name(path)).await,
            (Ok(_), Edits::Review) => {
                self.stage_for_review(id, view, events).await;
                Ok(())
            }
        };
        under_way.ended(if said.is_ok() && settled.is_ok() { State::Done } else { State::Failed }).await;
        settled.map_err(|reason| TaskError::NotApplied { reason })?;
        said
    }

    /// One turn to its end; what was said last.
    async fn talk(
        &self,
        role: &str,
        words: &str,
        agent: &Agent,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<String, TaskError> {
        let mut conversation = Conversation::new("", self.room().cut(words, Share::Notes));
        self.briefing(&[]).await.tell(role, self, &mut conversation);
        match self.run(agent, &mut conversation, None, events).await.0 {
            End::Answered => Ok(last_words(&conversation).unwrap_or_default()),
            End::Failed(error) => Err(error.into()),
            end => Err(TaskError::BrokeOff { reason: end.to_string() }),
        }
    }
}
