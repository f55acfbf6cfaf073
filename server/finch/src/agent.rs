//! Puts together what stands behind the agent's tasks in one folder: who answers, what is permitted, how commands run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finch_agent::Gate;
use finch_agent::instructions::{self, Instructions};
use finch_agent::permissions::Permissions;
use finch_agent::rules::{Confinement, Rules, Scope};
use finch_agent::sandbox::{Availability, Sandbox};
use finch_agent::store::Store;
use finch_agent::task::{Briefer, Briefing, Made, Workbench};
use finch_agent::tools::{Confined, WebFetch};
use finch_llm::{ClientId, Origin, Provider, ProviderId};

use crate::config::project;
use crate::confinement;
use crate::surroundings::Surroundings;

/// Who works.
pub(crate) struct Worker {
    pub(crate) provider: Arc<dyn Provider>,
    /// The provider that the user named.
    pub(crate) named: Option<ProviderId>,
    pub(crate) client: ClientId,
    pub(crate) rounds_max: u32,
    /// Tried out once, whatever the number of folders.
    pub(crate) sandbox: Arc<Sandbox>,
}

/// What stands behind the tasks in `workspace`, which is canonical. The sandbox is tried out first.
pub(crate) async fn workbench(surroundings: &Surroundings, workspace: &Path, worker: Worker) -> Workbench {
    let home = surroundings.home.root();
    let Worker { provider, named, client, rounds_max, sandbox } = worker;
    let rules = rules(home, workspace).confined(confined(&sandbox).await);
    let permissions = Permissions::open(home.join("permissions.toml"));
    let (grants, refused) = confinement::grants(&surroundings.config.agent, home);
    refused.iter().for_each(|refused| tracing::warn!("{refused}"));
    let command_seconds = u64::try_from(surroundings.config.agent.command_seconds).unwrap_or(u64::MAX);
    Workbench {
        provider,
        client,
        origin: Origin { workspace: Some(workspace.into()), named, ..Origin::default() },
        gate: Arc::new(Gate::new(rules.clone(), permissions)),
        briefing: briefing(surroundings, &rules),
        rules,
        runner: Arc::new(Confined::new(sandbox, grants)),
        more_tools: vec![Arc::new(WebFetch::default())],
        plans: plans(home, workspace),
        command_time: Duration::from_secs(command_seconds),
        rounds_max,
        store: store(&tasks(home)),
        made: Made::default(),
        working: Arc::default(),
    }
}

fn rules(home: &Path, workspace: &Path) -> Rules {
    let scope = Scope {
        workspace: workspace.to_owned(),
        finch_home: std::fs::canonicalize(home).unwrap_or_else(|_| home.to_owned()),
        user_home: std::env::home_dir(),
    };
    Rules::new(scope, Vec::new())
}

async fn confined(sandbox: &Sandbox) -> Confinement {
    match sandbox.availability().await {
        Availability::Whole | Availability::ByEntry => Confinement::Whole,
        Availability::Unavailable { .. } => Confinement::None,
    }
}

/// What CLAUDE.md, FINCH.md and AGENTS.md ask for: those of the workspace only where the user trusts it.
fn briefing(surroundings: &Surroundings, rules: &Rules) -> Briefer {
    let (instructions, trust) = (Instructions::new(rules.clone()), surroundings.trust());
    let workspace = rules.scope().workspace.clone();
    Arc::new(move |touched| {
        touched.iter().for_each(|file| instructions.touched(file));
        let given = match trust.trusts(&workspace) {
            project::Trust::Trusted => instructions::Trust::Given,
            project::Trust::Unknown => instructions::Trust::Not,
        };
        let loaded = instructions.current(given);
        loaded.warnings.iter().for_each(|warning| tracing::info!("{warning}"));
        Briefing { text: loaded.text, files: loaded.files }
    })
}

/// The file that tasks are kept in.
pub(crate) fn tasks(home: &Path) -> PathBuf {
    home.join("state.db")
}

/// Tasks can be worked on without it.
fn store(path: &Path) -> Option<Store> {
    match Store::open(path) {
        Ok(store) => Some(store),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}

/// Where the plans for a workspace are kept.
fn plans(home: &Path, workspace: &Path) -> PathBuf {
    let name = workspace.to_string_lossy().trim_matches(['/', '\\']).replace(['/', '\\', ':'], "-");
    home.join("plans").join(if name.is_empty() { "root".to_owned() } else { name })
}
