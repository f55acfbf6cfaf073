//! The bounds of this crate, with their units.

use std::time::Duration;

/// Chunks that wait for a slow reader before the producer pauses.
pub const CHUNKS_MAX: usize = 64;

/// A line of a stream, or an event of several lines. Real ones stay a thousand times below it.
pub const SSE_EVENT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Tokens that are told in the place of one, at most.
pub const ALTERNATIVES_MAX: usize = 20;

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
/// For the check of a key, from name lookup to the last byte: a person waits for it.
pub(crate) const CHECK_WAIT: Duration = Duration::from_secs(8);
/// What is read of a list of models; the longest are a tenth of it.
pub(crate) const MODELS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A word in the value of a header that is this long may be a key, and is taken out of what a provider says.
pub(crate) const HEADER_SECRET_BYTES_MIN: usize = 8;

// Answers.

/// Tool calls of one answer.
pub(crate) const TOOL_CALLS_MAX: usize = 128;
/// Arguments of all tool calls of one answer, and what is kept beside them.
pub(crate) const TOOL_ARGUMENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

// Refusals.

/// The pause after a 429 that asks for none.
pub(crate) const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);
/// The longest pause that is remembered; a server may ask for years.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Numbers below it in a complaint about length are no token counts of a context.
pub(crate) const CONTEXT_TOKENS_MIN: usize = 128;

/// Bytes of code a token stands for, on the safe side: where the provider's tokens are not known.
pub(crate) const BYTES_PER_TOKEN: usize = 3;

/// Stop texts in one request.
pub(crate) const STOP_TEXTS_MAX: usize = 32;
/// The length of one stop text. Text is held back for as long.
pub(crate) const STOP_TEXT_BYTES_MAX: usize = 1024;

// Structured answers.

/// Levels of a schema that are followed.
pub(crate) const SCHEMA_DEPTH_MAX: usize = 32;
/// Schemas within a schema, once its references are followed.
pub(crate) const SCHEMA_NODES_MAX: usize = 4096;

// Tries.

/// Tries of one request on one provider.
pub(crate) const TRIES_MAX: u32 = 3;
/// Tries of a completion on one provider: the next key asks anew, and the next provider is there meanwhile.
pub(crate) const INFILL_TRIES: u32 = 1;
/// The middle of the pause before the second try; it doubles with each.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(300);
/// For the first chunk of a conversation's answer, all tries and pauses together.
pub(crate) const CHAT_PATIENCE: Duration = Duration::from_secs(90);
/// For the first chunk of text that is filled in, and for each silence within it: a person types on, and another
/// provider may have to be asked.
pub(crate) const INFILL_PATIENCE: Duration = Duration::from_secs(2);

/// What a model holds if nobody says otherwise.
pub(crate) const CONTEXT_TOKENS_DEFAULT: usize = 128_000;
/// Checks of one answer against its schema: choices within choices double with each level.
pub(crate) const SCHEMA_STEPS_MAX: usize = 1 << 18;
/// An answer that is read as JSON.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Levels of an answer; real ones have ten.
pub(crate) const ANSWER_DEPTH_MAX: usize = 64;
/// Places of an answer where JSON might begin, of which the first that fits is taken.
pub(crate) const ANSWER_STARTS_MAX: usize = 64;

// Health.

/// A provider is left alone so long after its first failure; it doubles with each.
pub(crate) const COOL_DOWN_FIRST: Duration = Duration::from_secs(5);
/// And no longer than this.
pub(crate) const COOL_DOWN_MAX: Duration = Duration::from_secs(300);

// Router.

/// What happened and was not read yet.
pub(crate) const ROUTER_EVENTS_MAX: usize = 16;
/// That nobody answers is said once in this time, and who failed is not asked for completions meanwhile.
pub(crate) const NOTICE_INTERVAL: Duration = Duration::from_secs(60);
/// First chunks whose times are remembered.
pub(crate) const PACE_SAMPLES_MAX: usize = 32;
/// Fewer of them say nothing.
pub(crate) const PACE_SAMPLES_MIN: usize = 8;
/// The wait before a second provider is asked, while nothing is known of the first.
pub(crate) const HEDGE_UNKNOWN: Duration = Duration::from_secs(1);
/// The wait is no shorter, or every second request would go out twice.
pub(crate) const HEDGE_MIN: Duration = Duration::from_millis(300);
/// Nor longer: an answer has to come while the user still waits for it.
pub(crate) const HEDGE_MAX: Duration = Duration::from_millis(1500);
