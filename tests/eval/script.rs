//! What a person types: a real file in blocks, most in order, some first left out and filled in later. All by a fixed
//! seed, so that two runs type the same.

use crate::corpus::scramble;

/// Share of the file that is there when the typing begins, so that its imports are.
const HEAD_SHARE: f64 = 0.25;
const BLOCK_LINES_MIN: usize = 8;
/// One block of so many is filled in after the one behind it.
const LATER_ONE_OF: u64 = 4;
/// A person looks up at the end of a line, at the end of some words, and after so many keys without either.
const LOOK_AT_WORD_ONE_OF: u64 = 2;
const LOOK_AFTER_KEYS: usize = 12;
/// One key of so many is followed by a slip: a few characters are taken back and typed again.
const SLIP_ONE_OF: u64 = 40;
const SLIP_CHARS: usize = 3;

/// A piece of text that is typed in one go.
#[derive(Debug)]
pub(crate) struct Block {
    /// Where it goes, in the text as it is then.
    pub(crate) at: usize,
    pub(crate) text: String,
}

pub(crate) struct Script {
    pub(crate) head: String,
    pub(crate) blocks: Vec<Block>,
}

/// What follows a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    NextKey,
    Look,
    /// Take back so many characters and type them again.
    Slip(usize),
}

/// At most `keys_max` characters of a file, from its first quarter on.
pub(crate) fn script(text: &str, keys_max: usize) -> Script {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let head_lines = (lines.len() as f64 * HEAD_SHARE) as usize;
    let head: String = lines[..head_lines].concat();
    let mut pieces = Vec::new();
    let (mut piece, mut count, mut bytes) = (String::new(), 0, 0);
    for line in &lines[head_lines..] {
        piece.push_str(line);
        count += 1;
        bytes += line.len();
        if bytes >= keys_max || (count >= BLOCK_LINES_MIN && line.trim().is_empty()) {
            pieces.push(std::mem::take(&mut piece));
            count = 0;
        }
        if bytes >= keys_max {
            break;
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.trim().is_empty());
    let blocks = in_order_of_typing(head.len(), pieces);
    Script { head, blocks }
}

fn in_order_of_typing(mut end: usize, pieces: Vec<String>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(text) = pieces.next() {
        let is_later = scramble(&text).is_multiple_of(LATER_ONE_OF);
        if is_later && let Some(next) = pieces.next() {
            let grown = text.len() + next.len();
            blocks.push(Block { at: end, text: next });
            blocks.push(Block { at: end, text });
            end += grown;
        } else {
            end += text.len();
            blocks.push(Block { at: end - text.len(), text });
        }
    }
    blocks
}

/// The next key's text: a character, or the end of a line with the indentation that editors add.
pub(crate) fn key(rest: &str) -> &str {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    if !rest.starts_with('\n') {
        return &rest[..first];
    }
    let indent = rest[first..].len() - rest[first..].trim_start_matches([' ', '\t']).len();
    &rest[..first + indent]
}

/// How many keys a text takes without any suggestion.
pub(crate) fn keys_of(mut text: &str) -> usize {
    let mut keys = 0;
    while !text.is_empty() {
        text = &text[key(text).len()..];
        keys += 1;
    }
    keys
}

/// What the typist does after the key that brought `typed` of the block to its end; `since` keys after the last look.
pub(crate) fn after(typed: &str, rest: &str, since: usize) -> After {
    let seed =
        scramble(&format!("{}{}", typed.len(), &typed[typed.floor_char_boundary(typed.len().saturating_sub(20))..]));
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let line = typed.rsplit('\n').next().unwrap_or("");
    if seed.is_multiple_of(SLIP_ONE_OF) && line.trim_start().len() > SLIP_CHARS && line.is_ascii() {
        return After::Slip(SLIP_CHARS);
    }
    let is_line_start = line.trim().is_empty();
    let is_word_end = word(typed.chars().next_back()) && !word(rest.chars().next());
    let looks =
        is_line_start || since >= LOOK_AFTER_KEYS || (is_word_end && (seed / 64).is_multiple_of(LOOK_AT_WORD_ONE_OF));
    if looks { After::Look } else { After::NextKey }
}
