use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Asker, Denied, Gate};
use crate::access::Network;
use crate::permissions::Permissions;
use crate::permit::Permitted;
use crate::question::{Answer, Question};
use crate::rules::{Confinement, Pattern, Rule, Rules, Scope, Verdict};
use crate::{Access, Permit};

/// Gives its answers in turn, a little later, which is after all that runs where time is paused; `None` never answers.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Option<Answer>>>,
    asked: AtomicUsize,
    effects: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Option<Answer>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Asker for Scripted {
    fn ask<'a>(&'a self, question: &'a Question) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.effects.lock().unwrap().push(question.effect.clone());
        let answer = self.answers.lock().unwrap().pop().expect("a question more than answers");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            match answer {
                Some(answer) => Some(answer),
                None => std::future::pending().await,
            }
        })
    }
}

fn gate_with(folder: &Path, rules: Vec<Rule>) -> Gate {
    let scope = Scope { workspace: "/t/ws".into(), finch_home: "/home/u/.finch".into(), user_home: None };
    Gate::new(Rules::new(scope, rules).confined(Confinement::Whole), Permissions::open(folder.join("permissions.toml")))
}

fn run(command: &str) -> Access {
    Access::Run { command: command.into(), cwd: "/t/ws".into(), network: Network::Off }
}

fn reason(result: Result<Permit, Denied>) -> String {
    result.unwrap_err().reason
}

#[tokio::test]
async fn without_anybody_to_ask_the_answer_is_no() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    assert!(reason(gate.permit(vec![run("make")], None).await).contains("nobody is there to ask"));
    let permit = gate.permit(vec![run("ls"), Access::Read { path: "/t/ws/a".into() }], None).await.unwrap();
    assert!(permit.covers(&run("ls")));
    assert!(!permit.covers(&run("make")), "a permit is for what was asked");
}

#[tokio::test]
async fn a_no_reaches_the_model_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([Some(Answer::No), Some(Answer::NoBecause("use just instead".into()))]);
    assert_eq!(reason(gate.permit(vec![run("make")], Some(&asker)).await), "the user said no");
    assert_eq!(reason(gate.permit(vec![run("make")], Some(&asker)).await), "the user said no: use just instead");
}

#[tokio::test]
async fn once_is_once_and_a_session_is_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([Some(Answer::Once), Some(Answer::Session), Some(Answer::No)]);
    gate.permit(vec![run("make")], Some(&asker)).await.unwrap();
    gate.permit(vec![run("make")], Some(&asker)).await.unwrap();
    gate.permit(vec![run("make")], Some(&asker)).await.unwrap();
    gate.permit(vec![run("make")], None).await.unwrap();
    assert_eq!(asker.asked(), 2);
    gate.permit(vec![run("make all")], Some(&asker)).await.unwrap_err();
    let next = gate_with(folder.path(), Vec::new());
    next.permit(vec![run("make")], None).await.unwrap_err();
}

#[tokio::test]
async fn always_is_stored_for_this_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let asker = Scripted::new([Some(Answer::Always), Some(Answer::AlwaysLike)]);
    let gate = gate_with(folder.path(), Vec::new());
    gate.permit(vec![run("make")], Some(&asker)).await.unwrap();
    gate.permit(vec![run("cargo test -p a")], Some(&asker)).await.unwrap();
    let next = gate_with(folder.path(), Vec::new());
    next.permit(vec![run("make")], None).await.unwrap();
    next.permit(vec![run("cargo test -p b 2>&1 | tail -5")], None).await.unwrap();
    for command in ["make x", "cargo test > f", "cargo test --config x", "cargo build"] {
        next.permit(vec![run(command)], None).await.unwrap_err();
    }
    let scope = Scope { workspace: "/t/ws-evil".into(), finch_home: "/home/u/.finch".into(), user_home: None };
    let other = Gate::new(
        Rules::new(scope, Vec::new()).confined(Confinement::Whole),
        Permissions::open(folder.path().join("permissions.toml")),
    );
    let there = Access::Run { command: "cargo test".into(), cwd: "/t/ws-evil".into(), network: Network::Off };
    other.permit(vec![there], None).await.unwrap_err();
}

#[tokio::test]
async fn an_answer_that_was_not_offered_is_no() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([Some(Answer::Always), Some(Answer::Session), Some(Answer::AlwaysLike)]);
    for command in ["make > f", "echo $(x)", "make"] {
        let told = reason(gate.permit(vec![run(command)], Some(&asker)).await);
        assert!(told.contains("none of those offered"), "{command}: {told}");
    }
    assert!(!folder.path().join("permissions.toml").exists());
}

#[tokio::test]
async fn a_restart_is_asked_about_each_time_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let restart = || vec![Access::Restart { reason: "new settings".into() }];
    assert!(reason(gate.permit(restart(), None).await).contains("nobody is there to ask"));
    let answers = [Answer::Once, Answer::Once, Answer::Session, Answer::Always, Answer::AlwaysLike];
    let asker = Scripted::new(answers.map(Some));
    for _ in 0..2 {
        gate.permit(restart(), Some(&asker)).await.unwrap();
    }
    for _ in 0..3 {
        assert!(reason(gate.permit(restart(), Some(&asker)).await).contains("none of those offered"));
    }
    assert_eq!(asker.asked(), 5);
    assert!(!folder.path().join("permissions.toml").exists());
}

