//! What the user is shown before something happens, and what can be answered.
//!
//! The effect is shown whole. Characters that hide or reorder text are written out, long runs of blanks are counted
//! instead of shown, and lines are wrapped here, so that nothing can be pushed out of sight. What is too long to be
//! shown is not asked about but refused.

use std::fmt::Write as _;

use crate::Access;
use crate::access::Network;
use crate::characters;
use crate::limits::{QUESTION_BYTES_MAX, QUESTION_COLUMNS, SHOWN_BLANKS_MAX, SHOWN_EMPTY_LINES_MAX};
use crate::rules::{PathPattern, Pattern, Why, offered};

#[cfg(test)]
mod tests;

/// A question for the user. It is about exactly these accesses, and so is the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub title: String,
    /// The whole effect, safe to be shown as plain text.
    pub effect: String,
    /// Why it is asked.
    pub why: String,
    /// What can be answered, a refusal first: in several editors the Enter key takes the first.
    pub choices: Vec<Choice>,
    kept: Vec<Pattern>,
    like: Option<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub answer: Answer,
    pub label: String,
}

/// What the user answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    No,
    /// The model is told the reason.
    NoBecause(String),
    Once,
    /// For exactly this, until finch ends.
    Session,
    /// For exactly this, in this workspace.
    Always,
    /// For all that is like it, in this workspace.
    AlwaysLike,
}

/// What cannot be shown cannot be agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {QUESTION_BYTES_MAX} bytes to be shown to the user; do it in smaller steps")]
pub struct TooBig;

impl Question {
    /// # Errors
    /// [`TooBig`] if the effect is more than anyone can look at.
    pub fn new(asked: &[(Access, Why)]) -> Result<Self, TooBig> {
        let mut effect = String::new();
        let mut whys: Vec<String> = Vec::new();
        for (access, why) in asked {
            if raw_bytes(access) > QUESTION_BYTES_MAX {
                return Err(TooBig);
            }
            if !effect.is_empty() {
                effect.push_str("\n\n");
            }
            effect.push_str(&shown_effect(access, why));
            let why = characters::shown_on_one_line(&why.to_string());
            if !whys.contains(&why) {
                whys.push(why);
            }
        }
        if effect.len() > QUESTION_BYTES_MAX {
            return Err(TooBig);
        }
        let may_be_kept = asked.iter().all(|(_, why)| why.may_be_kept());
        let exact = || asked.iter().map(|(access, _)| exactly(access)).collect::<Option<Vec<Pattern>>>();
        let kept = may_be_kept.then(exact).flatten().unwrap_or_default();
        let like = match asked {
            [(access, _)] if may_be_kept => like(access),
            _ => None,
        };
        let choices = choices(&kept, like.as_ref());
        Ok(Self { title: title(asked), effect, why: whys.join("; "), choices, kept, like })
    }

    /// Whether the answer is one of those offered. Any refusal is.
    #[must_use]
    pub fn offers(&self, answer: &Answer) -> bool {
        matches!(answer, Answer::NoBecause(_)) || self.choices.iter().any(|choice| choice.answer == *answer)
    }

    /// What an answer allows from now on.
    pub(crate) fn kept_by(&self, answer: &Answer) -> Vec<Pattern> {
        match answer {
            Answer::Session | Answer::Always => self.kept.clone(),
            Answer::AlwaysLike => self.like.clone().into_iter().collect(),
            Answer::No | Answer::NoBecause(_) | Answer::Once => Vec::new(),
        }
    }
}

fn choices(kept: &[Pattern], like: Option<&Pattern>) -> Vec<Choice> {
    let choice = |answer, label: &str| Choice { answer, label: label.to_owned() };
    let mut choices = vec![choice(Answer::No, "Deny"), choice(Answer::Once, "Allow once")];
    if !kept.is_empty() {
        choices.push(choice(Answer::Session, "Allow exactly this for this session"));
        choices.push(choice(Answer::Always, "Always allow exactly this in this workspace"));
    }
    if let Some(like) = like {
        let like = characters::shown_on_one_line(&like.to_string());
        choices.push(Choice { answer: Answer::AlwaysLike, label: format!("Always allow in this workspace: {like}") });
    }
    choices
}

fn title(asked: &[(Access, Why)]) -> String {
    match asked {
        [(Access::Read { .. }, _)] => "finch wants to read a file".to_owned(),
        [(Access::Write { .. }, _)] => "finch wants to change a file".to_owned(),
        [(Access::Run { .. }, Why::NoSandbox(_))] => "finch wants to run a command without a sandbox".to_owned(),
        [(Access::Run { network: Network::Off, .. }, _)] => "finch wants to run a command".to_owned(),
        [(Access::Run { network: Network::On, .. }, _)] => "finch wants to run a command with the network".to_owned(),
        [(Access::Fetch { .. }, _)] => "finch wants to fetch an address".to_owned(),
        [(Access::Mcp { .. }, _)] => "finch wants to use a tool of an MCP server".to_owned(),
        [(Access::Restart { .. }, _)] => "finch wants to restart itself".to_owned(),
        several => format!("finch wants to do {} things", several.len()),
    }
}

