//! The real services, asked with real keys: `FINCH_LIVE_TESTS=1 cargo test -- --include-ignored live_`.
//!
//! A test whose key is missing says so and passes; nothing here is asked of anybody unless the variable is set. Costs a few
//! cents a service. `FINCH_LIVE_MODEL_CLAUDE` and its like choose other models.

use std::sync::Arc;
use std::time::Duration;

use finch_llm::cloud::{Cleartext, CloudProvider, CloudSpec, Endpoint, Key, Passage, Service};
use finch_llm::normalise::normalise;
use finch_llm::{
    ClientId, GenerateRequest, InfillContext, InfillRequest, Lane, Message, Origin, OutputFormat, Provider as _,
    ProviderId, Sampling, StopReason, ToolChoice, ToolResult, ToolSpec,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::support::heard::Heard;

/// A service as it is asked here.
struct Live {
    service: Service,
    /// How it is called in the variables.
    name: &'static str,
    /// The first of these variables that is set.
    keys: &'static [&'static str],
    model: &'static str,
}

const SERVICES: [Live; 6] = [
    Live { service: Service::Claude, name: "CLAUDE", keys: &["ANTHROPIC_API_KEY"], model: "claude-haiku-4-5" },
    Live { service: Service::OpenAi, name: "OPENAI", keys: &["OPENAI_API_KEY"], model: "gpt-4o-mini" },
    Live {
        service: Service::Gemini,
        name: "GEMINI",
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        model: "gemini-2.5-flash",
    },
    Live { service: Service::Grok, name: "GROK", keys: &["XAI_API_KEY", "GROK_API_KEY"], model: "grok-code-fast-1" },
    Live { service: Service::Mistral, name: "MISTRAL", keys: &["MISTRAL_API_KEY"], model: "codestral-latest" },
    Live { service: Service::Groq, name: "GROQ", keys: &["GROQ_API_KEY"], model: "openai/gpt-oss-20b" },
];

/// All that a service may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(180);
/// Room for models that think before they answer.
const TOKENS_MAX: usize = 2_000;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The service if it is to be asked; else it is said what is missing.
fn live(service: Service) -> Option<CloudSpec> {
    let live = SERVICES.iter().find(|live| live.service == service).expect("one of the six");
    if variable("FINCH_LIVE_TESTS").as_deref() != Some("1") {
        println!("skipped: FINCH_LIVE_TESTS is not 1");
        return None;
    }
    let Some(key) = live.keys.iter().find_map(|name| variable(name)) else {
        println!("skipped: {} is not set", live.keys[0]);
        return None;
    };
    let model = variable(&format!("FINCH_LIVE_MODEL_{}", live.name)).unwrap_or_else(|| live.model.to_owned());
    let endpoint = Endpoint::new(service.base_url().unwrap(), Cleartext::Loopback).unwrap();
    let mut spec = CloudSpec::new(ProviderId::new(live.name.to_lowercase()), service, model, endpoint);
    spec.key = Some(Key::new(&key).expect("a key that can be sent"));
    Some(spec)
}

fn provider(spec: CloudSpec) -> CloudProvider {
    CloudProvider::new(spec, Arc::new(|_| Ok(Passage::unwatched())), Handle::current()).unwrap()
}

fn request(text: &str) -> GenerateRequest {
    let messages = vec![
        Message::System("You are exact and brief and do what you are asked, no more.".to_owned()),
        Message::User(text.to_owned()),
    ];
    let sampling = Sampling { tokens_max: TOKENS_MAX, ..Sampling::default() };
    GenerateRequest { sampling, ..GenerateRequest::new(ClientId::new("live"), Lane::Interactive, messages) }
}

async fn ask(provider: &CloudProvider, request: GenerateRequest) -> Heard {
    tokio::time::timeout(ANSWER_MAX, Heard::of(provider.generate(request))).await.expect("an answer in time")
}

