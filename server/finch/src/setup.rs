//! Setting finch up by questions and answers.
//!
//! In reading order: `existing` is what the configuration holds already, `wizard`
//! the questions as a pure state machine that ends in a [`Plan`], `plan` what is going to be written, in words and
//! into a document, `check` asks services whether they take the keys, `terminal` asks the questions of a person, and `editors` says how the editors found are connected. Nothing
//! here writes but [`save`], and nothing opens a connection but `check`.

mod check;
mod editors;
mod existing;
mod plan;
mod save;
mod terminal;
mod wizard;
mod words;

pub(crate) use check::Checker;
pub(crate) use editors::{PROGRAMS as EDITOR_PROGRAMS, lines as editors};
pub(crate) use existing::Existing;
pub(crate) use plan::{Clouds, Naming, Plan};
pub(crate) use save::{read, save};
pub(crate) use terminal::converse;
pub(crate) use wizard::{Model, Wizard};
