//! What the server stands on: the models it offers, how far the local one is, who may ask, and whom it tells to stop.

use std::sync::Arc;

use finch_learn::Journal;
use finch_llm::{Origin, Provider, StateReceiver, Task};

use crate::Sessions;
use crate::endpoint::{Nonce, Token};

/// A model that may be asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What a request names.
    pub id: String,
    /// `local`, or the cloud's name.
    pub owner: String,
    /// Seconds since 1970 when it was installed; 0 where that is not known.
    pub created_s: u64,
}

/// Who answers for a model.
#[derive(Clone)]
pub struct Found {
    pub provider: Arc<dyn Provider>,
    /// Where the request counts as coming from. Names the provider where the caller named one.
    pub origin: Origin,
}

/// What a request names as its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// As it stands in the request; empty when it names none.
    pub model: &'a str,
    pub task: Task,
}

/// The models of this machine and of the clouds that the user configured.
pub trait Models: Send + Sync + 'static {
    /// All of them, the one that answers by default first.
    fn offers(&self) -> Vec<Offer>;

    /// Who answers for that name: an id of [`Models::offers`], or empty, `finch` or `default` for the first of them.
    fn find(&self, asked: Asked<'_>) -> Option<Found>;
}

/// Everything the server stands on.
#[derive(Clone)]
pub struct Host {
    pub models: Arc<dyn Models>,
    /// How far the local model is.
    pub state: StateReceiver,
    /// Who may ask: whoever can read the file it is in.
    pub token: Token,
    /// What shows that this is the daemon that wrote the endpoint's file.
    pub nonce: Nonce,
    /// Of the program, such as `0.1.0`.
    pub version: String,
    /// Where feedback is written, if the user lets finch remember.
    pub journal: Option<Journal>,
    /// Where answers of `/v1/responses` are kept for a next request, if a client asks for it.
    pub sessions: Option<Sessions>,
    /// The daemon ends when no client was there for so long; none: never.
    pub idle_max: Option<std::time::Duration>,
}
