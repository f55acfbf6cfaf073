//! Places in a text, as the Language Server Protocol counts them.
//!
//! These types only carry numbers; what a number means in a given text is [`Document`](crate::Document)'s job.

/// What one step of `character` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PositionEncoding {
    /// One byte.
    Utf8,
    /// One UTF-16 code unit: characters beyond U+FFFF count twice.
    Utf16,
}

/// A line and a character in it, both counted from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

/// From `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

/// One change of a document: `text` replaces what stands in `range`, or everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub range: Option<Range>,
    pub text: String,
}
