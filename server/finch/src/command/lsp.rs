//! `finch lsp`: the language server on stdin and stdout, with the model loading behind it.

mod live;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use finch_agent::PLAN_ROUNDS_DEFAULT;
use finch_agent::task::Edits;
use finch_llm::ClientId;
use finch_llm::router::{Consent, Router};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::Exit;
use crate::agent::{Worker, tasks, workbench};
use crate::clouds::Stop;
use crate::config::AgentEdits;
use crate::config::watch::Look;
use crate::confinement;
use crate::local::LocalProvider;
use crate::routing::Desk;
use crate::surroundings::Surroundings;

use live::Live;

pub(super) fn run(surroundings: Surroundings) -> Result<Exit> {
    let runtime = super::runtime()?;
    let look = Look::at(surroundings.config_path.clone());
    let (desk, journal) = (Desk::new(&surroundings), surroundings.journal());
    let (provider, state, loader) = LocalProvider::later();
    let local: Arc<dyn finch_llm::Provider> = Arc::new(provider);
    // The local model alone, for the first moment: keys may take their time.
    let setup = desk.setup(&surroundings.config, Some(&local), Vec::new(), runtime.handle());
    let router = Router::new(setup, runtime.handle().clone());
    let configured = live::configured(&surroundings.config, None);
    let (options, settings) = (configured.options.clone(), configured.settings.clone());
    let (told, changes) = watch::channel(configured);
    let (clouds, provider) = (clouds(&desk, &router), Arc::new(router.clone()));
    let agent = Some(agent(&surroundings, &router, runtime.handle()));
    let (running, stop) = watch::channel(());
    let runtime_handle = runtime.handle().clone();
    let live = Live::new(surroundings, desk, local, loader, (router, runtime_handle), told, Stop::With(stop));
    let thread = Arc::new(Mutex::new(None));
    let place = Arc::clone(&thread);
    let began = Box::new(move |folder| match live.start(look, folder) {
        Ok(watch) => *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch),
        Err(error) => tracing::error!("cannot start a thread to follow the configuration: {error}"),
    });
    let configuration = Some(finch_lsp::Configuration { began, changes });
    let backend = finch_lsp::Backend {
        provider,
        state,
        options,
        settings,
        journal: journal.clone(),
        clouds: Some(clouds),
        configuration,
        agent,
    };
    let ended = runtime.block_on(finch_lsp::serve(tokio::io::stdin(), tokio::io::stdout(), backend));
    // First the commands that it may wait for, then the thread.
    drop(running);
    drop(thread.lock().unwrap_or_else(PoisonError::into_inner).take());
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

/// What carries out tasks, with the router's providers. What the project's file says of it holds from the first task on.
fn agent(surroundings: &Surroundings, router: &Router, runtime: &Handle) -> finch_lsp::AgentBackend {
    let home = surroundings.home.root();
    let (answers, reviews, tasks) = (home.join("answers"), home.join("reviews"), tasks(home));
    let edits = match surroundings.config.agent.edits {
        AgentEdits::Apply => Edits::Apply,
        AgentEdits::Review => Edits::Review,
    };
    let (surroundings, router, runtime) = (surroundings.clone(), router.clone(), runtime.clone());
    let sandbox = confinement::sandbox().map(Arc::new).map_err(|error| format!("{error:#}"));
    let make = move |folder: &Path| {
        let mut surroundings = surroundings.clone();
        surroundings.enter(folder);
        let worker = Worker {
            provider: Arc::new(router.clone()),
            named: None,
            client: ClientId::new(format!("agent-{}", std::process::id())),
            rounds_max: PLAN_ROUNDS_DEFAULT,
            sandbox: sandbox.clone()?,
        };
        // Called on a thread that may block.
        Ok(Arc::new(runtime.block_on(workbench(&surroundings, folder, worker))))
    };
    // finch logs to stderr, which the editor keeps.
    finch_lsp::AgentBackend { workbench: Arc::new(make), edits, answers, reviews, tasks, log: None }
}

fn clouds(desk: &Desk, router: &Router) -> finch_lsp::Clouds {
    let (for_answers, for_left) = (desk.clone(), desk.clone());
    finch_lsp::Clouds {
        events: router.events(),
        agree: Arc::new(move |folder: &Path, consent: Consent| for_answers.answer(folder, consent)),
        left: Arc::new(move || for_left.left()),
    }
}
