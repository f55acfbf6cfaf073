use finch_llm::{
    Chunk, ClientId, Done, GenerateRequest, Lane, LlmError, Message, OutputFormat, Provider, Sampling, StopReason,
    ToolChoice, ToolSpec,
};
use finch_model::manifest::Manifest;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Structures;
use crate::{
    EngineOptions,
    chat::dialect::{Dialect, THOUGHTS},
    sampler::Sampler,
    testing::{TinyModel, wait_for},
    vocabulary::Vocabulary,
};

const CONTROLS: [&str; 3] = ["<|im_end|>", "<tool_call>", "</tool_call>"];

fn asked(output: OutputFormat) -> GenerateRequest {
    let mut request =
        GenerateRequest::new(ClientId::new("test"), Lane::Batch, vec![Message::User("Say it.".to_owned())]);
    request.output = output;
    request
}

fn tool(name: &str) -> ToolSpec {
    let parameters = json!({"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"],
        "additionalProperties": false});
    ToolSpec { name: name.to_owned(), description: "Does it".to_owned(), parameters }
}

fn closed() -> Value {
    json!({
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 99},
            "ok": {"type": "boolean"},
            "name": {"type": "string", "maxLength": 4},
            "more": {"type": "array", "items": {"type": "null"}, "maxItems": 2},
        },
        "required": ["kind", "count", "ok", "name", "more"],
        "additionalProperties": false,
    })
}

fn fits_closed(value: &Value) -> bool {
    let fields = value.as_object().unwrap();
    fields.len() == 5
        && matches!(value["kind"].as_str(), Some("a" | "b"))
        && value["count"].as_u64().is_some_and(|count| count <= 99)
        && value["ok"].is_boolean()
        && value["name"].as_str().is_some_and(|name| name.chars().count() <= 4)
        && value["more"].as_array().is_some_and(|items| items.len() <= 2 && items.iter().all(Value::is_null))
}

struct Rig {
    vocabulary: Vocabulary,
    structures: Structures,
    eos: u32,
}

impl Rig {
    fn new() -> Self {
        let model = TinyModel::speaking(&CONTROLS, None);
        let vocabulary = Vocabulary::load(&model.dir, &Manifest::read(&model.dir).unwrap()).unwrap();
        let eos = vocabulary.control("<|im_end|>").unwrap();
        Self { vocabulary, structures: Structures::default(), eos }
    }

    /// What a model with random logits says, and whether it came to an end.
    fn say(&self, request: &GenerateRequest, seed: u64, tokens_max: usize) -> (String, bool) {
        self.say_behind(request, None, seed, tokens_max)
    }

    fn say_behind(
        &self,
        request: &GenerateRequest,
        opened: Option<crate::chat::dialect::Thought>,
        seed: u64,
        tokens_max: usize,
    ) -> (String, bool) {
        let dialect = Dialect::of("<tool_call>", |_| false);
        let form = self.structures.constraint(request, opened, dialect, &self.vocabulary, Some(self.eos));
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling).with_form(form.unwrap());
        let mut noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut bytes = Vec::new();
        for _ in 0..tokens_max {
            let logits: Vec<f32> = (0..self.vocabulary.len())
                .map(|_| {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    (noise % 1000) as f32 / 100.0
                })
                .collect();
            let token = sampler.choose(&logits).unwrap();
            if token == self.eos {
                return (String::from_utf8(bytes).unwrap(), true);
            }
            bytes.extend_from_slice(self.vocabulary.bytes(token));
            if sampler.is_over() {
                return (String::from_utf8(bytes).unwrap(), true);
            }
        }
        (String::from_utf8_lossy(&bytes).into_owned(), false)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_the_logits_an_answer_fits_its_schema(seed in any::<u64>()) {
        thread_local!(static RIG: Rig = Rig::new());
        RIG.with(|rig| {
            let (text, ended) = rig.say(&asked(OutputFormat::JsonSchema(closed())), seed, 400);
            assert!(ended, "{text}");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(fits_closed(&value), "{text}");
            let (text, ended) = rig.say(&asked(OutputFormat::JsonObject), seed, 200);
            if ended {
                assert!(serde_json::from_str::<Value>(&text).unwrap().is_object(), "{text}");
            }
            let grammar = OutputFormat::Grammar("start: \"a\"+ (\"b\" | \"c\")".to_owned());
            let (text, ended) = rig.say(&asked(grammar), seed, 2000);
            let runs = text.trim_start_matches('a');
            assert!(ended && text.starts_with('a') && (runs == "b" || runs == "c"), "{text}");
        });
    }

