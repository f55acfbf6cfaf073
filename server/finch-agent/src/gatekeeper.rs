//! Who makes permits, as the turn loop knows it.

use std::{future::Future, pin::Pin};

use crate::{Access, Permit};

/// A call was not permitted. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A rule forbids it; nobody was asked.
    #[error("not permitted by a rule: {reason}. Do it another way, or tell the user what is needed.")]
    ByRule { reason: String },
    /// The user said no, and may have said why.
    #[error("the user did not permit this{}", .reason.as_ref().map_or(".".to_owned(), |why| format!(": {why}")))]
    ByUser { reason: Option<String> },
    /// Nobody could be asked, or nobody answered.
    #[error("not permitted: {reason}. Do it another way, or tell the user what is needed.")]
    Unanswered { reason: String },
}

/// A decision on its way. Dropping it takes the question back.
pub type Decision<'a> = Pin<Box<dyn Future<Output = Result<Permit, Denied>> + Send + 'a>>;

/// Decides what a call may do, by rules and by asking. It is asked for every call, whatever it does.
pub trait Gatekeeper: Send + Sync + 'static {
    /// A permit for exactly these effects, all of them or none.
    fn permit(&self, access: Vec<Access>) -> Decision<'_>;
}
