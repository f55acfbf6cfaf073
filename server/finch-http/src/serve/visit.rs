//! What the door knows of a request that it let in.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use finch_llm::ClientId;

use crate::counters::Tally;

/// Goes with the request to whoever answers it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) tally: Tally,
    /// Who asks: the client that it names itself, else the program that it says it is.
    pub(crate) caller: ClientId,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let stranger = || Self { tally: Tally::new(&Arc::default()), caller: ClientId::new("") };
        Ok(parts.extensions.get().cloned().unwrap_or_else(stranger))
    }
}
