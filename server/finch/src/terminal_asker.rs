//! Asks the person at the terminal: the whole effect is printed, and a refusal is the first choice.

use std::io;
use std::pin::Pin;

use finch_agent::Asker;
use finch_agent::question::{Answer, Question};

use crate::progress::say;

/// The person at the terminal.
pub(crate) struct TerminalAsker;

impl Asker for TerminalAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        let question = question.clone();
        Box::pin(async move {
            // Blocks a thread of its own until there is an answer; one that comes too late reaches nobody.
            match tokio::task::spawn_blocking(move || put(&question)).await {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(error)) => {
                    tracing::info!(%error, "the question was not answered");
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "the question could not be put");
                    None
                }
            }
        })
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
    let mut menu = cliclack::select("May it?");
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

/// Whether a plan with so many open findings is to be carried out all the same.
pub(crate) async fn agrees_to_open(open: usize) -> anyhow::Result<bool> {
    let question = format!("{open} findings are open that must be addressed. Carry the plan out all the same?");
    let asked = tokio::task::spawn_blocking(move || cliclack::confirm(question).initial_value(false).interact());
    Ok(asked.await??)
}
