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
/// Tokens that a model is taken to hold before it is loaded.
pub(crate) const CONTEXT_TOKENS_DEFAULT: usize = 4096;
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
/// How long a daemon may be silent on the stream of its events, or within an answer. It says something every 15 s.
pub(crate) const EVENT_WAIT: Duration = Duration::from_secs(40);
/// How long it is waited between two links at least.
pub(crate) const RELINK_PAUSE: Duration = Duration::from_millis(100);
/// How long it is waited after a link that did not come to be, or a daemon that died early; then twice as long each time.
pub(crate) const RELINK_BACKOFF: Duration = Duration::from_millis(500);
/// And no longer than this.
pub(crate) const RELINK_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Links that may fail one after the other before it counts as settled that there is no daemon.
pub(crate) const LINK_TRIES_MAX: u32 = 3;
/// A link that lasted so long was a good one, though there is no model behind it.
pub(crate) const LINK_GOOD_AFTER: Duration = Duration::from_secs(60);
/// Daemons that may die one after the other before their model was ready; a next one would end like them.
pub(crate) const EARLY_ENDS_MAX: u32 = 3;
/// How often a request is sent again whose connection broke before anything of its answer was shown.
pub(crate) const RESENDS_MAX: usize = 2;
/// Bytes of the body of an error that are read.
pub(crate) const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long a daemon may take to say what it does.
pub(crate) const STATUS_WAIT: Duration = Duration::from_secs(5);
/// How long a daemon may take to say that it has heard that it shall end.
pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
/// Bytes of what a daemon says of itself at most.
pub(crate) const STATUS_BYTES_MAX: u64 = 4 << 20;

/// Bytes of a request's head: its first line and its headers.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
pub(crate) const HEADERS_MAX: usize = 100;
/// Bytes of one line between the chunks of a body.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Bytes of what may follow the last chunk of a body.
pub(crate) const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// How long a connection may take to send a head, and may be silent as long as it has not shown the token.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long a connection that has shown the token may be silent between two requests. Longer than what clients keep
/// theirs, so that it is they who close it.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long a client may take no byte of its answer.
pub(crate) const WRITE_WAIT: Duration = Duration::from_secs(60);
/// Connections at once. Each holds some 10 KB while it is silent.
pub(crate) const CONNECTIONS_MAX: usize = 2048;
/// Connections among them that have not shown the token. Beyond it the oldest of them is closed.
pub(crate) const STRANGERS_MAX: usize = 1792;
/// Between two tries to accept a connection where the system has no place for one.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How long a connection may be without a token where the system has no place for another.
pub(crate) const STRANGER_GRACE: Duration = Duration::from_secs(1);
/// How long and how much is still read from a client whose request was not read to its end, so that it can read the answer.
pub(crate) const LINGER_WAIT: Duration = Duration::from_secs(1);
pub(crate) const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of the bodies of all requests that are under way.
pub(crate) const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a body may take to arrive.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(30);
/// Lists and objects within each other in a body.
pub(crate) const JSON_DEPTH_MAX: usize = 128;
/// Values in a body. One of them costs some hundred bytes of memory at most once it is read.
pub(crate) const JSON_VALUES_MAX: usize = 64 * 1024;

/// Requests for text at once. The engine has its own order for them; this bounds what they hold in memory.
pub(crate) const GENERATING_MAX: usize = 256;
/// Of one client, so that no client takes all places.
pub(crate) const GENERATING_PER_CLIENT_MAX: usize = 224;
/// When to ask again where there was no place.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long what is under way may take to end when the server stops.
pub(crate) const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How long a connection without a request may still send one then.
pub(crate) const DRAIN_SILENCE: Duration = Duration::from_millis(200);
/// How long connections that are cut may take to be gone.
pub(crate) const CUT_WAIT: Duration = Duration::from_secs(1);

/// Characters of a challenge.
pub(crate) const CHALLENGE_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
/// Streams of events at once.
pub(crate) const ATTACHED_MAX: usize = 512;
/// Between two events that tell of the same step.
pub(crate) const EVENT_GAP: Duration = Duration::from_millis(100);
/// Between two signs of life on a stream without events.
pub(crate) const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long the disk may take for feedback.
pub(crate) const FEEDBACK_WAIT: Duration = Duration::from_secs(10);
/// Seconds over which tokens per second are counted.
pub(crate) const RATE_SECONDS: usize = 60;
/// Bytes of a path in the log.
pub(crate) const LOGGED_PATH_BYTES_MAX: usize = 128;
