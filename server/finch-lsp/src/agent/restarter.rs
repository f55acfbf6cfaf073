//! Has the client start the server anew: `finch/restart`.

use std::sync::Arc;

use finch_agent::characters::shown_on_one_line;
use finch_agent::tools::restart::{Restarter, Restarting};
use tower_lsp::lsp_types::notification::Notification;

use crate::dispatch::Shared;
use crate::wire::agent_client::RestartWanted;
use crate::wire::method;

enum Restart {}

impl Notification for Restart {
    type Params = RestartWanted;
    const METHOD: &'static str = method::RESTART;
}

pub(super) struct EditorRestarter {
    pub(super) shared: Arc<Shared>,
}

impl Restarter for EditorRestarter {
    fn restart(&self, reason: &str) -> Restarting<'_> {
        let reason = shown_on_one_line(reason);
        Box::pin(async move {
            self.shared.editor.tell::<Restart>(RestartWanted { reason }).await;
            // The process ends before this does, or the caller stops waiting.
            std::future::pending().await
        })
    }
}
