//! `finch plan`: a plan for a task, drafted from what the repository holds and attacked by seven personas; with `--approve`
//! it is then carried out, and every effect is asked about that no rule allows.
//!
//! Without `--approve` nothing in the workspace changes: the tools that read it are the only ones there are, and what would
//! need an answer of the user is denied. The plan is a file in FINCH_HOME.

mod told;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use finch_agent::plan::{Outcome, Plan, Round, Steer, Steering, Weight};
use finch_agent::task::{Carried, Door, FilesOnDisk, Kind, TaskEvent, TaskId, Wish, WorkEnd, Workbench};
use finch_agent::{Asker, EVENTS_MAX};
use finch_llm::ClientId;
use tokio::sync::mpsc;

use super::answerer::{Answerer, Wanted, process_name, workspace_of};
use super::print;
use crate::Exit;
use crate::agent::{Worker, workbench};
use crate::cli;
use crate::confinement;
use crate::interrupt::told_to_end;
use crate::limits::WRITTEN_WAIT;
use crate::progress::say;
use crate::surroundings::Surroundings;
use crate::terminal_asker::TerminalAsker;

/// What the daemon knows this command by.
const COMMAND: &str = "plan";

pub(super) fn run(mut surroundings: Surroundings, arguments: &cli::Plan) -> Result<Exit> {
    let folder = std::env::current_dir().context("this folder cannot be read")?;
    let workspace = std::fs::canonicalize(workspace_of(&folder)).context("this folder cannot be read")?;
    surroundings.enter(&workspace);
    let runtime = super::runtime()?;
    let (provider, model) = (arguments.provider.as_deref(), arguments.model.as_deref());
    let wanted = Wanted { provider, model, ..Wanted::default() };
    let answerer = Answerer::new(surroundings.clone(), COMMAND, wanted, runtime.handle())?;
    let worker = Worker {
        provider: Arc::new(answerer.router.clone()),
        named: answerer.named.clone(),
        client: ClientId::new(process_name(COMMAND)),
        rounds_max: arguments.rounds,
        sandbox: Arc::new(confinement::sandbox()?),
    };
    let files = FilesOnDisk::new(workspace.clone());
    let done = runtime.block_on(async {
        let bench = Arc::new(workbench(&surroundings, &workspace, worker).await);
        let person = TerminalAsker::default();
        let done = tokio::select! {
            done = work(&bench, (&person, &files), &answerer, arguments) => done.map(Some),
            () = person.stopped() => Ok(None),
            ended = told_to_end() => ended.map(|()| None),
        };
        // A file that is being written would leave what it was to become beside it.
        if tokio::time::timeout(WRITTEN_WAIT, files.written()).await.is_err() {
            say("finch: files are still being written; see what became of the last edits");
        }
        done
    });
    // What still waits for a line at the terminal would hold the process back.
    runtime.shutdown_background();
    Ok(done?.unwrap_or(Exit::Interrupted))
}

/// A plan that lies in a file, and how it was made if that was just now.
struct Made {
    path: PathBuf,
    plan: Plan,
    outcome: Option<Outcome>,
}

async fn work(
    bench: &Arc<Workbench>,
    at: (&TerminalAsker, &FilesOnDisk),
    answerer: &Answerer,
    arguments: &cli::Plan,
) -> Result<Exit> {
    let (id, made) = match (&arguments.task, &arguments.plan) {
        (_, Some(path)) => given(bench, path).await?,
        (Some(task), None) => {
            let id = bench.begin(Kind::Plan, task).await;
            let made = plan(bench, &id, task).await?;
            (id, made)
        }
        (None, None) => bail!("say what is to be done, or name a plan's file by --plan"),
    };
    if !arguments.json {
        told::plan(&made.plan, made.outcome.as_ref(), &made.path)?;
    }
    let carried = if arguments.approve { Some(carry_out(bench, &id, &made, at).await?) } else { None };
    if arguments.json {
        let mut report = told::report(&made.plan, made.outcome.as_ref(), &made.path, carried.as_ref());
        report["id"] = id.to_string().into();
        report["daemon"] = answerer.is_by_daemon(None).into();
        print(&format!("{report:#}\n"))?;
    } else {
        answerer.tell_of_the_daemon(None);
    }
    Ok(match carried.map(|carried| carried.ended) {
        None | Some(WorkEnd::Done) => Exit::Done,
        Some(end) => {
            say(&format!("finch: {}", told::end(&end)));
            Exit::Failed
        }
    })
}

async fn plan(bench: &Arc<Workbench>, id: &TaskId, task: &str) -> Result<Made> {
    let wish = Wish { task: task.to_owned(), ..Wish::default() };
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let door = Door::closed();
    say("reading what the task is about");
    let making = async {
        let planned = bench.plan(id, &wish, &GoOn, &door, &sender).await;
        drop(sender);
        planned
    };
    let (planned, _) = tokio::join!(making, tell(events));
    let planned = planned?;
    let plan = planned.outcome.plan().context("there is no plan")?.clone();
    Ok(Made { path: planned.path, plan, outcome: Some(planned.outcome) })
}

async fn given(bench: &Workbench, path: &Path) -> Result<(TaskId, Made)> {
    let path = std::fs::canonicalize(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let plan = bench.read_plan(&path, &Door::closed()).await?;
    let id = match bench.task_of(&path).await {
        Some(id) => id,
        None => bench.begin(Kind::Plan, &plan.task).await,
    };
    Ok((id, Made { path, plan, outcome: None }))
}

async fn carry_out(
    bench: &Arc<Workbench>,
    id: &TaskId,
    made: &Made,
    (person, files): (&TerminalAsker, &FilesOnDisk),
) -> Result<Carried> {
    let open = made
        .outcome
        .as_ref()
        .map_or(0, |outcome| outcome.findings(Weight::MustAddress).count() + outcome.unheard().count());
    let has_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if open > 0 && !(has_terminal && person.agrees_to_open(open).await) {
        bail!(
            "the plan still has {open} open findings, so nothing was done; mend it in {} and carry it out with \
             `finch plan --approve --plan FILE`",
            made.path.display()
        );
    }
    let asker: Option<Arc<dyn Asker>> = has_terminal.then(|| Arc::new(person.clone()) as Arc<dyn Asker>);
    let documents = Arc::new(files.clone());
    let door = Door { asker, documents, ..Door::closed() };
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let hash = made.plan.hash().to_string();
    let working = async {
        let carried = bench.carry_out(id, &made.path, &hash, &door, &sender).await;
        drop(sender);
        carried
    };
    let (carried, changed) = tokio::join!(Box::pin(working), tell(events));
    if changed > 0 {
        say(&format!("finch: `finch undo {id}` takes back what was changed"));
    }
    Ok(carried?)
}

/// Tells what happens. Returns how often files were changed.
async fn tell(mut events: mpsc::Receiver<TaskEvent>) -> usize {
    let mut changed = 0;
    while let Some(event) = events.recv().await {
        changed += usize::from(matches!(event, TaskEvent::Applied { .. }));
        told::event(&event);
    }
    changed
}

/// Nobody steers: a command goes on to its end.
struct GoOn;

impl Steering for GoOn {
    fn steer<'a>(&'a self, _: &'a Round) -> std::pin::Pin<Box<dyn Future<Output = Steer> + Send + 'a>> {
        Box::pin(std::future::ready(Steer::GoOn))
    }
}
