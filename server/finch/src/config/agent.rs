//! `[agent]`: the commands that the agent runs, and what becomes of its edits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The commands that the agent runs. No project can set any of this.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct AgentConfig {
    /// Folders beside the workspace that commands may write: build caches. Those that are not there are left out.
    pub(crate) caches: Vec<String>,
    /// Folders and files beside those of the system that commands may read: toolchains.
    pub(crate) readable: Vec<String>,
    /// Names of variables that commands see, beside those that say who you are, in which language, and where programs are.
    pub(crate) environment: Vec<String>,
    /// Seconds that a command may run which asks for no other time.
    pub(crate) command_seconds: usize,
    /// What becomes of edits in an editor.
    pub(crate) edits: AgentEdits,
}

/// What becomes of edits in an editor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AgentEdits {
    /// They are applied before a command runs and at the end of each step, and can be taken back.
    #[default]
    Apply,
    /// They stay out of the files until you have looked at them.
    Review,
}

const CACHES: &[&str] =
    &["~/.cache/go-build", "~/.cache/pip", "~/.cargo/git", "~/.cargo/registry", "~/.npm", "~/go/pkg/mod"];
const READABLE: &[&str] = &[
    "~/.asdf",
    "~/.bun",
    "~/.cargo/bin",
    "~/.cargo/env",
    "~/.deno",
    "~/.local/bin",
    "~/.local/share/mise",
    "~/.nvm",
    "~/.pyenv",
    "~/.rustup",
    "~/.sdkman",
    "~/.volta",
    "~/go/bin",
];
const ENVIRONMENT: &[&str] = &[
    "CARGO_HOME",
    "GOPATH",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
];

impl Default for AgentConfig {
    fn default() -> Self {
        let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect();
        Self {
            caches: owned(CACHES),
            readable: owned(READABLE),
            environment: owned(ENVIRONMENT),
            command_seconds: 120,
            edits: AgentEdits::Apply,
        }
    }
}
