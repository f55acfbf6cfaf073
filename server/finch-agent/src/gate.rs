//! The one gate: every effect of every tool passes it, whichever door the task came in by.
//!
//! It decides by the rules, by what was answered in this session and by what is stored; where these leave it open it
//! asks, and without an answer in time, or without anybody to ask, the answer is no. It is the only maker of a
//! [`Permit`].

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::limits::{ANSWER_WAIT, OPEN_QUESTIONS_MAX, REASON_CHARS_MAX, SESSION_RULES_MAX};
use crate::permissions::{Permissions, Stored};
use crate::question::{Answer, Question};
use crate::rules::{Decision, Rule, Rules, Verdict, Why};
use crate::{Access, Denied, Permit};

#[cfg(test)]
mod tests;

/// Who can be asked: an editor, a terminal.
pub trait Asker: Send + Sync {
    /// The answer to exactly this question; `None` if there will be none. Dropping it takes the question back.
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;
}

/// Decides about every effect in one workspace.
#[derive(Debug)]
pub struct Gate {
    rules: Rules,
    permissions: Permissions,
    session: Mutex<Vec<Rule>>,
    open: Mutex<HashMap<Vec<Access>, watch::Receiver<Option<Answer>>>>,
}

impl Gate {
    /// A gate with the rules of the configuration and those stored.
    #[must_use]
    pub fn new(rules: Rules, permissions: Permissions) -> Self {
        Self { rules, permissions, session: Mutex::default(), open: Mutex::default() }
    }

    /// Permits all of these effects or none.
    ///
    /// # Errors
    /// [`Denied`] with what the model is told.
    pub async fn permit(&self, accesses: Vec<Access>, asker: Option<&dyn Asker>) -> Result<Permit, Denied> {
        let asked = self.asked(&accesses).await?;
        if asked.is_empty() {
            return Ok(Permit::new(accesses, Vec::new()));
        }
        let question = Question::new(&asked).map_err(|error| denied(error.to_string()))?;
        let Some(asker) = asker else {
            return Err(denied(format!(
                "it needs an answer of the user, and nobody is there to ask ({})",
                question.why
            )));
        };
        let key: Vec<Access> = asked.into_iter().map(|(access, _)| access).collect();
        match self.answer(key.clone(), &question, asker).await? {
            Answer::No => Err(denied("the user said no")),
            Answer::NoBecause(reason) => {
                let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
                Err(denied(format!("the user said no: {reason}")))
            }
            Answer::Once | Answer::Session | Answer::Always | Answer::AlwaysLike => Ok(Permit::new(accesses, key)),
        }
    }

    /// What must be asked about, in the order of the accesses.
    async fn asked(&self, accesses: &[Access]) -> Result<Vec<(Access, Why)>, Denied> {
        let stored = self.stored().await;
        let is_damaged = stored.is_none();
        let session = locked(&self.session).clone();
        let rules = self.rules.and(stored.into_iter().flatten().chain(session));
        let mut asked = Vec::new();
        for access in accesses {
            match rules.decide(access) {
                Decision::Deny { reason } => return Err(denied(reason)),
                Decision::Ask { why } => asked.push((access.clone(), why)),
                Decision::Allow if is_damaged && !matches!(access, Access::Read { .. }) => {
                    asked.push((access.clone(), Why::Unreadable));
                }
                Decision::Allow => {}
            }
        }
        Ok(asked)
    }

    /// The stored rules, or nothing if they cannot be read.
    async fn stored(&self) -> Option<Vec<Rule>> {
        let permissions = self.permissions.clone();
        let workspace = self.rules.scope().workspace.clone();
        match tokio::task::spawn_blocking(move || permissions.rules(&workspace)).await {
            Ok(Ok(rules)) => Some(rules),
            Ok(Err(error)) => {
                tracing::warn!("{error}; until then everything is asked about");
                None
            }
            Err(error) => {
                tracing::error!("reading the permissions failed: {error}");
                None
            }
        }
    }

    /// Asks, or waits for the answer to the same question that is open already.
    async fn answer(&self, key: Vec<Access>, question: &Question, asker: &dyn Asker) -> Result<Answer, Denied> {
        let deadline = tokio::time::Instant::now() + ANSWER_WAIT;
        loop {
            let mut turn = match self.turn(&key)? {
                Turn::Ask(turn) => {
                    let answer = self.ask(question, asker).await;
                    turn.sender.send_replace(Some(answer.clone()));
                    return Ok(answer);
                }
                Turn::Wait(turn) => turn,
            };
            let Ok(given) = tokio::time::timeout_at(deadline, turn.wait_for(Option::is_some)).await else {
                return Ok(unanswered());
            };
            if let Ok(answer) = given.map(|answer| answer.clone()) {
                return Ok(answer.unwrap_or(Answer::No));
            }
            // Whoever asked is gone without an answer: it is asked again.
        }
    }

    fn turn(&self, key: &[Access]) -> Result<Turn<'_>, Denied> {
        let mut open = locked(&self.open);
        if let Some(turn) = open.get(key) {
            return Ok(Turn::Wait(turn.clone()));
        }
        if open.len() >= OPEN_QUESTIONS_MAX {
            return Err(denied(format!("{OPEN_QUESTIONS_MAX} questions are open already; wait for their answers")));
        }
        let (sender, receiver) = watch::channel(None);
        open.insert(key.to_vec(), receiver);
        Ok(Turn::Ask(Open { gate: self, key: key.to_vec(), sender }))
    }

    async fn ask(&self, question: &Question, asker: &dyn Asker) -> Answer {
        let Ok(answer) = tokio::time::timeout(ANSWER_WAIT, asker.ask(question)).await else { return unanswered() };
        let answer = answer.unwrap_or_else(unanswered);
        if !question.offers(&answer) {
            return Answer::NoBecause("the answer was none of those offered".to_owned());
        }
        self.keep(question, &answer).await;
        answer
    }

    /// Keeps an answer. One that cannot be stored holds for the session, which the user is told.
    async fn keep(&self, question: &Question, answer: &Answer) {
        let allow = |pattern| Rule { verdict: Verdict::Allow, pattern };
        let kept: Vec<Rule> = question.kept_by(answer).into_iter().map(allow).collect();
        if matches!(answer, Answer::Always | Answer::AlwaysLike) {
            let permissions = self.permissions.clone();
            let workspace = self.rules.scope().workspace.clone();
            let rules = kept.clone();
            let stored = tokio::task::spawn_blocking(move || {
                rules.into_iter().try_for_each(|rule| {
                    permissions.add(&Stored { workspace: Some(workspace.clone()), rule }).map(|_| ())
                })
            });
            match stored.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::warn!("{error}; the answer holds for this session"),
                Err(error) => tracing::error!("storing the answer failed: {error}; it holds for this session"),
            }
        }
        let mut session = locked(&self.session);
        session.extend(kept);
        let too_many = session.len().saturating_sub(SESSION_RULES_MAX);
        session.drain(..too_many);
    }
}

enum Turn<'a> {
    Ask(Open<'a>),
    Wait(watch::Receiver<Option<Answer>>),
}

/// An open question. It is closed when whoever asks it goes away, answered or not.
struct Open<'a> {
    gate: &'a Gate,
    key: Vec<Access>,
    sender: watch::Sender<Option<Answer>>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        locked(&self.gate.open).remove(&self.key);
    }
}

fn denied(reason: impl Into<String>) -> Denied {
    Denied { reason: reason.into() }
}

fn unanswered() -> Answer {
    Answer::NoBecause("nobody answered in time".to_owned())
}

/// Nothing panics under these locks, and what they hold is whole after every statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
