//! A plan's file: written whole on the way, read as the user has it before him, ticked as steps are done.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Door, PlanState, TaskError, TaskId, Workbench};
use crate::plan::{Finding, Plan, PlanHash, Review, Weight};
use crate::view::{Content, NoBuffers, View};
use crate::whole;

/// What is written of a plan.
pub(super) struct Written<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: PlanState,
    /// Of the last round; 0 where there was none yet.
    pub(super) round: u32,
    pub(super) reviews: &'a [Review],
}

impl Written<'_> {
    /// Findings that must be addressed, and reviews that are not known.
    pub(super) fn open(&self) -> usize {
        let open = |review: &Review| match review {
            Review::Findings(found) => found.iter().filter(|one| one.weight() == Weight::MustAddress).count(),
            Review::Failed { .. } => 1,
        };
        self.reviews.iter().map(open).sum()
    }

    fn to_markdown(&self) -> String {
        let mut findings = String::new();
        for review in self.reviews {
            match review {
                Review::Findings(found) => found.iter().for_each(|finding| findings.push_str(&item(finding))),
                Review::Failed { persona, why } => findings.push_str(&Plan::not_heard(*persona, &one_line(why))),
            }
        }
        if findings.is_empty() && self.round > 0 {
            findings.push_str("None yet.\n");
        }
        let state = self.in_words();
        self.plan.to_markdown_with(&state, &findings)
    }

    fn in_words(&self) -> String {
        let (round, open) = (self.round, self.open());
        match self.state {
            PlanState::Drafted => format!("round {round}, being attacked"),
            PlanState::Attacked => format!("round {round}, being revised; open: {open}"),
            PlanState::Settled => format!("settled in round {round}; approve it to have it carried out"),
            PlanState::Taken => format!("taken in round {round}; open: {open}"),
            PlanState::Stopped if round == 0 => {
                "stopped; approve it again to go on at the first step without a tick".to_owned()
            }
            PlanState::Stopped => format!("stopped in round {round}; open: {open}"),
            PlanState::RoundsOver => format!("round {round} was the last; STILL OPEN: {open}"),
            PlanState::Working => "approved; being carried out".to_owned(),
            PlanState::Done => "carried out".to_owned(),
        }
    }
}

fn item(finding: &Finding) -> String {
    let step = finding.step.map_or_else(String::new, |step| format!(" step {step}:"));
    let weight = match finding.weight() {
        _ if finding.is_unfounded => " (what it says of the code is not there)",
        Weight::MustAddress => Plan::must_address(),
        Weight::MinorityRisk => " (a risk that few see)",
        Weight::Other => "",
    };
    let (name, concern) = (finding.persona.name(), one_line(&finding.concern));
    format!("- [{name}, {}/{}]{step} {concern}{weight}\n", finding.severity, finding.confidence)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Workbench {
    /// Where the plan of a task is kept.
    pub(super) fn plan_path(&self, id: &TaskId) -> PathBuf {
        self.plans.join(format!("{id}.md"))
    }

    pub(super) async fn write_plan(&self, path: &Path, written: &Written<'_>) -> Result<(), TaskError> {
        save(path, written.to_markdown()).await
    }

    /// The plan as the user has it before him: the editor's text where it is open there, unless that differs from the
    /// disk's in ticks at most, which finch makes on the disk.
    ///
    /// # Errors
    /// [`TaskError`] if it cannot be read, or is none.
    pub async fn read_plan(&self, path: &Path, door: &Door) -> Result<Plan, TaskError> {
        let text = text(path, door).await?;
        Plan::from_markdown(&text).map_err(|bad| TaskError::NoPlan { path: path.to_owned(), reason: bad.to_string() })
    }

    /// Ticks a step in the file, whatever else was changed there meanwhile.
    pub(super) async fn tick(&self, path: &Path, door: &Door, plan: &Plan, step: usize) -> Result<(), TaskError> {
        let old = self.same_plan(path, door, plan).await?;
        let changed = || TaskError::PlanChanged { path: path.to_owned() };
        save(path, Plan::ticked(&old, step).ok_or_else(changed)?).await
    }

    /// Says in the file how far the plan is.
    pub(super) async fn write_state(
        &self,
        path: &Path,
        door: &Door,
        plan: &Plan,
        state: PlanState,
    ) -> Result<(), TaskError> {
        let old = self.same_plan(path, door, plan).await?;
        let state = Written { plan, state, round: 0, reviews: &[] }.in_words();
        save(path, Plan::with_state(&old, &state)).await
    }

    /// The text of the file, if it still holds this plan.
    async fn same_plan(&self, path: &Path, door: &Door, plan: &Plan) -> Result<String, TaskError> {
        let text = text(path, door).await?;
        let is_same = Plan::from_markdown(&text).is_ok_and(|now| now.hash() == plan.hash());
        if is_same { Ok(text) } else { Err(TaskError::PlanChanged { path: path.to_owned() }) }
    }
}

async fn text(path: &Path, door: &Door) -> Result<String, TaskError> {
    let (place, buffers) = (path.to_owned(), Arc::clone(&door.buffers));
    let looked = tokio::task::spawn_blocking(move || {
        let look = |buffers| View::new(buffers, Arc::default()).look(&place);
        let is_open = buffers.buffer(&place).is_some();
        let shown = look(buffers)?;
        match look(Arc::new(NoBuffers)) {
            Ok(on_disk) if is_open && hash(&on_disk).is_some() && hash(&on_disk) == hash(&shown) => Ok(on_disk),
            _ => Ok(shown),
        }
    });
    match looked.await.map_err(io::Error::other).and_then(|looked| looked) {
        Ok(Content::Text(seen)) => Ok(seen.text.to_string()),
        Ok(_) => Err(TaskError::File { path: path.to_owned(), reason: "there is no such text file".to_owned() }),
        Err(error) => Err(TaskError::File { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Of the plan in it, if it is one.
fn hash(content: &Content) -> Option<PlanHash> {
    let Content::Text(seen) = content else { return None };
    Plan::from_markdown(&seen.text).ok().map(|plan| plan.hash())
}

async fn save(path: &Path, text: String) -> Result<(), TaskError> {
    let place = path.to_owned();
    let written = tokio::task::spawn_blocking(move || whole::write(&place, text.as_bytes()));
    let failed = |error: io::Error| TaskError::File { path: path.to_owned(), reason: error.to_string() };
    written.await.map_err(io::Error::other).and_then(|written| written).map_err(failed)
}
