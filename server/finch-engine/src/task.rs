//! A request made ready: its prompt, how its tokens are chosen, and how they become chunks.
//!
//! The worker asks for a task when it starts a job; what is wrong with the request itself is found here, before it
//! takes a slot.

use finch_llm::LlmError;

use crate::{
    lanes::Ask,
    prompt::{Prompt, Prompts},
    sampler::Sampler,
    stop::StopMatcher,
    writer::Writer,
};

/// What a sequence needs besides a slot.
pub(crate) struct Task {
    pub(crate) prompt: Prompt,
    pub(crate) sampler: Sampler,
    pub(crate) writer: Writer,
}

impl Task {
    pub(crate) fn of(ask: &Ask, prompts: &Prompts) -> Result<Self, LlmError> {
        let sampling = ask.sampling();
        let stops =
            StopMatcher::new(&sampling.stop).map_err(|error| LlmError::Refused { reason: error.to_string() })?;
        let prompt = match ask {
            Ask::Infill(request) => prompts.infill(request)?,
            Ask::Generate(request) => prompts.generate(request)?,
        };
        Ok(Self { prompt, sampler: Sampler::new(sampling), writer: Writer::new(stops) })
    }
}