async fn answers(service: Service) {
    let Some(spec) = live(service) else { return };
    let heard = ask(&provider(spec), request("Answer with the single word PONG.")).await;
    assert!(heard.text().to_uppercase().contains("PONG"), "{:?}", heard.text());
    assert_eq!(heard.reason(), StopReason::EndOfText);
    let usage = heard.done().usage;
    assert!(usage.prompt_tokens > 5 && usage.generated_tokens > 0, "{usage:?}");
}

async fn streams(service: Service) {
    let Some(spec) = live(service) else { return };
    let heard = ask(&provider(spec), request("Write the numbers from 1 to 60 in digits, separated by spaces.")).await;
    assert_eq!(heard.reason(), StopReason::EndOfText);
    assert!(heard.pieces.len() > 2, "{} pieces", heard.pieces.len());
    let numbers: Vec<u32> =
        heard.text().split_whitespace().filter_map(|word| word.trim_matches(',').parse().ok()).collect();
    assert_eq!(numbers, (1..=60).collect::<Vec<_>>(), "{}", heard.text());
}

fn weather() -> ToolSpec {
    ToolSpec {
        name: "get_weather".to_owned(),
        description: "Tells the weather of a city as it is now.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "city": { "type": "string", "description": "The city's name." } },
            "required": ["city"],
        }),
    }
}

