//! Why a request failed, named by what the caller does next.

use std::time::Duration;

/// Why a provider could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The caller went away or a newer request of the same client took its place. Nothing to report.
    #[error("cancelled")]
    Cancelled,
    /// Too much work is waiting. Try again later or elsewhere.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The provider asks for a pause before the next try.
    #[error("the provider asks to wait {retry_after:?}")]
    RateLimited { retry_after: Duration },
    /// The key is missing or refused. Never retried.
    #[error("not authorised: {reason}")]
    Unauthorized { reason: String },
    /// The prompt is longer than the model can hold. Shorten it.
    #[error("the prompt has {tokens} tokens and the model holds {tokens_max}")]
    ContextTooLong { tokens: usize, tokens_max: usize },
    /// The model is loading; the state channel says how far it is.
    #[error("the model is still loading")]
    Loading,
    /// The provider cannot be used now. `reason` says what happened and what to do.
    #[error("{reason}")]
    Unavailable { reason: String },
    /// The provider declined to answer this request.
    #[error("the provider refused: {reason}")]
    Refused { reason: String },
    /// The provider's answer broke its own rules, or an internal invariant failed.
    #[error("protocol error: {reason}")]
    Protocol { reason: String },
}

impl LlmError {
    /// A short, stable name for logs and for reason codes such as `error:overloaded`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Overloaded => "overloaded",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unauthorized { .. } => "unauthorized",
            Self::ContextTooLong { .. } => "context-too-long",
            Self::Loading => "loading",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::Protocol { .. } => "protocol",
        }
    }
}
