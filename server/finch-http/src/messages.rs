//! Anthropic's `/v1/messages`.

use axum::Router;

use crate::Host;

/// Its routes.
pub(crate) fn routes() -> Router<Host> {
    Router::new()
}
