//! The daemon's door: one HTTP server that everything which speaks the OpenAI API can use, and the provider that asks it.
//!
//! The server owns no model: it is given a [`Host`], which finds a provider by a model's name. [`Daemon`] is the other
//! end: a provider whose model lives in a daemon. Both ends know the shapes of [`wire`] and how a daemon is found and
//! told from a stranger, by [`endpoint`]. Tools, permissions and edits are not here: a daemon runs no tool.

mod answer;
mod check;
mod client;
pub mod contact;
mod counters;
pub mod endpoint;
mod error;
mod events;
mod feedback;
mod health;
mod host;
mod limits;
mod messages;
mod metrics;
mod openai;
mod request;
mod serve;
mod sessions;
mod status;
#[cfg(test)]
mod testing;
pub mod wire;

pub use check::{PATHS, check_request};
pub use client::{Daemon, Ensure, LOCAL, Link, NoDaemon};
pub use host::{Asked, Found, Host, Models, Offer};
pub use serve::{Ended, serve};
pub use sessions::Sessions;
