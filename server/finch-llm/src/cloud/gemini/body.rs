//! The body of a request.

use serde_json::{Map, Value, json};

use super::NAME;
use crate::{
    Answer, GenerateRequest, OutputFormat, ToolChoice,
    cloud::{
        Thinking, schema,
        turns::{self, Conversation, Part, Turn},
    },
};

/// Stop texts at most.
const STOPS_MAX: usize = 5;

pub(crate) fn contents(request: &GenerateRequest, thinking: Thinking) -> Value {
    let mut conversation = Conversation::of(&request.messages);
    let mut config = sampling(request, thinking);
    if let Some(words) = format(&mut config, request) {
        conversation.instruct(&words);
    }
    let mut body = Map::new();
    if !conversation.system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({"parts": [{"text": conversation.system}]}));
    }
    body.insert("contents".to_owned(), conversation.turns.iter().map(turn).collect());
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), json!([{"functionDeclarations": tools(request)}]));
        body.insert("toolConfig".to_owned(), json!({"functionCallingConfig": choice(&request.tool_choice)}));
    }
    body.insert("generationConfig".to_owned(), config);
    Value::Object(body)
}

fn tools(request: &GenerateRequest) -> Vec<Value> {
    let declare = |tool: &crate::ToolSpec| {
        let mut function = json!({"name": tool.name, "description": tool.description});
        // An object without members is refused.
        if tool.parameters["properties"].as_object().is_some_and(|properties| !properties.is_empty()) {
            function["parameters"] = schema::for_gemini(&tool.parameters);
        }
        function
    };
    request.tools.iter().map(declare).collect()
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    }
}

fn turn(turn: &Turn<'_>) -> Value {
    match turn {
        Turn::User(parts) => json!({"role": "user", "parts": parts.iter().map(part).collect::<Vec<_>>()}),
        Turn::Assistant(answer) => json!({"role": "model", "parts": assistant(answer)}),
    }
}

fn part(part: &Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image(image) => json!({"inlineData": {"mimeType": image.media_type, "data": &*image.base64}}),
        Part::Result(result, name) => {
            let member = if result.is_error { "error" } else { "output" };
            json!({"functionResponse": {"name": name, "response": {member: result.text}}})
        }
    }
}

fn assistant(answer: &Answer) -> Vec<Value> {
    let signature = |on: &'static str, at: usize| {
        turns::kept(answer, NAME, at).find(|kept| kept["on"] == on).map(|mut kept| kept["thoughtSignature"].take())
    };
    let mut parts = Vec::new();
    if !answer.text.is_empty() {
        parts.push(signed(json!({"text": answer.text}), signature("text", 0)));
    }
    for (at, call) in answer.tool_calls.iter().enumerate() {
        let function = json!({"functionCall": {"name": call.name, "args": turns::arguments_back(call)}});
        parts.push(signed(function, signature("call", at)));
    }
    parts
}

fn signed(mut part: Value, signature: Option<Value>) -> Value {
    if let Some(signature) = signature {
        part["thoughtSignature"] = signature;
    }
    part
}

fn sampling(request: &GenerateRequest, thinking: Thinking) -> Value {
    let sampling = &request.sampling;
    let decimal = |number: f32| number.to_string().parse::<f64>().unwrap_or_default();
    let mut config = json!({"temperature": decimal(sampling.temperature), "maxOutputTokens": sampling.tokens_max});
    if sampling.top_p < 1.0 {
        config["topP"] = decimal(sampling.top_p).into();
    }
    if let Some(top_k) = sampling.top_k {
        config["topK"] = top_k.into();
    }
    if sampling.temperature > 0.0 {
        config["seed"] = (sampling.seed & 0x7fff_ffff).into();
    }
    let stops: Vec<&String> = sampling.stop.iter().filter(|stop| !stop.is_empty()).take(STOPS_MAX).collect();
    if !stops.is_empty() {
        config["stopSequences"] = json!(stops);
    }
    if let Thinking::Tokens(budget) = thinking {
        // The bound holds for thoughts and answer together.
        config["maxOutputTokens"] = (sampling.tokens_max + budget).into();
        config["thinkingConfig"] = json!({"includeThoughts": true, "thinkingBudget": budget});
    }
    config
}

/// Binds the answer to a form; returns the words that have to help. A bound answer excludes tools here.
fn format(config: &mut Value, request: &GenerateRequest) -> Option<String> {
    let has_tools = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    match &request.output {
        OutputFormat::Text | OutputFormat::Grammar(_) => None,
        OutputFormat::JsonObject if has_tools => Some(turns::json_words(None)),
        OutputFormat::JsonSchema(schema) if has_tools => Some(turns::json_words(Some(schema))),
        OutputFormat::JsonObject => {
            config["responseMimeType"] = "application/json".into();
            Some(turns::json_words(None))
        }
        OutputFormat::JsonSchema(schema) => {
            config["responseMimeType"] = "application/json".into();
            config["responseSchema"] = schema::for_gemini(schema);
            None
        }
    }
}
