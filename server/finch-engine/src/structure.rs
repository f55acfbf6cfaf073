//! Answers of a given form: JSON of a schema, text of a grammar, or a tool call that has to be made.
//!
//! Only tokens that can still lead to a whole answer may be chosen, so what ends has the form. The work for one token
//! is bounded by the parser's limits; a form that needs more is refused, and an answer that runs out of room is cut off
//! and said to be.

mod numbers;

use std::sync::{Arc, OnceLock};

use finch_llm::{GenerateRequest, LlmError, OutputFormat, ToolChoice, ToolSpec};
use llguidance::{
    Matcher, ParserFactory,
    api::{GrammarWithLexer, TopLevelGrammar},
    toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie},
};
use serde_json::{Value, json};

use crate::{
    chat::dialect::{Dialect, Thought, json_rule},
    error::one_line,
    limits,
    vocabulary::Vocabulary,
};
use numbers::Place;

/// Makes constraints for one model. The index of its vocabulary is built when it is first needed.
#[derive(Default)]
pub(crate) struct Structures {
    factory: OnceLock<Result<ParserFactory, String>>,
    /// The tokens that have a digit in them.
    digits: OnceLock<Arc<[u32]>>,
}

/// What an answer has to look like, and how far it has come.
pub(crate) struct Constraint {
    matcher: Box<Matcher>,
    /// Of JSON, where in it the answer is.
    numbers: Option<Numbers>,
    /// Room for logits in which tokens that must not come are struck out.
    allowed: Vec<f32>,
}

/// What keeps the numbers of JSON short.
struct Numbers {
    place: Place,
    tokens: TokEnv,
    digits: Arc<[u32]>,
}

/// A form that cannot be held to, or not with this much work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the wanted form of the answer cannot be held to: {0}")]
pub(crate) struct BadForm(String);

impl BadForm {
    pub(crate) fn no_token() -> Self {
        Self("no token of the model can come next".to_owned())
    }
}

impl From<BadForm> for LlmError {
    fn from(error: BadForm) -> Self {
        Self::Refused { reason: error.to_string() }
    }
}

impl Structures {
    /// The constraint of a request; `None` if its answer is free.
    pub(crate) fn constraint(
        &self,
        request: &GenerateRequest,
        opened: Option<Thought>,
        dialect: &Dialect,
        vocabulary: &Vocabulary,
        eos: Option<u32>,
    ) -> Result<Option<Constraint>, BadForm> {
        let Some(grammar) = grammar(request, opened, dialect, vocabulary)? else { return Ok(None) };
        let factory = self.factory.get_or_init(|| factory(vocabulary, eos)).as_ref();
        let factory = factory.map_err(|problem| BadForm(problem.clone()))?;
        let matcher = Matcher::new(factory.create_parser(grammar));
        if let Some(problem) = matcher.get_error() {
            return Err(BadForm(one_line(&problem)));
        }
        let is_json = !matches!(request.output, OutputFormat::Grammar(_));
        let numbers = is_json.then(|| {
            let digits = self.digits.get_or_init(|| with_digits(vocabulary));
            Numbers { place: Place::default(), tokens: factory.tok_env().clone(), digits: Arc::clone(digits) }
        });
        Ok(Some(Constraint { matcher: Box::new(matcher), numbers, allowed: Vec::new() }))
    }
}

impl Constraint {
    /// The logits with every token struck out that must not come now.
    pub(crate) fn allowed(&mut self, logits: &[f32]) -> Result<&[f32], BadForm> {
        let mask = self.matcher.compute_mask().map_err(|error| BadForm(one_line(&error.to_string())))?;
        self.allowed.clear();
        let strike = |(id, &logit): (u32, &f32)| if mask.is_allowed(id) { logit } else { f32::NEG_INFINITY };
        self.allowed.extend((0..).zip(logits).map(strike));
        if let Some(numbers) = &self.numbers {
            numbers.strike(&mut self.allowed);
        }
        Ok(&self.allowed)
    }

    /// Goes on behind a token that was chosen.
    pub(crate) fn advance(&mut self, token: u32) -> Result<(), BadForm> {
        if let Some(numbers) = &mut self.numbers {
            numbers.place = numbers.behind(token).unwrap_or_default();
        }
        self.matcher.consume_token(token).map_err(|error| BadForm(one_line(&error.to_string())))
    }

    /// The answer is whole and nothing may follow.
    pub(crate) fn is_over(&self) -> bool {
        self.matcher.is_stopped()
    }
}

impl Numbers {
    fn behind(&self, token: u32) -> Option<Place> {
        self.place.behind(self.tokens.tok_trie().token(token))
    }

