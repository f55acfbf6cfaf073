//! The agent: it carries out a task with tools, and only with what the user has permitted.
//!
//! In reading order: [`access`] says what a tool call would do; the gate decides and makes a [`Permit`]; a [`Tool`] uses
//! the permit up. Edits gather in a change set and reach the editor, which owns the documents. It knows no editor, no
//! terminal and no configuration file: a door brings answers to questions, and shows what happens.

pub mod access;
pub mod characters;
#[cfg(test)]
mod covered;
pub mod gate;
mod limits;
pub mod paths;
pub mod permissions;
pub mod permit;
pub mod question;
pub mod rules;
pub mod sandbox;
pub mod shell;
pub mod tool;

pub use access::Access;
pub use gate::{Asker, Denied, Gate};
pub use permit::Permit;
pub use tool::{Outcome, Tool, ToolContext};