#[tokio::test]
async fn a_deny_asks_nobody_and_denies_the_whole_call() {
    let folder = tempfile::tempdir().unwrap();
    let deny = Rule { verdict: Verdict::Deny, pattern: Pattern::command("curl", Network::Off).unwrap() };
    let gate = gate_with(folder.path(), vec![deny]);
    let asker = Scripted::default();
    let told = reason(gate.permit(vec![run("make"), run("env curl x")], Some(&asker)).await);
    assert!(told.contains("a rule of the user forbids it: curl"), "{told}");
    let own = Access::Write { path: "/t/ws/.finch/config.toml".into(), diff: String::new() };
    gate.permit(vec![own], Some(&asker)).await.unwrap_err();
    assert_eq!(asker.asked(), 0);
}

#[tokio::test]
async fn several_effects_are_one_question() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([Some(Answer::Once)]);
    let all = vec![run("make a"), run("ls"), run("make b")];
    let permit = gate.permit(all.clone(), Some(&asker)).await.unwrap();
    assert!(all.iter().all(|access| permit.covers(access)));
    let effects = asker.effects.lock().unwrap().clone();
    assert!(
        effects[0].contains("make a") && effects[0].contains("make b") && !effects[0].contains("ls"),
        "{effects:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_that_ask_the_same_ask_once() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([Some(Answer::Once), Some(Answer::No)]);
    let call = || gate.permit(vec![run("make")], Some(&asker));
    let (a, b, c) = tokio::join!(call(), call(), call());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(asker.asked(), 1);
    call().await.unwrap_err();
    assert_eq!(asker.asked(), 2, "once holds for the calls that waited");
}

#[tokio::test]
async fn a_question_whose_asker_is_gone_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([None, Some(Answer::Once)]);
    let mut first = Box::pin(gate.permit(vec![run("make")], Some(&asker)));
    let mut second = Box::pin(gate.permit(vec![run("make")], Some(&asker)));
    while asker.asked() == 0 {
        tokio::select! { biased; _ = &mut first => panic!("answered"), _ = tokio::time::sleep(std::time::Duration::from_millis(1)) => {} }
    }
    tokio::select! { biased; _ = &mut second => panic!("answered"), _ = tokio::time::sleep(std::time::Duration::from_millis(20)) => {} }
    drop(first);
    second.await.unwrap();
    assert_eq!(asker.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_no() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_with(folder.path(), Vec::new());
    let asker = Scripted::new([None]);
    let began = tokio::time::Instant::now();
    let call = || gate.permit(vec![run("make")], Some(&asker));
    let (a, b) = tokio::join!(call(), call());
    for result in [a, b] {
        assert_eq!(reason(result), "the user said no: nobody answered in time", "H43 G8");
    }
    assert!(began.elapsed() <= crate::limits::ANSWER_WAIT + std::time::Duration::from_secs(1));
    assert!(gate.open.lock().unwrap().is_empty());
}

#[tokio::test]
async fn damaged_permissions_allow_nothing_and_do_not_lose_a_deny_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let allow = Rule { verdict: Verdict::Allow, pattern: Pattern::command("make", Network::Off).unwrap() };
    let gate = gate_with(folder.path(), vec![allow]);
    gate.permit(vec![run("make")], None).await.unwrap();
    std::fs::write(folder.path().join("permissions.toml"), "[[rules]]\nverdict = \"den").unwrap();
    assert!(reason(gate.permit(vec![run("make")], None).await).contains("cannot be read"));
    gate.permit(vec![run("ls")], None).await.unwrap_err();
    gate.permit(vec![Access::Read { path: "/t/ws/a".into() }], None).await.unwrap();
    let asker = Scripted::new([Some(Answer::Always)]);
    gate.permit(vec![run("make x")], Some(&asker)).await.unwrap();
    gate.permit(vec![run("make x"), run("make")], None).await.unwrap();
    assert!(folder.path().join("permissions.toml.bad").exists());
}

#[tokio::test]
async fn without_a_sandbox_no_answer_and_no_rule_outlives_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let stored = gate_with(folder.path(), Vec::new());
    stored.permit(vec![run("make")], Some(&Scripted::new([Some(Answer::Always)]))).await.unwrap();
    let by_rule = stored.permit(vec![run("make")], None).await.unwrap();
    assert!(by_rule.covers(&run("make")) && by_rule.permitted(&run("make")) == Permitted::ByRule);
    let scope = stored.rules.scope().clone();
    let gate = Gate::new(Rules::new(scope, Vec::new()), Permissions::open(folder.path().join("permissions.toml")));
    for command in ["make", "ls"] {
        assert!(reason(gate.permit(vec![run(command)], None).await).contains("it runs with your rights"), "{command}");
    }
    let asker = Scripted::new([Some(Answer::Session), Some(Answer::Once), Some(Answer::Once)]);
    assert!(reason(gate.permit(vec![run("make")], Some(&asker)).await).contains("none of those offered"));
    for _ in 0..2 {
        let permit = gate.permit(vec![run("make")], Some(&asker)).await.unwrap();
        assert_eq!(permit.permitted(&run("make")), Permitted::ByAnswer);
    }
    assert_eq!(asker.asked(), 3);
    assert!(asker.effects.lock().unwrap()[0].contains("with your rights and WITH THE NETWORK"));
}
