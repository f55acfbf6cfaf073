//! What a model is, seen from outside: a [`Provider`] takes a request and answers with a stream of chunks.
//!
//! The local engine, the daemon, a peer and a cloud are all providers, and everything that asks a model for text asks
//! through this crate. It brings the clouds, and what has to hold for every provider: who is asked in which order,
//! whether again, what may not leave this machine, and how an answer becomes JSON. It knows no editor, no engine, no
//! configuration and no file.

mod alignment;
pub mod cloud;
mod error;
pub mod health;
pub mod history;
mod limits;
mod message;
pub mod normalise;
mod origin;
mod provider;
pub mod redact;
mod request;
pub mod retry;
pub mod router;
pub mod sse;
mod state;
pub mod stop;
mod stream;
pub mod structured;

pub use alignment::ALIGNMENT;
pub use error::LlmError;
pub use limits::{ALTERNATIVES_MAX, CHUNKS_MAX, SSE_EVENT_BYTES_MAX};
pub use message::{
    Answer, BadArguments, Image, Kept, Message, OutputFormat, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
pub use origin::{Origin, Task};
pub use provider::{Capabilities, Provider, ProviderId};
pub use request::{ClientId, Excerpt, GenerateRequest, InfillContext, InfillRequest, Lane, LaneLoad, Load, Sampling};
pub use state::{ModelState, StateReceiver, StateSender, state_channel};
pub use stream::{
    Chunk, ChunkSender, Done, GenerateStream, NotSent, Progress, Provenance, ReaderGone, ScoredToken, StopReason,
    Timings, TokenScore, Usage, stream,
};
