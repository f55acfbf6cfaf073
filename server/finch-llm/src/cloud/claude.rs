//! Anthropic's Messages.
//!
//! Pure: a request becomes a body, events become chunks. Signed thoughts are kept and go back as they came. A schema is
//! asked for by a tool that the model has to call; its arguments are the answer's text.

mod body;
mod read;

pub(crate) use body::messages;
pub(crate) use read::Reader;

/// Names the parts that are kept for this dialect.
pub(crate) const NAME: &str = "claude";
/// The tool whose arguments are the answer.
const ANSWER_TOOL: &str = "answer";

#[cfg(test)]
mod tests;
