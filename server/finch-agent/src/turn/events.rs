//! What happens in a turn, for whoever shows it, and how it is told without holding the model up.

use finch_llm::Message;
use tokio::sync::mpsc;

use super::End;
use crate::{Outcome, limits::PENDING_BYTES_MAX};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Text of the answer. Pieces that the reader had no time for come as one.
    Text(String),
    /// What the model thinks before it answers.
    Reasoning(String),
    /// The answer broke off and is asked for anew: its text so far does not count.
    Retried { reason: String },
    /// A call begins: it is about to be asked for.
    Call { id: String, name: String, arguments_json: String },
    /// Output of a call while it runs. The call's end has all of it, so that some may be left out here.
    Output { call_id: String, text: String },
    /// A call has ended.
    Called { id: String, outcome: Outcome },
    /// The conversation has grown by this. Who keeps these can take it up again.
    Said(Message),
    /// What was said earlier was replaced by this summary, but for the task, what is pinned, and these messages.
    Compacted { summary: String, kept: Vec<Message> },
    /// The last event.
    Ended(End),
}

/// The reader of the events is gone: so is the user who wanted the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the events")]
pub(crate) struct Gone;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
}

/// Tells what happens. Pieces of text are joined while the reader is busy.
#[derive(Debug)]
pub(crate) struct Teller<'a> {
    events: &'a mpsc::Sender<Event>,
    pending: String,
    kind: Kind,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(events: &'a mpsc::Sender<Event>) -> Self {
        Self { events, pending: String::new(), kind: Kind::Text }
    }

    pub(crate) fn events(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }

    pub(crate) async fn text(&mut self, piece: &str) -> Result<(), Gone> {
        self.piece(Kind::Text, piece).await
    }

    pub(crate) async fn reasoning(&mut self, piece: &str) -> Result<(), Gone> {
        self.piece(Kind::Reasoning, piece).await
    }

    pub(crate) async fn tell(&mut self, event: Event) -> Result<(), Gone> {
        self.flush().await?;
        self.events.send(event).await.map_err(|_| Gone)
    }

    async fn piece(&mut self, kind: Kind, piece: &str) -> Result<(), Gone> {
        if self.kind != kind {
            self.flush().await?;
            self.kind = kind;
        }
        self.pending.push_str(piece);
        if self.pending.len() > PENDING_BYTES_MAX {
            return self.flush().await;
        }
        match self.events.try_reserve() {
            Ok(slot) => {
                slot.send(event(kind, std::mem::take(&mut self.pending)));
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(())) => Err(Gone),
        }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let event = event(self.kind, std::mem::take(&mut self.pending));
        self.events.send(event).await.map_err(|_| Gone)
    }
}

fn event(kind: Kind, text: String) -> Event {
    match kind {
        Kind::Text => Event::Text(text),
        Kind::Reasoning => Event::Reasoning(text),
    }
}
