//! Events of a turn on their way to a client that may read slowly: bounded, joined, and never waited for.
//!
//! Past the bounds text and output are left out, never the outline of what happened; what is left out stands in the
//! answer's, the plan's or the review's document.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tower_lsp::lsp_types::notification::Notification;

use crate::editor::Editor;
use crate::limits::{WAITING_EVENT_BYTES_MAX, WAITING_EVENTS_MAX};
use crate::wire::method;
use crate::wire::turn_event::{Happening, TurnEvent};

enum TurnEvents {}

impl Notification for TurnEvents {
    type Params = TurnEvent;
    const METHOD: &'static str = method::TURN_EVENT;
}

/// Where events are put. The last handle that goes ends the sending, once everything is sent.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Happening>,
    bytes: usize,
    is_closed: bool,
    /// Taken out and not sent yet.
    is_sending: bool,
}

impl Outbox {
    /// The box, and what empties it.
    pub(super) fn new(editor: Editor, turn: String) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let queue = Arc::new(Queue::default());
        let sending = send(Arc::clone(&queue), editor, turn);
        (Self { queue }, sending)
    }

    pub(super) fn put(&self, event: Happening) {
        self.queue.held().put(event);
        self.queue.news.notify_one();
    }

    /// Waits until the client has taken everything.
    pub(super) async fn emptied(&self) {
        loop {
            let empty = self.queue.empty.notified();
            {
                let waiting = self.queue.held();
                if waiting.events.is_empty() && !waiting.is_sending {
                    return;
                }
            }
            empty.await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.queue.held().is_closed = true;
        self.queue.news.notify_one();
    }
}

impl Queue {
    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(queue: Arc<Queue>, editor: Editor, turn: String) {
    loop {
        let next = {
            let mut waiting = queue.held();
            let next = waiting.take();
            waiting.is_sending = next.is_some();
            next.ok_or(waiting.is_closed)
        };
        match next {
            Ok(event) => editor.tell::<TurnEvents>(TurnEvent { turn: turn.clone(), event }).await,
            Err(is_closed) => {
                queue.empty.notify_waiters();
                if is_closed {
                    return;
                }
                queue.news.notified().await;
            }
        }
    }
}

impl Waiting {
    fn put(&mut self, event: Happening) {
        let bytes = size(&event);
        let is_dear = is_outline(&event);
        if !is_dear && self.bytes + bytes > WAITING_EVENT_BYTES_MAX {
            return;
        }
        if let Some(last) = self.events.back_mut() {
            let before = size(last);
            if join(last, &event) {
                self.bytes += size(last) - before;
                return;
            }
        }
        self.bytes += bytes;
        self.events.push_back(event);
        while self.events.len() > WAITING_EVENTS_MAX || self.bytes > WAITING_EVENT_BYTES_MAX {
            // What can be done without goes first, then what is oldest.
            let at = self.events.iter().position(|event| !is_outline(event)).unwrap_or(0);
            let Some(gone) = self.events.remove(at) else { return };
            self.bytes = self.bytes.saturating_sub(size(&gone));
            if self.events.is_empty() {
                return;
            }
        }
    }

    fn take(&mut self) -> Option<Happening> {
        let event = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(size(&event));
        Some(event)
    }
}

/// What tells how far the turn is.
fn is_outline(event: &Happening) -> bool {
    !matches!(event, Happening::Text { .. } | Happening::Reasoning { .. } | Happening::Output { .. })
}

/// Adds a piece to the one before, if they belong together.
fn join(last: &mut Happening, next: &Happening) -> bool {
    match (last, next) {
        (Happening::Text { text }, Happening::Text { text: more })
        | (Happening::Reasoning { text }, Happening::Reasoning { text: more }) => {
            text.push_str(more);
            true
        }
        (Happening::Output { id, text }, Happening::Output { id: same, text: more }) if id == same => {
            text.push_str(more);
            true
        }
        _ => false,
    }
}

fn size(event: &Happening) -> usize {
    match event {
        Happening::Text { text } | Happening::Reasoning { text } => text.len(),
        Happening::Output { id, text } | Happening::Called { id, text, .. } => id.len() + text.len(),
        Happening::Call { id, name, arguments } => id.len() + name.len() + arguments.len(),
        Happening::Began { title, .. } | Happening::Step { title, .. } => title.len(),
        Happening::Plan { uri, hash, .. } => uri.len() + hash.len(),
        Happening::Applied { uris } => uris.iter().map(String::len).sum(),
        Happening::Review { uri, .. } | Happening::Answer { uri } => uri.len(),
        Happening::Ended { message, .. } => message.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Happening {
        Happening::Text { text: text.to_owned() }
    }

    fn output(id: &str, text: &str) -> Happening {
        Happening::Output { id: id.to_owned(), text: text.to_owned() }
    }

    #[track_caller]
    fn check(put: &[Happening], expected: &[Happening]) {
        let mut waiting = Waiting::default();
        put.iter().cloned().for_each(|event| waiting.put(event));
        assert_eq!(waiting.events, expected);
        let bytes: usize = expected.iter().map(size).sum();
        assert_eq!(waiting.bytes, bytes);
    }

    #[test]
    fn pieces_of_the_same_text_are_joined() {
        let call = Happening::Call { id: "1".to_owned(), name: "Read".to_owned(), arguments: "{}".to_owned() };
        check(&[text("a"), text("b"), call.clone(), text("c")], &[text("ab"), call, text("c")]);
        check(&[output("1", "a"), output("1", "b"), output("2", "c")], &[output("1", "ab"), output("2", "c")]);
    }

    #[test]
    fn a_client_that_reads_nothing_costs_no_memory_and_loses_no_outline() {
        let mut waiting = Waiting::default();
        let step = |number| Happening::Step {
            number,
            title: "step".to_owned(),
            state: crate::wire::turn_event::StepStage::Done,
        };
        for number in 0..400 {
            waiting.put(step(number));
            waiting.put(output(&number.to_string(), &"x".repeat(10_000)));
        }
        waiting.put(Happening::Applied { uris: Vec::new() });
        assert!(waiting.bytes <= WAITING_EVENT_BYTES_MAX && waiting.events.len() <= WAITING_EVENTS_MAX);
        assert_eq!(waiting.events.iter().filter(|event| is_outline(event)).count(), 401);
        (0..10 * WAITING_EVENTS_MAX).for_each(|number| waiting.put(step(number)));
        assert!(waiting.events.len() <= WAITING_EVENTS_MAX);
    }
}
