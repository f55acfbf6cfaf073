//! Asks the person at the terminal: the whole effect is printed, and a refusal is the first choice.
//!
//! Ctrl-C at a question, which is a key there and no signal, is no answer to it: it ends the run, as elsewhere, and so
//! does Esc. The question then stays open, and whoever runs the work drops it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use finch_agent::Asker;
use finch_agent::question::{Answer, Question};
use tokio::sync::Notify;

use crate::progress::say;

/// The person at the terminal. A clone asks the same.
#[derive(Clone, Default)]
pub(crate) struct TerminalAsker {
    stopped: Arc<Notify>,
}

impl TerminalAsker {
    /// Waits until the person ends the run at a question.
    pub(crate) async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// What was said to a question; `None` if it could not be put. One at which the run was ended stays open.
    async fn said<T: Send + 'static>(&self, put: impl FnOnce() -> io::Result<T> + Send + 'static) -> Option<T> {
        // Blocks a thread of its own until there is an answer; one that comes too late reaches nobody.
        match tokio::task::spawn_blocking(put).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                self.stopped.notify_one();
                std::future::pending().await
            }
            Ok(Err(error)) => {
                tracing::info!(%error, "the question was not answered");
                None
            }
            Err(error) => {
                tracing::error!(%error, "the question could not be put");
                None
            }
        }
    }

    /// Whether a plan with so many open findings is to be carried out all the same.
    pub(crate) async fn agrees_to_open(&self, open: usize) -> bool {
        let question =
            format!("Findings that must be addressed and are open: {open}. Carry the plan out all the same?");
        let put = move || cliclack::confirm(question).initial_value(false).interact();
        self.said(put).await.unwrap_or(false)
    }
}

impl Asker for TerminalAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        let question = question.clone();
        Box::pin(self.said(move || put(&question)))
    }
}

/// What the menu offers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Answer(Answer),
    NoBecause,
}

fn put(question: &Question) -> io::Result<Answer> {
    say(&format!("\n{}\n\n{}\n\n(asked because {})", question.title, question.effect, question.why));
    let mut menu = cliclack::select("May it? (Ctrl-C ends the run)");
    for choice in &question.choices {
        menu = menu.item(Choice::Answer(choice.answer.clone()), &choice.label, "");
        if choice.answer == Answer::No {
            menu = menu.item(Choice::NoBecause, "Deny with a reason", "the model is told");
        }
    }
    match menu.interact()? {
        Choice::Answer(answer) => Ok(answer),
        Choice::NoBecause => Ok(Answer::NoBecause(cliclack::input("Why not?").interact()?)),
    }
}
