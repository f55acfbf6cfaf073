//! What may be done, what is asked about, and what is never done.
//!
//! Pure: an [`Access`] goes in, a [`Decision`] comes out, and nothing is read. A deny beats an ask, an ask beats an allow.
//! What is built in ([`protected`]) no rule can lift, and what no rule speaks of is asked about, but for reading within
//! the workspace and a few commands that show nothing and change nothing.

use std::path::{Component, Path, PathBuf};

use crate::Access;
use crate::shell::NotPlain;

mod pattern;
mod protected;
mod run;
mod secret;
mod shapes;
#[cfg(test)]
mod tests;

pub use pattern::{BadPattern, PathPattern, Pattern, Tail};
pub(crate) use protected::{EDITOR_ENDINGS, EDITORS, is_guarded_name, is_system};
pub(crate) use run::offered;
pub(crate) use secret::is_secret;

/// Where the rules hold. All folders are canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub workspace: PathBuf,
    pub finch_home: PathBuf,
    /// The home folder of the user.
    pub user_home: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Allow,
    Ask,
    Deny,
}

/// One rule of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub verdict: Verdict,
    pub pattern: Pattern,
}

/// What becomes of an access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Ask {
        why: Why,
    },
    /// The reason is told to the model.
    Deny {
        reason: String,
    },
}

/// What holds a command that is permitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confinement {
    /// A sandbox, whatever the command's text says.
    Whole,
    /// Nothing: it runs with the rights of the user.
    #[default]
    None,
}

/// Why the user is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("no rule speaks of it")]
    NoRule,
    #[error("a rule of yours says to ask each time: {0}")]
    Rule(String),
    #[error("editors and shells run what this file says, so it is asked about each time")]
    RunsInEditors,
    #[error("the file looks like one that holds secrets")]
    Secret,
    #[error("it is outside the workspace")]
    Outside,
    #[error("the command cannot be judged by its text: {0}")]
    NotPlain(NotPlain),
    #[error("the command names what is guarded: {0}")]
    Guarded(String),
    #[error("the command has options or starts programs that do more than its name says")]
    Untame,
    #[error("the command would have the network")]
    Network,
    #[error("there is no sandbox on this machine: it runs with your rights{}", also(.0.as_deref()))]
    NoSandbox(Option<Box<Why>>),
    #[error("finch asks each time before it restarts itself")]
    Restart,
    #[error("the stored answers cannot be read, so none of them counts")]
    Unreadable,
}

impl Why {
    /// Whether an answer may be kept. If not, it counts once.
    #[must_use]
    pub fn may_be_kept(&self) -> bool {
        !matches!(
            self,
            Self::RunsInEditors
                | Self::Rule(_)
                | Self::NotPlain(_)
                | Self::Guarded(_)
                | Self::NoSandbox(_)
                | Self::Restart
        )
    }
}

/// The reason for which it would be asked about with a sandbox too.
fn also(why: Option<&Why>) -> String {
    why.map_or_else(String::new, |why| format!("; {why}"))
}

/// The rules of the user over those that are built in.
#[derive(Debug, Clone)]
pub struct Rules {
    scope: Scope,
    rules: Vec<Rule>,
    confinement: Confinement,
}

impl Rules {
    /// Rules for a machine without a sandbox, until [`Rules::confined`] says otherwise.
    #[must_use]
    pub fn new(scope: Scope, rules: Vec<Rule>) -> Self {
        Self { scope, rules, confinement: Confinement::None }
    }

    /// The same where commands are held by this.
    #[must_use]
    pub fn confined(self, confinement: Confinement) -> Self {
        Self { confinement, ..self }
    }

    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The same with more rules.
    #[must_use]
    pub fn and(&self, more: impl IntoIterator<Item = Rule>) -> Self {
        let mut rules = self.rules.clone();
        rules.extend(more);
        Self { scope: self.scope.clone(), rules, confinement: self.confinement }
    }

    #[must_use]
    pub fn decide(&self, access: &Access) -> Decision {
        match access {
            Access::Read { path } => self.read(path),
            Access::Write { path, .. } => self.write(path),
            Access::Run { command, cwd, network } => self.held(run::decide(self, command, cwd, *network)),
            Access::Fetch { url } => self.fetch(url),
            Access::Mcp { server, tool, arguments } => {
                let matches = |pattern: &Pattern| pattern.is_mcp(server, tool, arguments);
                self.by_rules(matches, None, Decision::Ask { why: Why::NoRule })
            }
            // No rule can speak of it.
            Access::Restart { .. } => Decision::Ask { why: Why::Restart },
        }
    }

