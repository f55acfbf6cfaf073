//! The bounds of this crate, with their units.

use std::time::Duration;

/// Length of a model id; it is the name of a directory.
pub(crate) const MODEL_ID_BYTES_MAX: usize = 64;

/// A manifest longer than this was not written by finch.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

// What a graph may claim of itself. Far above any model that fits a workstation, far below what overflows.
pub(crate) const LAYERS_MAX: usize = 1024;
pub(crate) const HEADS_MAX: usize = 4096;
pub(crate) const HEAD_DIM_MAX: usize = 4096;
pub(crate) const HIDDEN_MAX: usize = 1 << 20;
pub(crate) const VOCAB_MAX: usize = 1 << 24;
pub(crate) const CONTEXT_TOKENS_MAX: usize = 1 << 24;

/// A chat template. Real ones stay a fifth of it, and a longer one would need a deep stack to be read.
pub(crate) const CHAT_TEMPLATE_BYTES_MAX: u64 = 128 * 1024;

/// One step of reading, hashing or copying a file.
pub(crate) const COPY_BUFFER_BYTES: usize = 256 * 1024;

// GGUF: what a header may ask for. Real files stay a hundred times below each.
pub(crate) const GGUF_TENSORS_MAX: usize = 1 << 16;
pub(crate) const GGUF_METADATA_ENTRIES_MAX: usize = 1 << 16;
pub(crate) const GGUF_KEY_BYTES_MAX: usize = 64 * 1024;
pub(crate) const GGUF_TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
pub(crate) const GGUF_ARRAY_ELEMENTS_MAX: usize = 1 << 25;
pub(crate) const GGUF_ARRAY_DEPTH_MAX: usize = 4;
pub(crate) const GGUF_DIMENSIONS_MAX: u32 = 4;
pub(crate) const GGUF_ALIGNMENT_BYTES_MAX: u64 = 64 * 1024;

// A directory in the layout of a hub.
/// `config.json` and what is of its kind.
pub(crate) const HUB_CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;
pub(crate) const HUB_TOKENIZER_BYTES_MAX: u64 = 64 * 1024 * 1024;
pub(crate) const HUB_INDEX_BYTES_MAX: u64 = 32 * 1024 * 1024;
pub(crate) const HUB_SHARDS_MAX: usize = 1024;
/// What a hub says of a repository; the longest lists of files stay a tenth of it.
pub(crate) const HUB_LISTING_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Parsing takes several times this; a header of real weights stays below a megabyte.
pub(crate) const SAFETENSORS_HEADER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Positions in the rotary tables of a graph; a build asks for fewer unless told otherwise.
pub(crate) const ROTARY_POSITIONS_MAX: usize = 1 << 17;

/// A graph that brings its weights in itself: what the format allows.
pub(crate) const EXPORT_GRAPH_BYTES_MAX: u64 = 2 << 30;
/// Dimensions of a tensor in a graph; real ones have five or six.
pub(crate) const GRAPH_RANK_MAX: usize = 16;

// Fetching.

/// Larger than any file a catalogue may pin.
pub(crate) const DOWNLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Name lookup, connection and TLS together. A hub that is not there must not keep the next source waiting.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest silence between a request and the head of its answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence between two pieces of a body.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a download that breaks is begun or continued. A host that was never reached gets one try.
pub(crate) const DOWNLOAD_TRIES_MAX: u32 = 5;
/// A try that brought this much that was never there before is not counted.
pub(crate) const DOWNLOAD_PROGRESS_BYTES: u64 = 16 * 1024 * 1024;
/// The wait before the second try; it doubles from there.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(500);
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// A server that asks for more patience than this is given up.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
pub(crate) const REDIRECTS_MAX: usize = 8;
/// What is gathered before it is hashed and written; a cancelled download loses at most this.
pub(crate) const WRITE_BATCH_BYTES: usize = 1024 * 1024;
/// The notes beside a download.
pub(crate) const NOTE_BYTES_MAX: u64 = 8 * 1024;
/// How long another process may hold a download without getting further.
pub(crate) const CLAIM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
pub(crate) const CLAIM_POLL: Duration = Duration::from_millis(500);
/// How long pip may neither write nor say anything.
pub(crate) const PIP_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
pub(crate) const PIP_POLL: Duration = Duration::from_millis(200);
/// What of pip's complaint is passed on.
pub(crate) const PIP_STDERR_TAIL_BYTES: u64 = 2048;
/// What a wheel may weigh beside the file it carries. Pip holds it twice for a moment.
pub(crate) const WHEEL_SLACK_BYTES: u64 = 128 * 1024 * 1024;

// Importing: what is read, quantised and written in one step, and by how many.
pub(crate) const IMPORT_CHUNK_BYTES: usize = 1 << 20;
pub(crate) const IMPORT_CHUNK_NUMBERS: usize = 1 << 21;
/// What an import that is killed loses at most: so much is written before it is made durable and noted.
pub(crate) const IMPORT_STEP_BYTES: u64 = 64 * 1024 * 1024;
pub(crate) const IMPORT_THREADS_MAX: usize = 4;
