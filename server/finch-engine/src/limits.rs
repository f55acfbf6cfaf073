//! The bounds of this crate, with their units.

use std::time::Duration;

/// Batch jobs that wait; one more is `Overloaded`.
pub(crate) const BATCH_JOBS_MAX: usize = 16;
/// One client's among them, so that there is a place for others.
pub(crate) const BATCH_JOBS_PER_CLIENT_MAX: usize = 12;
/// Clients with an interactive job waiting; one more is `Overloaded`.
pub(crate) const CLIENTS_MAX: usize = 64;

/// Fewer key-value slots could not keep a batch sequence while an interactive one runs.
pub(crate) const SLOTS_MIN: usize = 2;
/// More key-value slots than this cost memory and find nothing to keep.
pub(crate) const SLOTS_MAX: usize = 16;
/// The file that keeps what was computed from one run to the next.
pub(crate) const KEEP_BYTES_MAX: usize = 64 << 20;
/// Nothing is kept while there is work, nor so soon after it.
pub(crate) const KEEP_AFTER: Duration = Duration::from_secs(10);
/// Views of neighbouring slots that are kept ready.
pub(crate) const BINDINGS_MAX: usize = 2 * SLOTS_MAX;
/// Another slot joins a pass if that costs less than so much of a pass of its own, slots between included.
pub(crate) const COMPANY_COST_MAX: f64 = 0.75;
/// The smallest context an engine is loaded with.
pub(crate) const CONTEXT_TOKENS_MIN: usize = 16;

/// How often a long pass looks whether it is still wanted. The session then stops behind the kernel it is in.
pub(crate) const CANCEL_LOOK: Duration = Duration::from_millis(10);
/// What a pass over a prompt takes at most: an interrupted pass is lost work, a short one is slow a token.
pub(crate) const PASS_TIME: Duration = Duration::from_millis(250);
/// The prompt tokens of the first pass, while the speed of the machine is unknown.
pub(crate) const CHUNK_TOKENS_FIRST: usize = 64;
/// Shorter passes take half the speed.
pub(crate) const CHUNK_TOKENS_MIN: usize = 16;
/// Longer passes gain no speed.
pub(crate) const CHUNK_TOKENS_MAX: usize = 512;

/// Digits of a number in JSON that a model is held to, and digits of its exponent: together below what a 64-bit float holds.
pub(crate) const NUMBER_DIGITS_MAX: usize = 200;
pub(crate) const NUMBER_EXPONENT_DIGITS_MAX: usize = 2;

/// Tokens guessed ahead in one pass.
pub(crate) const DRAFT_TOKENS_MAX: usize = 24;
/// Passes of so many tokens are watched for a cancel; shorter ones are over sooner than a watch sees anything.
pub(crate) const WATCHED_TOKENS_MIN: usize = 5;
/// Tokens before a guess that are compared with what was seen.
pub(crate) const MATCH_TOKENS_MAX: usize = 32;
/// A match of so many tokens is not looked for any longer.
pub(crate) const MATCH_TOKENS_ENOUGH: usize = 16;
/// Places that are compared in one text.
pub(crate) const MATCH_CANDIDATES_MAX: usize = 64;
/// A match in a text is so long at least: two tokens may be as short as two bytes.
pub(crate) const MATCH_BYTES_MIN: usize = 4;
/// Text behind a match that is turned into tokens.
pub(crate) const DRAFT_BYTES_MAX: usize = 96;
/// Tokens that are searched for one draft; a scan takes about a nanosecond for each.
pub(crate) const LOOKUP_TOKENS_MAX: usize = 64 << 10;
/// Tokens kept of what slots lost.
pub(crate) const DROPPED_TOKENS_MAX: usize = 8 << 10;
/// Texts that one request may name for guessing.
pub(crate) const REFERENCE_TEXTS_MAX: usize = 32;
/// Their bytes in sum; a search takes about a microsecond for ten thousand.
pub(crate) const REFERENCE_BYTES_MAX: usize = 512 << 10;
/// Guesses left untried until what is known of their kind has faded to a third.
pub(crate) const UNTRIED_DRAFTS: f32 = 300.0;

/// How often it is looked whether an engine that was told to end has.
pub(crate) const END_LOOK_PAUSE: Duration = Duration::from_millis(10);
/// How often a full channel is tried again.
pub(crate) const SLOW_READER_RETRY: Duration = Duration::from_millis(5);
/// A reader that takes nothing for so long is gone.
pub(crate) const READER_STALL_MAX: Duration = Duration::from_secs(120);

