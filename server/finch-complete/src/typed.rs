//! What the user typed at a place since a snapshot was taken, if nothing else changed.
//!
//! Snapshots are ropes: comparing the rest of two documents is cheap, and nothing is hashed.

use finch_text::Document;

use crate::place::unify_line_ends;

/// The text between `then_offset` and `offset`, with `\n` line ends, where all around it is as it was.
///
/// `None` for more than `bytes_max`, and for what does not fit: that is asked before anything is compared.
pub(crate) fn since(
    (then, then_offset): (&Document, usize),
    (now, offset): (&Document, usize),
    bytes_max: usize,
    fits: impl FnOnce(&str) -> bool,
) -> Option<String> {
    let typed_bytes = offset.checked_sub(then_offset)?;
    let behind_bytes = now.len().checked_sub(offset)?;
    if typed_bytes > bytes_max || Some(behind_bytes) != then.len().checked_sub(then_offset) {
        return None;
    }
    let typed = unify_line_ends(&now.slice(then_offset..offset));
    let same = fits(&typed)
        && now.holds_same(0..then_offset, then, 0..then_offset)
        && now.holds_same(offset..now.len(), then, then_offset..then.len());
    same.then_some(typed)
}
