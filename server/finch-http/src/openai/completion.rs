//! `/v1/completions`: from JSON to a place to fill in. Pure.

use finch_llm::{ClientId, InfillContext, InfillRequest, Origin};
use serde_json::Value;

use crate::{
    error::ApiError,
    limits::{CHOICES_MAX, COMPLETION_TOKENS_DEFAULT},
    openai::{
        chat::{Delivery, HARMLESS},
        scores, templates,
    },
    request::{Extension, Fields, Wishes, fields, model, sampling},
};

/// A text to be gone on with, or a place to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompletionRequest {
    pub(crate) model: String,
    pub(crate) extension: Extension,
    pub(crate) wishes: Wishes,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// What a prompt of a known template had before its prefix.
    pub(crate) around: InfillContext,
    /// What is told before the answer: the prompt as it was sent, where it is to be repeated.
    pub(crate) echo: Option<String>,
    pub(crate) choices: usize,
    pub(crate) delivery: Delivery,
}

impl CompletionRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with which member.
    pub(crate) fn read(body: Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of(body, "")?;
        let model = model::read(&mut fields)?;
        let extension = Extension::take(&mut fields)?;
        if extension.grammar.is_some() || !extension.failed_calls.is_empty() {
            return Err(ApiError::invalid("finch", "grammar and failed_calls are for /v1/chat/completions alone"));
        }
        let mut wishes = Wishes::read(&mut fields, &["max_tokens"])?;
        wishes.alternatives = scores::of_a_completion(&mut fields)?;
        let prompt = prompt(&mut fields)?;
        let suffix = fields.text("suffix")?.unwrap_or_default();
        let echo = (fields.flag("echo")? == Some(true)).then(|| prompt.clone());
        // finch's own clients write no templates: what looks like one is the text that is worked on.
        let is_foreign = suffix.is_empty() && extension.context.is_none();
        let meant = is_foreign.then(|| templates::take_apart(&prompt)).flatten();
        let meant = meant.unwrap_or(templates::Meant { prefix: prompt, suffix, ..templates::Meant::default() });
        let request = Self {
            model,
            extension,
            wishes,
            prefix: meant.prefix,
            suffix: meant.suffix,
            around: meant.context,
            echo,
            choices: fields.whole("n", 1..=CHOICES_MAX)?.unwrap_or(1),
            delivery: Delivery::read(&mut fields)?,
        };
        if request.choices > 1 && request.delivery != Delivery::Whole {
            return Err(ApiError::unsupported("n", "has to be 1 where the answer is streamed"));
        }
        if request.echo.is_some() && request.wishes.alternatives.is_some() {
            return Err(ApiError::unsupported("logprobs", "cannot go with echo: the prompt's tokens are not scored"));
        }
        sampling::refuse_others(&mut fields)?;
        fields.refuse("best_of", fields::is_one, "is not done here; leave it out")?;
        fields.ignore(HARMLESS);
        fields.end()?;
        Ok(request)
    }

    /// As a provider takes it that holds so many tokens.
    pub(crate) fn infill(&self, client: ClientId, origin: Origin, seed: u64, holds_tokens: usize) -> InfillRequest {
        let sampling = self.wishes.sampling(&self.extension, COMPLETION_TOKENS_DEFAULT, seed);
        let prompt_tokens_max = self.extension.prompt_tokens_max.unwrap_or(holds_tokens);
        let around = InfillContext { tokens_max: prompt_tokens_max / 2, ..self.around.clone() };
        InfillRequest {
            client,
            origin,
            lane: self.extension.lane,
            prefix: self.prefix.clone(),
            suffix: self.suffix.clone(),
            context: self.extension.context.clone().unwrap_or(around),
            prompt_tokens_max,
            references: self.extension.references.clone(),
            sampling,
        }
    }

    /// Whether a prompt that does not fit may lose its beginning: around a cursor what is near counts.
    pub(crate) fn may_be_cut(&self) -> bool {
        !self.suffix.is_empty() || self.extension.prompt_tokens_max.is_some() || self.extension.context.is_some()
    }
}

/// One prompt, as a string or as an array of one.
fn prompt(fields: &mut Fields) -> Result<String, ApiError> {
    let path = fields.path("prompt");
    match fields.require("prompt")? {
        Value::String(prompt) => Ok(prompt),
        Value::Array(prompts) => match <[Value; 1]>::try_from(prompts) {
            Ok([Value::String(prompt)]) => Ok(prompt),
            Ok(_) => Err(ApiError::unsupported(path, "has to be text; tokens of another model mean nothing here")),
            Err(_) => Err(ApiError::unsupported(path, "has to be one text; send one request for each")),
        },
        _ => Err(ApiError::invalid(path, "has to be a string or an array of one")),
    }
}

#[cfg(test)]
mod tests;
