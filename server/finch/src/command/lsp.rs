//! `finch lsp`: the language server on stdin and stdout, with the model loading behind it.

use std::sync::Arc;

use anyhow::Result;

use crate::Exit;
use crate::local::LocalProvider;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: Surroundings) -> Result<Exit> {
    let options = surroundings.config.completion.options();
    let settings = finch_lsp::Settings { enabled: surroundings.config.completion.enabled };
    let journal = surroundings.journal();
    let (provider, state) = LocalProvider::loading(surroundings);
    let backend =
        finch_lsp::Backend { provider: Arc::new(provider), state, options, settings, journal: journal.clone() };
    let runtime = super::runtime()?;
    let ended = runtime.block_on(finch_lsp::serve(tokio::io::stdin(), tokio::io::stdout(), backend));
    // A thread that still reads stdin would hold the process back.
    runtime.shutdown_background();
    if let Some(journal) = journal {
        journal.close();
    }
    Ok(match ended {
        finch_lsp::Ended::Clean => Exit::Done,
        finch_lsp::Ended::WithoutShutdown => Exit::Failed,
    })
}
