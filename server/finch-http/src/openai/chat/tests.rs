//! What a body means, and what is refused by which name.

use finch_llm::{Image, Lane, Task};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn with(members: Value) -> Value {
    let mut body = json!({"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

#[track_caller]
fn read(members: Value) -> ChatRequest {
    ChatRequest::read(with(members)).unwrap_or_else(|error| panic!("{}", error.message))
}

#[track_caller]
fn refused(members: Value, param: &str) {
    match ChatRequest::read(with(members.clone())) {
        Err(error) => {
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{}", error.message);
            assert!(error.message.starts_with(param), "{}", error.message);
        }
        Ok(_) => panic!("{members} was taken"),
    }
}

#[track_caller]
fn says(messages: Value, expected: &[Message]) {
    assert_eq!(read(json!({ "messages": messages })).messages, expected);
}

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

#[test]
fn messages_become_a_conversation() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"a\":1}"}});
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]},
        {"role": "user", "content": " Hi\n", "name": "ann"},
        {"role": "assistant", "content": null, "tool_calls": [call], "refusal": null, "annotations": []},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "text"}]},
        {"role": "assistant", "content": "Done.", "reasoning_content": "hm"},
    ]);
    let call = ToolCall { id: "c1".to_owned(), name: "read".to_owned(), arguments_json: "{\"a\":1}".to_owned() };
    let result = ToolResult { call_id: "c1".to_owned(), text: "text".to_owned(), is_error: false };
    let answer = Answer { reasoning: "hm".to_owned(), ..Answer::text("Done.") };
    says(
        messages,
        &[
            Message::System("Be brief.".to_owned()),
            Message::System("Be kind.".to_owned()),
            user(" Hi\n"),
            Message::Assistant(Answer { tool_calls: vec![call], ..Answer::default() }),
            Message::ToolResult(result),
            Message::Assistant(answer),
        ],
    );
}

#[test]
fn pictures_stand_where_they_were_shown() {
    let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
    let content = json!([
        {"type": "text", "text": "a"}, {"type": "text", "text": "b"},
        picture("data:image/png;base64,iVBORw0KGgo="), {"type": "text", "text": "c"},
    ]);
    let image = Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".into() };
    says(json!([{"role": "user", "content": content}]), &[user("ab"), Message::Image(image), user("c")]);
    for url in ["http://127.0.0.1:9/a.png", "https://example.com/a.png", "file:///etc/passwd"] {
        let messages = json!([{"role": "user", "content": [picture(url)]}]);
        refused(json!({ "messages": messages }), "messages[0].content[0].image_url.url");
    }
    let messages = json!([{"role": "system", "content": [picture("data:image/png;base64,iVBORw0KGgo=")]}]);
    refused(json!({ "messages": messages }), "messages[0].content");
}

#[test]
fn messages_that_are_none_are_refused_by_their_place() {
    let one = |message: Value| json!({ "messages": [message] });
    refused(json!({"messages": []}), "messages");
    refused(json!({"messages": null}), "messages");
    refused(json!({"messages": "Hi"}), "messages");
    refused(one(json!("Hi")), "messages[0]");
    refused(one(json!({"content": "Hi"})), "messages[0].role");
    refused(one(json!({"role": "function", "content": "Hi"})), "messages[0].role");
    refused(one(json!({"role": "user"})), "messages[0].content");
    refused(one(json!({"role": "user", "content": []})), "messages[0].content");
    refused(one(json!({"role": "user", "content": 5})), "messages[0].content");
    refused(one(json!({"role": "user", "content": [{"type": "input_audio"}]})), "messages[0].content[0].type");
    refused(one(json!({"role": "user", "content": [{"type": "text"}]})), "messages[0].content[0].text");
    refused(one(json!({"role": "tool", "content": "x"})), "messages[0].tool_call_id");
    let call = json!([{"id": "", "function": {"name": "a", "arguments": ""}}]);
    refused(one(json!({"role": "assistant", "tool_calls": call})), "messages[0].tool_calls[0].id");
}

#[test]
fn numbers_have_ranges() {
    for tokens in
        [json!(-1), json!(0), json!(1e18), json!(1_u64 << 60), json!("5"), json!(1.5), json!([1]), json!(true)]
    {
        refused(json!({ "max_tokens": tokens }), "max_tokens");
        refused(json!({ "max_completion_tokens": tokens }), "max_completion_tokens");
        refused(json!({ "top_k": tokens }), "top_k");
    }
    for n in [json!(0), json!(-1), json!(5), json!(1e6), json!("1")] {
        refused(json!({ "n": n }), "n");
    }
    for temperature in [json!(-1), json!(2.1), json!("0"), json!(1e300)] {
        refused(json!({ "temperature": temperature }), "temperature");
    }
    for top_p in [json!(-0.1), json!(1.1), json!("1")] {
        refused(json!({ "top_p": top_p }), "top_p");
    }
    for seed in [json!(1.5), json!("1"), json!(1e30)] {
        refused(json!({ "seed": seed }), "seed");
    }
    let read = read(json!({"max_completion_tokens": 9, "max_tokens": 5, "temperature": 2, "top_p": 0, "seed": -1}));
    let sampling = read.wishes.sampling(&read.extension, 1, 3);
    assert_eq!((sampling.tokens_max, sampling.temperature, sampling.seed), (9, 2.0, 3));
    assert!(sampling.top_p > 0.0);
    assert_eq!(read.wishes.seed, Some(u64::MAX));
}

