//! Work without a plan: a question that is answered, an instruction that is carried out in files.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::reading::{last_words, looking_tools};
use super::settling::{Remembered, settle};
use super::{Door, Edits, TaskError, TaskEvent, TaskId, Workbench, brief};
use crate::Tool;
use crate::tools::{AskUser, Diagnostics, Edit, Write};
use crate::turn::{Agent, Conversation, End};

impl Workbench {
    /// Answers a question, with tools that read.
    ///
    /// # Errors
    /// [`TaskError`] if there is no answer.
    pub async fn answer(
        &self,
        question: &str,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<String, TaskError> {
        let agent = self.agent(looking_tools(), &self.context(door), door.asker.clone());
        self.talk(brief::ANSWERER, question, &agent, events).await
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
        tools.extend(door.user.iter().map(|user| Arc::new(AskUser::new(Arc::clone(user))) as Arc<dyn Tool>));
        tools.extend(door.reports.iter().map(|all| Arc::new(Diagnostics::new(Arc::clone(all))) as Arc<dyn Tool>));
        let agent = self.agent(tools, &self.context(door), door.asker.clone());
        let said = self.talk(brief::CHANGER, instruction, &agent, events).await?;
        let view = &agent.context.view;
        match door.edits {
            Edits::Apply => settle(view, &documents, |path| self.name(path))
                .await
                .map_err(|reason| TaskError::NotApplied { reason })?,
            Edits::Review => self.stage_for_review(id, view, events).await,
        }
        Ok(said)
    }

    /// One turn to its end; what was said last.
    async fn talk(
        &self,
        role: &str,
        words: &str,
        agent: &Agent,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<String, TaskError> {
        let briefing = self.briefing().await;
        let mut conversation = Conversation::new(brief::system(role, self, &briefing), words);
        briefing.files.iter().for_each(|file| conversation.add_file(file.clone()));
        match self.run(agent, &mut conversation, events).await.0 {
            End::Answered => Ok(last_words(&conversation).unwrap_or_default()),
            End::Failed(error) => Err(error.into()),
            end => Err(TaskError::BrokeOff { reason: end.to_string() }),
        }
    }
}
