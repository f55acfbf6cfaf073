//! A model that says what a script says, and a gate that decides as it is told.

use std::sync::{Arc, Mutex};

use finch_llm::{
    Capabilities, Chunk, ClientId, Done, GenerateRequest, GenerateStream, InfillRequest, Lane, LlmError, Message,
    Origin, Provider, ProviderId, StopReason, Timings, ToolCall, Usage,
};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    Access, Denied, EVENTS_MAX, Gatekeeper, Permit, Tool,
    gatekeeper::Decision,
    tools::testing::Workspace,
    turn::{Agent, Conversation, End, Event, TurnLimits},
};

/// One answer.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Text(&'static str),
    /// Names and arguments.
    Calls(Vec<(String, String)>),
    /// Whole calls in an answer that was cut off after them.
    CutOff(Vec<(String, String)>),
    /// An answer that the context had no room for.
    Full,
    /// Calls in an answer whose connection broke.
    Breaks(Vec<(String, String)>),
    Fails(LlmError),
    Hangs,
}

pub(super) fn say(text: &'static str) -> Step {
    Step::Text(text)
}

pub(super) fn call(name: &str, arguments: Value) -> Step {
    Step::Calls(vec![(name.to_owned(), arguments.to_string())])
}

pub(super) fn done(reason: StopReason, usage: Usage) -> Chunk {
    Chunk::Done(Done { reason, usage, timings: Timings::default() })
}

pub(super) type Asked = Arc<Mutex<Vec<GenerateRequest>>>;

type Script = Box<dyn Fn(usize) -> Step + Send + Sync>;

pub(super) struct Answers {
    script: Script,
    at: Mutex<usize>,
    summary: Option<Step>,
    tokens_max: usize,
    usage: Usage,
    asked: Asked,
    hanging: Mutex<Vec<finch_llm::ChunkSender>>,
}

impl Answers {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self::endless(move |at| steps[at].clone())
    }

    pub(super) fn endless(script: impl Fn(usize) -> Step + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            at: Mutex::default(),
            summary: None,
            tokens_max: 100_000,
            usage: Usage { prompt_tokens: 10, generated_tokens: 5, ..Usage::default() },
            asked: Asked::default(),
            hanging: Mutex::default(),
        }
    }

    pub(super) fn summing_up(self, summary: Step) -> Self {
        Self { summary: Some(summary), ..self }
    }

    /// As a model that holds few tokens and counts none.
    pub(super) fn holding(self, tokens_max: usize) -> Self {
        Self { tokens_max, usage: Usage::default(), ..self }
    }

    pub(super) fn noting(self, asked: &Asked) -> Self {
        Self { asked: Arc::clone(asked), ..self }
    }

    fn next(&self, request: &GenerateRequest) -> Step {
        let sums_up = request.tools.is_empty() && self.summary.is_some();
        if sums_up && let Some(summary) = &self.summary {
            return summary.clone();
        }
        let mut at = self.at.lock().unwrap();
        *at += 1;
        (self.script)(*at - 1)
    }
}

impl Provider for Answers {
    fn id(&self) -> ProviderId {
        ProviderId::new("scripted")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "scripted".to_owned(),
            fill_in_the_middle: false,
            chat: true,
            tools: true,
            structured_output: false,
            context_tokens_max: self.tokens_max,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        let step = self.next(&request);
        self.asked.lock().unwrap().push(request);
        let (sender, stream) = finch_llm::stream();
        let send = |chunk| sender.try_send(Ok(chunk)).unwrap();
        let send_calls = |calls: Vec<(String, String)>| {
            for (at, (name, arguments_json)) in calls.into_iter().enumerate() {
                send(Chunk::ToolCall(ToolCall { id: at.to_string(), name, arguments_json }));
            }
        };
        match step {
            Step::Text(text) => {
                if !text.is_empty() {
                    send(Chunk::Text(text.to_owned()));
                }
                send(done(StopReason::EndOfText, self.usage));
            }
            Step::Calls(calls) => {
                send_calls(calls);
                send(done(StopReason::ToolCalls, self.usage));
            }
            Step::CutOff(calls) => {
                send(Chunk::Text("I will".to_owned()));
                send_calls(calls);
                send(done(StopReason::TokensMax, self.usage));
            }
            Step::Full => {
                send(Chunk::Text("I".to_owned()));
                send(done(StopReason::ContextFull, self.usage));
            }
            Step::Breaks(calls) => send_calls(calls),
            Step::Fails(error) => sender.try_send(Err(error)).unwrap(),
            Step::Hangs => self.hanging.lock().unwrap().push(sender),
        }
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }
}

/// Decides the same about everything.
pub(super) struct Gate {
    denied: Option<Denied>,
    pub(super) seen: Arc<Mutex<Vec<Vec<Access>>>>,
}

impl Gate {
    pub(super) fn allowing() -> Self {
        Self { denied: None, seen: Arc::default() }
    }

    pub(super) fn denying(reason: &str) -> Self {
        Self { denied: Some(Denied { reason: reason.to_owned() }), seen: Arc::default() }
    }
}

impl Gatekeeper for Gate {
    fn permit(&self, access: Vec<Access>) -> Decision<'_> {
        self.seen.lock().unwrap().push(access.clone());
        Box::pin(async move {
            match &self.denied {
                None => Ok(Permit::for_test(&access)),
                Some(denied) => Err(denied.clone()),
            }
        })
    }
}

pub(super) fn agent(ws: &Workspace, tools: Vec<Arc<dyn Tool>>, answers: Answers, gate: Gate) -> Agent {
    Agent {
        provider: Arc::new(answers),
        tools,
        gate: Arc::new(gate),
        context: ws.context.clone(),
        client: ClientId::new("test"),
        lane: Lane::Interactive,
        origin: Origin::default(),
        limits: TurnLimits::default(),
    }
}

/// Runs a turn to its end, and what happened in it.
pub(super) async fn run(agent: &Agent, conversation: &mut Conversation) -> (End, Vec<Event>) {
    let (sender, mut reader) = mpsc::channel(EVENTS_MAX);
    let mut seen = Vec::new();
    let end = async {
        let end = agent.run(conversation, &sender).await;
        drop(sender);
        end
    };
    let (end, ()) = tokio::join!(end, async {
        while let Some(event) = reader.recv().await {
            seen.push(event);
        }
    });
    assert_eq!(seen.last(), Some(&Event::Ended(end.clone())));
    (end, seen)
}

pub(super) fn drain(reader: &mut mpsc::Receiver<Event>) -> Vec<Event> {
    std::iter::from_fn(|| reader.try_recv().ok()).collect()
}

/// What the model was told of its calls, and whether they failed.
pub(super) fn results(conversation: &Conversation) -> Vec<(String, bool)> {
    conversation
        .messages()
        .iter()
        .filter_map(|message| match message {
            Message::ToolResult(result) => Some((result.text.clone(), result.is_error)),
            _ => None,
        })
        .collect()
}