    /// Strikes out what would make a number too long.
    fn strike(&self, logits: &mut [f32]) {
        for &token in self.digits.iter() {
            if let Some(logit) = logits.get_mut(token as usize)
                && *logit > f32::NEG_INFINITY
                && self.behind(token).is_none()
            {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

fn with_digits(vocabulary: &Vocabulary) -> Arc<[u32]> {
    let count = u32::try_from(vocabulary.len()).unwrap_or(u32::MAX);
    (0..count).filter(|&token| vocabulary.bytes(token).iter().any(u8::is_ascii_digit)).collect()
}

fn factory(vocabulary: &Vocabulary, eos: Option<u32>) -> Result<ParserFactory, String> {
    let eos = eos.ok_or("the model has no token that ends an answer")?;
    let count = u32::try_from(vocabulary.len()).map_err(|error| error.to_string())?;
    let words: Vec<Vec<u8>> = (0..count).map(|token| word(vocabulary, token)).collect();
    let trie = TokTrie::from(&TokRxInfo::new(count, eos), &words);
    let environment: llguidance::toktrie::TokEnv = Arc::new(ApproximateTokEnv::new(trie));
    let slices = llguidance::earley::SlicedBiasComputer::general_slices();
    let made = ParserFactory::new(&environment, InferenceCapabilities::default(), &slices);
    let mut factory = made.map_err(|error| one_line(&error.to_string()))?;
    factory.quiet();
    factory.limits_mut().verbose_errors = false;
    factory.limits_mut().max_lexer_states = limits::FORM_LEXER_STATES_MAX;
    Ok(factory)
}

/// The bytes of a token; of a control token its name, marked so that no text matches it.
fn word(vocabulary: &Vocabulary, token: u32) -> Vec<u8> {
    if !vocabulary.is_control(token) {
        return vocabulary.bytes(token).to_vec();
    }
    let name = vocabulary.name(token).map_or_else(|| format!("<[{token}]>"), str::to_owned);
    [&[TokTrie::SPECIAL_TOKEN_MARKER][..], name.as_bytes()].concat()
}

/// The grammar of a request's answer; `None` if it is free.
fn grammar(
    request: &GenerateRequest,
    opened: Option<Thought>,
    dialect: &Dialect,
    vocabulary: &Vocabulary,
) -> Result<Option<TopLevelGrammar>, BadForm> {
    let calls = callable(request)?;
    let must_call = matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Tool(_));
    let mut rules = String::new();
    let mut forms = Vec::new();
    if !calls.is_empty() && (must_call || request.output != OutputFormat::Text) {
        rules.push_str(&dialect.call_rule(&calls, |text| tag(text, vocabulary)));
        forms.push("call");
    }
    let mut of_user = None;
    match &request.output {
        _ if must_call => {}
        OutputFormat::Text => {}
        OutputFormat::JsonObject => rules.push_str(&format!("json: {}\n", json_rule(json!({ "type": "object" })))),
        OutputFormat::JsonSchema(schema) => rules.push_str(&format!("json: {}\n", json_rule(schema.clone()))),
        OutputFormat::Grammar(grammar) => of_user = Some(grammar.clone()),
    }
    match (&request.output, must_call) {
        (OutputFormat::Text, _) | (_, true) => {}
        (OutputFormat::JsonObject | OutputFormat::JsonSchema(_), false) => forms.push("json"),
        (OutputFormat::Grammar(_), false) => forms.push("@wanted"),
    }
    if forms.is_empty() {
        return Ok(None);
    }
    let start = match opened {
        None => "answer".to_owned(),
        Some(thought) if vocabulary.control(thought.close).is_some() => {
            rules.push_str("thought: /(?s:.*)/\nSPACE: /[ \\n]{0,2}/\n");
            format!("thought {} SPACE answer", tag(thought.close, vocabulary))
        }
        Some(thought) => {
            let close = Value::from(thought.close);
            rules.push_str(&format!("thought[suffix={close}]: /(?s:.*)/\nSPACE: /[ \\n]{{0,2}}/\n"));
            "thought SPACE answer".to_owned()
        }
    };
    let lark = format!("start: {start}\nanswer: {}\n{rules}", forms.join(" | "));
    let mut grammar = TopLevelGrammar::from_lark(lark);
    if let Some(wanted) = of_user {
        let name = Some("wanted".to_owned());
        grammar.grammars.push(GrammarWithLexer { name, ..GrammarWithLexer::from_lark(wanted) });
    }
    Ok(Some(grammar))
}

/// The tools that may be called. That a tool which must be called exists is found here.
fn callable(request: &GenerateRequest) -> Result<Vec<&ToolSpec>, BadForm> {
    let tools = match &request.tool_choice {
        ToolChoice::None => Vec::new(),
        ToolChoice::Auto | ToolChoice::Required => request.tools.iter().collect(),
        ToolChoice::Tool(name) => request.tools.iter().filter(|tool| tool.name == *name).collect(),
    };
    match (&request.tool_choice, tools.is_empty()) {
        (ToolChoice::Required, true) => Err(BadForm("a tool has to be called and there is none".to_owned())),
        (ToolChoice::Tool(name), true) => Err(BadForm(format!("there is no tool {name} to call"))),
        _ => Ok(tools),
    }
}

/// A tag in the grammar's notation: its token where it is one, else its text.
fn tag(text: &str, vocabulary: &Vocabulary) -> String {
    match vocabulary.control(text) {
        Some(token) => format!("<[{token}]>"),
        None => Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests;
