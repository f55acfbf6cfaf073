//! The language server: an editor on one side, a provider of suggestions on the other.
//!
//! In reading order: [`serve`](serve()) runs a session; `pump` moves messages, cut by [`frame`]; `ordered` keeps
//! their order; `dispatch` calls one file of `handlers` for each method, on the `session`; [`wire`] is what the
//! messages look like; `agent` is the door by which an editor gets at the agent. This is the only crate that knows the
//! protocol library. It knows no model and no configuration file, and no file but those the agent's work is shown in.

mod agent;
mod announce;
mod asks;
mod clouds;
mod configured;
mod delay;
mod dispatch;
mod documents;
mod editor;
mod facts;
pub mod frame;
mod handlers;
mod limits;
mod message;
mod ordered;
mod outcomes;
mod parent;
mod path;
mod places;
mod pump;
mod records;
mod serve;
mod session;
mod tasks;
mod why;
pub mod wire;
mod workspace;

pub use agent::{AgentBackend, MakeWorkbench};
pub use clouds::{Agree, Clouds};
pub use configured::{Began, Configuration, Configured};
pub use limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, SKIPPED_BYTES_MAX};
pub use serve::{Backend, Ended, Settings, serve};
pub use workspace::Workspace;

#[cfg(test)]
mod tests;
