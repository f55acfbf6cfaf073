//! Each of the six clouds answers, as `llmock` speaks for it, and `llmock` finds nothing to say against the client.
//!
//! Its verdict knows requests alone, not what became of an answer: a stream that it cut counts as accepted unless the
//! same request comes again. A cut before the first text is mended by the provider. One behind it cannot be, for the
//! text was shown: it ends with an error, and whoever asked asks again, here as in an editor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use finch_llm::cloud::{CloudProvider, CloudSpec, Service, Waits};
use finch_llm::normalise::normalise;
use finch_llm::{
    ClientId, GenerateRequest, Image, InfillContext, InfillRequest, Lane, LlmError, Message, Origin, OutputFormat,
    Provider as _, Sampling, StopReason, ToolResult, ToolSpec,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::support::heard::Heard;
use crate::support::llmock::{KEY, Llmock, SERVICES};

const SYSTEM: &str = "Be brief and exact.";
const ASKED: &str = "Hello there, who are you?";
const SAID: [&str; 9] = ["Grüße, ", "世界! ", "This ", "is ", "an ", "answer ", "in ", "nine ", "pieces."];

fn provider(spec: CloudSpec) -> CloudProvider {
    CloudProvider::new(spec, Arc::new(|_| Ok(finch_llm::cloud::Passage::unwatched())), Handle::current()).unwrap()
}

fn asked() -> GenerateRequest {
    let messages = vec![Message::System(SYSTEM.to_owned()), Message::User(ASKED.to_owned())];
    GenerateRequest::new(ClientId::new("test"), Lane::Interactive, messages)
}

fn said() -> Value {
    json!({ "type": "reply", "text": SAID.concat() })
}

fn fails(status: u16) -> Value {
    json!({ "type": "fail", "status": status })
}

/// Asks `llmock` as each service, and wants a clean verdict, warnings counted, behind each.
async fn with_each_service(ask: impl AsyncFn(&Llmock, Service, &CloudProvider)) {
    let server = Llmock::start();
    for (service, ..) in SERVICES {
        server.reset();
        let mut spec = server.spec(service);
        // A stall is noticed soon.
        spec.waits = Waits { between_bytes: Duration::from_millis(400), ..Waits::default() };
        ask(&server, service, &provider(spec)).await;
        assert_eq!(server.findings(), [""; 0], "{service:?}");
    }
}

/// Where text begins in a stream: the number of events without any before it.
fn events_before_text(service: Service) -> usize {
    match service {
        Service::Claude => 3,
        Service::Gemini => 0,
        Service::OpenAi | Service::Grok | Service::Mistral | Service::Groq | Service::Compatible => 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_comes_in_its_pieces_and_the_system_prompt_arrives() {
    with_each_service(async |server, service, provider| {
        server.queue(&[said()]);
        let heard = Heard::of(provider.generate(asked())).await;
        assert_eq!((heard.pieces.as_slice(), heard.reason()), (&SAID.map(str::to_owned)[..], StopReason::EndOfText));
        let body = &server.bodies()[0];
        let (system, user) = match service {
            Service::Claude => ("/system/0/text", "/messages/0/content/0/text"),
            Service::Gemini => ("/systemInstruction/parts/0/text", "/contents/0/parts/0/text"),
            _ => ("/messages/0/content", "/messages/1/content"),
        };
        let found = [system, user].map(|place| body.pointer(place).and_then(Value::as_str));
        assert_eq!(found, [Some(SYSTEM), Some(ASKED)], "{body}");
        // A token is four letters there. It tells them as Mistral only when asked to, and Mistral is never asked.
        let counts = if service == Service::Mistral { (0, 0) } else { (10, SAID.concat().chars().count() / 4) };
        let usage = heard.done().usage;
        assert_eq!((usage.prompt_tokens, usage.generated_tokens), counts, "{service:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_result_is_answered() {
    let read = ToolSpec {
        name: "read_file".to_owned(),
        description: "Reads a file.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "path": { "type": "string" }, "line": { "type": "integer" } },
            "required": ["path", "line"],
        }),
    };
    with_each_service(async |server, service, provider| {
        let mut request = GenerateRequest { tools: vec![read.clone()], ..asked() };
        let call = Heard::of(provider.generate(request.clone())).await;
        assert_eq!((call.reason(), call.text().as_str(), call.calls.len()), (StopReason::ToolCalls, "", 1));
        assert_eq!(call.calls[0].name, "read_file");
        assert_eq!(Value::Object(call.calls[0].arguments().unwrap()), json!({ "path": "mock-path", "line": 1 }));
        let result =
            ToolResult { call_id: call.calls[0].id.clone(), text: "fn canary() {}".to_owned(), is_error: false };
        request.messages.extend([Message::Assistant(call.answer()), Message::ToolResult(result)]);
        server.queue(&[said()]);
        let heard = Heard::of(provider.generate(request)).await;
        assert_eq!((heard.text(), heard.reason()), (SAID.concat(), StopReason::EndOfText), "{service:?}");
        let body = server.bodies().pop().unwrap().to_string();
        assert!(body.contains("fn canary() {}") && body.contains("mock-path"), "{body}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tools_are_called_in_order_behind_some_text() {
    with_each_service(async |server, service, provider| {
        let calls = json!([
            { "name": "read_file", "arguments": { "path": "ä \"quoted\" \\ path" } },
            { "name": "read_file", "arguments": { "path": "b" } },
            { "name": "list", "arguments": {} },
        ]);
        server.queue(&[json!({ "type": "reply", "text": "Let me see.", "tool_calls": calls })]);
        let heard = Heard::of(provider.generate(asked())).await;
        assert_eq!((heard.text().as_str(), heard.reason()), ("Let me see.", StopReason::ToolCalls), "{service:?}");
        let found = heard.calls.iter().map(|call| json!({ "name": call.name, "arguments": call.arguments().unwrap() }));
        assert_eq!(found.collect::<Value>(), calls, "{service:?}");
        let ids: std::collections::BTreeSet<&str> = heard.calls.iter().map(|call| call.id.as_str()).collect();
        assert!(ids.len() == 3 && !ids.contains(""), "{ids:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_becomes_json_of_the_wanted_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" },
            "steps": { "type": "array", "items": { "type": "integer" }, "minItems": 1 },
        },
        "required": ["title", "steps"],
        "additionalProperties": false,
    });
    with_each_service(async |server, service, provider| {
        let request = GenerateRequest { output: OutputFormat::JsonSchema(schema.clone()), ..asked() };
        let bound = Heard::of(provider.generate(request.clone())).await;
        assert_eq!(bound.reason(), StopReason::EndOfText);
        let found = normalise(&bound.text(), &schema).unwrap_or_else(|error| panic!("{service:?}: {error}"));
        assert!(found.value["title"].is_string() && !found.was_mended, "{service:?}: {}", bound.text());
        // The same question, and a model that does not keep to it.
        let loose = "Sure:\n```json\n{'title': \"x\", \"steps\": [\"1\", 2,],}\n```\nAnything else?";
        server.queue(&[json!({ "type": "reply", "text": loose })]);
        let heard = Heard::of(provider.generate(request)).await;
        assert_eq!(normalise(&heard.text(), &schema).unwrap().value, json!({ "title": "x", "steps": [1, 2] }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_goes_along() {
    with_each_service(async |server, service, provider| {
        let mut request = asked();
        let image = Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".into() };
        request.messages.push(Message::Image(image));
        server.queue(&[said()]);
        let heard = Heard::of(provider.generate(request)).await;
        assert_eq!((heard.text(), heard.reason()), (SAID.concat(), StopReason::EndOfText));
        let (place, picture) = match service {
            Service::Claude => (
                "/messages/0/content/1/source",
                json!({ "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" }),
            ),
            Service::Gemini => {
                ("/contents/0/parts/1/inlineData", json!({ "mimeType": "image/png", "data": "iVBORw0KGgo=" }))
            }
            _ => ("/messages/1/content/1/image_url", json!({ "url": "data:image/png;base64,iVBORw0KGgo=" })),
        };
        let body = &server.bodies()[0];
        assert_eq!(body.pointer(place), Some(&picture), "{service:?}: {body}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_or_filtered_says_so() {
    with_each_service(async |server, service, provider| {
        let ends = |reason: &str| json!({ "type": "reply", "text": SAID.concat(), "finish_reason": reason });
        server.queue(&[ends("length"), ends("content_filter")]);
        let cut = Heard::of(provider.generate(asked())).await;
        assert_eq!((cut.text(), cut.reason()), (SAID.concat(), StopReason::TokensMax), "{service:?}");
        let filtered = Heard::of(provider.generate(asked())).await;
        assert!(matches!(filtered.error(), LlmError::Refused { .. }), "{service:?}: {:?}", filtered.end);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_wrong_is_asked_once_and_names_the_provider() {
    with_each_service(async |server, service, provider| {
        for (status, kind) in
            [(401, "unauthorized"), (403, "unauthorized"), (404, "refused"), (400, "protocol"), (422, "protocol")]
        {
            server.reset();
            server
                .queue(&[json!({ "type": "fail", "status": status, "times": null, "message": format!("No: {KEY}") })]);
            let heard = Heard::of(provider.generate(asked())).await;
            let said = heard.error().to_string();
            assert_eq!((heard.error().kind(), server.bodies().len()), (kind, 1), "{service:?} {status}: {said}");
            assert!(said.contains(provider.id().as_str()) && said.contains("(key)"), "{said}");
            assert!(!format!("{said} {:?}", heard.error()).contains("CANARY"), "{said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_to_wait_is_waited_for() {
    with_each_service(async |server, service, provider| {
        server.queue(&[json!({ "type": "fail", "status": 429, "retry_after": 1 }), said()]);
        let begun = Instant::now();
        let heard = Heard::of(provider.generate(asked())).await;
        assert_eq!((heard.text(), server.bodies().len()), (SAID.concat(), 2), "{service:?}");
        assert!(begun.elapsed() >= Duration::from_secs(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_asked_again_and_not_for_ever() {
    with_each_service(async |server, service, provider| {
        server.queue(&[fails(500), fails(502), said()]);
        let heard = Heard::of(provider.generate(asked())).await;
        assert_eq!((heard.text(), server.bodies().len()), (SAID.concat(), 3), "{service:?}");
        server.queue(&[json!({ "type": "fail", "status": 500, "times": null })]);
        // Another question, for its tries are counted by themselves.
        let other = GenerateRequest { messages: vec![Message::User("Other.".to_owned())], ..asked() };
        let heard = Heard::of(provider.generate(other)).await;
        assert!(matches!(heard.error(), LlmError::Unavailable { .. }), "{:?}", heard.end);
        assert_eq!(server.bodies().len(), 6, "{service:?}");
    })
    .await;
}

/// What is shown of an answer whose stream breaks behind its second piece, and of the same question asked again.
async fn broken_within_text(kind: &'static str, error: &'static str, finding: Option<&'static str>) {
    with_each_service(async |server, service, provider| {
        let after = events_before_text(service) + 2;
        let fault = json!({ "type": "stream_fault", "kind": kind, "after_chunks": after, "stall_seconds": 30 });
        server.queue(&[fault, json!({ "type": "reply", "text": SAID.concat(), "times": 2 })]);
        let broken = Heard::of(provider.generate(asked())).await;
        assert_eq!(broken.pieces, SAID[..2], "{service:?}");
        assert_eq!(broken.error().kind(), error, "{service:?}: {}", broken.error());
        // It asked no more of itself, which is all that the verdict sees. Whoever reads the error asks again.
        assert_eq!(server.bodies().len(), 1, "{service:?}");
        let found = server.findings();
        let codes: Vec<&str> = found.iter().filter_map(|one| one.split(':').next()).collect();
        assert_eq!(codes, finding.into_iter().collect::<Vec<_>>(), "{service:?}");
        let again = Heard::of(provider.generate(asked())).await;
        assert_eq!((again.text(), again.reason()), (SAID.concat(), StopReason::EndOfText), "{service:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_early_is_no_answer() {
    broken_within_text("truncate", "unavailable", Some("truncated_stream_accepted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_drops_is_no_answer() {
    broken_within_text("disconnect", "unavailable", Some("gave_up")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stalls_is_left() {
    broken_within_text("stall", "unavailable", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_no_json_ends_the_answer() {
    broken_within_text("malformed", "protocol", Some("malformed_chunk_ignored")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_before_its_first_text_is_asked_for_again() {
    with_each_service(async |server, service, provider| {
        for kind in ["truncate", "disconnect"] {
            server.reset();
            let after = events_before_text(service);
            let fault = json!({ "type": "stream_fault", "kind": kind, "after_chunks": after });
            server.queue(&[fault, json!({ "type": "reply", "text": SAID.concat(), "times": 2 })]);
            let heard = Heard::of(provider.generate(asked())).await;
            assert_eq!((heard.text(), server.bodies().len()), (SAID.concat(), 2), "{service:?} {kind}");
            assert_eq!(server.findings(), [""; 0], "{service:?} {kind}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_tool_call_is_never_handed_over() {
    with_each_service(async |server, service, provider| {
        // Within the arguments; behind them and before the end of the answer where a call comes whole.
        let events = match service {
            Service::Claude => 6,
            Service::Gemini => 0,
            Service::Mistral => 2,
            _ => 6,
        };
        let call = json!([{ "name": "delete", "arguments": { "path": "a path of some length, in several pieces" } }]);
        let fault = json!({ "type": "stream_fault", "kind": "truncate", "after_chunks": events });
        server.queue(&[fault, json!({ "type": "reply", "tool_calls": call, "times": 2 })]);
        let heard = Heard::of(provider.generate(asked())).await;
        // Nothing was shown, so the provider has asked again by itself.
        assert_eq!((heard.calls.len(), server.bodies().len()), (1, 2), "{service:?}: {heard:?}");
        assert_eq!(heard.calls[0].arguments().unwrap()["path"], "a path of some length, in several pieces");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_arguments_and_unknown_tools_are_seen_as_what_they_are() {
    let tool = ToolSpec {
        name: "delete".to_owned(),
        description: "Deletes a file.".to_owned(),
        parameters: json!({ "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"] }),
    };
    with_each_service(async |server, service, provider| {
        let request = GenerateRequest { tools: vec![tool.clone()], ..asked() };
        server.queue(&[json!({ "type": "tool_fault", "kind": "malformed_arguments" })]);
        let mut broken = Heard::of(provider.generate(request.clone())).await;
        assert_eq!((broken.reason(), broken.calls.len()), (StopReason::ToolCalls, 1), "{service:?}");
        // Gemini sends an object, which cannot be half.
        if service != Service::Gemini {
            let call = broken.calls.pop().unwrap();
            assert!(call.arguments().is_err(), "{service:?}: {}", call.arguments_json);
            broken.calls.push(call);
        }
        // What the model wrote goes back to it with the error, and is taken.
        let result =
            ToolResult { call_id: broken.calls[0].id.clone(), text: "no JSON object".to_owned(), is_error: true };
        let mut next = request.clone();
        next.messages.extend([Message::Assistant(broken.answer()), Message::ToolResult(result)]);
        assert_eq!(Heard::of(provider.generate(next)).await.reason(), StopReason::EndOfText, "{service:?}");
        server.queue(&[json!({ "type": "tool_fault", "kind": "unknown_tool" })]);
        let unknown = Heard::of(provider.generate(request)).await;
        assert_eq!(unknown.calls[0].name, "llmock_unknown_tool", "{service:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_too_long_says_by_how_much() {
    let server = Llmock::start_with(&["--context-window", "1000"]);
    for (service, ..) in SERVICES {
        let request = GenerateRequest { messages: vec![Message::User("four".repeat(2_000))], ..asked() };
        let heard = Heard::of(provider(server.spec(service)).generate(request)).await;
        assert_eq!(heard.error(), &LlmError::ContextTooLong { tokens: 2_000, tokens_max: 1_000 }, "{service:?}");
    }
    assert_eq!((server.bodies().len(), server.findings()), (6, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_converses_is_asked_in_words_to_fill_in() {
    let request = InfillRequest {
        client: ClientId::new("test"),
        origin: Origin::default(),
        lane: Lane::Interactive,
        prefix: "fn add(".to_owned(),
        suffix: ") -> i32 {".to_owned(),
        context: InfillContext::default(),
        prompt_tokens_max: 100,
        references: Vec::new(),
        sampling: Sampling::default(),
    };
    with_each_service(async |server, service, provider| {
        server.queue(&[json!({ "type": "reply", "text": "```rust\na: i32, b: i32\n```" })]);
        let heard = Heard::of(provider.infill(request.clone())).await;
        // Mistral fills in by itself and is asked to; what speaks for it here cannot, says 404, and is asked once.
        if service == Service::Mistral {
            assert!(matches!(heard.error(), LlmError::Refused { .. }), "{:?}", heard.end);
        } else {
            assert_eq!(
                (heard.text().as_str(), heard.reason()),
                ("a: i32, b: i32", StopReason::EndOfText),
                "{service:?}"
            );
        }
        let bodies = server.bodies();
        let (body, is_marked) = (bodies[0].to_string(), service != Service::Mistral);
        let around = if is_marked { "fn add(<|cursor|>) -> i32 {" } else { "\"suffix\":\") -> i32 {\"" };
        assert!(bodies.len() == 1 && body.contains(around), "{service:?}: {body}");
    })
    .await;
}
