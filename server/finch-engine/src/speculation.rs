//! Guesses the next tokens from texts that the answer may repeat, so that one pass can confirm several.
//!
//! What was seen before, in the prompt, in the answer so far, in what other sequences hold and in texts the caller
//! names, is guessed to go on as it did. How many tokens are guessed follows from how often guesses were right and
//! from what a longer pass costs, both as measured. A guess never changes an answer: every token is chosen from the
//! logits of a pass over the tokens before it. The worker asks for drafts and says what became of them.

mod costs;
mod lookup;
mod odds;

use std::{sync::Arc, time::Duration};

pub(crate) use costs::Costs;
use lookup::{Found, Witnesses};
use odds::{Grounds, Odds};

use crate::{limits, vocabulary::Vocabulary};

/// Stands between two texts of the memory. No vocabulary has it.
const SEAM: u32 = u32::MAX;

/// What all sequences share: the measured costs, the odds so far, and what was said and dropped before.
#[derive(Debug, Default)]
pub(crate) struct Speculator {
    costs: Costs,
    odds: Odds,
    dropped: Vec<u32>,
}

/// What one sequence guesses from.
#[derive(Debug, Clone)]
pub(crate) struct Guesses {
    references: Vec<Arc<str>>,
    odds: Odds,
}

/// Tokens that may come next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) tokens: Vec<u32>,
    /// Tokens expected of a pass with it, in the time of a pass of one token.
    pub(crate) rate: f64,
    grounds: Grounds,
}

/// Where a sequence is.
#[derive(Clone, Copy)]
pub(crate) struct Text<'t> {
    /// The tokens computed so far.
    pub(crate) tokens: &'t [u32],
    /// The token that is computed next.
    pub(crate) next: u32,
    /// Tokens that may come behind it at most.
    pub(crate) room: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Self { tokens: Vec::new(), rate: 1.0, grounds: Grounds { matched: 0, witnesses: Witnesses::None } }
    }
}

impl Draft {
    /// No tokens yet.
    fn behind(found: Found) -> Self {
        let grounds = Grounds { matched: found.matched, witnesses: found.witnesses };
        Self { grounds, ..Self::default() }
    }
}

impl Speculator {
    #[cfg(test)]
    pub(crate) fn with(costs: Costs) -> Self {
        Self { costs, ..Self::default() }
    }

    /// What a new sequence guesses from. Of too many or too long references the last are left out.
    pub(crate) fn guesses(&self, references: &[Arc<str>]) -> Guesses {
        let mut bytes = 0;
        let fitting = references.iter().take(limits::REFERENCE_TEXTS_MAX).take_while(|text| {
            bytes += text.len();
            bytes <= limits::REFERENCE_BYTES_MAX
        });
        Guesses { references: fitting.cloned().collect(), odds: self.odds.inherited() }
    }

    /// The tokens worth computing along with the next one; often none. `others` is what other sequences hold.
    pub(crate) fn draft(
        &mut self,
        text: Text<'_>,
        guesses: &mut Guesses,
        others: &[&[u32]],
        vocabulary: &Vocabulary,
    ) -> Draft {
        let most = text.room.min(limits::DRAFT_TOKENS_MAX);
        if most == 0 {
            return Draft::default();
        }
        let mut draft = self.longest(text, guesses, others, vocabulary);
        draft.tokens.truncate(most);
        if draft.tokens.is_empty() {
            return draft;
        }
        let count;
        (count, draft.rate) = worthwhile(&draft, &guesses.odds, &self.costs);
        if count == 0 {
            guesses.odds.fade(draft.grounds);
            self.odds.fade(draft.grounds);
        }
        draft.tokens.truncate(count);
        draft
    }

    /// The draft behind the longest match.
    fn longest(&self, text: Text<'_>, guesses: &Guesses, others: &[&[u32]], vocabulary: &Vocabulary) -> Draft {
        let start = text.tokens.len().saturating_sub(limits::MATCH_TOKENS_MAX);
        let tail: Vec<u32> = text.tokens[start..].iter().copied().chain([text.next]).collect();
        let mut best = own(text, &tail);
        let mut left = limits::LOOKUP_TOKENS_MAX.saturating_sub(text.tokens.len());
        for seen in std::iter::once(&self.dropped[..]).chain(others.iter().copied()) {
            if best.grounds.matched >= limits::MATCH_TOKENS_ENOUGH {
                return best;
            }
            let seen = &seen[..seen.len().min(left)];
            left -= seen.len();
            if let Some(found) = lookup::in_tokens(seen, &tail)
                && found.matched > best.grounds.matched
                && seen[found.next] != SEAM
            {
                let tokens = seen[found.next..].iter().copied().take_while(|&token| token != SEAM);
                best = Draft { tokens: tokens.take(limits::DRAFT_TOKENS_MAX).collect(), ..Draft::behind(found) };
            }
        }
        if best.grounds.matched < limits::MATCH_TOKENS_ENOUGH
            && let Some(draft) = from_texts(&guesses.references, &tail, vocabulary)
            && draft.grounds.matched > best.grounds.matched
        {
            best = draft;
        }
        best
    }

