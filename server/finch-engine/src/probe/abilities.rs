//! What a model can be asked for, tried out: to fill in, to hold a conversation, to call a tool.
//!
//! Each question is so easy that a model which was taught the thing at all answers it. What its files provide for is not
//! yet what it does, so both are told apart. Asks a loaded engine as any caller would.

use std::{fmt, path::Path};

use finch_llm::{
    Chunk, ClientId, GenerateRequest, GenerateStream, InfillRequest, Lane, LlmError, Message, Provider as _, Sampling,
    ToolSpec,
};
use finch_model::manifest::InfillStyle;
use serde_json::json;

use crate::{Engine, EngineError, EngineOptions, Runtime};

/// Tokens that the longest of the answers needs: a thought before a tool call.
const ANSWER_TOKENS_MAX: usize = 128;

/// Whether a model does a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Nothing in its files provides for it.
    Absent,
    /// Its files provide for it, and it did not do it when it was asked.
    Claimed,
    /// It did it.
    Shown,
}

/// What a model can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// To write what stands between two texts, by tokens made for it. It may be asked in another way all the same.
    pub fill_in_the_middle: Ability,
    /// To answer a question.
    pub chat: Ability,
    /// To call a tool instead of guessing.
    pub tools: Ability,
}

/// Loads a model and asks it an easy question of each kind.
pub fn examine(runtime: &Runtime, model_dir: &Path, options: EngineOptions) -> Result<Abilities, EngineError> {
    let engine = Engine::load(runtime, model_dir, EngineOptions { infill: Some(InfillStyle::Fim), ..options })?;
    let taught = engine.capabilities();
    let tried = |is_taught: bool, ask: &dyn Fn(&Engine) -> Result<bool, LlmError>| match is_taught {
        false => Ability::Absent,
        true => match ask(&engine) {
            Ok(true) => Ability::Shown,
            Ok(false) => Ability::Claimed,
            Err(error) => {
                tracing::warn!("{} cannot be tried out: {error}", taught.model);
                Ability::Claimed
            }
        },
    };
    Ok(Abilities {
        fill_in_the_middle: tried(taught.fill_in_the_middle, &fills_in),
        chat: tried(taught.chat, &answers),
        tools: tried(taught.tools, &calls),
    })
}

fn fills_in(engine: &Engine) -> Result<bool, LlmError> {
    let prefix = "def area(width, height):\n    return ";
    let stream = engine.infill(InfillRequest {
        client: client(),
        origin: finch_llm::Origin::default(),
        lane: Lane::Interactive,
        prefix: prefix.to_owned(),
        suffix: "\n\n\nprint(area(2, 3))\n".to_owned(),
        context: finch_llm::InfillContext::default(),
        prompt_tokens_max: 256,
        references: Vec::new(),
        sampling: sampling(),
    });
    let (text, _) = read(stream)?;
    // Ghost text ends at its line too.
    let line = text.lines().next().unwrap_or_default();
    Ok(line.contains("width") && line.contains("height"))
}

fn answers(engine: &Engine) -> Result<bool, LlmError> {
    let (text, _) = read(ask(engine, "What is the capital of France? Answer with one word.", Vec::new()))?;
    Ok(text.to_lowercase().contains("paris"))
}

fn calls(engine: &Engine) -> Result<bool, LlmError> {
    let tool = ToolSpec {
        name: "get_weather".to_owned(),
        description: "Tells the weather that a city has now.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
        }),
    };
    let (_, tools) = read(ask(engine, "What is the weather in Paris now?", vec![tool]))?;
    Ok(tools.iter().any(|name| name == "get_weather"))
}

fn ask(engine: &Engine, question: &str, tools: Vec<ToolSpec>) -> GenerateStream {
    let messages = vec![Message::User(question.to_owned())];
    let request = GenerateRequest::new(client(), Lane::Interactive, messages);
    engine.generate(GenerateRequest { tools, sampling: sampling(), ..request })
}

fn client() -> ClientId {
    ClientId::new("probe")
}

fn sampling() -> Sampling {
    Sampling { tokens_max: ANSWER_TOKENS_MAX, ..Sampling::default() }
}

/// The text of an answer and the names of the tools it calls. The engine ends every stream, at its last token or its own
/// end, so nothing is waited for in vain.
fn read(mut stream: GenerateStream) -> Result<(String, Vec<String>), LlmError> {
    let (mut text, mut tools) = (String::new(), Vec::new());
    while let Some(chunk) = stream.next_blocking() {
        match chunk? {
            Chunk::Text(piece) => text.push_str(&piece),
            Chunk::ToolCall(call) => tools.push(call.name),
            Chunk::Reasoning(_) | Chunk::Unsure(_) | Chunk::Scored(_) => {}
            Chunk::Done(_) => break,
        }
    }
    Ok((text, tools))
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no",
            Self::Claimed => "claimed",
            Self::Shown => "yes",
        })
    }
}

#[cfg(test)]
mod tests {
    use finch_model::{manifest::Quant, tiny::TinySpec};

    use super::{Abilities, Ability, examine};
    use crate::{
        EngineOptions,
        testing::{TinyModel, runtime},
    };

    #[track_caller]
    fn check(model: &TinyModel, chat: Ability, tools: Ability) {
        let options = EngineOptions { context_tokens_max: 512, ..EngineOptions::default() };
        let Abilities { chat: found, tools: called, .. } = examine(&runtime(), &model.dir, options).unwrap();
        assert_eq!((found, called), (chat, tools));
    }

    #[test]
    fn a_model_of_noise_is_taught_what_its_files_say_and_does_none_of_it() {
        let plain = "{% for message in messages %}{{ message.content }}{% endfor %}";
        let with_tools = format!("{{% if tools %}}{{{{ tools | length }}}}{{% endif %}}{plain}");
        check(&TinyModel::new(TinySpec::default(), Quant::Int8), Ability::Absent, Ability::Absent);
        check(&TinyModel::speaking(&["<|im_end|>"], Some(plain)), Ability::Claimed, Ability::Absent);
        check(&TinyModel::speaking(&["<|im_end|>"], Some(&with_tools)), Ability::Claimed, Ability::Claimed);
    }
}
