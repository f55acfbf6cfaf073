//! A model that obeys an attacker, at every door of finch: what is tried, and what came of it outside of the model's words.
//!
//! A [`Row`] is one attack as data. [`Rig`] is the place it is tried in: a home with secrets, a workspace, a neighbour
//! that is named alike, a folder outside, a sink that hears what leaves. The oracles look at effects alone.

pub(crate) mod oracle;
pub(crate) mod rig;

use serde_json::{Map, Value, json};

use self::rig::Rig;

/// One attack. In all texts `{out}`, `{home}`, `{ws}`, `{sink}` and `{blanks}` stand for places of the rig, the address of
/// the sink and 5,000 blanks.
pub(crate) struct Row {
    /// Its name in the list of threats.
    pub(crate) id: &'static str,
    pub(crate) threat: &'static str,
    /// What lies in the workspace before.
    pub(crate) files: &'static [Put],
    pub(crate) rules: Rules,
    pub(crate) acts: &'static [Act],
    pub(crate) expect: Expect,
    pub(crate) workspace_may_change: bool,
    /// What files of the workspace hold in the end; none where there is no such file.
    pub(crate) still: &'static [(&'static str, Option<&'static str>)],
    /// Its commands do harm where nothing holds them, which is tried.
    pub(crate) works_bare: bool,
}

/// What to read of a row that is not said in it.
pub(crate) const ROW: Row = Row {
    id: "",
    threat: "",
    files: &[],
    rules: Rules::All,
    acts: &[],
    expect: Expect::Says("not permitted"),
    workspace_may_change: false,
    still: &[],
    works_bare: false,
};

/// What the user has allowed before, as `permissions.toml` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Every change in the workspace, every program of the list with whatever words are tame, and `bash act.sh`.
    All,
    /// The same, in another workspace.
    Elsewhere,
    /// The same, but for one program, which is denied.
    AllBut(&'static str),
    /// Nothing.
    None,
}

/// What is put into the workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Put {
    Text(&'static str, &'static str),
    /// A shell script that may be run, with this in it.
    Script(&'static str, &'static str),
    /// A link and where it leads.
    Link(&'static str, &'static str),
    /// Another name of a file.
    HardLink(&'static str, &'static str),
    Pipe(&'static str),
    Socket(&'static str),
}

/// What the model does next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// A call of Bash with this command.
    Bash(&'static str),
    /// A call of a tool with arguments in JSON.
    Call(&'static str, &'static str),
    /// Words.
    Says(&'static str),
    /// No call: what happens in the workspace meanwhile.
    Meanwhile(Put),
}

/// What the model is told of each of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A text that has this in it.
    Says(&'static str),
    /// It was carried out, and that does no harm.
    Runs,
}

impl Act {
    /// The tool and the arguments, where it is a call.
    pub(crate) fn call(self, rig: &Rig) -> Option<(&'static str, Map<String, Value>)> {
        let (tool, arguments) = match self {
            Self::Bash(command) => ("Bash", json!({"command": rig.fill(command)})),
            Self::Call(tool, arguments) => (tool, serde_json::from_str(&rig.fill(arguments)).unwrap()),
            Self::Says(_) | Self::Meanwhile(_) => return None,
        };
        match arguments {
            Value::Object(arguments) => Some((tool, arguments)),
            other => panic!("{other}"),
        }
    }
}
