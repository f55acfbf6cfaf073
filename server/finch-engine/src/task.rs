//! A request made ready: its prompt, how its tokens are chosen, and how they become chunks.
//!
//! The worker asks for a task when it starts a job; what is wrong with the request itself is found here, before it
//! takes a slot.

use finch_llm::{LlmError, stop::StopMatcher};

use crate::{
    lanes::Ask,
    prompt::{Conversation, Prompt, Prompts},
    sampler::Sampler,
    writer::{Splitter, Writer},
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
        match ask {
            Ask::Infill(request) => {
                let writer = Writer::new(stops, Splitter::plain(), 0);
                Ok(Self { prompt: prompts.infill(request)?, sampler: Sampler::new(sampling), writer })
            }
            Ask::Generate(request) => {
                let Conversation { prompt, splitter, form, first_call } = prompts.generate(request)?;
                let sampler = Sampler::new(sampling).with_form(form);
                Ok(Self { prompt, sampler, writer: Writer::new(stops, splitter, first_call) })
            }
        }
    }
}
