use std::time::Duration;

use finch_llm::{
    Chunk, ChunkSender, ClientId, Done, GenerateRequest, GenerateStream, LlmError, Progress, ProviderId, StopReason,
    Timings, Usage, state_channel, stream,
};
use finch_text::Document;

use super::*;
use crate::confidence::UNSURE_BELOW;
use crate::limits::{FLIGHT_LINGERS, PATH_TOKENS_MAX};
use crate::outcome::{Gate, Rule};
use crate::{Sources, Trigger};

mod ahead;
mod alternatives;
mod flight;

const STEP: Duration = Duration::from_millis(50);

/// What the model does next.
#[derive(Debug, Clone)]
enum Act {
    Say(&'static str),
    Doubt(f32),
    Wait(Duration),
    End(StopReason),
    Fail(LlmError),
}

/// A model that follows a script: the last for all requests that have none of their own.
struct Scripted {
    scripts: Vec<Vec<Act>>,
    requests: Mutex<Vec<InfillRequest>>,
    answers: Mutex<Vec<(ClientId, ChunkSender)>>,
    gone: Arc<tokio::sync::Notify>,
    state: StateReceiver,
}

impl Provider for Scripted {
    fn id(&self) -> ProviderId {
        ProviderId::new("scripted")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "parrot".into(),
            fill_in_the_middle: true,
            chat: false,
            tools: false,
            structured_output: false,
            context_tokens_max: 2048,
        }
    }

    fn is_ready(&self, _: &finch_llm::Origin) -> bool {
        matches!(*self.state.borrow(), ModelState::Ready { .. })
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        GenerateStream::failed(LlmError::Refused { reason: "it only fills in".into() })
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        let mut requests = self.requests.lock().unwrap();
        let script = self.scripts[requests.len().min(self.scripts.len() - 1)].clone();
        let (sender, stream) = stream();
        let mut answers = self.answers.lock().unwrap();
        let goes_on =
            |(client, answer): &(ClientId, ChunkSender)| *client == request.client && !answer.is_reader_gone();
        assert!(!answers.iter().any(goes_on), "a client has one request at a time");
        answers.push((request.client.clone(), sender.clone()));
        requests.push(request);
        tokio::spawn(act(script, sender, self.gone.clone()));
        stream
    }
}

async fn act(acts: Vec<Act>, sender: ChunkSender, gone: Arc<tokio::sync::Notify>) {
    let mut usage =
        Usage { prompt_tokens: 20, cached_tokens: 15, suffix_tokens: 3, generated_tokens: 0, ..Usage::default() };
    let timings = Timings { prefill: STEP, ..Timings::default() };
    for act in acts {
        let sent = match act {
            Act::Say(text) => {
                usage.generated_tokens += 1;
                sender.report(Progress { usage, timings });
                sender.send(Ok(Chunk::Text(text.into()))).await
            }
            Act::Doubt(probability) => sender.send(Ok(Chunk::Unsure(probability))).await,
            Act::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Act::End(reason) => sender.send(Ok(Chunk::Done(Done { reason, usage, timings }))).await,
            Act::Fail(error) => sender.send(Err(error)).await,
        };
        if sent.is_err() {
            break;
        }
    }
    sender.reader_gone().await;
    gone.notify_one();
}

struct Rig {
    completer: Arc<Completer>,
    provider: Arc<Scripted>,
    state: finch_llm::StateSender,
}

impl Rig {
    fn new(acts: &[Act]) -> Self {
        Self::with(&[acts])
    }

    fn with(scripts: &[&[Act]]) -> Self {
        Self::with_options(scripts, Options { ahead: false, ..Options::default() })
    }

    fn with_options(scripts: &[&[Act]], options: Options) -> Self {
        let scripts = scripts.iter().map(|acts| acts.to_vec()).collect();
        let (state, receiver) = state_channel();
        let provider = Arc::new(Scripted {
            scripts,
            requests: Mutex::default(),
            answers: Mutex::default(),
            gone: Arc::default(),
            state: receiver.clone(),
        });
        state.send_replace(ModelState::Ready { model: "parrot".into() });
        let off = Sources { path: false, definitions: false, recent: false, edits: false, diagnostics: false };
        let options = Options { context: off, ..options };
        let completer = Arc::new(Completer::new(provider.clone(), receiver, options));
        Self { completer, provider, state }
    }

    async fn ask(&self, marked: &str) -> Outcome {
        self.completer.complete(asked(marked, "src/a.py")).await
    }