    #[test]
    fn a_call_that_has_to_be_made_is_made(seed in any::<u64>()) {
        thread_local!(static RIG: Rig = Rig::new());
        RIG.with(|rig| {
            let mut request = asked(OutputFormat::Text);
            request.tools = vec![tool("first"), tool("second")];
            request.tool_choice = ToolChoice::Required;
            let calls = |text: &str| {
                let body = text.strip_prefix("<tool_call>\n").unwrap().strip_suffix("\n</tool_call>").unwrap();
                serde_json::from_str::<Value>(body).unwrap()
            };
            let (text, ended) = rig.say(&request, seed, 400);
            let call = calls(&text);
            assert!(ended && (call["name"] == "first" || call["name"] == "second"), "{text}");
            assert!(call["arguments"]["n"] == 1 || call["arguments"]["n"] == 2, "{text}");
            request.tool_choice = ToolChoice::Tool("second".to_owned());
            assert_eq!(calls(&rig.say(&request, seed, 400).0)["name"], "second");
        });
    }
}

#[test]
fn behind_an_open_thought_the_answer_has_its_form() {
    let rig = Rig::new();
    let request = asked(OutputFormat::JsonSchema(json!({"type": "boolean"})));
    let mut ends = 0;
    for seed in 0..20 {
        let (text, ended) = rig.say_behind(&request, Some(THOUGHTS[0]), seed, 3000);
        if ended {
            let answer = text.rsplit("</think>").next().unwrap().trim();
            assert!(answer == "true" || answer == "false", "{text}");
            ends += 1;
        }
    }
    // Random letters seldom spell the end of a thought.
    assert!(ends <= 20);
}

#[test]
fn a_form_that_cannot_be_held_to_is_refused() {
    let rig = Rig::new();
    let refused = |request: &GenerateRequest| {
        let dialect = Dialect::of("", |_| false);
        let form = rig.structures.constraint(request, None, dialect, &rig.vocabulary, Some(rig.eos));
        let Err(error) = form else { panic!("taken: {request:?}") };
        let error = LlmError::from(error);
        assert!(matches!(error, LlmError::Refused { .. }), "{error}");
    };
    refused(&asked(OutputFormat::JsonSchema(json!({"type": "no such type"}))));
    refused(&asked(OutputFormat::JsonSchema(json!({"not": {"type": "string"}, "unevaluatedItems": 3}))));
    refused(&asked(OutputFormat::Grammar("start: nothing".to_owned())));
    refused(&asked(OutputFormat::Grammar("(((".to_owned())));
    let mut request = asked(OutputFormat::Text);
    request.tool_choice = ToolChoice::Required;
    refused(&request);
    request.tools = vec![tool("other")];
    request.tool_choice = ToolChoice::Tool("missing".to_owned());
    refused(&request);
}

fn answer(request: GenerateRequest) -> (String, Vec<Chunk>, Done) {
    let engine = TinyModel::speaking(&CONTROLS, None).engine(EngineOptions::default());
    let mut stream = engine.generate(request);
    wait_for(async move {
        let (mut text, mut others) = (String::new(), Vec::new());
        loop {
            match stream.next().await.unwrap().unwrap() {
                Chunk::Text(piece) => text.push_str(&piece),
                Chunk::Done(done) => return (text, others, done),
                other => others.push(other),
            }
        }
    })
}

#[test]
fn a_model_of_noise_answers_in_json_and_calls_tools() {
    let mut request = asked(OutputFormat::JsonSchema(closed()));
    request.sampling = Sampling { temperature: 1.5, seed: 3, tokens_max: 400, ..Sampling::default() };
    let (text, _, done) = answer(request.clone());
    assert_eq!(done.reason, StopReason::EndOfText);
    assert!(fits_closed(&serde_json::from_str(&text).unwrap()), "{text}");
    request.sampling.temperature = 0.0;
    assert!(fits_closed(&serde_json::from_str(&answer(request.clone()).0).unwrap()));
    request.sampling.tokens_max = 5;
    let (text, _, done) = answer(request.clone());
    assert_eq!(done.reason, StopReason::TokensMax, "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    request.sampling.tokens_max = 400;
    request.output = OutputFormat::Text;
    request.tools = vec![tool("first")];
    request.tool_choice = ToolChoice::Required;
    let (text, others, done) = answer(request);
    assert_eq!((text.as_str(), done.reason), ("", StopReason::ToolCalls));
    assert!(matches!(&others[..], [Chunk::ToolCall(call)] if call.name == "first" && call.arguments().is_ok()));
}
