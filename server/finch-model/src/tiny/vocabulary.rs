//! Vocabularies small enough for tiny models: all bytes, letters and pairs of them, the tokens around code.
//!
//! Called by `tiny`.

use crate::tokenizer::token_kind;

const SPECIAL: [&str; 7] = [
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
];

/// The smallest vocabulary there is.
pub(super) const MIN: usize = 256 + SPECIAL.len();

/// Tokens in the order of their ids, with the kinds and merges that belong to them.
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    pub(super) kinds: Vec<i32>,
    pub(super) merges: Vec<String>,
    /// Of pieces; empty where merges are listed.
    pub(super) scores: Vec<f32>,
    pub(super) end_of_text: usize,
}

impl Vocabulary {
    /// Exactly `size` tokens, and at least [`MIN`].
    pub(super) fn of(size: usize) -> Vocabulary {
        let mut tokens: Vec<String> = (0..=255).map(|byte| letter(byte).to_string()).collect();
        let pairs: Vec<(char, char)> = pairs().take(size.saturating_sub(MIN)).collect();
        tokens.extend(pairs.iter().map(|(left, right)| format!("{left}{right}")));
        let merges = pairs.iter().map(|(left, right)| format!("{left} {right}")).collect();
        let end_of_text = tokens.len();
        let mut kinds = vec![kind(token_kind::NORMAL); tokens.len()];
        tokens.extend(SPECIAL.map(str::to_owned));
        kinds.resize(tokens.len(), kind(token_kind::CONTROL));
        tokens.extend((tokens.len()..size).map(|id| format!("[PAD{id}]")));
        kinds.resize(tokens.len(), kind(token_kind::UNUSED));
        Vocabulary { tokens, kinds, merges, scores: Vec::new(), end_of_text }
    }

    /// Exactly `size` tokens, and at least [`MIN`], in the manner of SentencePiece.
    pub(super) fn of_pieces(size: usize) -> Vocabulary {
        let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
        let mut kinds = vec![kind(token_kind::UNKNOWN), kind(token_kind::CONTROL), kind(token_kind::CONTROL)];
        tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
        kinds.resize(tokens.len(), kind(token_kind::BYTE));
        let pieces = SPACES.map(str::to_owned).into_iter().chain(letters()).chain(words());
        tokens.extend(pieces.take(size.saturating_sub(tokens.len())));
        kinds.resize(tokens.len(), kind(token_kind::NORMAL));
        tokens.extend((tokens.len()..size).map(|id| format!("[PAD{id}]")));
        kinds.resize(tokens.len(), kind(token_kind::UNUSED));
        // The longer, the likelier; the first of its length first.
        let score = |(id, token): (usize, &String)| (token.chars().count() * 100_000) as f32 - id as f32;
        let scores = tokens.iter().enumerate().map(score).collect();
        Vocabulary { tokens, kinds, merges: Vec::new(), scores, end_of_text: 2 }
    }
}

const SPACES: [&str; 3] = ["▁", "▁▁", "▁▁▁▁"];

fn letters() -> impl Iterator<Item = String> {
    (b'!'..=b'~').map(|letter| char::from(letter).to_string())
}

/// Pairs of lower-case letters, alone and behind a space, then other pairs.
fn words() -> impl Iterator<Item = String> {
    let lower = || (b'a'..=b'z').map(char::from);
    let pairs = move || lower().flat_map(move |first| lower().map(move |second| format!("{first}{second}")));
    let visible = (b'!'..=b'~').flat_map(|first| (b'!'..b'a').map(move |second| (first, second)));
    let behind_space = pairs().map(|pair| format!("▁{pair}"));
    let others = visible.map(|(first, second)| format!("{}{}", char::from(first), char::from(second)));
    pairs().chain(behind_space).chain(others)
}

/// The numbers of the kinds are single digits.
fn kind(kind: i64) -> i32 {
    kind as i32
}

/// A space before each letter, then all pairs of visible ASCII: enough for thousands of ids that are text.
fn pairs() -> impl Iterator<Item = (char, char)> {
    let after_space = (b'a'..=b'z').map(|second| (letter(b' '), char::from(second)));
    let visible =
        (b'!'..=b'~').flat_map(|first| (b'!'..=b'~').map(move |second| (char::from(first), char::from(second))));
    after_space.chain(visible)
}

/// The letter that stands for a byte: itself where it is visible in Latin-1, else one from 256 upwards.
fn letter(byte: u8) -> char {
    let visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if visible(byte) {
        return char::from(byte);
    }
    let hidden_before = (0..byte).filter(|byte| !visible(*byte)).count();
    u32::try_from(256 + hidden_before).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
