//! Where two texts differ, in whole lines.
//!
//! Pure, and the same for the same texts: hunks are numbered by it. Lines end as in a [`finch_text::Document`].

use std::ops::Range;

use similar::{Algorithm, DiffOp, DiffableStr, capture_diff_slices};

/// One place where a text became another: these lines were replaced by those. Ranges are in bytes, of whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
    /// The same in lines, counted from 0.
    pub(crate) old_lines: Range<usize>,
    pub(crate) new_lines: Range<usize>,
}

/// All places where `old` became `new`, in order. No two of them touch.
pub(crate) fn pieces(old: &str, new: &str) -> Vec<Piece> {
    let (old_lines, new_lines) = (old.tokenize_lines(), new.tokenize_lines());
    let (old_at, new_at) = (offsets(&old_lines), offsets(&new_lines));
    let mut pieces: Vec<Piece> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (before, after) = (op.old_range(), op.new_range());
        match pieces.last_mut() {
            Some(last) if last.old_lines.end == before.start && last.new_lines.end == after.start => {
                last.old_lines.end = before.end;
                last.new_lines.end = after.end;
                last.old.end = old_at[before.end];
                last.new.end = new_at[after.end];
            }
            _ => pieces.push(Piece {
                old: old_at[before.start]..old_at[before.end],
                new: new_at[after.start]..new_at[after.end],
                old_lines: before,
                new_lines: after,
            }),
        }
    }
    pieces
}

/// Where each line starts, and where the last one ends.
fn offsets(lines: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let mut offsets = vec![0];
    for line in lines {
        at += line.len();
        offsets.push(at);
    }
    offsets
}

/// `old` with only the chosen `pieces` of `new` in it.
pub(crate) fn with_pieces<'a>(old: &str, new: &str, pieces: impl Iterator<Item = &'a Piece>) -> String {
    let mut text = String::with_capacity(old.len().max(new.len()));
    let mut at = 0;
    for piece in pieces {
        text.push_str(&old[at..piece.old.start]);
        text.push_str(&new[piece.new.clone()]);
        at = piece.old.end;
    }
    text.push_str(&old[at..]);
    text
}

/// The unified diff of one file, with its header. A missing file is `/dev/null`; equal texts give nothing.
pub(crate) fn unified(names: (&str, &str), old: Option<&str>, new: Option<&str>) -> String {
    let (old_name, new_name) = names;
    let old_name = old.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{old_name}"));
    let new_name = new.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{new_name}"));
    let (before, after) = (old.unwrap_or_default(), new.unwrap_or_default());
    let diff = similar::TextDiff::from_lines(before, after);
    let body = diff.unified_diff().header(&old_name, &new_name).to_string();
    match (old, new) {
        // An empty file comes or goes: there is no line to show.
        (None, Some(_)) | (Some(_), None) if body.is_empty() => format!("--- {old_name}\n+++ {new_name}\n"),
        _ => body,
    }
}