#[test]
fn without_wishes_the_likeliest_token_is_taken() {
    let read = read(json!({"temperature": null, "stop": null}));
    let sampling = read.wishes.sampling(&read.extension, CHAT_TOKENS_DEFAULT, 3);
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k, sampling.tokens_max), (0.0, 1.0, None, 4096));
}

#[test]
fn texts_that_end_the_answer_are_one_or_several() {
    let stop = |stop: Value| read(json!({ "stop": stop })).wishes.stop;
    assert_eq!(stop(json!("\n")), ["\n"]);
    assert_eq!(stop(json!(["a", "", "b"])), ["a", "b"]);
    assert_eq!(stop(json!(vec!["a"; 16])).len(), 16);
    refused(json!({"stop": vec!["a"; 17]}), "stop");
    refused(json!({"stop": [1]}), "stop[0]");
    refused(json!({"stop": {}}), "stop");
    refused(json!({"stop": "x".repeat(257)}), "stop");
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    refused(json!({"frequency_penalty": 0.5}), "frequency_penalty");
    refused(json!({"presence_penalty": -0.5}), "presence_penalty");
    refused(json!({"logit_bias": {"50256": -100}}), "logit_bias");
    refused(json!({"logprobs": "yes"}), "logprobs");
    refused(json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs");
    refused(json!({"top_logprobs": 3}), "top_logprobs");
    refused(json!({"repeat_penalty": 1.1}), "repeat_penalty");
    refused(json!({"modalities": ["text", "audio"]}), "modalities");
    refused(json!({"audio": {"voice": "x"}}), "audio");
    refused(json!({"web_search_options": {}}), "web_search_options");
    refused(json!({"functions": [{"name": "a"}]}), "functions");
    refused(json!({"function_call": "auto"}), "function_call");
    refused(json!({"n": 2, "stream": true}), "n");
    refused(json!({"something_new": 1}), "something_new");
    refused(json!({"stream": "yes"}), "stream");
}

#[test]
fn what_asks_for_nothing_is_taken() {
    read(json!({
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": false, "top_logprobs": 0,
        "repeat_penalty": 1.0, "modalities": ["text"], "user": "ann", "metadata": {"a": "b"}, "store": false,
        "service_tier": "auto", "reasoning_effort": "low", "prompt_cache_key": "x", "verbosity": "low",
        "something_new": null, "functions": [], "n": 1, "audio": null,
    }));
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "d", "strict": true}})
}

#[test]
fn tools_and_the_choice_of_them() {
    let parameters = json!({"type": "object", "properties": {}});
    let spec = ToolSpec { name: "read".to_owned(), description: "d".to_owned(), parameters };
    let chosen = |choice: Value| {
        let read = read(json!({"tools": [tool("read")], "tool_choice": choice}));
        assert_eq!(read.tools, std::slice::from_ref(&spec));
        read.tool_choice
    };
    assert_eq!(chosen(Value::Null), ToolChoice::Auto);
    assert_eq!(chosen(json!("auto")), ToolChoice::Auto);
    assert_eq!(chosen(json!("none")), ToolChoice::None);
    assert_eq!(chosen(json!("required")), ToolChoice::Required);
    let named = ToolChoice::Tool("read".to_owned());
    assert_eq!(chosen(json!({"type": "function", "function": {"name": "read"}})), named);
    refused(json!({"tools": [tool("read"), tool("read")]}), "tools");
    refused(json!({"tools": [tool("")]}), "tools[0].function.name");
    refused(json!({"tools": [tool("a/../b")]}), "tools[0].function.name");
    refused(json!({"tools": [{"type": "custom", "custom": {"name": "a"}}]}), "tools[0].type");
    refused(json!({"tools": [{"type": "function"}]}), "tools[0].function");
    let broken = json!({"type": "function", "function": {"name": "a", "parameters": "x"}});
    refused(json!({ "tools": [broken] }), "tools[0].function.parameters");
    refused(json!({"tools": vec![tool("a"); 129]}), "tools");
    refused(json!({"tool_choice": "required"}), "tool_choice");
    refused(json!({"tool_choice": "sometimes"}), "tool_choice");
    let other = json!({"type": "function", "function": {"name": "write"}});
    refused(json!({"tools": [tool("read")], "tool_choice": other}), "tool_choice");
}

