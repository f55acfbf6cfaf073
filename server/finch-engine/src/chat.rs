//! Conversations to prompts: the model's own chat template, run on messages, tools and wishes.
//!
//! Only the template's words become control tokens; what people, tools and models say is text, however it is spelled.
//! Called by the task of a request. How the answer is read back is decided here too, since the template knows the
//! dialect: see [`dialect`].

pub(crate) mod calendar;
pub(crate) mod dialect;
mod family;
pub(crate) mod messages;
pub(crate) mod shield;
mod template;

use finch_llm::{GenerateRequest, LlmError, Message, OutputFormat, ToolChoice};
use finch_model::{chat::ChatTemplates, manifest::Manifest};

use self::{
    dialect::{Dialect, Thought},
    shield::{Piece, Shield, Spellings},
    template::{BadTemplate, Size, Templates},
};
use crate::{error::one_line, vocabulary::Vocabulary};

/// How one model holds a conversation.
pub(crate) struct Chat {
    /// None for a model that was never taught to: its texts stand one after the other.
    templates: Result<Option<Templates>, BadTemplate>,
    spellings: Spellings,
    dialect: &'static Dialect,
    /// The template itself shows tools to the model.
    shows_tools: bool,
    bos: String,
    eos: String,
    first_control: Option<u32>,
}

/// A conversation as the model sees it.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) tokens: Vec<u32>,
    /// The block of reasoning that the template has opened, for the answer to go on in.
    pub(crate) thought: Option<Thought>,
}

impl Chat {
    /// `own` are the templates that the model brings, if any.
    pub(crate) fn new(own: ChatTemplates, manifest: &Manifest, vocabulary: &Vocabulary) -> Self {
        let has_control = |name: &str| vocabulary.control(name).is_some();
        let of_family = || family::template(has_control, &manifest.architecture);
        let source = match (own.default.is_none() && own.tool_use.is_none()).then(of_family).flatten() {
            Some(template) => ChatTemplates { default: Some(template.to_owned()), tool_use: None },
            None => own,
        };
        let templates = Templates::read(&source);
        if let Err(problem) = &templates {
            tracing::warn!("the chat template of {} cannot be used: {problem}", manifest.id);
        }
        let text = templates.as_ref().ok().and_then(Option::as_ref).map_or("", Templates::text);
        let name = |token: Option<u32>| token.and_then(|token| vocabulary.name(token)).unwrap_or_default().to_owned();
        Self {
            dialect: Dialect::of(text, has_control),
            shows_tools: text.contains("tools"),
            spellings: Spellings::new(vocabulary.controls().map(|(name, token)| (name.to_owned(), token))),
            bos: name(manifest.tokens.bos),
            eos: name(manifest.tokens.eos),
            first_control: manifest.tokens.bos.filter(|_| manifest.tokens.add_bos),
            templates,
        }
    }

    /// The model was taught to hold a conversation.
    pub(crate) fn is_taught(&self) -> bool {
        matches!(self.templates, Ok(Some(_)))
    }

    /// The model was taught to call tools.
    pub(crate) fn is_taught_tools(&self) -> bool {
        self.is_taught() && self.shows_tools
    }

    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// The prompt of a conversation, up to where the answer begins.
    pub(crate) fn open(&self, request: &GenerateRequest, vocabulary: &Vocabulary) -> Result<Opening, LlmError> {
        let refused = |problem: &BadTemplate| LlmError::Refused {
            reason: format!("the model's chat template does not take this conversation: {problem}"),
        };
        let Some(templates) = self.templates.as_ref().map_err(refused)? else {
            let texts: Vec<&str> = request.messages.iter().map(messages::text_of).collect();
            let mut tokens: Vec<u32> = self.first_control.into_iter().collect();
            tokens.extend(encode(vocabulary, &texts.join("\n\n"))?);
            return Ok(Opening { tokens, thought: None });
        };
        let prepared = self.with_instructions(request);
        let shield = Shield::new(&self.spellings, messages::texts(&prepared, &request.tools)).ok_or_else(|| {
            LlmError::Refused { reason: "the conversation holds every private-use character there is".to_owned() }
        })?;
        let render = |messages: &[Message]| self.render(templates, messages, request, &shield);
        // Many templates have no turn for the system; then its words go before the user's.
        let rendered = render(&prepared).or_else(|problem| match messages::without_system(&prepared) {
            Some(without) => render(&without).map_err(|_| problem),
            None => Err(problem),
        });
        let rendered = rendered.map_err(|problem| refused(&problem))?;
        let tokens = self.encode(&shield, &rendered, vocabulary)?;
        Ok(Opening { tokens, thought: Thought::opened_by(&rendered) })
    }

