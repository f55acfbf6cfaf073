//! OpenAI's API: which path is answered by what.

use axum::Router;

use crate::Host;

/// Its routes.
pub(crate) fn routes() -> Router<Host> {
    Router::new()
}
