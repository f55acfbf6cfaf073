//! What `finch plan` prints: progress, the plan and what is open, and the same as JSON.

use std::path::Path;

use anyhow::Result;
use finch_agent::characters;
use finch_agent::plan::{Ended, Finding, Outcome, Plan, PlanEvent, Review, Weight};
use finch_agent::task::{Carried, StepState, TaskEvent, WorkEnd};
use finch_agent::turn::Event;
use serde_json::{Value, json};

use crate::command::print;
use crate::progress::say;

/// One thing that happened, on stderr.
pub(super) fn event(event: &TaskEvent) {
    match event {
        TaskEvent::Turn(event) => turn(event),
        TaskEvent::Plan(event) => planning(event),
        TaskEvent::Step { number, title, state } => {
            let state = match state {
                StepState::Working => "",
                StepState::Checking => ": checking",
                StepState::Done => ": done",
                StepState::Failed => ": NOT done",
            };
            say(&format!("step {number}: {}{state}", shown(title)));
        }
        TaskEvent::Applied { paths } => {
            paths.iter().for_each(|path| say(&format!("  changed {}", shown(&path.to_string_lossy()))));
        }
        TaskEvent::PlanFile { .. } | TaskEvent::Review { .. } => {}
    }
}

fn turn(event: &Event) {
    match event {
        Event::Call { name, arguments_json, .. } => say(&format!("  {} {}", shown(name), shown(arguments_json))),
        Event::Called { outcome, .. } if outcome.is_error => say(&format!("  failed: {}", shown(&outcome.text))),
        Event::Retried { reason } => say(&format!("  asked again: {}", shown(reason))),
        _ => {}
    }
}

fn planning(event: &PlanEvent) {
    match event {
        PlanEvent::Drafting { round } => say(&format!("round {round}: writing the plan")),
        PlanEvent::Drafted { plan, .. } => say(&format!("  {} steps", plan.steps.len())),
        PlanEvent::Reviewed { persona, review: Review::Findings(findings), .. } if findings.is_empty() => {
            say(&format!("  {}: no finding", persona.name()));
        }
        PlanEvent::Reviewed { review: Review::Findings(findings), .. } => {
            findings.iter().for_each(|finding| say(&format!("  {}", line(finding))));
        }
        PlanEvent::Reviewed { persona, review: Review::Failed { why, .. }, .. } => {
            say(&format!("  {} could not be heard: {}", persona.name(), shown(why)));
        }
    }
}

/// On one line, with nothing that a terminal would obey.
fn shown(text: &str) -> String {
    let line = characters::shown_on_one_line(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let cut = line.floor_char_boundary(LINE_BYTES_MAX.min(line.len()));
    if cut < line.len() { format!("{}…", &line[..cut]) } else { line }
}

/// A line of progress.
const LINE_BYTES_MAX: usize = 400;

fn line(finding: &Finding) -> String {
    let step = finding.step.map_or_else(String::new, |step| format!(" step {step}:"));
    let unfounded = if finding.is_unfounded { " (what it says of the code is not there)" } else { "" };
    let (name, concern) = (finding.persona.name(), shown(&finding.concern));
    format!("[{name}, {}/{}]{step} {concern}{unfounded}", finding.severity, finding.confidence)
}

/// The plan, and what is open.
pub(super) fn plan(plan: &Plan, outcome: Option<&Outcome>, path: &Path) -> Result<()> {
    print(&characters::shown(&plan.to_markdown()))?;
    let Some(outcome) = outcome else { return Ok(()) };
    for finding in outcome.findings(Weight::MustAddress) {
        say(&format!("still open: {}", line(finding)));
    }
    for finding in outcome.findings(Weight::MinorityRisk) {
        say(&format!("a risk that few see: {}", line(finding)));
    }
    for (persona, why) in outcome.unheard() {
        say(&format!("not heard: {} ({})", persona.name(), shown(why)));
    }
    say(&format!("finch: {} in round {}, in {}", word(outcome.ended), outcome.rounds.len(), path.display()));
    Ok(())
}

/// How the work ended.
pub(super) fn end(end: &WorkEnd) -> String {
    match end {
        WorkEnd::Done => "all steps are done".to_owned(),
        WorkEnd::Stopped { step, end } => format!("step {step} is not done: {}", shown(&end.to_string())),
        WorkEnd::NotDone { step, why } => format!("step {step} is not done: {}", shown(why)),
    }
}

/// All of it as JSON.
pub(super) fn report(plan: &Plan, outcome: Option<&Outcome>, path: &Path, carried: Option<&Carried>) -> Value {
    let steps: Vec<_> =
        plan.steps.iter().map(|step| json!({"title": step.title, "files": step.files, "check": step.check})).collect();
    let items = |weight| outcome.into_iter().flat_map(move |all| all.findings(weight)).map(item).collect::<Vec<_>>();
    let unheard = outcome.into_iter().flat_map(Outcome::unheard).map(|(persona, _)| persona.name()).collect::<Vec<_>>();
    let mut report = json!({
        "task": plan.task,
        "hash": plan.hash().to_string(),
        "rounds": outcome.map_or(0, |outcome| outcome.rounds.len()),
        "outcome": outcome.map_or("given", |outcome| word(outcome.ended)),
        "steps": steps,
        "must_address": items(Weight::MustAddress),
        "minority_risks": items(Weight::MinorityRisk),
        "unheard": unheard,
        "path": path.display().to_string(),
    });
    if let Some(carried) = carried {
        let (word, step) = match &carried.ended {
            WorkEnd::Done => ("done", None),
            WorkEnd::Stopped { step, .. } => ("stopped", Some(step)),
            WorkEnd::NotDone { step, .. } => ("not-done", Some(step)),
        };
        report["work"] = json!({"ended": word, "step": step, "why": end(&carried.ended)});
    }
    report
}

fn item(finding: &Finding) -> Value {
    json!({
        "persona": finding.persona.name(),
        "concern": finding.concern,
        "step_ref": finding.step,
        "severity": finding.severity,
        "confidence": finding.confidence,
    })
}

fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Settled => "settled",
        Ended::Approved => "approved",
        Ended::Cancelled => "cancelled",
        Ended::RoundsOver => "rounds-over",
    }
}
