//! `finch lsp`: the language server on stdin and stdout, with the model loading behind it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use finch_llm::Provider;
use finch_llm::router::{Consent, Router};
use tokio::runtime::Handle;

use crate::Exit;
use crate::clouds;
use crate::config::Config;
use crate::local::LocalProvider;
use crate::routing::Desk;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: Surroundings) -> Result<Exit> {
    let runtime = super::runtime()?;
    let options = surroundings.config.completion.options();
    let settings = finch_lsp::Settings { enabled: surroundings.config.completion.enabled };
    let journal = surroundings.journal();
    let (desk, config) = (Desk::new(&surroundings), surroundings.config.clone());
    let (provider, state) = LocalProvider::loading(surroundings);
    let providers = Providers { desk, local: Arc::new(provider), runtime: runtime.handle().clone() };
    let router = providers.router(&config);
    let clouds = Some(providers.clouds(&router));
    let backend = finch_lsp::Backend {
        provider: Arc::new(router.clone()),
        state,
        options,
        settings,
        journal: journal.clone(),
        clouds,
    };
    providers.open(config, router);
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

/// What answers are made of.
struct Providers {
    desk: Desk,
    local: Arc<dyn Provider>,
    runtime: Handle,
}

impl Providers {
    /// The local model alone, for the first moment: keys may take their time.
    fn router(&self, config: &Config) -> Router {
        let setup = self.desk.setup(config, Some(&self.local), Vec::new(), &self.runtime);
        Router::new(setup, self.runtime.clone())
    }

    fn clouds(&self, router: &Router) -> finch_lsp::Clouds {
        let (for_answers, for_left) = (self.desk.clone(), self.desk.clone());
        finch_lsp::Clouds {
            events: router.events(),
            agree: Arc::new(move |folder: &Path, consent: Consent| for_answers.answer(folder, consent)),
            left: Arc::new(move || for_left.left()),
        }
    }

    /// Gets the keys of the clouds, and what the ledger holds, on a thread of its own.
    fn open(self, config: Config, router: Router) {
        let opener = move || {
            self.desk.recall();
            let (clouds, problems) = clouds::specs(&config, None, |name| std::env::var(name).ok());
            problems.iter().for_each(|problem| tracing::warn!("{problem}"));
            if !clouds.is_empty() {
                router.reconfigure(self.desk.setup(&config, Some(&self.local), clouds, &self.runtime));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("finch-keys".into()).spawn(opener) {
            tracing::error!("cannot start a thread to get keys: {error}");
        }
    }
}