    /// Asks, and does not wait for the answer.
    async fn leave(&self, marked: &str, after: Duration) {
        tokio::select! {
            outcome = self.ask(marked) => panic!("{outcome:?}"),
            () = tokio::time::sleep(after) => {}
        }
    }

    fn requests(&self) -> Vec<InfillRequest> {
        self.provider.requests.lock().unwrap().clone()
    }
}

fn asked(marked: &str, path: &str) -> Ask {
    let offset = marked.find("$0").expect("the text has a $0");
    Ask {
        client: ClientId::new("test"),
        document: Document::new(&marked.replacen("$0", "", 1)),
        path: Some(path.into()),
        language: None,
        offset,
        trigger: Trigger::Automatic,
        alternatives: 0,
        is_ahead: false,
    }
}

fn text(outcome: &Outcome) -> Option<&str> {
    outcome.suggestion.as_ref().map(|suggestion| suggestion.text.as_str())
}

const ADD: &str = "def add(a, b):\n    $0";

#[tokio::test(start_paused = true)]
async fn an_outcome_says_what_it_is_and_what_it_cost() {
    let rig = Rig::new(&[Act::Wait(STEP), Act::Say("return a"), Act::Say(" + b"), Act::End(StopReason::EndOfText)]);
    let outcome = rig.ask(ADD).await;
    let expected = Outcome {
        id: 1,
        suggestion: Some(Suggestion { text: "return a + b".into(), replace: 19..19 }),
        alternatives: Vec::new(),
        reason: None,
        provider: "scripted".into(),
        model: "parrot".into(),
        usage: Usage {
            prompt_tokens: 20,
            cached_tokens: 15,
            suffix_tokens: 3,
            generated_tokens: 2,
            ..Usage::default()
        },
        timings: Times { prefill: STEP, total: STEP, ..Times::default() },
        prompt: Some(PromptParts {
            prefix: "def add(a, b):\n    ".into(),
            suffix: String::new(),
            context: InfillContext { tokens_max: PATH_TOKENS_MAX, ..InfillContext::default() },
            costs: Vec::new(),
        }),
        source: Source::Model,
    };
    assert_eq!(outcome, expected);
}

#[tokio::test(start_paused = true)]
async fn the_model_is_asked_for_one_line_where_the_line_goes_on() {
    let rig = Rig::new(&[Act::Say("a, b"), Act::End(StopReason::StopText)]);
    assert_eq!(text(&rig.ask("foo($0)\nbar()\n").await), Some("a, b"));
    let rest_of_line = InfillRequest {
        client: ClientId::new("test"),
        origin: Origin { task: Task::Completion, files: vec!["a.py".into()], ..Origin::default() },
        lane: Lane::Interactive,
        prefix: "foo(".into(),
        suffix: ")\nbar()\n".into(),
        context: InfillContext { tokens_max: PATH_TOKENS_MAX, ..InfillContext::default() },
        prompt_tokens_max: 512,
        references: vec!["foo(".into(), ")\nbar()\n".into()],
        sampling: Sampling {
            tokens_max: 64,
            stop: vec!["\n".into()],
            unsure_below: UNSURE_BELOW,
            ..Sampling::default()
        },
    };
    assert_eq!(rig.requests(), [rest_of_line]);
}

