//! How the families write what is not plain answer: thoughts, and tool calls.
//!
//! One row each. The template says which dialect a model speaks; the writer reads answers by it, and a call that has to
//! be made is written by its grammar.

use finch_llm::ToolSpec;
use serde_json::{Value, json};

use super::template::json_text;

/// The tags around a block of reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thought {
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
}

pub(crate) const THOUGHTS: [Thought; 4] = [
    // DeepSeek R1, Qwen 3, SmolLM 3, Phi 4 reasoning and most others.
    Thought { open: "<think>", close: "</think>" },
    // Magistral.
    Thought { open: "[THINK]", close: "[/THINK]" },
    // Command.
    Thought { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
    // Seed.
    Thought { open: "<seed:think>", close: "</seed:think>" },
];

impl Thought {
    /// The block that is open at the end of a prompt.
    pub(crate) fn opened_by(prompt: &str) -> Option<Self> {
        THOUGHTS.into_iter().find(|thought| prompt.trim_end().ends_with(thought.open))
    }
}

/// How a family writes tool calls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Stands before a call, or before a list of them.
    pub(crate) open: &'static str,
    /// Stands behind it; empty where the end of the answer does.
    pub(crate) close: &'static str,
    /// The name of the field with the arguments.
    pub(crate) arguments: &'static str,
    /// White space inside the tags.
    pub(crate) padding: &'static str,
    pub(crate) form: Form,
}

/// What stands inside a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object.
    Object,
    /// A JSON list of objects.
    List,
    /// An object that is the whole answer, with the opening tag or without it.
    Answer,
}

/// Hermes, Qwen, SmolLM 3 and most models that were taught by others.
const HERMES: Dialect =
    Dialect { open: "<tool_call>", close: "</tool_call>", arguments: "arguments", padding: "\n", form: Form::Object };
/// Llama 3.
const LLAMA: Dialect =
    Dialect { open: "<|python_tag|>", close: "", arguments: "parameters", padding: "", form: Form::Answer };
const MISTRAL: Dialect =
    Dialect { open: "[TOOL_CALLS]", close: "", arguments: "arguments", padding: "", form: Form::List };
/// Phi 4 mini; Granite writes the same without the end.
const PHI: Dialect =
    Dialect { open: "<|tool_call|>", close: "<|/tool_call|>", arguments: "arguments", padding: "", form: Form::List };

impl Dialect {
    /// The dialect of a model, by its template and else by its vocabulary.
    pub(crate) fn of(template: &str, has_control: impl Fn(&str) -> bool) -> &'static Self {
        let all = [&MISTRAL, &PHI, &HERMES, &LLAMA];
        let by_template = all.into_iter().find(|dialect| template.contains(dialect.open));
        let by_vocabulary = || [&MISTRAL, &PHI, &LLAMA].into_iter().find(|dialect| has_control(dialect.open));
        by_template.or_else(by_vocabulary).unwrap_or(&HERMES)
    }

    /// Tools for a model whose template does not show them.
    pub(crate) fn tools_shown(&self, tools: &[ToolSpec]) -> String {
        let lines = tools.iter().map(|tool| {
            json_text(&json!({
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }))
        });
        let example = format!("{{\"name\": <the tool's name>, \"{}\": <an object>}}", self.arguments);
        let (before, behind) = match self.form {
            Form::List => ("[", "]"),
            Form::Object | Form::Answer => ("", ""),
        };
        let open = if self.form == Form::Answer { "" } else { self.open };
        format!(
            "You can call these tools:\n{}\nTo call one, answer with nothing but\n{open}{pad}{before}{example}{behind}\
             {pad}{}",
            lines.collect::<Vec<_>>().join("\n"),
            self.close,
            pad = self.padding,
        )
    }

    /// The rule of one call of one of the tools, in the grammar's notation. `tag` writes a tag in that notation.
    pub(crate) fn call_rule(&self, tools: &[&ToolSpec], tag: impl Fn(&str) -> String) -> String {
        let schema = json!({ "anyOf": tools.iter().map(|tool| self.call_schema(tool)).collect::<Vec<_>>() });
        let mut parts = Vec::new();
        if self.form != Form::Answer {
            parts.push(tag(self.open));
        }
        let (before, behind) = match self.form {
            Form::List => ("[", "]"),
            Form::Object | Form::Answer => ("", ""),
        };
        let literal = |text: &str| (!text.is_empty()).then(|| Value::from(text).to_string());
        parts.extend(literal(&format!("{}{before}", self.padding)));
        parts.push("call_body".to_owned());
        parts.extend(literal(&format!("{behind}{}", self.padding)));
        if !self.close.is_empty() {
            parts.push(tag(self.close));
        }
        format!("call: {}\ncall_body: {}\n", parts.join(" "), json_rule(schema))
    }

    fn call_schema(&self, tool: &ToolSpec) -> Value {
        let arguments = match &tool.parameters {
            Value::Object(schema) if !schema.is_empty() => tool.parameters.clone(),
            _ => json!({ "type": "object" }),
        };
        json!({
            "type": "object",
            "properties": { "name": { "const": tool.name }, self.arguments: arguments },
            "required": ["name", self.arguments],
            "additionalProperties": false,
        })
    }
}

/// A rule for JSON that fits a schema, on one line: free white space is where small models get lost.
pub(crate) fn json_rule(mut schema: Value) -> String {
    if schema == Value::Bool(true) {
        schema = json!({});
    }
    if let Value::Object(fields) = &mut schema {
        let form = json!({ "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " });
        fields.insert("x-guidance".to_owned(), form);
    }
    format!("%json {schema}")
}
