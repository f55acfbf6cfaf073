//! The prompt of an infill request for providers that take two texts: excerpts and prefix, and the suffix.
//!
//! Pure. Nobody here knows the provider's tokens, so they are reckoned by their usual length in code.

use crate::{InfillRequest, limits::BYTES_PER_TOKEN};

/// What goes before the place and behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fitted {
    pub(crate) prompt: String,
    pub(crate) suffix: String,
}

/// Keeps the end of the prefix and the start of the suffix, and whole excerpts in what is left of the budget.
pub(crate) fn fitted(request: &InfillRequest) -> Fitted {
    let budget = request.prompt_tokens_max.saturating_mul(BYTES_PER_TOKEN);
    let suffix = &request.suffix[..request.suffix.floor_char_boundary((budget / 4).min(request.suffix.len()))];
    let from = request.prefix.len().saturating_sub(budget - suffix.len());
    let prefix = &request.prefix[request.prefix.ceil_char_boundary(from)..];
    let mut left = budget - suffix.len() - prefix.len();
    left = left.min(request.context.tokens_max.saturating_mul(BYTES_PER_TOKEN));
    let mut prompt = String::new();
    for excerpt in &request.context.excerpts {
        let bytes = excerpt.name.len() + excerpt.text.len() + 8;
        if bytes <= left && !excerpt.text.is_empty() {
            left -= bytes;
            prompt.extend(["+++++ ", &excerpt.name, "\n", &excerpt.text, "\n"]);
        }
    }
    if let (false, Some(path)) = (prompt.is_empty(), &request.context.path) {
        prompt.extend(["+++++ ", path, "\n"]);
    }
    prompt.push_str(prefix);
    Fitted { prompt, suffix: suffix.to_owned() }
}
