//! Who makes permits, as the turn loop knows it.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{Access, Asker, Gate, Permit};

/// A call that is not permitted. The model is told the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not permitted: {reason}")]
pub struct Denied {
    pub reason: String,
}

/// A decision on its way. Dropping it takes the question back.
pub type Decision<'a> = Pin<Box<dyn Future<Output = Result<Permit, Denied>> + Send + 'a>>;

/// Decides what a call may do, by rules and by asking. It is asked for every call, whatever it does.
pub trait Gatekeeper: Send + Sync + 'static {
    /// A permit for exactly these effects, all of them or none.
    fn permit(&self, access: Vec<Access>) -> Decision<'_>;
}

/// The gate of a workspace with who answers its questions: what a turn asks.
pub struct Guard {
    pub gate: Arc<Gate>,
    /// Without one, what would have to be asked is denied.
    pub asker: Option<Arc<dyn Asker>>,
}

impl Gatekeeper for Guard {
    fn permit(&self, access: Vec<Access>) -> Decision<'_> {
        Box::pin(async move { self.gate.permit(access, self.asker.as_deref()).await })
    }
}
