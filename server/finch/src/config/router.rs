//! `[router]`: who is asked first, for what, and whether text may leave this machine.
//!
//! Whoever cannot be understood here loosens nothing: until it is mended, nothing leaves.

use std::time::Duration;

use finch_llm::Task;
use finch_llm::router::{Consent, Hedge, Policy, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::Notes;
use super::problem::Page;
use crate::limits;

#[cfg(test)]
mod tests;

/// Who is asked first, for what, and whether text may leave this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct RouterConfig {
    /// What you want of local and cloud.
    pub(crate) policy: PolicyConfig,
    /// Whether text of a workspace may go to a cloud.
    pub(crate) consent: ConsentConfig,
    /// Milliseconds after which a cloud is asked too, when the local model has not answered; 0 for never; measured when
    /// absent.
    pub(crate) hedge_ms: Option<u64>,
    /// Other policies for some tasks and files; the first that fits holds.
    pub(crate) rules: Vec<RuleConfig>,
}

/// A policy for some tasks and some files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct RuleConfig {
    /// For which tasks; all when absent.
    #[serde(default)]
    pub(crate) tasks: Vec<TaskConfig>,
    /// For which files, by their path in the workspace: `*` is a part of a name, `**` any folders; all when absent.
    #[serde(default)]
    pub(crate) glob: Option<String>,
    /// The policy that holds.
    pub(crate) policy: PolicyConfig,
}

/// What you want of local and cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PolicyConfig {
    /// Nothing leaves this machine.
    LocalOnly,
    /// A cloud where the local model cannot.
    #[default]
    LocalFirst,
    /// The local model where no cloud can.
    CloudFirst,
    /// What costs least, local included.
    Cheapest,
}

/// Whether text of a workspace may go to a cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConsentConfig {
    /// You are asked, once in each workspace.
    #[default]
    Ask,
    /// Of every workspace, unasked.
    All,
    /// Of none.
    None,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskConfig {
    Completion,
    Chat,
    Plan,
    Critique,
}

impl RouterConfig {
    /// Nothing leaves this machine.
    pub(crate) fn strict() -> Self {
        let (policy, consent) = (PolicyConfig::LocalOnly, ConsentConfig::None);
        Self { policy, consent, hedge_ms: Some(0), rules: Vec::new() }
    }

    /// The same, with nothing that leaves this machine.
    pub(crate) fn keep_here(&mut self) {
        self.policy = PolicyConfig::LocalOnly;
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.rules.iter().cloned().map(Rule::from).collect()
    }

    pub(crate) fn hedge(&self) -> Hedge {
        match self.hedge_ms {
            None => Hedge::Measured,
            Some(0) => Hedge::Never,
            Some(ms) => Hedge::After(Duration::from_millis(ms)),
        }
    }
}

/// Reads the section; what is wrong in it makes it strict.
pub(super) fn read(section: Option<Spanned<DeValue<'_>>>, page: Page<'_>, notes: &mut Notes) -> RouterConfig {
    let Some(value) = section else { return RouterConfig::default() };
    let span = value.span();
    let hedge = value.get_ref().get("hedge_ms").map_or_else(|| span.clone(), Spanned::span);
    let problem = match RouterConfig::deserialize(ValueDeserializer::from(value)) {
        Ok(router) if router.hedge_ms.is_none_or(|ms| ms <= limits::HEDGE_MS_MAX) => return router,
        Ok(_) => page.problem(&hedge, &format!("router.hedge_ms: it must be 0 to {}", limits::HEDGE_MS_MAX)),
        Err(error) => page.refusal(&error, "router", &span),
    };
    let message = format!("{}; nothing leaves this machine until that is mended", problem.message);
    notes.problems.push(super::Problem { message, ..problem });
    RouterConfig::strict()
}

impl ConsentConfig {
    /// What counts in every workspace; `None` where each has its own answer.
    pub(crate) fn everywhere(self) -> Option<Consent> {
        match self {
            Self::Ask => None,
            Self::All => Some(Consent::Given),
            Self::None => Some(Consent::Refused),
        }
    }
}

impl From<PolicyConfig> for Policy {
    fn from(policy: PolicyConfig) -> Self {
        match policy {
            PolicyConfig::LocalOnly => Self::LocalOnly,
            PolicyConfig::LocalFirst => Self::LocalFirst,
            PolicyConfig::CloudFirst => Self::CloudFirst,
            PolicyConfig::Cheapest => Self::Cheapest,
        }
    }
}

impl From<TaskConfig> for Task {
    fn from(task: TaskConfig) -> Self {
        match task {
            TaskConfig::Completion => Self::Completion,
            TaskConfig::Chat => Self::Chat,
            TaskConfig::Plan => Self::Plan,
            TaskConfig::Critique => Self::Critique,
        }
    }
}

impl From<RuleConfig> for Rule {
    fn from(RuleConfig { tasks, glob, policy }: RuleConfig) -> Self {
        Self { tasks: tasks.into_iter().map(Task::from).collect(), glob, policy: policy.into() }
    }
}
