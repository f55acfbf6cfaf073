//! Bounds of this crate, each with its unit.

use std::time::Duration;

/// The version of what an editor and a daemon say to each other. A daemon of another one is not used.
pub const PROTOCOL: u32 = 1;

// Requests.
/// Bytes of a model's name.
pub(crate) const MODEL_NAME_BYTES_MAX: usize = 256;
/// Tokens that may be asked for. More than any model holds.
pub(crate) const TOKENS_MAX: usize = 1 << 20;
/// Tokens of an answer to a conversation where the request names no number.
pub(crate) const CHAT_TOKENS_DEFAULT: usize = 4096;
/// Tokens of a completion where the request names no number, as in OpenAI's API.
pub(crate) const COMPLETION_TOKENS_DEFAULT: usize = 16;
/// Texts that end an answer. OpenAI takes four of them.
pub(crate) const STOPS_MAX: usize = 16;
/// Bytes of one of them.
pub(crate) const STOP_BYTES_MAX: usize = 256;
/// Answers to one request.
pub(crate) const CHOICES_MAX: usize = 4;
/// Tools of one request.
pub(crate) const TOOLS_MAX: usize = 128;
/// Bytes of a tool's name. OpenAI takes 64, Anthropic 128.
pub(crate) const TOOL_NAME_BYTES_MAX: usize = 128;
/// Characters of a client's name.
pub(crate) const CLIENT_CHARS_MAX: usize = 128;
/// Bytes of a path in a request.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// Files that a request may say its text is from.
pub(crate) const FILES_MAX: usize = 1024;
/// Texts that the answer may repeat.
pub(crate) const REFERENCES_MAX: usize = 64;
/// Excerpts around a place to fill in.
pub(crate) const EXCERPTS_MAX: usize = 256;
/// Bytes of a grammar.
pub(crate) const GRAMMAR_BYTES_MAX: usize = 256 * 1024;

// Answers.
/// Silence before a stream's status is sent: within it a failure still has a status of its own.
pub(crate) const FIRST_CHUNK_WAIT: Duration = Duration::from_secs(8);
/// Silence within a stream before a sign of life is sent.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Bytes of a whole answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Tool calls of a whole answer.
pub(crate) const TOOL_CALLS_MAX: usize = 128;
/// When a client that was turned away may come again, in milliseconds.
pub(crate) const OVERLOADED_RETRY_AFTER_MS: u64 = 1000;
/// When a model that is loading is worth another try, in milliseconds.
pub(crate) const LOADING_RETRY_AFTER_MS: u64 = 2000;

// Sessions: answers of `/v1/responses` that are kept for a next request.
/// So many are kept at most.
pub(crate) const SESSIONS_MAX: usize = 256;
/// Bytes of one of them.
pub(crate) const SESSION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of all of them together.
pub(crate) const SESSIONS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// And no longer than this after they were made.
pub(crate) const SESSION_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

// Daemons.
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
