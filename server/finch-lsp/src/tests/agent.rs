//! The agent's door, with a model that says what a script says and an editor that does what the test wants.

mod asking;
mod documents;
mod generic;
mod permissions;
mod plans;
mod review;
mod rig;
mod turns;
