//! What a door brings for a task: who is asked, whose documents are changed, what an editor reports.

use std::sync::Arc;

use crate::tools::{AskUser, Diagnostics, Documents, NoDocuments, Reports, Restarter, User};
use crate::view::{Buffers, NoBuffers};
use crate::{Asker, Tool};

/// The place at which the user sits. A clone is the same place.
#[derive(Clone)]
pub struct Door {
    /// Without one, what would have to be asked is denied.
    pub asker: Option<Arc<dyn Asker>>,
    /// Without one, the model cannot ask anything.
    pub user: Option<Arc<dyn User>>,
    pub buffers: Arc<dyn Buffers>,
    pub documents: Arc<dyn Documents>,
    /// Without one, there are no diagnostics.
    pub reports: Option<Arc<dyn Reports>>,
    /// Without one, finch cannot be restarted.
    pub restarter: Option<Arc<dyn Restarter>>,
    pub edits: Edits,
}

/// What becomes of edits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edits {
    /// They are applied before a command runs and at the end of each step.
    #[default]
    Apply,
    /// They stay staged until the user has looked at them.
    Review,
}

impl Door {
    /// Tools that the place makes possible, for whoever changes files.
    pub(super) fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        tools.extend(self.user.iter().map(|user| Arc::new(AskUser::new(Arc::clone(user))) as Arc<dyn Tool>));
        tools.extend(self.reports.iter().map(|all| Arc::new(Diagnostics::new(Arc::clone(all))) as Arc<dyn Tool>));
        tools
    }

    /// Nobody is there: nothing is open, nothing can be asked, and edits can only be staged.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            asker: None,
            user: None,
            buffers: Arc::new(NoBuffers),
            documents: Arc::new(NoDocuments),
            reports: None,
            restarter: None,
            edits: Edits::Apply,
        }
    }
}
