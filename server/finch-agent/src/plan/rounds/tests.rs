use std::sync::Mutex;

use finch_llm::{Capabilities, Chunk, Done, GenerateStream, InfillRequest, ProviderId, StopReason, Timings, Usage};
use serde_json::{Value, json};

use super::*;

/// What the model says: plans in order, and for each persona and round what it finds.
struct Scripted {
    plans: Mutex<Vec<Value>>,
    findings: fn(&str, usize) -> Option<Value>,
    asked: Mutex<Vec<String>>,
}

impl Provider for Scripted {
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
            context_tokens_max: 100_000,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        let Some(Message::User(question)) = request.messages.last() else { panic!("{request:?}") };
        let mut asked = self.asked.lock().unwrap();
        asked.push(question.clone());
        let persona = question.split_once("\n\nYou are ").and_then(|(_, rest)| rest.split(',').next());
        let answer = match persona {
            None => Some(self.plans.lock().unwrap().remove(0)),
            Some(persona) => {
                let round = asked.iter().filter(|asked| asked.starts_with("Write a plan")).count();
                (self.findings)(persona, round)
            }
        };
        let Some(answer) = answer else {
            return GenerateStream::failed(LlmError::Unavailable { reason: "down".to_owned() });
        };
        let (sender, stream) = finch_llm::stream();
        let (usage, timings) = (Usage::default(), Timings::default());
        sender.try_send(Ok(Chunk::Text(answer.to_string()))).unwrap();
        sender.try_send(Ok(Chunk::Done(Done { reason: StopReason::EndOfText, usage, timings }))).unwrap();
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("nobody asks")
    }
}

struct NoFiles;

impl Source for NoFiles {
    fn text(&self, _: &str) -> Option<String> {
        None
    }
}

/// Says the same each time, and counts.
struct Says(Steer, Mutex<u32>);

impl Steering for Says {
    fn steer<'a>(&'a self, _: &'a Round) -> Pin<Box<dyn Future<Output = Steer> + Send + 'a>> {
        *self.1.lock().unwrap() += 1;
        Box::pin(std::future::ready(self.0.clone()))
    }
}

fn plan(what: &str) -> Value {
    json!({"steps": [{"title": "Mend it", "what": what, "files": ["src/a.rs"], "check": "cargo test"}]})
}

fn grave(concern: &str) -> Value {
    let item = json!({
        "concern": concern, "step_ref": 1, "severity": 9, "confidence": 9, "file": "", "line": 0, "quote": "",
    });
    json!({"findings": [item]})
}

fn none() -> Value {
    json!({"findings": []})
}

struct Ran {
    outcome: Outcome,
    asked: Vec<String>,
    steered: u32,
    events: Vec<PlanEvent>,
}

fn run(plans: &[Value], findings: fn(&str, usize) -> Option<Value>, steer: Steer) -> Ran {
    let provider = Arc::new(Scripted { plans: Mutex::new(plans.to_vec()), findings, asked: Mutex::default() });
    let plan_loop = PlanLoop {
        provider: provider.clone(),
        client: ClientId::new("c"),
        origin: Origin::default(),
        source: Arc::new(NoFiles),
        notes: "it is small".to_owned(),
        rounds_max: 3,
        first: None,
        direction: None,
    };
    let steering = Says(steer, Mutex::default());
    let (sender, mut events) = mpsc::channel(256);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(plan_loop.run("Mend the parser.", &steering, &sender)).unwrap();
    drop(sender);
    let events = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let asked = provider.asked.lock().unwrap().clone();
    let steered = *steering.1.lock().unwrap();
    Ran { outcome, asked, steered, events }
}

#[test]
fn a_plan_that_nobody_objects_to_is_settled_at_once() {
    let ran = run(&[plan("Take tabs.")], |_, _| Some(none()), Steer::GoOn);
    assert_eq!((ran.outcome.ended, ran.outcome.rounds.len(), ran.asked.len()), (Ended::Settled, 1, 8));
    assert_eq!((ran.steered, ran.events.len()), (0, 9));
    assert_eq!(ran.outcome.plan().unwrap().task, "Mend the parser.");
}

#[test]
fn what_must_be_addressed_goes_into_the_next_draft() {
    let findings =
        |persona: &str, round| Some(if persona == "Security" && round == 1 { grave("it leaks") } else { none() });
    let plans = ["Take tabs.", "Take tabs and clean up.", "Take tabs, and clean up."].map(plan);
    let ran = run(&plans, findings, Steer::GoOn);
    let drafts: Vec<_> = ran.asked.iter().filter(|asked| asked.starts_with("Write a plan")).collect();
    assert!(
        drafts[1].contains("- [Security, step 1] it leaks") && drafts[1].contains("## 1. [ ] Mend it"),
        "{drafts:?}"
    );
    assert!(!drafts[2].contains("it leaks"), "{drafts:?}");
    // The second one is another plan, and the third the same again.
    assert_eq!((ran.outcome.ended, ran.outcome.rounds.len(), ran.steered), (Ended::Settled, 3, 2));
}

#[test]
fn what_is_still_open_when_the_rounds_are_over_is_said() {
    let plans = ["a", "b", "c"].map(plan);
    let ran = run(&plans, |_, _| Some(grave("no")), Steer::GoOn);
    assert_eq!((ran.outcome.ended, ran.outcome.rounds.len(), ran.steered), (Ended::RoundsOver, 3, 2));
    assert_eq!(ran.outcome.findings(Weight::MustAddress).count(), 7);
}

#[test]
fn who_could_not_be_heard_holds_the_plan_open() {
    let findings = |persona: &str, _| (persona != "Edge Cases").then(none);
    let plans = ["a", "a", "a"].map(plan);
    let ran = run(&plans, findings, Steer::GoOn);
    assert_eq!(ran.outcome.ended, Ended::RoundsOver);
    let unheard: Vec<_> = ran.outcome.unheard().map(|(persona, _)| persona).collect();
    assert_eq!(unheard, [Persona::EdgeCases]);
    let later = |persona: &str, round| (persona != "Edge Cases" || round > 1).then(none);
    assert_eq!(run(&plans, later, Steer::GoOn).outcome.ended, Ended::Settled);
}

#[test]
fn the_user_steers_between_rounds() {
    let grave = |_: &str, _| Some(grave("no"));
    let plans = ["a", "b", "c"].map(plan);
    let approved = run(&plans, grave, Steer::Approve);
    assert_eq!((approved.outcome.ended, approved.outcome.rounds.len()), (Ended::Approved, 1));
    assert_eq!(run(&plans, grave, Steer::Cancel).outcome.ended, Ended::Cancelled);
    let directed = run(&plans, grave, Steer::Direct("Leave the lexer alone.".to_owned()));
    let last = directed.asked.iter().rfind(|asked| asked.starts_with("Write a plan")).unwrap();
    assert_eq!(last.matches("Leave the lexer alone.").count(), 2);
}
