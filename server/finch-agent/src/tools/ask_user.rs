//! `AskUser`: a question to the user, put by the door that the user sits at.

use std::{future::Future, pin::Pin, sync::Arc};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    limits::{OPTIONS_MAX, QUESTION_CHARS_MAX, QUESTIONS_MAX, USER_WAIT},
    tool::{self, Call},
};

/// A question. It comes from the model: whoever shows it says so, and spells hidden characters out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    /// Answers to choose from; none asks for free text, which is always possible.
    pub options: Vec<String>,
    pub choose: Choose,
}

/// How many options may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choose {
    One,
    Several,
}

/// Nobody answered. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody answered: {0}")]
pub struct Unanswered(pub String);

/// Answers on their way, one for each question. Dropping it takes the questions back.
pub type Answers<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, Unanswered>> + Send + 'a>>;

/// The user, as a door brings one.
pub trait User: Send + Sync + 'static {
    fn ask(&self, questions: Vec<Question>) -> Answers<'_>;
}

/// The tool.
pub struct AskUser {
    user: Arc<dyn User>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    questions: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    question: String,
    options: Option<Vec<String>>,
    several: Option<bool>,
}

impl AskUser {
    #[must_use]
    pub fn new(user: Arc<dyn User>) -> Self {
        Self { user }
    }

    async fn ask(&self, arguments: &Map<String, Value>) -> Outcome {
        let questions = match questions(arguments) {
            Ok(questions) => questions,
            Err(bad) => return Outcome::failed(bad.0),
        };
        let texts: Vec<String> = questions.iter().map(|question| question.text.clone()).collect();
        match tokio::time::timeout(USER_WAIT, self.user.ask(questions)).await {
            Ok(Ok(answers)) if answers.len() == texts.len() => {
                let pairs = texts.iter().zip(&answers);
                let said: Vec<String> = pairs.map(|(text, answer)| format!("{text}\n→ {answer}")).collect();
                Outcome::done(said.join("\n\n"))
            }
            Ok(Ok(_)) => Outcome::failed("nobody answered all questions; go on with what you know"),
            Ok(Err(unanswered)) => Outcome::failed(unanswered.to_string()),
            Err(_) => Outcome::failed(format!("nobody answered within {} min", USER_WAIT.as_secs() / 60)),
        }
    }
}

impl Tool for AskUser {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "AskUser".to_owned(),
            description: format!(
                "Asks the user up to {QUESTIONS_MAX} questions, each with up to {OPTIONS_MAX} answers to choose from or \
                 none. Only for what the user alone can decide."
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "questions": {"type": "array", "minItems": 1, "maxItems": QUESTIONS_MAX, "items": {
                        "type": "object",
                        "properties": {
                            "question": {"type": "string"},
                            "options": {"type": "array", "items": {"type": "string"}, "maxItems": OPTIONS_MAX},
                            "several": {"type": "boolean", "description": "Whether more than one option may be chosen"}
                        },
                        "required": ["question"],
                        "additionalProperties": false
                    }}
                },
                "required": ["questions"],
                "additionalProperties": false
            }),
        }
    }

    /// Nothing: a question changes nothing and reads nothing. Calls without an effect are not made side by side.
    fn access(&self, arguments: &Map<String, Value>, _context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        questions(arguments).map(|_| Vec::new())
    }

    fn call<'a>(&'a self, _permit: Permit, arguments: Map<String, Value>, _context: &'a ToolContext) -> Call<'a> {
        Box::pin(async move { self.ask(&arguments).await })
    }
}

fn questions(arguments: &Map<String, Value>) -> Result<Vec<Question>, BadCall> {
    let Arguments { questions } = tool::read(arguments)?;
    if questions.is_empty() || questions.len() > QUESTIONS_MAX {
        return Err(BadCall(format!("ask 1 to {QUESTIONS_MAX} questions")));
    }
    questions
        .into_iter()
        .map(|Asked { question: text, options, several }| {
            let options = options.unwrap_or_default();
            let mut texts = std::iter::once(&text).chain(&options);
            if texts.any(|text| text.trim().is_empty() || text.chars().count() > QUESTION_CHARS_MAX) {
                return Err(BadCall(format!("questions and options have 1 to {QUESTION_CHARS_MAX} characters")));
            }
            if options.len() > OPTIONS_MAX {
                return Err(BadCall(format!("give at most {OPTIONS_MAX} options")));
            }
            let choose = if several == Some(true) { Choose::Several } else { Choose::One };
            Ok(Question { text, options, choose })
        })
        .collect()
}
