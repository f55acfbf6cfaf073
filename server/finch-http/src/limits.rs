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
/// How long a connection to a daemon on this machine may take to open.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// How long a connection to a daemon is kept for the next request.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(60);
/// How long a request waits for a link that is being made anew.
pub(crate) const LINK_WAIT: Duration = Duration::from_secs(5);
/// How long a daemon may be silent on the stream of its events. It says something every 15 s.
pub(crate) const EVENT_WAIT: Duration = Duration::from_secs(40);
/// How long it is waited between two links at least.
pub(crate) const RELINK_PAUSE: Duration = Duration::from_millis(100);
/// Links that may fail one after the other before it counts as settled that there is no daemon.
pub(crate) const LINK_TRIES_MAX: u32 = 3;
/// How often a request is sent again whose connection broke before anything of its answer was shown.
pub(crate) const RESENDS_MAX: usize = 2;
/// Bytes of the body of an error that are read.
pub(crate) const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long a daemon may take to say what it does.
pub(crate) const STATUS_WAIT: Duration = Duration::from_secs(5);
/// How long a daemon may take to say that it has heard that it shall end.
pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
/// Bytes of what a daemon says of itself at most.
pub(crate) const ANSWER_BYTES_MAX: u64 = 4 << 20;
