//! OpenAI's chat completions, as OpenAI, Grok, Mistral, Groq and many servers of one's own speak it.
//!
//! Pure: a request becomes a body, events become chunks. Where the speakers differ is a table in `service`.

mod body;
mod infill;
mod read;

pub(crate) use body::chat;
pub(crate) use infill::infill;
pub(crate) use read::read;

/// The prefix of a Mistral id is as long as the id.
const SHORT_ID_CHARS: usize = 9;

#[cfg(test)]
mod tests;