    /// Learns what became of a draft.
    pub(crate) fn judge(&mut self, guesses: &mut Guesses, draft: &Draft, accepted: usize) {
        guesses.odds.learn(draft.grounds, draft.tokens.len(), accepted);
        self.odds.learn(draft.grounds, draft.tokens.len(), accepted);
    }

    /// Learns what a pass of so many rows took.
    pub(crate) fn timed(&mut self, rows: usize, time: Duration) {
        self.costs.learn(rows, time);
    }

    /// Remembers tokens that a slot loses, with some that stand before them: an answer that was not taken, or text
    /// that was edited, often comes again.
    pub(crate) fn remember(&mut self, tokens: &[u32], kept: usize) {
        if kept + 1 >= tokens.len() {
            return;
        }
        if self.dropped.len() > limits::DROPPED_TOKENS_MAX {
            self.dropped.drain(..limits::DROPPED_TOKENS_MAX / 2);
        }
        let lost = &tokens[kept.saturating_sub(limits::MATCH_TOKENS_ENOUGH)..];
        self.dropped.push(SEAM);
        self.dropped.extend_from_slice(&lost[..lost.len().min(limits::DROPPED_TOKENS_MAX / 2)]);
    }
}

/// The text itself, seen before. What repeats goes on repeating, beyond the end of what there is.
fn own(text: Text<'_>, tail: &[u32]) -> Draft {
    // The next token is part of the text, and alone it changes which places match, so the scan is over both.
    let whole: Vec<u32> = text.tokens.iter().copied().chain([text.next]).collect();
    let Some(found) = lookup::in_tokens(&whole, tail) else { return Draft::default() };
    let tokens: Vec<u32> = whole[found.next..].iter().copied().cycle().take(limits::DRAFT_TOKENS_MAX).collect();
    Draft { tokens, ..Draft::behind(found) }
}

/// The texts are searched as text; only what follows the match is turned into tokens.
fn from_texts(texts: &[Arc<str>], tail: &[u32], vocabulary: &Vocabulary) -> Option<Draft> {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    // From the last token back: how many bytes so many tokens are.
    for &token in tail.iter().rev() {
        let piece = vocabulary.bytes(token);
        // A control token has no text, and nothing before it belongs to this text.
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece.iter().rev());
        ends.push(bytes.len());
    }
    bytes.reverse();
    let least = (*ends.get(1)?).max(limits::MATCH_BYTES_MIN);
    let (text, found) = lookup::in_texts(texts, &bytes, least)?;
    let matched = ends.iter().take_while(|&&end| end <= found.matched).count();
    let rest = &text[found.next..];
    let end = (0..=rest.len().min(limits::DRAFT_BYTES_MAX)).rev().find(|&end| rest.is_char_boundary(end))?;
    let piece = &rest[..end];
    let mut tokens = vocabulary.encode(piece).ok()?;
    if end < rest.len() {
        // Cut text may have been another token.
        tokens.pop();
    }
    // A vocabulary may write text otherwise than it stands there, and then it is not what follows.
    let mut left = piece.as_bytes();
    let same = tokens.iter().take_while(|&&token| {
        let fits = left.strip_prefix(vocabulary.bytes(token)).filter(|rest| rest.len() < left.len());
        left = fits.unwrap_or(left);
        fits.is_some()
    });
    let count = same.count().min(limits::DRAFT_TOKENS_MAX);
    tokens.truncate(count);
    Some(Draft { tokens, ..Draft::behind(Found { matched, ..found }) })
}

/// How many tokens of a draft are worth computing: those that bring the most tokens a second.
fn worthwhile(draft: &Draft, odds: &Odds, costs: &Costs) -> (usize, f64) {
    let (mut best, mut best_rate) = (0, 1.0 / costs.of(1));
    // The pass gives one token in any case, and one more for each right guess before the first wrong one.
    let (mut expected, mut chance) = (1.0, 1.0);
    for at in 0..draft.tokens.len() {
        chance *= odds.of(draft.grounds, at);
        expected += chance;
        let rate = expected / costs.of(at + 2);
        if rate > best_rate {
            (best, best_rate) = (at + 1, rate);
        }
    }
    (best, best_rate)
}

#[cfg(test)]
mod tests;
