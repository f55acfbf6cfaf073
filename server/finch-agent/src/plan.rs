//! The plan loop: a plan is drafted, attacked by seven personas apart from each other, and revised until it stands.
//!
//! In reading order: `document` is a plan and its file, [`Persona`] who attacks it, `critique` what they say and what
//! counts of it, `settle` when it is enough, and [`PlanLoop`] the rounds. A critique that failed is never "no issues",
//! and what is still open when the rounds are over is said.

mod critique;
mod document;
mod persona;
mod rounds;
mod settle;

pub use critique::{Evidence, Finding, Review, Source, Weight};
pub use document::{BadPlan, Plan, PlanHash, Step};
pub use persona::Persona;
pub use rounds::{Ended, Outcome, PlanError, PlanEvent, PlanLoop, Round, Steer, Steering};
