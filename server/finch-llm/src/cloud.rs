//! Models that answer over the network: six clouds, and any server that speaks like one of them.
//!
//! A dialect turns a request into a body and the events of a stream into chunks, and is pure; the client opens the
//! connection and bounds every wait; [`CloudProvider`] joins them. Whether anything may leave the machine is asked of
//! the [`Gate`] before a connection is opened. Which provider is asked, and which next, is the router's matter.

mod assembly;
mod check;
mod claude;
mod endpoint;
mod excerpts;
mod exchange;
mod fill;
mod gate;
mod gemini;
mod http;
mod openai;
mod provider;
mod reader;
mod schema;
mod service;
mod status;
mod turns;

pub use check::{Checked, check};
pub use endpoint::{BadEndpoint, BadKey, Cleartext, Endpoint, Key};
pub use gate::{Departure, Ending, Gate, Passage};
pub use http::{Header, Waits};
pub use provider::{BadSpec, CloudProvider, CloudSpec, Thinking};
pub use service::{InfillWay, Service};

/// The dialects that keep parts of their answers.
pub(crate) const KEEPING_DIALECTS: &[&str] = &[claude::NAME, gemini::NAME];

#[cfg(test)]
mod testing;