fn raw_bytes(access: &Access) -> usize {
    match access {
        Access::Read { path } => path.as_os_str().len(),
        Access::Write { path, diff } => path.as_os_str().len() + diff.len(),
        Access::Run { command, cwd, .. } => command.len() + cwd.as_os_str().len(),
        Access::Fetch { url } => url.len(),
        Access::Mcp { server, tool, arguments } => server.len() + tool.len() + arguments.len(),
        Access::Restart { reason } => reason.len(),
    }
}

fn shown_effect(access: &Access, why: &Why) -> String {
    let line = |text: &str| wrapped(&characters::shown_on_one_line(text));
    match access {
        Access::Read { path } => format!("Read {}", line(&path.to_string_lossy())),
        Access::Write { path, diff } => format!("Change {}\n{}", line(&path.to_string_lossy()), block(diff)),
        Access::Run { command, cwd, network } => {
            let network = match (why, network) {
                // Nothing would keep it from the network.
                (Why::NoSandbox(_), _) => "with your rights and WITH THE NETWORK",
                (_, Network::Off) => "without the network",
                (_, Network::On) => "WITH THE NETWORK",
            };
            format!("Run in {}, {network}:\n{}", line(&cwd.to_string_lossy()), block(command))
        }
        Access::Fetch { url } => format!("Fetch {}", line(url)),
        Access::Mcp { server, tool, arguments } => {
            format!("Call the tool {} of the server {} with\n{}", line(tool), line(server), block(arguments))
        }
        Access::Restart { reason } => {
            format!("Restart the finch server, its state kept. The model gives as reason:\n{}", block(reason))
        }
    }
}

/// Text of several lines: hidden characters written out, runs of blanks and of empty lines counted, lines wrapped.
fn block(text: &str) -> String {
    let mut shown = String::new();
    let mut empty = 0;
    for line in text.split('\n') {
        if line.trim().is_empty() && line.len() <= SHOWN_BLANKS_MAX {
            empty += 1;
            continue;
        }
        end_empty(&mut shown, empty);
        empty = 0;
        shown.push_str(&wrapped(&characters::shown(line)));
        shown.push('\n');
    }
    end_empty(&mut shown, empty.saturating_sub(usize::from(text.ends_with('\n'))));
    shown.truncate(shown.trim_end_matches('\n').len());
    shown
}

fn end_empty(shown: &mut String, empty: usize) {
    if empty > SHOWN_EMPTY_LINES_MAX {
        // Writing to a string cannot fail.
        if writeln!(shown, "⟨{empty} empty lines⟩").is_err() {
            shown.push('\n');
        }
    } else {
        shown.extend(std::iter::repeat_n('\n', empty));
    }
}

/// One line in pieces of a width that any window has.
fn wrapped(line: &str) -> String {
    let line = counted(line);
    let mut shown = String::with_capacity(line.len());
    for (at, c) in line.chars().enumerate() {
        if at > 0 && at % QUESTION_COLUMNS == 0 {
            shown.push_str("\n  ↳ ");
        }
        shown.push(c);
    }
    shown
}

/// Long runs of blanks as a number.
fn counted(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(' ') {
        let (before, blanks) = rest.split_at(at);
        let after = blanks.trim_start_matches(' ');
        let count = blanks.len() - after.len();
        shown.push_str(before);
        if count > SHOWN_BLANKS_MAX {
            shown.push_str(&format!("⟨{count} blanks⟩"));
        } else {
            shown.push_str(&blanks[..count]);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// The pattern of exactly this. For a file it is the file: what it says will be another thing next time. A restart has
/// none.
fn exactly(access: &Access) -> Option<Pattern> {
    Some(match access {
        Access::Read { path } => Pattern::Read(PathPattern::Exact(path.clone())),
        Access::Write { path, .. } => Pattern::Write(PathPattern::Exact(path.clone())),
        Access::Run { command, cwd, network } => {
            Pattern::ExactCommand { command: command.clone(), cwd: cwd.clone(), network: *network }
        }
        Access::Fetch { url } => Pattern::Url(url.clone()),
        Access::Mcp { server, tool, arguments } => {
            Pattern::Mcp { server: server.clone(), tool: Some(tool.clone()), arguments: Some(arguments.clone()) }
        }
        Access::Restart { .. } => return None,
    })
}

/// The pattern of what is like this, where one can be given safely.
fn like(access: &Access) -> Option<Pattern> {
    match access {
        Access::Run { command, network, .. } => offered(command, *network),
        Access::Mcp { server, tool, .. } => {
            Some(Pattern::Mcp { server: server.clone(), tool: Some(tool.clone()), arguments: None })
        }
        Access::Read { .. } | Access::Write { .. } | Access::Fetch { .. } | Access::Restart { .. } => None,
    }
}
