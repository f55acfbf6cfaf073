//! Asks the user for permission: by `finch/approve` where the client knows it, else by messages with buttons.
//!
//! Invariant: an answer counts for the question whose name it bears and for no other, and everything that is not clearly
//! a yes is a no. The effect goes out as the question has it, whole and as plain text.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use finch_agent::Asker;
use finch_agent::question::{Answer, Question};
use tower_lsp::lsp_types::MessageType;
use tower_lsp::lsp_types::request::Request;

use super::parts::{self, Message};
use crate::dispatch::Shared;
use crate::limits::PERSON_WAIT;
use crate::wire::agent_client::{Permission, PermissionAnswer, PermissionChoice, PermissionGiven};
use crate::wire::method;

enum Approve {}

impl Request for Approve {
    type Params = Permission;
    type Result = Option<PermissionGiven>;
    const METHOD: &'static str = method::APPROVE;
}

pub(super) struct EditorAsker {
    pub(super) shared: Arc<Shared>,
    pub(super) turn: String,
    /// How the user answers.
    pub(super) way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Approve,
    Message,
}

impl Asker for EditorAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        Box::pin(async move {
            match self.way {
                Way::Approve => self.by_approve(question).await,
                Way::Message => self.by_message(question).await,
            }
        })
    }
}

impl EditorAsker {
    async fn by_approve(&self, question: &Question) -> Option<Answer> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let id = format!("{}-{}", self.turn, NUMBER.fetch_add(1, Ordering::Relaxed));
        let choices = question.choices.iter().filter_map(|choice| {
            Some(PermissionChoice { id: answer_id(&choice.answer)?, label: choice.label.clone() })
        });
        let params = Permission {
            turn: self.turn.clone(),
            id: id.clone(),
            title: question.title.clone(),
            effect: question.effect.clone(),
            why: question.why.clone(),
            choices: choices.collect(),
        };
        match self.shared.editor.ask_person::<Approve>(params, PERSON_WAIT).await {
            Ok(Some(given)) if given.id == id => Some(answer_of(given)),
            Ok(Some(given)) => {
                tracing::warn!(asked = id, answered = given.id, "an answer to another question counts as no");
                Some(Answer::No)
            }
            Ok(None) => Some(Answer::No),
            Err(error) => {
                tracing::info!(%error, "a question of permission has no answer");
                None
            }
        }
    }

    async fn by_message(&self, question: &Question) -> Option<Answer> {
        let text = format!("{}\n\nWhy it is asked: {}", question.effect, question.why);
        let message = Message {
            typ: MessageType::WARNING,
            title: &question.title,
            text: &text,
            answers: question.choices.iter().map(|choice| choice.label.clone()).collect(),
        };
        match parts::ask(&self.shared.editor, message).await {
            Ok(chosen) => {
                let choice = question.choices.iter().find(|choice| Some(&choice.label) == chosen.as_ref());
                Some(choice.map_or(Answer::No, |choice| choice.answer.clone()))
            }
            Err(error) => {
                tracing::info!(%error, "a question of permission has no answer");
                None
            }
        }
    }
}

fn answer_id(answer: &Answer) -> Option<PermissionAnswer> {
    match answer {
        Answer::No => Some(PermissionAnswer::No),
        Answer::Once => Some(PermissionAnswer::Once),
        Answer::Session => Some(PermissionAnswer::Session),
        Answer::Always => Some(PermissionAnswer::Always),
        Answer::AlwaysLike => Some(PermissionAnswer::Like),
        // Said by giving a reason along with `no`.
        Answer::NoBecause(_) => None,
    }
}

fn answer_of(given: PermissionGiven) -> Answer {
    match given.choice {
        PermissionAnswer::No => match given.reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Answer::NoBecause(reason),
            None => Answer::No,
        },
        PermissionAnswer::Once => Answer::Once,
        PermissionAnswer::Session => Answer::Session,
        PermissionAnswer::Always => Answer::Always,
        PermissionAnswer::Like => Answer::AlwaysLike,
    }
}
