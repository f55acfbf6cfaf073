//! What the agent changed, carried over to a text that somebody else changed meanwhile.

use std::ops::Range;

use super::lines::{Piece, pieces};

/// Lines of the common text that both sides changed, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting(pub(crate) Vec<Range<usize>>);

/// `base` with the changes of both. Changes that touch the same or neighbouring lines meet, and are left to a person;
/// what both changed alike is taken once.
pub(crate) fn merge(base: &str, ours: &str, theirs: &str) -> Result<String, Meeting> {
    let (our_pieces, their_pieces) = (pieces(base, ours), pieces(base, theirs));
    let mut meeting = Vec::new();
    let mut all: Vec<(&Piece, &str)> = their_pieces.iter().map(|piece| (piece, &theirs[piece.new.clone()])).collect();
    for piece in &our_pieces {
        let text = &ours[piece.new.clone()];
        let met: Vec<_> = their_pieces.iter().filter(|other| meet(&piece.old_lines, &other.old_lines)).collect();
        match met[..] {
            [] => all.push((piece, text)),
            [other] if other.old == piece.old && &theirs[other.new.clone()] == text => {}
            _ => meeting.push(piece.old_lines.clone()),
        }
    }
    if !meeting.is_empty() {
        return Err(Meeting(meeting));
    }
    all.sort_by_key(|(piece, _)| piece.old.start);
    let mut merged = String::with_capacity(ours.len().max(theirs.len()));
    let mut at = 0;
    for (piece, text) in all {
        merged.push_str(&base[at..piece.old.start]);
        merged.push_str(text);
        at = piece.old.end;
    }
    merged.push_str(&base[at..]);
    Ok(merged)
}

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}
