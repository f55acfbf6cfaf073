//! Where context comes from, which of it is wanted, and what each cost.

use std::ops::Range;
use std::time::Duration;

/// A source of context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContextSource {
    /// Where the document stands in the project.
    Path,
    /// What the names near the cursor mean.
    Definitions,
    /// Texts like the one at the cursor, from the document itself and from where the user was lately.
    Recent,
    /// What the user changed lately.
    Edits,
    /// What is wrong near the cursor.
    Diagnostics,
}

impl ContextSource {
    pub const ALL: [Self; 5] = [Self::Path, Self::Definitions, Self::Recent, Self::Edits, Self::Diagnostics];

    /// The name of its switch in `completion.context`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Definitions => "definitions",
            Self::Recent => "recent",
            Self::Edits => "edits",
            Self::Diagnostics => "diagnostics",
        }
    }
}

/// The sources that are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    pub path: bool,
    pub definitions: bool,
    pub recent: bool,
    pub edits: bool,
    pub diagnostics: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self { path: true, definitions: true, recent: true, edits: true, diagnostics: true }
    }
}

impl Sources {
    #[must_use]
    pub fn has(self, source: ContextSource) -> bool {
        match source {
            ContextSource::Path => self.path,
            ContextSource::Definitions => self.definitions,
            ContextSource::Recent => self.recent,
            ContextSource::Edits => self.edits,
            ContextSource::Diagnostics => self.diagnostics,
        }
    }

    /// Whether any source but the path is on.
    pub(crate) fn has_excerpts(self) -> bool {
        self.definitions || self.recent || self.edits || self.diagnostics
    }
}

/// What one source added to a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCost {
    pub source: ContextSource,
    /// Which of the excerpts are its own.
    pub excerpts: Range<usize>,
    pub bytes: usize,
    /// Time to find it; zero where it was found for an earlier key.
    pub took: Duration,
}