#[tokio::test(start_paused = true)]
async fn the_model_is_stopped_when_the_end_is_known() {
    let rig = Rig::new(&[Act::Say("return a + b\n"), Act::Say("\n"), Act::Wait(STEP * 1000)]);
    let outcome = rig.ask(ADD).await;
    assert_eq!(text(&outcome), Some("return a + b"));
    assert_eq!(outcome.timings.total, Duration::ZERO);
    assert_eq!(outcome.usage.generated_tokens, 2);
    assert_eq!(outcome.usage.cached_tokens, 15);
    rig.provider.gone.notified().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_cancels_the_request_after_a_moment() {
    let rig = Rig::new(&[Act::Wait(STEP / 2), Act::Say("re"), Act::Wait(STEP * 1000)]);
    rig.leave(ADD, STEP).await;
    let left = Instant::now();
    rig.provider.gone.notified().await;
    assert!(left.elapsed() >= FLIGHT_LINGERS);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_whole_lines_are_shown() {
    let rig = Rig::new(&[Act::Say("c = a + b\n    ret"), Act::Wait(STEP * 1000)]);
    let outcome = rig.ask(ADD).await;
    assert_eq!((text(&outcome), outcome.timings.total), (Some("c = a + b"), crate::DEADLINE));
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_half_a_line_is_not_shown() {
    let rig = Rig::new(&[Act::Say("return a"), Act::Wait(STEP * 1000)]);
    assert_eq!(rig.ask(ADD).await.reason, Some(Reason::Deadline));
}

#[tokio::test(start_paused = true)]
async fn windows_line_ends_are_read_and_written_as_newlines() {
    let rig = Rig::new(&[Act::Say("c = a\r"), Act::Say("\n    return c\r\n\r\n"), Act::Wait(STEP * 1000)]);
    let outcome = rig.ask("def f(a):\r\n    $0\r\n").await;
    assert_eq!(text(&outcome), Some("c = a\n    return c"));
    assert_eq!(rig.requests()[0].prefix, "def f(a):\n    ");
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_through_costs_no_model() {
    let rig = Rig::new(&[Act::Say("return a + b"), Act::End(StopReason::EndOfText)]);
    let first = rig.ask(ADD).await;
    let cases = [
        ("def add(a, b):\n    re$0", "turn a + b", Source::TypedThrough),
        ("def add(a, b):\n    return a$0", " + b", Source::TypedThrough),
        ("def add(a, b):\n    r$0", "eturn a + b", Source::TypedThrough),
        (ADD, "return a + b", Source::Cache),
    ];
    for (marked, rest, source) in cases {
        let outcome = rig.ask(marked).await;
        let offset = marked.find("$0").unwrap();
        let expected = Outcome {
            suggestion: Some(Suggestion { text: rest.into(), replace: offset..offset }),
            usage: Usage::default(),
            timings: Times::default(),
            prompt: None,
            source,
            ..first.clone()
        };
        assert_eq!(outcome, expected);
    }
    assert_eq!(rig.requests().len(), 1);
    rig.ask("def add(a, b):\n    x$0").await;
    assert_eq!(rig.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_not_ready_is_not_asked() {
    let rig = Rig::new(&[]);
    let (error, next) = (String::new(), String::new());
    let states = [
        (ModelState::Absent { next: next.clone() }, Reason::NoModel),
        (ModelState::Failed { error, next }, Reason::NoModel),
        (ModelState::Starting, Reason::ModelLoading),
        (ModelState::Downloading { file: "f".into(), bytes_done: 1, bytes_total: None }, Reason::ModelLoading),
        (ModelState::Importing { bytes_done: 1, bytes_total: 2 }, Reason::ModelLoading),
        (ModelState::Loading { model: "m".into() }, Reason::ModelLoading),
    ];
    for (state, reason) in states {
        rig.state.send_replace(state);
        assert_eq!(rig.ask(ADD).await.reason, Some(reason));
    }
    assert_eq!(rig.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn an_excluded_file_is_not_read() {
    let rig = Rig::new(&[]);
    let outcome = rig.completer.complete(asked("PASSWORD=$0", "app/.env")).await;
    assert_eq!((outcome.reason, outcome.prompt), (Some(Reason::Excluded), None));
    assert_eq!(rig.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn a_shut_gate_costs_no_model() {
    let rig = Rig::new(&[]);
    assert_eq!(rig.ask("let val$0ue = 1;").await.reason, Some(Reason::Gate(Gate::InsideWord)));
    assert_eq!(rig.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn code_that_parses_is_not_broken() {
    let rig = Rig::new(&[Act::Say("b = f(a\n    c = g(b"), Act::End(StopReason::EndOfText)]);
    assert_eq!(rig.ask("def f(a):\n    x = 1\n    $0\n").await.reason, Some(Reason::Filtered(Rule::Syntax)));
    let rig = Rig::new(&[Act::Say("b = f(a)\n    c = g(b"), Act::End(StopReason::EndOfText)]);
    assert_eq!(text(&rig.ask("def f(a):\n    x = 1\n    $0\n").await), Some("b = f(a)"));
}

#[tokio::test(start_paused = true)]
async fn where_the_user_rejects_comments_again_and_again_there_are_none_unless_asked() {
    let rig = Rig::new(&[Act::Say("two numbers"), Act::End(StopReason::EndOfText)]);
    for n in 0..8 {
        let outcome = rig.ask(&format!("a = {n}\n# adds $0")).await;
        assert_eq!(text(&outcome), Some("two numbers"));
        rig.completer.rejected(outcome.id);
    }
    assert_eq!(rig.ask("b = 1\n# adds $0").await.reason, Some(Reason::Gate(Gate::Quiet)));
    assert_ne!(rig.ask("value = $0").await.reason, Some(Reason::Gate(Gate::Quiet)));
    let invoked = Ask { trigger: Trigger::Invoked, ..asked("c = 1\n# adds $0", "a.py") };
    let outcome = rig.completer.complete(invoked).await;
    rig.completer.accepted(outcome.id);
    assert_eq!(text(&rig.ask("d = 1\n# adds $0").await), Some("two numbers"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_provider_is_the_reason() {
    let protocol = LlmError::Protocol { reason: "the answer stopped without an end".into() };
    let cases = [
        (vec![Act::Fail(LlmError::Cancelled)], "cancelled"),
        (vec![Act::Fail(LlmError::Loading)], "model-loading"),
        (vec![Act::Say("return a"), Act::Fail(LlmError::Overloaded)], "error:overloaded"),
        (vec![Act::Fail(protocol)], "error:protocol"),
    ];
    for (acts, code) in cases {
        let outcome = Rig::new(&acts).ask(ADD).await;
        assert_eq!((outcome.reason.unwrap().to_string().as_str(), outcome.suggestion), (code, None));
    }
}

#[tokio::test(start_paused = true)]
async fn an_offset_beyond_the_document_is_its_end() {
    let rig = Rig::new(&[Act::Say("10"), Act::End(StopReason::EndOfText)]);
    let ask = Ask { offset: usize::MAX, ..asked("value = $0", "a.py") };
    assert_eq!(rig.completer.complete(ask).await.suggestion.unwrap().replace, 8..8);
}

#[test]
fn every_reason_has_its_code() {
    let reasons = [
        (Reason::Gate(Gate::MidLine), "gate"),
        (Reason::Gate(Gate::Quiet), "gate"),
        (Reason::Excluded, "excluded"),
        (Reason::Cancelled, "cancelled"),
        (Reason::Deadline, "deadline"),
        (Reason::ModelLoading, "model-loading"),
        (Reason::NoModel, "no-model"),
        (Reason::Empty, "empty"),
        (Reason::Filtered(Rule::Repetition), "filtered:repetition"),
        (Reason::Filtered(Rule::RepeatsAbove), "filtered:repeats-above"),
        (Reason::Filtered(Rule::Characters), "filtered:characters"),
        (Reason::Filtered(Rule::TooLong), "filtered:too-long"),
        (Reason::Filtered(Rule::Unclosed), "filtered:unclosed"),
        (Reason::Filtered(Rule::Punctuation), "filtered:punctuation"),
        (Reason::Filtered(Rule::TooShort), "filtered:too-short"),
        (Reason::Filtered(Rule::Syntax), "filtered:syntax"),
        (Reason::Filtered(Rule::Secret), "filtered:secret"),
        (Reason::DuplicateSuffix, "duplicate-suffix"),
        (Reason::Error(LlmError::Overloaded), "error:overloaded"),
    ];
    for (reason, code) in reasons {
        assert_eq!(reason.to_string(), code);
        assert!(!reason.explain().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_shown_as_far_as_the_model_was_sure_of_it() {
    let guess =
        [Act::Say("return"), Act::Say(" a"), Act::Doubt(0.3), Act::Say(" + b"), Act::End(StopReason::EndOfText)];
    assert_eq!(text(&Rig::new(&guess).ask(ADD).await), Some("return a"));
    let invoked = Ask { trigger: Trigger::Invoked, ..asked(ADD, "src/a.py") };
    assert_eq!(text(&Rig::new(&guess).completer.complete(invoked).await), Some("return a + b"));
}

#[tokio::test(start_paused = true)]
async fn a_mere_guess_is_not_shown_and_not_waited_for() {
    let rig = Rig::new(&[Act::Say("return"), Act::Doubt(0.1), Act::Say(" a"), Act::Wait(STEP * 1000)]);
    let outcome = rig.ask(ADD).await;
    assert_eq!((text(&outcome), outcome.timings.total), (Some("return"), Duration::ZERO));
    rig.provider.gone.notified().await;
    let rig = Rig::new(&[Act::Doubt(0.1), Act::Say("return"), Act::Wait(STEP * 1000)]);
    assert_eq!(rig.ask(ADD).await.reason, Some(Reason::Filtered(Rule::Unsure)));
}
