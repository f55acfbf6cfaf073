//! The agent: it carries out a task with tools, and only with what the user has permitted.
//!
//! In reading order: [`access`] says what a tool call would do; the gate decides and makes a [`Permit`]; a [`Tool`] uses
//! the permit up. Edits gather in a [`ChangeSet`](changes::ChangeSet) and reach the editor, which owns the documents. What
//! files ask of it are [`instructions`]; what outlives the process is in the [`store`]. It knows no editor, no terminal and
//! no configuration file: a door brings answers to questions, and shows what happens.

pub mod access;
pub mod changes;
pub mod characters;
#[cfg(test)]
mod covered;
mod escape;
pub mod gate;
pub mod gatekeeper;
pub mod instructions;
mod limits;
pub mod lock;
pub mod paths;
pub mod permissions;
pub mod permit;
pub mod plan;
pub mod process;
pub mod question;
mod room;
pub mod rules;
pub mod sandbox;
pub mod shell;
pub mod store;
pub mod task;
pub mod tool;
pub mod tools;
pub mod turn;
pub mod view;
pub mod whole;

pub use access::Access;
pub use gate::{Asker, Gate};
pub use gatekeeper::{Denied, Gatekeeper, Guard};
pub use limits::{EVENTS_MAX, PLAN_ROUNDS_DEFAULT, PLAN_ROUNDS_MAX};
pub use permit::Permit;
pub use tool::{BadCall, Outcome, Tool, ToolContext};