    /// Without a sandbox no rule allows a command: each is asked about, each time.
    fn held(&self, decision: Decision) -> Decision {
        let why = match (self.confinement, decision) {
            (Confinement::Whole, decision) => return decision,
            (Confinement::None, denied @ Decision::Deny { .. }) => return denied,
            (Confinement::None, Decision::Allow | Decision::Ask { why: Why::NoRule }) => None,
            (Confinement::None, Decision::Ask { why }) => Some(Box::new(why)),
        };
        Decision::Ask { why: Why::NoSandbox(why) }
    }

    fn read(&self, path: &Path) -> Decision {
        if let Some(reason) = refused_path(path) {
            return deny(reason);
        }
        if protected::is_own_home(path, &self.scope) {
            return deny("finch's own folder holds keys and answers; no tool may read it");
        }
        let is_inside = path.starts_with(&self.scope.workspace);
        if !is_inside && (protected::is_system(path) || secret::is_secret(path)) {
            return deny("devices, system state and secrets outside the workspace are never read");
        }
        let relative = path.strip_prefix(&self.scope.workspace).unwrap_or(path);
        let default = if !is_inside {
            Decision::Ask { why: Why::Outside }
        } else if secret::is_secret(relative) || protected::is_own(relative) {
            Decision::Ask { why: Why::Secret }
        } else {
            Decision::Allow
        };
        let matches = |pattern: &Pattern| pattern.is_read(path, &self.scope.workspace);
        self.unless_secret(path, matches, self.by_rules(matches, None, default))
    }

    fn write(&self, path: &Path) -> Decision {
        if let Some(reason) = refused_path(path) {
            return deny(reason);
        }
        if protected::is_own_home(path, &self.scope) || protected::is_own(path) {
            return deny("finch's own configuration is changed by the user alone");
        }
        if protected::is_git(path) {
            return deny("what is in .git can run code; change it with git, which is asked about");
        }
        let Ok(relative) = path.strip_prefix(&self.scope.workspace) else {
            return deny("it is outside the workspace; work on files in the workspace");
        };
        let always_asked = protected::runs_in_editors(relative).then_some(Why::RunsInEditors);
        let why = if secret::is_secret(relative) { Why::Secret } else { Why::NoRule };
        let matches = |pattern: &Pattern| pattern.is_write(path, &self.scope.workspace);
        self.unless_secret(path, matches, self.by_rules(matches, always_asked, Decision::Ask { why }))
    }

    /// What is allowed of a secret has to be allowed by its name: who allows `**` has not thought of it.
    fn unless_secret(&self, path: &Path, matches: impl Fn(&Pattern) -> bool, decision: Decision) -> Decision {
        let relative = path.strip_prefix(&self.scope.workspace).unwrap_or(path);
        let is_named =
            |rule: &Rule| rule.verdict == Verdict::Allow && matches(&rule.pattern) && rule.pattern.names_file();
        if decision == Decision::Allow && secret::is_secret(relative) && !self.rules.iter().any(is_named) {
            return Decision::Ask { why: Why::Secret };
        }
        decision
    }

    fn fetch(&self, text: &str) -> Decision {
        if text.chars().any(|c| c == ' ' || c == '\\' || crate::characters::is_hidden(c)) {
            return deny("the address has characters that different programs read differently");
        }
        let Ok(url) = url::Url::parse(text) else { return deny("it is no address; give a whole http or https URL") };
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return deny("only http and https addresses without a user name are fetched");
        }
        let Some(host) = url.host_str() else { return deny("the address has no host") };
        let matches = |pattern: &Pattern| pattern.is_fetch(text, host);
        self.by_rules(matches, None, Decision::Ask { why: Why::NoRule })
    }

    /// Denies first, then what is always asked about, then asks, then allows, then the default.
    fn by_rules(&self, matches: impl Fn(&Pattern) -> bool, always: Option<Why>, default: Decision) -> Decision {
        let find = |verdict| self.rules.iter().find(|rule| rule.verdict == verdict && matches(&rule.pattern));
        if let Some(rule) = find(Verdict::Deny) {
            return denied_by(rule);
        }
        if let Some(why) = always {
            return Decision::Ask { why };
        }
        if let Some(rule) = find(Verdict::Ask) {
            return Decision::Ask { why: Why::Rule(rule.pattern.to_string()) };
        }
        if find(Verdict::Allow).is_some() { Decision::Allow } else { default }
    }
}

fn deny(reason: impl Into<String>) -> Decision {
    Decision::Deny { reason: reason.into() }
}

fn denied_by(rule: &Rule) -> Decision {
    deny(format!("a rule of the user forbids it: {}", rule.pattern))
}

/// A path that does not say where it leads.
fn refused_path(path: &Path) -> Option<&'static str> {
    let is_whole = path.is_absolute()
        && path.components().all(|part| !matches!(part, Component::ParentDir | Component::CurDir))
        && path.to_str().is_some_and(|text| !text.contains('\0') && !text.split('/').any(|part| part == "."));
    (!is_whole).then_some("the path is not whole: it must be absolute, without `..`, and its name must be UTF-8")
}