/// A prefix is cut in steps of one part in this many of its budget, so that its head stays the same for many keys.
pub(crate) const PREFIX_CUT_PARTS: usize = 4;
/// A suffix may push the prefix out of at most one part in this many of the budget.
pub(crate) const SUFFIX_SHARE_PARTS: usize = 3;
/// Text is cut to so many bytes a token before it is encoded; code has three to four.
pub(crate) const BYTES_PER_TOKEN_MAX: usize = 8;

/// What a chat template may do: instructions, or 64 bytes of text each. Real ones need a tenth.
pub(crate) const TEMPLATE_FUEL: usize = 50_000;
/// What it may do more for each message and each tool.
pub(crate) const TEMPLATE_FUEL_PER_MESSAGE: usize = 1_000;
/// It may do one thing more for so many bytes of the conversation: they are copied a few times.
pub(crate) const TEMPLATE_BYTES_PER_FUEL: usize = 4;
/// What it may do at most.
pub(crate) const TEMPLATE_FUEL_MAX: usize = 800_000;
/// Stack for every thing it may do: two nest a list one deeper, and 2.3 KB were measured for that.
pub(crate) const TEMPLATE_STACK_PER_FUEL: usize = 1_200;
/// Stack for every byte of it: one makes an expression one deeper, and 1.1 KB were measured for that.
pub(crate) const TEMPLATE_STACK_PER_BYTE: usize = 1_280;
/// Stack whatever it is.
pub(crate) const TEMPLATE_STACK_MIN: usize = 8 << 20;
/// Tool calls of one answer that have numbers of their own.
pub(crate) const CALLS_OF_AN_ANSWER: u64 = 256;
/// The widest step of indented JSON in a prompt.
pub(crate) const TEMPLATE_INDENT_MAX: usize = 16;
/// States of the automaton behind a wanted form; one has a kilobyte or two.
pub(crate) const FORM_LEXER_STATES_MAX: usize = 50_000;

/// The graph file, weights not included.
pub(crate) const GRAPH_BYTES_MAX: u64 = 64 << 20;
/// A graph of somebody else may bring its weights in itself.
pub(crate) const EXPORT_GRAPH_BYTES_MAX: u64 = 2 << 30;
/// Logits of one pass over such a graph, which has some for every token.
pub(crate) const EXPORT_LOGITS_MAX: usize = 32 << 20;
/// The tokenizer file.
pub(crate) const TOKENIZER_BYTES_MAX: u64 = 256 << 20;

/// How long an installed Python may take to say where its packages are.
pub(crate) const PYTHON_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often the answer is looked for.
pub(crate) const PYTHON_ANSWER_POLL: Duration = Duration::from_millis(5);
/// What is read of that answer.
pub(crate) const PYTHON_ANSWER_BYTES_MAX: u64 = 64 << 10;

/// What is read to measure memory: more than any cache holds.
pub(crate) const BANDWIDTH_BYTES: usize = 256 << 20;
/// It is at most one part in this many of the memory that is available.
pub(crate) const BANDWIDTH_SHARE_PARTS: u64 = 8;
/// What is timed at once. Short enough to fall between two disturbances; all else is read before it comes again.
pub(crate) const BANDWIDTH_STRETCH_BYTES: usize = 32 << 20;
/// How often everything is read; the fastest stretch counts, as others were disturbed.
pub(crate) const BANDWIDTH_PASSES: usize = 4;

/// Rows and columns of the matrix, and rows of activations, by which multiplying is measured: like those of small models.
pub(crate) const YARDSTICK: [usize; 3] = [2048, 1024, 256];
/// How often it is multiplied; the fastest time counts.
pub(crate) const YARDSTICK_PASSES: usize = 16;

/// What a process takes beside weights, keys and values: tokenizer, graph, buffers of a pass, the library.
pub(crate) const PROCESS_BYTES: u64 = 256 << 20;

/// Tokens of context at most behind which a probe measures how fast a model writes.
pub(crate) const PROBE_CONTEXT_TOKENS_MAX: usize = 4096;

/// Devices of a list.
pub(crate) const DEVICES_MAX: usize = 8;
/// What is shown of a name that is none.
pub(crate) const NAME_SHOWN_CHARS: usize = 64;

/// Bytes of a matrix that are read at once when a model is loaded.
pub(crate) const MATRIX_PIECE_BYTES: usize = 1 << 20;

/// Matrices begin at a line of the processor's cache.
pub(crate) const CACHE_LINE_BYTES: usize = 64;
