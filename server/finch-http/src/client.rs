//! A provider whose model lives in a daemon.

/// A daemon as a provider.
#[derive(Debug)]
pub struct Daemon {}
