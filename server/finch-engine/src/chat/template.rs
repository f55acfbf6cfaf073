//! Runs chat templates: Jinja as the field writes it, with a budget that a hostile template cannot leave.
//!
//! Fuel bounds time and memory of a rendering together, and work is done on a stack as deep as its fuel can dig. Knows nothing about tokens; the parent module prepares what a
//! template sees and reads what it wrote.

use std::time::SystemTime;

use finch_model::chat::ChatTemplates;
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde::Serialize;

use crate::{chat::calendar, limits};

const DEFAULT: &str = "chat";
const TOOLS: &str = "chat with tools";

/// The templates of one model, ready to run.
pub(crate) struct Templates {
    environment: Environment<'static>,
    /// What they say, to be searched for the words of a dialect.
    text: String,
    has_tools: bool,
}

/// A template could not be read or did not take a conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadTemplate(String);

/// How much a conversation is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    pub(crate) messages: usize,
    pub(crate) tools: usize,
    pub(crate) bytes: usize,
}

impl Templates {
    /// `None` if the model has no template.
    pub(crate) fn read(templates: &ChatTemplates) -> Result<Option<Self>, BadTemplate> {
        let (default, tools) = (templates.default.as_deref(), templates.tool_use.as_deref());
        let Some(first) = default.or(tools) else { return Ok(None) };
        let mut environment = environment().map_err(|error| bad(&error))?;
        let bytes = default.map_or(0, str::len).max(tools.map_or(0, str::len));
        let named = [(DEFAULT, Some(first)), (TOOLS, tools)];
        for (name, text) in named.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            let text = without_generation_marks(text);
            on_a_stack(bytes * limits::TEMPLATE_STACK_PER_BYTE, || environment.add_template_owned(name, text))?;
        }
        let text = [default.unwrap_or(""), tools.unwrap_or("")].concat();
        Ok(Some(Self { environment, text, has_tools: tools.is_some() }))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Renders `context`, which is of about this size.
    pub(crate) fn render(&self, context: impl Serialize + Send, size: Size) -> Result<String, BadTemplate> {
        let mut environment = self.environment.clone();
        let fuel = limits::TEMPLATE_FUEL
            + (size.messages + size.tools) * limits::TEMPLATE_FUEL_PER_MESSAGE
            + size.bytes / limits::TEMPLATE_BYTES_PER_FUEL;
        let fuel = fuel.min(limits::TEMPLATE_FUEL_MAX);
        environment.set_fuel(Some(fuel as u64));
        let name = if self.has_tools && size.tools > 0 { TOOLS } else { DEFAULT };
        on_a_stack(fuel * limits::TEMPLATE_STACK_PER_FUEL, || {
            environment.get_template(name)?.render(Value::from(Serde(context)))
        })
    }
}

/// Works on a thread with room for recursion: lists in lists and long expressions are walked and dropped recursively.
fn on_a_stack<T: Send>(bytes: usize, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, BadTemplate> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(limits::TEMPLATE_STACK_MIN + bytes);
        let working = thread.spawn_scoped(scope, || work().map_err(|error| bad(&error)));
        let working = working.map_err(|error| BadTemplate(format!("no thread to run it on: {error}")))?;
        working.join().unwrap_or_else(|_| Err(BadTemplate("it made the template engine fail".to_owned())))
    })
}

fn environment() -> Result<Environment<'static>, Error> {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(method);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |form: String| calendar::strftime(&form, SystemTime::now()));
    environment.add_filter("tojson", to_json);
    Ok(environment)
}

/// Python's methods, the growth of a text paid for before it happens.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let argument = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or("");
        let bytes = match name {
            "replace" => text.len().saturating_add(text.matches(argument(0)).count().saturating_mul(argument(1).len())),
            "join" => joined_bytes(text, arguments),
            // A width is a number in the text, and an argument may be written as often as there are braces.
            "format" => {
                let longest = arguments.iter().map(|argument| argument.to_string().len()).max().unwrap_or(0);
                let widest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
                let width = 10_usize.saturating_pow(u32::try_from(widest).unwrap_or(u32::MAX));
                text.matches('{').count().saturating_mul(longest.saturating_add(width))
            }
            _ => 0,
        };
        state.consume_fuel(bytes as u64 / BYTES_PER_FUEL)?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments)
}

/// What the engine itself takes for data.
const BYTES_PER_FUEL: u64 = 64;

fn joined_bytes(separator: &str, arguments: &[Value]) -> usize {
    let items = arguments.first().and_then(|items| items.try_iter().ok());
    let lengths = items.into_iter().flatten().map(|item| item.as_str().map_or(0, str::len) + separator.len());
    let limit = limits::TEMPLATE_FUEL_MAX * 64;
    let mut sum = 0;
    // Items may be without end, or as good as.
    for (count, length) in lengths.enumerate() {
        sum += length;
        if sum > limit || count > limit {
            return usize::MAX;
        }
    }
    sum
}

fn bad(error: &Error) -> BadTemplate {
    let place = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::OutOfFuel => "it does too much work".to_owned(),
        _ => error.detail().map_or_else(|| error.to_string(), str::to_owned),
    };
    BadTemplate(crate::error::one_line(&format!("{what}{place}")))
}

/// Templates mark what is trained on with a block of their own, which means nothing here.
fn without_generation_marks(template: &str) -> String {
    let mut rest = template;
    let mut written = String::with_capacity(template.len());
    while let Some(start) = rest.find("{%") {
        let (before, block) = rest.split_at(start);
        written.push_str(before);
        let Some(end) = block.find("%}") else {
            rest = block;
            break;
        };
        let inside = &block[2..end];
        let word = inside.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        match word {
            "generation" => written.push_str(&format!("{{%{}%}}", inside.replace(word, "if true"))),
            "endgeneration" => written.push_str(&format!("{{%{}%}}", inside.replace(word, "endif"))),
            _ => written.push_str(&block[..end + 2]),
        }
        rest = &block[end + 2..];
    }
    written.push_str(rest);
    written
}

/// JSON as Python writes it: a space behind commas and colons, nothing escaped that need not be.
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let sorts: Option<bool> = options.get("sort_keys")?;
    let plain: serde_json::Value = serde_json::to_value(value).map_err(|error| no_json(&error))?;
    let plain = if sorts == Some(true) { sorted(plain) } else { plain };
    let mut bytes = Vec::new();
    let written = match indent {
        None => plain.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, OneLine)),
        Some(width) => {
            let spaces = " ".repeat(width.min(limits::TEMPLATE_INDENT_MAX));
            let form = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            plain.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, form))
        }
    };
    written.map_err(|error| no_json(&error))?;
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn no_json(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::BadSerialization, error.to_string())
}

fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.into_iter().collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

struct OneLine;

impl serde_json::ser::Formatter for OneLine {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// The text of a value, for prompts that are written without a template.
pub(crate) fn json_text(value: &serde_json::Value) -> String {
    to_json(&Value::from(Serde(value)), Kwargs::from_iter([] as [(&str, Value); 0]))
        .unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests;
