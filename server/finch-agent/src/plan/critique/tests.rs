use super::*;
use crate::plan::Step;

struct Files(&'static [(&'static str, &'static str)]);

impl Source for Files {
    fn text(&self, path: &str) -> Option<String> {
        self.0.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    }
}

const FILES: Files = Files(&[("src/a.rs", "fn a() {\n    b(1,  2);\n}\n\n\n\n\n\n\nfn z() {}\n")]);

fn plan() -> Plan {
    Plan { task: "t".to_owned(), steps: vec![Step { title: "one".to_owned(), ..Step::default() }] }
}

fn item(step: u64, severity: u64, confidence: u64, evidence: (&str, u64, &str)) -> Value {
    json!({
        "concern": "c", "step_ref": step, "severity": severity, "confidence": confidence,
        "file": evidence.0, "line": evidence.1, "quote": evidence.2,
    })
}

fn one(item: &Value) -> Finding {
    let answer = Ok(json!({"findings": [item]}));
    let Review::Findings(mut found) = review(Persona::Security, answer, &plan(), &FILES) else { panic!("{item}") };
    found.remove(0)
}

#[track_caller]
fn check_weight(severity: u64, confidence: u64, weight: Weight) {
    assert_eq!(one(&item(1, severity, confidence, ("", 0, ""))).weight(), weight);
}

#[test]
fn what_counts_is_grave_and_certain() {
    check_weight(8, 7, Weight::MustAddress);
    check_weight(10, 10, Weight::MustAddress);
    check_weight(7, 10, Weight::Other);
    check_weight(8, 6, Weight::Other);
    check_weight(7, 4, Weight::MinorityRisk);
    check_weight(10, 1, Weight::MinorityRisk);
    check_weight(6, 1, Weight::Other);
    check_weight(7, 5, Weight::Other);
}

#[track_caller]
fn check_evidence(file: &str, line: u64, quote: &str, stands: bool) {
    let found = one(&item(1, 9, 9, (file, line, quote)));
    assert_eq!(found.is_unfounded, !stands);
    assert_eq!(found.weight() == Weight::MustAddress, stands);
}

#[test]
fn a_claim_about_the_code_is_looked_up() {
    check_evidence("src/a.rs", 2, "b(1, 2);", true);
    check_evidence("src/a.rs", 4, "b(1, 2);", true);
    check_evidence("src/a.rs", 1, "fn a() {\n  b(1, 2);", true);
    check_evidence("src/a.rs", 10, "b(1, 2);", false);
    check_evidence("src/a.rs", 2, "c(1, 2);", false);
    check_evidence("src/a.rs", 2, "", false);
    check_evidence("src/a.rs", 0, "fn a()", false);
    check_evidence("src/b.rs", 2, "b(1, 2);", false);
    check_evidence("", 2, "b(1, 2);", false);
}

#[test]
fn a_step_that_is_not_there_is_the_plan_as_a_whole() {
    assert_eq!(one(&item(1, 1, 1, ("", 0, ""))).step, Some(1));
    assert_eq!(one(&item(0, 1, 1, ("", 0, ""))).step, None);
    assert_eq!(one(&item(2, 1, 1, ("", 0, ""))).step, None);
}

#[test]
fn the_gravest_comes_first_and_scores_stay_in_their_bounds() {
    let answer = Ok(json!({"findings": [item(1, 2, 2, ("", 0, "")), item(1, 99, 9, ("", 0, ""))]}));
    let Review::Findings(found) = review(Persona::Regression, answer, &plan(), &FILES) else {
        panic!("it was understood")
    };
    assert_eq!(found.iter().map(Finding::signal).collect::<Vec<_>>(), [90, 4]);
}

#[test]
fn what_failed_is_no_empty_review() {
    let error = StructuredError::Llm(finch_llm::LlmError::Overloaded);
    let found = review(Persona::EdgeCases, Err(error), &plan(), &FILES);
    assert!(matches!(found, Review::Failed { persona: Persona::EdgeCases, .. }), "{found:?}");
}

#[test]
fn each_persona_is_asked_its_own_questions() {
    let asked: Vec<String> =
        Persona::ALL.iter().map(|&persona| question(persona, &plan().to_markdown(), "notes")).collect();
    for (at, one) in asked.iter().enumerate() {
        assert!(one.contains(Persona::ALL[at].name()) && one.contains("## 1. [ ] one") && one.contains("notes"));
        assert!(asked[..at].iter().all(|other| other != one));
    }
}
