//! Google's generateContent.
//!
//! Pure: a request becomes a body, events become chunks. Signatures of thoughts are kept with the call or the text they
//! came with, and go back there.

mod body;
mod read;

pub(crate) use body::contents;
pub(crate) use read::read;

/// Names the parts that are kept for this dialect.
pub(crate) const NAME: &str = "gemini";

#[cfg(test)]
mod tests;