async fn calls_a_tool(service: Service) {
    let Some(spec) = live(service) else { return };
    let provider = provider(spec);
    let question = "What is the weather in Oslo? Ask the tool, and answer with the temperature it gives.";
    let mut request =
        GenerateRequest { tools: vec![weather()], tool_choice: ToolChoice::Required, ..request(question) };
    let call = ask(&provider, request.clone()).await;
    assert_eq!((call.reason(), call.calls.len()), (StopReason::ToolCalls, 1), "{call:?}");
    assert_eq!(call.calls[0].name, "get_weather");
    let arguments = call.calls[0].arguments().unwrap();
    assert!(arguments["city"].as_str().unwrap().contains("Oslo"), "{arguments:?}");
    let text = "-17 degrees Celsius, snow".to_owned();
    let result = ToolResult { call_id: call.calls[0].id.clone(), text, is_error: false };
    request.messages.extend([Message::Assistant(call.answer()), Message::ToolResult(result)]);
    request.tool_choice = ToolChoice::Auto;
    let heard = ask(&provider, request).await;
    assert_eq!(heard.reason(), StopReason::EndOfText);
    assert!(heard.text().contains("17"), "{}", heard.text());
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "language": { "type": "string", "enum": ["python", "rust", "go"] },
            "steps": {
                "type": "array",
                "minItems": 2,
                "items": {
                    "type": "object",
                    "properties": { "title": { "type": "string" }, "minutes": { "type": "integer" } },
                    "required": ["title", "minutes"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["language", "steps"],
        "additionalProperties": false,
    })
}

/// The plan that a service makes, as JSON of the schema.
async fn plan(spec: CloudSpec) -> Value {
    let output = OutputFormat::JsonSchema(schema());
    let asked = request("Plan in two or three steps how to write a word counter in Rust. Give the answer as JSON.");
    let heard = ask(&provider(spec), GenerateRequest { output, ..asked }).await;
    assert_eq!(heard.reason(), StopReason::EndOfText);
    let plan = normalise(&heard.text(), &schema()).unwrap_or_else(|error| panic!("{error}: {}", heard.text()));
    assert_eq!(plan.dropped, []);
    plan.value
}

async fn gives_json(service: Service) {
    let Some(spec) = live(service) else { return };
    assert_eq!(plan(spec).await["language"], "rust");
}

async fn gives_a_long_answer(service: Service) {
    let Some(spec) = live(service) else { return };
    let provider = provider(spec);
    let mut request =
        request("Write the numbers from 1 to 400 in digits, one on each line and nothing else. Leave none out.");
    request.sampling.tokens_max = 8_000;
    let heard = ask(&provider, request.clone()).await;
    assert_eq!(heard.reason(), StopReason::EndOfText);
    let lines = heard.text().lines().filter(|line| line.trim().parse::<u32>().is_ok()).count();
    assert_eq!(lines, 400, "{}", heard.text());
    request.sampling.tokens_max = 64;
    let cut = ask(&provider, request).await;
    assert_eq!(cut.reason(), StopReason::TokensMax, "{cut:?}");
}

async fn refuses_a_bad_key(service: Service) {
    let Some(mut spec) = live(service) else { return };
    const BAD: &str = "sk-finch-0000000000000000000000000000000000000000";
    spec.key = Some(Key::new(BAD).unwrap());
    let (name, heard) = (spec.id.to_string(), ask(&provider(spec), request("Hello")).await);
    let said = format!("{} {:?}", heard.error(), heard.error());
    assert_eq!(heard.error().kind(), "unauthorized", "{said}");
    assert!(said.contains(&name) && !said.contains(BAD), "{said}");
}

/// What has to be the same for every service is tested under the name of each.
macro_rules! live {
    ($($what:ident: $($name:ident $service:ident),+;)+) => {$($(
        #[tokio::test]
        #[ignore = "asks a real service"]
        async fn $name() {
            $what(Service::$service).await;
        }
    )+)+};
}

live! {
    answers: live_claude_answers Claude, live_openai_answers OpenAi, live_gemini_answers Gemini,
        live_grok_answers Grok, live_mistral_answers Mistral, live_groq_answers Groq;
    streams: live_claude_streams Claude, live_openai_streams OpenAi, live_gemini_streams Gemini,
        live_grok_streams Grok, live_mistral_streams Mistral, live_groq_streams Groq;
    calls_a_tool: live_claude_calls_a_tool Claude, live_openai_calls_a_tool OpenAi,
        live_gemini_calls_a_tool Gemini, live_grok_calls_a_tool Grok,
        live_mistral_calls_a_tool Mistral, live_groq_calls_a_tool Groq;
    gives_json: live_claude_gives_json Claude, live_openai_gives_json OpenAi, live_gemini_gives_json Gemini,
        live_grok_gives_json Grok, live_mistral_gives_json Mistral, live_groq_gives_json Groq;
    gives_a_long_answer: live_claude_gives_a_long_answer Claude, live_openai_gives_a_long_answer OpenAi,
        live_gemini_gives_a_long_answer Gemini, live_grok_gives_a_long_answer Grok,
        live_mistral_gives_a_long_answer Mistral, live_groq_gives_a_long_answer Groq;
    refuses_a_bad_key: live_claude_refuses_a_bad_key Claude, live_openai_refuses_a_bad_key OpenAi,
        live_gemini_refuses_a_bad_key Gemini, live_grok_refuses_a_bad_key Grok,
        live_mistral_refuses_a_bad_key Mistral, live_groq_refuses_a_bad_key Groq;
}

#[tokio::test]
#[ignore = "asks a real service"]
async fn live_mistral_fills_in() {
    let Some(spec) = live(Service::Mistral) else { return };
    let request = InfillRequest {
        client: ClientId::new("live"),
        origin: Origin::default(),
        lane: Lane::Interactive,
        prefix: "def add(a, b):\n    return ".to_owned(),
        suffix: "\n\nprint(add(1, 2))\n".to_owned(),
        context: InfillContext::default(),
        prompt_tokens_max: 500,
        references: Vec::new(),
        sampling: Sampling { tokens_max: 32, ..Sampling::default() },
    };
    let heard = Heard::of(provider(spec).infill(request)).await;
    assert!(heard.text().replace(' ', "").contains("a+b"), "{:?} {:?}", heard.text(), heard.end);
}

/// The same question, in the same shape from everybody who has a key.
#[tokio::test]
#[ignore = "asks real services"]
async fn live_all_services_answer_alike() {
    let mut shapes = Vec::new();
    for service in &SERVICES {
        let Some(spec) = live(service.service) else { continue };
        let plan = plan(spec).await;
        let members: Vec<&String> = plan.as_object().unwrap().keys().collect();
        let mut members: Vec<String> = members.into_iter().cloned().collect();
        members.sort();
        shapes.push((service.name, members, plan["language"].clone()));
    }
    for (name, members, language) in &shapes {
        assert_eq!((members, language), (&shapes[0].1, &shapes[0].2), "{name} and {}", shapes[0].0);
    }
}
