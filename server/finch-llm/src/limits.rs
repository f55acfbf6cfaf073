//! The bounds of this crate, with their units.

use std::time::Duration;

/// Chunks that wait for a slow reader before the producer pauses.
pub const CHUNKS_MAX: usize = 64;

/// A line of a stream, or an event of several lines. Real ones stay a thousand times below it.
pub const SSE_EVENT_BYTES_MAX: usize = 10 * 1024 * 1024;

// Connections.

/// Name lookup, connection and TLS together.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Silence before the first event: models that think take long.
pub(crate) const FIRST_BYTE_WAIT: Duration = Duration::from_secs(60);
/// Silence within an answer; providers send signs of life more often.
pub(crate) const BETWEEN_BYTES_WAIT: Duration = Duration::from_secs(15);
/// Signs of life alone, with no event among them.
pub(crate) const EVENTLESS_WAIT: Duration = Duration::from_secs(300);
/// Silence after the answer has ended and before the stream has: the rest is not worth more.
pub(crate) const TAIL_WAIT: Duration = Duration::from_secs(2);
/// An idle connection is kept so long for the next request.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(90);
/// What is read of an error's body.
pub(crate) const ERROR_BYTES_MAX: usize = 64 * 1024;
/// What is shown of a provider's words.
pub(crate) const REASON_CHARS_MAX: usize = 300;
