//! What a key costs beside the model: gates, grammar, ends and rules, around a model that answers at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use finch_complete::{Ask, Completer, Options, Trigger};
use finch_llm::{
    Capabilities, Chunk, ClientId, Done, GenerateRequest, GenerateStream, InfillRequest, ModelState, Provider,
    ProviderId, StopReason, Timings, Usage, state_channel, stream,
};
use finch_text::Document;

/// Lines of the file that is typed in.
const LINES: usize = 2_000;
const KEYS: usize = 400;

/// Says the same line each time.
struct Parrot;

impl Provider for Parrot {
    fn id(&self) -> ProviderId {
        ProviderId::new("parrot")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "parrot".into(),
            fill_in_the_middle: true,
            chat: false,
            tools: false,
            structured_output: false,
            context_tokens_max: 4096,
        }
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        self.infill_line()
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        self.infill_line()
    }
}

impl Parrot {
    fn infill_line(&self) -> GenerateStream {
        let (sender, stream) = stream();
        tokio::spawn(async move {
            let done = Done { reason: StopReason::EndOfText, usage: Usage::default(), timings: Timings::default() };
            for chunk in [Chunk::Text("(value, other)".into()), Chunk::Done(done)] {
                if sender.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
        });
        stream
    }
}

pub(crate) fn print() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    for (extension, line) in [("rs", rust as fn(usize) -> String), ("py", python), ("ts", typescript)] {
        let text: String = (0..LINES / 4).map(line).collect();
        let first = text.len() / 2 + text[text.len() / 2..].find("{\n").map_or(0, |at| at + 2);
        let with = runtime.block_on(typed(&format!("a.{extension}"), &text, first));
        let without = runtime.block_on(typed("a.txt", &text, first));
        println!("keys, {LINES} lines of .{extension}, without the model: {}", spread(with));
        println!("  the same text without a grammar: {}", spread(without));
    }
    Ok(())
}

/// Types a call in the middle of the text, over and over, and takes the time of each request.
async fn typed(path: &str, text: &str, at: usize) -> Vec<Duration> {
    let (state, receiver) = state_channel();
    state.send_replace(ModelState::Ready { model: "parrot".into() });
    let options = Options { ahead: false, ..Options::default() };
    let completer = Arc::new(Completer::new(Arc::new(Parrot), receiver, options));
    let mut document = Document::new(text);
    let mut offset = at;
    let mut times = Vec::with_capacity(KEYS);
    for key in "    let value_of = some_name(first, \"text\");\n".chars().cycle().take(KEYS) {
        document.replace(offset..offset, &key.to_string());
        offset += key.len_utf8();
        let ask = Ask {
            client: ClientId::new("bench"),
            document: document.clone(),
            path: Some(path.to_owned()),
            language: None,
            offset,
            trigger: Trigger::Automatic,
            alternatives: 0,
            is_ahead: false,
        };
        times.push(completer.complete(ask).await.timings.total);
    }
    times
}

fn spread(mut times: Vec<Duration>) -> String {
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    format!(
        "p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms; the first {:.2} ms",
        at(50),
        at(95),
        at(99),
        first.as_secs_f64() * 1e3
    )
}

fn rust(n: usize) -> String {
    format!("pub fn f{n}(a: u32) -> u32 {{\n    let b = g(a, {n});\n    b + {n}\n}}\n")
}

fn python(n: usize) -> String {
    format!("def f{n}(a):\n    b = {{\n        a: {n}}}\n    return b\n")
}

fn typescript(n: usize) -> String {
    format!("export function f{n}(a: number): number {{\n  const b = g(a, {n});\n  return b;\n}}\n")
}
