//! Puts questions of the model to the user: by `finch/askUser`, or one by one as messages with buttons.
//!
//! What the model writes is shown as such, with hidden characters written out.

use std::sync::Arc;

use finch_agent::characters::{shown, shown_on_one_line};
use finch_agent::tools::ask_user::{Answers, Choose, Question, Unanswered, User};
use tower_lsp::lsp_types::MessageType;
use tower_lsp::lsp_types::request::Request;

use super::asker::Way;
use super::parts::{self, Message};
use crate::dispatch::Shared;
use crate::limits::{BUTTON_BYTES_MAX, PERSON_WAIT};
use crate::wire::agent_client::{UserAnswers, UserQuestion, UserQuestions};
use crate::wire::method;

enum AskUser {}

impl Request for AskUser {
    type Params = UserQuestions;
    type Result = Option<UserAnswers>;
    const METHOD: &'static str = method::ASK_USER;
}

/// What Enter picks in several editors.
const NO_ANSWER: &str = "Do not answer";

pub(super) struct EditorUser {
    pub(super) shared: Arc<Shared>,
    pub(super) turn: String,
    pub(super) way: Way,
}

impl User for EditorUser {
    fn ask(&self, questions: Vec<Question>) -> Answers<'_> {
        Box::pin(async move {
            match self.way {
                Way::Approve => self.all_at_once(questions).await,
                Way::Message => self.one_by_one(questions).await,
            }
        })
    }
}

impl EditorUser {
    async fn all_at_once(&self, questions: Vec<Question>) -> Result<Vec<String>, Unanswered> {
        let count = questions.len();
        let questions = questions
            .into_iter()
            .map(|Question { text, options, choose }| UserQuestion {
                text: shown(&text),
                options: options.iter().map(|option| shown_on_one_line(option)).collect(),
                several: choose == Choose::Several,
            })
            .collect();
        let params = UserQuestions { turn: self.turn.clone(), questions };
        match self.shared.editor.ask_person::<AskUser>(params, PERSON_WAIT).await {
            Ok(Some(UserAnswers { answers })) if answers.len() == count => Ok(answers),
            Ok(_) => Err(Unanswered("the user closed the question".to_owned())),
            Err(error) => Err(Unanswered(error.to_string())),
        }
    }

    async fn one_by_one(&self, questions: Vec<Question>) -> Result<Vec<String>, Unanswered> {
        let has_buttons = |question: &Question| !question.options.is_empty() && question.choose == Choose::One;
        if !questions.iter().all(has_buttons) {
            let reason =
                "this editor can only be asked for one of several answers; give options, one of which is chosen";
            return Err(Unanswered(reason.to_owned()));
        }
        let mut answers = Vec::new();
        for question in questions {
            answers.push(self.by_message(&question).await?);
        }
        Ok(answers)
    }

    async fn by_message(&self, question: &Question) -> Result<String, Unanswered> {
        let labels: Vec<String> = (1..).zip(&question.options).map(|(number, option)| label(number, option)).collect();
        let answers = std::iter::once(NO_ANSWER.to_owned()).chain(labels.iter().cloned());
        let message = Message {
            typ: MessageType::INFO,
            title: "The model asks:",
            text: &shown(&question.text),
            answers: answers.collect(),
        };
        let title = parts::ask(&self.shared.editor, message).await.map_err(|error| Unanswered(error.to_string()))?;
        let at = labels.iter().position(|label| Some(label) == title.as_ref());
        let option = at.and_then(|at| question.options.get(at));
        option.cloned().ok_or_else(|| Unanswered("the user closed the question".to_owned()))
    }
}

/// An option on a button. The number tells options apart whose shown parts are alike.
fn label(number: usize, option: &str) -> String {
    let option = shown_on_one_line(option);
    match option.len() <= BUTTON_BYTES_MAX {
        true => format!("{number}. {option}"),
        false => format!("{number}. {}…", &option[..option.floor_char_boundary(BUTTON_BYTES_MAX)]),
    }
}
