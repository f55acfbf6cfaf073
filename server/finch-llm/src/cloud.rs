//! Models that answer over the network: six clouds, and any server that speaks like one of them.
//!
//! A dialect turns a request into a body and the events of a stream into chunks, and is pure; the client opens the
//! connection and bounds every wait; [`CloudProvider`] joins them. Whether anything may leave the machine is asked of
//! the [`Gate`] before a connection is opened. Which provider is asked, and which next, is the router's matter.

mod endpoint;
mod http;

pub use endpoint::{BadEndpoint, BadKey, Cleartext, Endpoint, Key};
pub use http::{Header, Waits};
