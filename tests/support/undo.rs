//! Takes back what a run of finch changed, as another run does it: from what is kept in FINCH_HOME.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finch_agent::permissions::Permissions;
use finch_agent::rules::{Rules, Scope};
use finch_agent::store::Store;
use finch_agent::task::{Briefing, Door, FilesOnDisk, Made, Workbench};
use finch_agent::tools::Shell;
use finch_agent::{EVENTS_MAX, Gate};
use finch_llm::{Capabilities, ClientId, GenerateRequest, GenerateStream, InfillRequest, Origin, Provider, ProviderId};
use tokio::sync::mpsc;

/// Takes back the newest task that changed anything in the workspace, and says what files that were.
pub(crate) async fn undo(workspace: &Path, home: &Path) -> Vec<PathBuf> {
    let (workspace, finch_home) = (workspace.canonicalize().unwrap(), home.canonicalize().unwrap());
    let rules = Rules::new(Scope { workspace: workspace.clone(), finch_home, user_home: None }, Vec::new());
    let bench = Workbench {
        provider: Arc::new(Nobody),
        client: ClientId::new("undo"),
        origin: Origin::default(),
        gate: Arc::new(Gate::new(rules.clone(), Permissions::open(home.join("permissions.toml")))),
        rules,
        runner: Arc::new(Shell),
        more_tools: Vec::new(),
        plans: home.join("plans"),
        briefing: Arc::new(|_| Briefing::default()),
        command_time: Duration::from_secs(1),
        rounds_max: 1,
        store: Some(Store::open(&home.join("state.db")).unwrap()),
        made: Made::default(),
        working: Arc::default(),
    };
    let door = Door { documents: Arc::new(FilesOnDisk::new(workspace)), ..Door::closed() };
    let (sender, _events) = mpsc::channel(EVENTS_MAX);
    bench.undo(None, &door, &sender).await.unwrap().paths
}

/// A model that is not asked.
struct Nobody;

impl Provider for Nobody {
    fn id(&self) -> ProviderId {
        ProviderId::new("nobody")
    }

    fn capabilities(&self) -> Capabilities {
        panic!("nobody is asked what it can do")
    }

    fn generate(&self, _request: GenerateRequest) -> GenerateStream {
        panic!("nobody is asked")
    }

    fn infill(&self, _request: InfillRequest) -> GenerateStream {
        panic!("nobody is asked")
    }
}
