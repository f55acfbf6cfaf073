//! Tasks from end to end, with a scripted provider.

use std::pin::Pin;
use std::time::Duration;

use finch_llm::{
    Capabilities, Chunk, Done, GenerateRequest, GenerateStream, InfillRequest, Message, OutputFormat, ProviderId,
    StopReason, Timings, ToolCall, Usage,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::limits::EVENTS_MAX;
use crate::permissions::Permissions;
use crate::plan::{Ended, Round, Steer, Steering};
use crate::rules::{Confinement, Scope};
use crate::tools::bash::Shell;
use crate::turn::Event;

/// Tokens that the scripted model holds.
const HOLDS: usize = 4096;
/// Bytes of one of its tokens.
const TOKEN_BYTES: usize = 3;
/// Tokens that its chat template puts around a message or a tool.
const TEMPLATE_TOKENS: usize = 8;

/// A small model that uses all the room it is given: it reads big files, several at once, and what it answers is as long
/// as it may be.
#[derive(Default)]
pub(super) struct Small {
    asked: Mutex<Vec<GenerateRequest>>,
}

fn tokens(text: &str) -> usize {
    text.len().div_ceil(TOKEN_BYTES)
}

fn prompt_tokens(request: &GenerateRequest) -> usize {
    let messages = request.messages.iter().map(|message| crate::turn::bytes(message).div_ceil(TOKEN_BYTES));
    let tools = request.tools.iter().map(|tool| {
        tokens(&tool.name) + tokens(&tool.description) + tokens(&tool.parameters.to_string()) + TEMPLATE_TOKENS
    });
    let form = match &request.output {
        OutputFormat::JsonSchema(schema) => tokens(&schema.to_string()),
        _ => 0,
    };
    messages.map(|tokens| tokens + TEMPLATE_TOKENS).chain(tools).sum::<usize>() + form
}

impl Small {
    fn answer(&self, request: &GenerateRequest) -> (Vec<ToolCall>, String) {
        let long = |chars: usize| "word ".repeat(chars)[..chars].to_owned();
        match &request.output {
            OutputFormat::JsonSchema(schema) if schema["properties"]["steps"].is_object() => {
                let step = json!({"title": long(80), "what": long(240), "files": [long(80)], "check": ""});
                (Vec::new(), json!({"steps": [step, step, step, step]}).to_string())
            }
            OutputFormat::JsonSchema(_) => {
                let finding = json!({
                    "concern": long(160), "step_ref": 1, "severity": 9, "confidence": 9, "file": "", "line": 0, "quote": "",
                });
                (Vec::new(), json!({"findings": [finding]}).to_string())
            }
            _ => {
                let asked = self.asked.lock().unwrap();
                let before = asked.iter().filter(|request| request.output == OutputFormat::Text).count();
                let read = |at: usize| ToolCall {
                    id: at.to_string(),
                    name: "Read".to_owned(),
                    arguments_json: json!({"path": "big.txt", "offset": 1 + at + 3 * before}).to_string(),
                };
                // Three answers a turn, the last one in words.
                match before % 3 < 2 {
                    true => ((0..3).map(read).collect(), long(400)),
                    false => (Vec::new(), long(2000)),
                }
            }
        }
    }
}

impl Provider for Small {
    fn id(&self) -> ProviderId {
        ProviderId::new("small")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "small".to_owned(),
            fill_in_the_middle: false,
            chat: true,
            tools: true,
            structured_output: true,
            context_tokens_max: HOLDS,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        let prompt_tokens = prompt_tokens(&request);
        let (calls, text) = self.answer(&request);
        self.asked.lock().unwrap().push(request);
        if prompt_tokens >= HOLDS {
            return GenerateStream::failed(LlmError::ContextTooLong { tokens: prompt_tokens, tokens_max: HOLDS - 1 });
        }
        let (sender, stream) = finch_llm::stream();
        let usage = Usage { prompt_tokens, generated_tokens: tokens(&text), ..Usage::default() };
        let reason = if calls.is_empty() { StopReason::EndOfText } else { StopReason::ToolCalls };
        sender.try_send(Ok(Chunk::Text(text))).unwrap();
        calls.into_iter().for_each(|call| sender.try_send(Ok(Chunk::ToolCall(call))).unwrap());
        sender.try_send(Ok(Chunk::Done(Done { reason, usage, timings: Timings::default() }))).unwrap();
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }

    fn tokens_of(&self, _origin: &Origin, text: &str) -> Option<usize> {
        Some(tokens(text))
    }
}

/// A user with much to say between rounds.
struct Talkative;

impl Steering for Talkative {
    fn steer<'a>(&'a self, _: &'a Round) -> Pin<Box<dyn Future<Output = Steer> + Send + 'a>> {
        Box::pin(std::future::ready(Steer::Direct("Mind the gap. ".repeat(1000))))
    }
}

pub(super) fn bench(provider: &Arc<Small>, folder: &Path, home: &Path) -> Arc<Workbench> {
    let workspace = folder.canonicalize().unwrap();
    let scope = Scope { workspace: workspace.clone(), finch_home: home.canonicalize().unwrap(), user_home: None };
    let rules = Rules::new(scope, Vec::new()).confined(Confinement::Whole);
    Arc::new(Workbench {
        provider: Arc::clone(provider) as Arc<dyn Provider>,
        client: ClientId::new("test"),
        origin: Origin { workspace: Some(workspace.into()), ..Origin::default() },
        gate: Arc::new(Gate::new(rules.clone(), Permissions::open(home.join("permissions.toml")))),
        rules,
        runner: Arc::new(Shell),
        more_tools: Vec::new(),
        plans: home.join("plans"),
        briefing: Arc::new(|_| Briefing { text: "Be brief. ".repeat(3000), files: vec!["CLAUDE.md".to_owned()] }),
        command_time: Duration::from_secs(5),
        rounds_max: 3,
        store: None,
        made: Made::default(),
        working: Arc::default(),
    })
}

/// The longest beginning that all of them have.
fn shared(texts: &[&str]) -> usize {
    let same = |at: usize| texts.iter().all(|text| text.as_bytes().get(at) == texts[0].as_bytes().get(at));
    (0..texts[0].len()).take_while(|at| same(*at)).count()
}

fn check_requests(requests: &[GenerateRequest]) {
    for request in requests {
        let taken = prompt_tokens(request) + request.sampling.tokens_max;
        assert!(taken <= HOLDS, "{taken} tokens: {request:?}");
        let is_summary = request.tools.is_empty() && request.output == OutputFormat::Text;
        assert!(!is_summary, "a model that holds little sums nothing up: {request:?}");
    }
    let critiques: Vec<&str> = requests
        .iter()
        .filter(|request| request.origin.task == finch_llm::Task::Critique)
        .map(|request| match &request.messages[..] {
            [Message::System(_), Message::User(question)] => question.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(critiques.len(), 21);
    for round in critiques.chunks(7) {
        // All but the persona is read once.
        assert!(round.iter().all(|question| question.len() - shared(round) < 400), "{round:?}");
    }
}

#[tokio::test]
async fn a_model_of_four_thousand_tokens_plans_and_works_within_them() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let line = |number: usize| format!("{number} {}\n", "text ".repeat(20));
    std::fs::write(folder.path().join("big.txt"), (0..3000).map(line).collect::<String>()).unwrap();
    let provider = Arc::new(Small::default());
    let bench = bench(&provider, folder.path(), home.path());
    let task = format!("Mend `big.txt`, and that: {}", "it is much. ".repeat(1000));
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let telling = tokio::spawn(async move {
        let mut calls = 0;
        while let Some(event) = events.recv().await {
            calls += usize::from(matches!(event, TaskEvent::Turn(Event::Called { .. })));
        }
        calls
    });
    let id = bench.begin(Kind::Plan, &task).await;
    let wish = Wish { task, ..Wish::default() };
    let planned = bench.plan(&id, &wish, &Talkative, &Door::closed(), &sender).await.unwrap();
    assert_eq!((planned.outcome.ended, planned.outcome.rounds.len()), (Ended::RoundsOver, 3));
    assert_eq!(planned.outcome.plan().unwrap().steps.len(), 4);
    let hash = planned.outcome.plan().unwrap().hash().to_string();
    let carried = bench.carry_out(&id, &planned.path, &hash, &Door::closed(), &sender).await.unwrap();
    assert_eq!(carried.ended, WorkEnd::Done);
    drop(sender);
    assert!(telling.await.unwrap() > 12, "there was something to shorten");
    let requests = provider.asked.lock().unwrap();
    check_requests(&requests);
    // The file that the task names is there from the first question on, and text of it is known to be.
    let Message::User(first) = &requests[0].messages[1] else { panic!("{:?}", requests[0]) };
    assert!(first.contains("big.txt:\n1\t0 text text"), "{first}");
    let names: Vec<&str> = requests[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["Read", "Grep"]);
    let drafted = requests.iter().find(|request| request.tools.is_empty()).unwrap();
    assert_eq!(drafted.origin.files, ["CLAUDE.md", "big.txt"]);
    let working = requests.last().unwrap();
    let names: Vec<&str> = working.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["Read", "Grep", "Edit", "Write", "Bash"]);
}
