//! Bytes of tokens to text, a piece at a time: characters that are cut between two tokens wait for their rest.
//!
//! The pieces put together are exactly what decoding all bytes at once gives, replacement characters included.
//! Knows bytes only; the sequence feeds it.

/// Turns a stream of bytes into whole characters.
#[derive(Debug, Default)]
pub(crate) struct Utf8Stream {
    /// An unfinished character: three bytes at most.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Appends to `text` what is certain after these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.pending.extend_from_slice(bytes);
        let kept = unfinished_tail(&self.pending);
        let whole = self.pending.len() - kept;
        text.push_str(&String::from_utf8_lossy(&self.pending[..whole]));
        self.pending.drain(..whole);
    }

    /// Appends what an unfinished character at the very end is shown as.
    pub(crate) fn finish(&mut self, text: &mut String) {
        text.push_str(&String::from_utf8_lossy(&self.pending));
        self.pending.clear();
    }
}

/// How many bytes at the end may still become a character.
fn unfinished_tail(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().last().map_or(0, |chunk| {
        let tail = chunk.invalid();
        match std::str::from_utf8(tail) {
            Err(error) if error.error_len().is_none() => tail.len(),
            Ok(_) | Err(_) => 0,
        }
    })
}

#[cfg(test)]
mod tests;