#[test]
fn the_form_of_the_answer() {
    let form = |format: Value| read(json!({ "response_format": format })).output;
    let schema = json!({"type": "object"});
    assert_eq!(form(json!({"type": "text"})), OutputFormat::Text);
    assert_eq!(form(json!({"type": "json_object"})), OutputFormat::JsonObject);
    let of_openai = json!({"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": schema}});
    assert_eq!(form(of_openai), OutputFormat::JsonSchema(schema.clone()));
    let of_others = json!({"type": "json_object", "schema": schema});
    assert_eq!(form(of_others), OutputFormat::JsonSchema(schema.clone()));
    assert_eq!(read(json!({"finch": {"grammar": "start: A"}})).output, OutputFormat::Grammar("start: A".to_owned()));
    refused(json!({"response_format": {"type": "xml"}}), "response_format.type");
    refused(json!({"response_format": "json"}), "response_format");
    refused(
        json!({"response_format": {"type": "json_schema", "json_schema": {}}}),
        "response_format.json_schema.schema",
    );
    let both = json!({"response_format": {"type": "json_object"}, "finch": {"grammar": "start: A"}});
    refused(both, "finch.grammar");
}

#[test]
fn finchs_own_member_is_heard() {
    let finch = json!({
        "client": "me", "lane": "interactive", "task": "plan", "workspace": "/p", "references": ["r"],
        "failed_calls": ["c1"], "top_k": 5, "unsure_below": 0.5,
    });
    let messages = json!([{"role": "tool", "tool_call_id": "c1", "content": "no"}]);
    let prediction = json!({"type": "content", "content": "p"});
    let read = read(json!({"finch": finch, "messages": messages, "prediction": prediction}));
    let found = Origin { named: Some(finch_llm::ProviderId::new("groq")), ..Origin::default() };
    let origin = read.extension.origin(&found, Task::Plan);
    let request = read.generate(ClientId::new("me"), origin, 1);
    assert_eq!(
        (request.lane, request.sampling.top_k, request.sampling.unsure_below),
        (Lane::Interactive, Some(5), 0.5)
    );
    assert_eq!(request.references, ["p".into(), "r".into()]);
    assert_eq!((request.origin.named, request.origin.workspace.is_some()), (found.named, true));
    let [Message::ToolResult(result)] = request.messages.as_slice() else { panic!("{:?}", request.messages) };
    assert!(result.is_error);
    refused(json!({"finch": {"context": {}}}), "finch");
    refused(json!({"finch": []}), "finch");
    refused(json!({"finch": {"lane": 5}}), "finch");
}

#[test]
fn requests_of_real_clients_are_taken() {
    // As Zed's assistant, Copilot's own-key models, Continue and aider ask.
    read(json!({
        "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 4096, "temperature": 1.0,
        "stop": [], "parallel_tool_calls": false, "tools": [tool("a")], "tool_choice": "auto", "prompt_cache_key": "t",
        "reasoning_effort": null,
    }));
    read(json!({
        "stream": true, "n": 1, "top_p": 1, "temperature": 0.1, "max_tokens": 4096, "tools": [], "intent": false,
        "stream_options": {"include_usage": true}, "snippy": {"enabled": false},
    }));
    read(json!({
        "stream": true, "max_tokens": 2048, "temperature": 0.5, "frequency_penalty": 0, "presence_penalty": 0,
        "stop": ["<|im_end|>"], "prediction": {"type": "content", "content": "fn a() {}"},
    }));
    read(json!({"temperature": 0, "stream": true, "top_p": null, "user": "aider"}));
}

/// JSON of any kind, with the names of members that are read among its names.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-z<|>_ ]{0,12}".prop_map(Value::from),
        proptest::sample::select(vec!["user", "assistant", "tool", "text", "function", "auto", "message", "image_url"])
            .prop_map(Value::from),
    ];
    let names = vec![
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "parameters",
        "tool_calls",
        "id",
        "arguments",
        "tool_choice",
        "response_format",
        "json_schema",
        "schema",
        "stop",
        "n",
        "seed",
        "stream",
        "stream_options",
        "prompt",
        "suffix",
        "finch",
        "client",
        "lane",
        "context",
        "input",
        "instructions",
        "call_id",
        "output",
        "system",
        "max_tokens",
        "image_url",
        "url",
        "source",
        "data",
        "input_schema",
        "thinking",
        "prediction",
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(names.clone()), inner), 0..8)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_that_is_json_panics(value in any_json()) {
        for path in crate::PATHS {
            if let Err(error) = crate::check_request(path, value.to_string().as_bytes()) {
                prop_assert!(!error.is_empty());
            }
        }
        // The same within a request that is fine but for it.
        for name in ["messages", "tools", "tool_choice", "response_format", "finch", "stop"] {
            let result = ChatRequest::read(with(json!({ name: value.clone() })));
            if value.is_null() && name != "messages" {
                prop_assert!(result.is_ok(), "null is as good as nothing");
            }
        }
    }
}
