//! What was said in a task, and what of it must not be lost when the model's context fills up.

use std::collections::BTreeSet;

use finch_llm::{
    Message, Origin,
    history::{HistoryRules, valid_for},
};

/// A text that stays in front of the model whatever else is summed up: the plan, open findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    pub title: String,
    pub text: String,
}

/// A conversation about one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    pub system: String,
    pub pinned: Vec<Pinned>,
    /// What the user wants, with the pictures that belong to it. Never summed up.
    pub task: Vec<Message>,
    /// What was said before `messages`, in short.
    pub(crate) summary: Option<String>,
    /// The files that it has text of, as they are called in the workspace. None is taken out again: a summary knows them.
    pub(crate) files: BTreeSet<String>,
    pub(super) messages: Vec<Message>,
}

impl Conversation {
    #[must_use]
    pub fn new(system: impl Into<String>, task: impl Into<String>) -> Self {
        Self { system: system.into(), task: vec![Message::User(task.into())], ..Self::default() }
    }

    /// Adds what the user says while the task goes on, or what an earlier run left.
    pub fn add(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Notes that text of this file is in it, as an [`Event::Called`](super::Event::Called) told it.
    pub fn add_file(&mut self, name: String) {
        self.files.insert(name);
    }

    /// Takes the place of what was said, as an [`Event::Compacted`](super::Event::Compacted) told it.
    pub fn compact(&mut self, summary: String, kept: Vec<Message>) {
        self.summary = Some(summary);
        self.messages = kept;
    }

    /// What was said since the task, or since it was last summed up.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Bytes that could be summed up.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(bytes).sum()
    }

    /// All of it in the order in which a model reads it, valid for any provider.
    #[must_use]
    pub fn for_provider(&self) -> Vec<Message> {
        let mut all = vec![Message::System(self.system.clone())];
        for Pinned { title, text } in &self.pinned {
            all.push(Message::System(format!("# {title}\n\n{text}")));
        }
        all.extend(self.task.iter().cloned());
        if let Some(summary) = &self.summary {
            all.push(Message::User(format!("(What has happened since, in short:)\n\n{summary}")));
        }
        all.extend(self.messages.iter().cloned());
        let rules = HistoryRules { images_max: usize::MAX, image_bytes_max: usize::MAX, answer_after_results: false };
        valid_for(&all, &rules)
    }
}

/// Where a request with all of it comes from: what is agreed about any of its files holds.
pub(super) fn origin(base: &Origin, conversation: &Conversation) -> Origin {
    let mut origin = base.clone();
    origin.files.extend(conversation.files.iter().filter(|file| !base.files.contains(file)).cloned());
    origin
}

/// Bytes of text in a message.
pub(crate) fn bytes(message: &Message) -> usize {
    match message {
        Message::System(text) | Message::User(text) => text.len(),
        // A picture costs by its size in pixels, which is bounded.
        Message::Image(_) => 4096,
        Message::Assistant(answer) => {
            let calls = answer.tool_calls.iter().map(|call| call.name.len() + call.arguments_json.len());
            answer.text.len() + answer.reasoning.len() + calls.sum::<usize>()
        }
        Message::ToolResult(result) => result.text.len(),
    }
}