    /// The messages, with what the template itself does not tell the model.
    fn with_instructions(&self, request: &GenerateRequest) -> Vec<Message> {
        let mut words = Vec::new();
        let tools_wanted = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
        if tools_wanted && !self.shows_tools {
            words.push(self.dialect.tools_shown(&request.tools));
        }
        match &request.output {
            OutputFormat::Text | OutputFormat::Grammar(_) => {}
            OutputFormat::JsonObject => words.push("Answer with one JSON object and nothing else.".to_owned()),
            OutputFormat::JsonSchema(schema) => words.push(format!(
                "Answer with JSON and nothing else. It has to fit this JSON Schema:\n{}",
                template::json_text(schema)
            )),
        }
        messages::with_system_words(&request.messages, &words)
    }

    fn render(
        &self,
        templates: &Templates,
        messages: &[Message],
        request: &GenerateRequest,
        shield: &Shield<'_>,
    ) -> Result<String, BadTemplate> {
        let tools = match request.tool_choice {
            ToolChoice::None => &[][..],
            _ => &request.tools,
        };
        let context = messages::Context {
            messages: messages::shown(messages, shield),
            tools: (!tools.is_empty()).then(|| messages::tools_shown(tools, shield)),
            add_generation_prompt: true,
            bos_token: &self.bos,
            eos_token: &self.eos,
            // An answer of a given form has no room for thoughts before it.
            enable_thinking: request.output == OutputFormat::Text,
        };
        let bytes = messages::texts(messages, &request.tools).map(str::len).sum();
        templates.render(context, Size { messages: messages.len(), tools: tools.len(), bytes })
    }

    fn encode(&self, shield: &Shield<'_>, rendered: &str, vocabulary: &Vocabulary) -> Result<Vec<u32>, LlmError> {
        let pieces = shield.pieces(rendered);
        let mut tokens = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Control(token) => tokens.push(*token),
                Piece::Text(text) => {
                    let neighbour = |at: Option<usize>| match at.and_then(|at| pieces.get(at)) {
                        Some(Piece::Control(token)) => Some(*token),
                        Some(Piece::Text(_)) | None => None,
                    };
                    let (before, behind) = (neighbour(index.checked_sub(1)), neighbour(Some(index + 1)));
                    tokens.extend(encode(vocabulary, vocabulary.stripped(text, before, behind))?);
                }
            }
        }
        // A template writes the first token itself, or leaves it to the tokenizer.
        if let Some(first) = self.first_control.filter(|first| tokens.first() != Some(first)) {
            tokens.insert(0, first);
        }
        Ok(tokens)
    }
}

fn encode(vocabulary: &Vocabulary, text: &str) -> Result<Vec<u32>, LlmError> {
    vocabulary.encode(text).map_err(|error| LlmError::Protocol { reason: one_line(&error.to_string()) })
}

/// The bytes of everything that is said in a request.
pub(crate) fn bytes(request: &GenerateRequest) -> usize {
    messages::texts(&request.messages, &request.tools).map(str::len).sum()
}

#[cfg(test)]
mod tests;
