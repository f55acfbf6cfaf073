//! What an edit would make of files, before it is permitted, and its way into the change set after.

use std::{path::PathBuf, sync::Arc};

use crate::{
    Access, BadCall, Outcome, Permit, ToolContext,
    changes::{Base, unified},
    tool,
};

/// One file and what becomes of it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) path: PathBuf,
    /// The text that was seen; none if there is no such file.
    pub(crate) before: Option<Arc<str>>,
    pub(crate) base: Base,
    /// None to remove it.
    pub(crate) after: Option<Arc<str>>,
}

/// Why there is no edit. Saying so tells what is in files, and so reads them.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) reads: Vec<PathBuf>,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) enum Plan {
    Steps(Vec<Step>),
    /// The first step goes, the second comes.
    Rename([Step; 2]),
    Impossible(Problem),
}

impl Plan {
    /// Everything that carrying it out does.
    pub(crate) fn access(&self, context: &ToolContext) -> Vec<Access> {
        match self {
            Self::Impossible(problem) => problem.reads.iter().map(|path| Access::Read { path: path.clone() }).collect(),
            Self::Steps(_) | Self::Rename(_) => self.steps().iter().map(|step| step.access(context)).collect(),
        }
    }

    /// Makes a plan, away from the runtime's own threads, and stages it if it is what was permitted. Nothing is staged
    /// once this is dropped.
    pub(crate) async fn carry_out(
        make: impl FnOnce(&ToolContext) -> Result<Self, BadCall> + Send + 'static,
        permit: Permit,
        context: &ToolContext,
    ) -> Outcome {
        let copy = context.clone();
        let made = tool::off_thread(move || {
            let plan = make(&copy).map_err(|bad| Outcome::failed(bad.0))?;
            if !plan.access(&copy).iter().all(|access| permit.covers(access)) {
                return Err(Outcome::not_permitted());
            }
            let said = plan.steps().iter().map(|step| step.in_words(&copy)).collect();
            Ok((plan, said))
        });
        match made.await {
            Ok(Ok((plan, said))) => plan.stage(said, context),
            Ok(Err(outcome)) | Err(outcome) => outcome,
        }
    }

    fn stage(self, mut said: Vec<String>, context: &ToolContext) -> Outcome {
        let files: Vec<PathBuf> = self.files().cloned().collect();
        let mut changes = context.view.changes();
        for path in self.steps().iter().map(|step| &step.path) {
            if changes.conflicts().any(|(conflict, _)| conflict == path) {
                said.push(format!(
                    "The user had changed {} where you had: your earlier edits of it were put aside.",
                    context.name(path)
                ));
            }
        }
        match self {
            Self::Impossible(problem) => return Outcome::failed(problem.text).of(files),
            Self::Steps(steps) => steps.into_iter().for_each(|step| changes.stage(&step.path, &step.base, step.after)),
            Self::Rename([from, to]) => {
                if let Err(error) = changes.rename((&from.path, &from.base), (&to.path, &to.base)) {
                    return Outcome::failed(error.to_string());
                }
                changes.stage(&to.path, &to.base, to.after);
            }
        }
        Outcome::done(said.join("\n")).of(files)
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let read = match self {
            Self::Impossible(problem) => &problem.reads[..],
            Self::Steps(_) | Self::Rename(_) => &[],
        };
        self.steps().iter().map(|step| &step.path).chain(read)
    }

    fn steps(&self) -> &[Step] {
        match self {
            Self::Steps(steps) => steps,
            Self::Rename(steps) => steps,
            Self::Impossible(_) => &[],
        }
    }
}

impl Step {
    fn access(&self, context: &ToolContext) -> Access {
        let name = context.name(&self.path);
        let diff = unified((&name, &name), self.before.as_deref(), self.after.as_deref());
        Access::Write { path: self.path.clone(), diff }
    }

    fn in_words(&self, context: &ToolContext) -> String {
        let name = context.name(&self.path);
        let (before, after) = (self.before.as_deref(), self.after.as_deref());
        match (before, after) {
            (None, _) => format!("Made {name}."),
            (_, None) => format!("Removed {name}."),
            (Some(_), Some(_)) => {
                let diff = unified((&name, &name), before, after);
                let count = |mark| diff.lines().skip(2).filter(|line| line.starts_with(mark)).count();
                format!("Edited {name}: {} lines in, {} lines out.", count('+'), count('-'))
            }
        }
    }
}
