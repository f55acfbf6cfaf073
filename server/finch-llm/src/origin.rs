//! Where a request comes from: what it is for, and whose text it holds. Consent and the ledger go by it.

use std::{path::Path, sync::Arc};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Task {
    /// Text at a cursor.
    Completion,
    #[default]
    Chat,
    Plan,
    Critique,
}

impl Task {
    /// The name in settings and in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Chat => "chat",
            Self::Plan => "plan",
            Self::Critique => "critique",
        }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub task: Task,
    /// The folder that is worked in; none for what belongs to no folder.
    pub workspace: Option<Arc<Path>>,
    /// The files whose text is in it, as they are called in the workspace. The first is the one that is worked on.
    pub files: Vec<String>,
    /// Nobody has asked for it yet: it goes to nothing beyond this machine, whatever was agreed.
    pub is_ahead: bool,
    /// The user named this provider for this very request: no other is asked, and it may be.
    pub named: Option<crate::ProviderId>,
}
