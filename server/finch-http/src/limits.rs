//! Bounds of this crate, each with its unit.

use std::time::Duration;

/// The version of what an editor and a daemon say to each other. A daemon of another one is not used.
pub const PROTOCOL: u32 = 1;
/// The port a daemon tries first.
pub const PORT_FIRST: u16 = 11435;
/// Ports it tries from there on before it takes any that is free.
pub const PORTS_TRIED: u16 = 16;
/// Bytes of secret behind a nonce and a token.
pub(crate) const SECRET_BYTES: usize = 32;
/// Bytes of an endpoint's or a token's file at most.
pub(crate) const FILE_BYTES_MAX: u64 = 4096;
/// How long a daemon may take to answer a challenge before it counts as gone.
pub(crate) const HANDSHAKE_WAIT: Duration = Duration::from_millis(1500);
/// Bytes of texts that an answer may repeat, sent along with one request. They are hints, and cost time on the way.
pub(crate) const REFERENCE_BYTES_MAX: usize = 128 * 1024;
/// How long the address of a daemon may take to take a connection.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_millis(1000);
/// How long a connection to a daemon is kept for the next request.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(60);
/// How long a daemon may take to say what it does.
pub(crate) const STATUS_WAIT: Duration = Duration::from_secs(5);
/// How long a daemon may take to say that it has heard that it shall end.
pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
/// Bytes of what a daemon says of itself at most.
pub(crate) const ANSWER_BYTES_MAX: u64 = 4 << 20;
