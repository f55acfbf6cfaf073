//! Asks the questions of a person at a terminal.
//!
//! Esc and Ctrl-C leave everything as it is. In a list the last item goes back; where something is typed, `<` does.

use std::io;

use anyhow::Result;

use super::wizard::{Answer, Check, Item, Kind, Next, Question, Verdict, Wizard};
use super::{Checker, Plan};
use crate::interrupt::Interrupted;

/// What is typed to go back.
const BACK: &str = "<";

/// Holds the conversation; `None` if the user left it.
pub(crate) fn converse(mut wizard: Wizard, checker: &Checker<'_>) -> Result<Option<Plan>> {
    cliclack::intro("finch setup")?;
    loop {
        // Between two questions Ctrl-C is a signal and no key.
        if checker.interrupt.flow().is_break() {
            return Ok(None);
        }
        let question = match wizard.next() {
            Next::Done(plan) => return Ok(Some(plan)),
            Next::Left => {
                cliclack::outro_cancel("everything is as it was")?;
                return Ok(None);
            }
            Next::Check(check) => {
                match show_check(checker, &check) {
                    Ok(verdicts) => wizard.checked(verdicts),
                    Err(error) if error.is::<Interrupted>() => return Ok(None),
                    Err(error) => return Err(error),
                }
                continue;
            }
            Next::Ask(question) => question,
        };
        let answer = match ask(&question) {
            Ok(answer) => answer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Err(reason) = wizard.answer(answer) {
            cliclack::log::warning(reason)?;
        }
    }
}

/// Checks keys behind a spinner, and says a line for each cloud.
fn show_check(checker: &Checker<'_>, check: &Check) -> Result<Vec<(String, Verdict)>> {
    let spinner = cliclack::spinner();
    spinner.start(format!("Checking the keys with {} (Ctrl-C leaves)", check.names.join(", ")));
    let outcome = checker.run(check);
    match &outcome {
        Ok(_) => spinner.stop("The keys are checked"),
        Err(_) => spinner.cancel("The keys are not checked"),
    }
    let verdicts = outcome?;
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Taken(said) => cliclack::log::success(format!("{name}: {said}"))?,
            // It becomes a question.
            Verdict::Refused(_) => {}
            Verdict::Unknown(said) => cliclack::log::warning(format!("{name}: {said}"))?,
        }
    }
    Ok(verdicts)
}

fn ask(question: &Question) -> io::Result<Answer> {
    if let Some(note) = &question.note {
        cliclack::note("What will be written", note)?;
    }
    match &question.kind {
        Kind::One { items, initial } => one(question, items, *initial),
        Kind::Several { items, initial } => several(question, items, initial),
        Kind::Text { initial } => {
            let mut input = cliclack::input(prompt(question)).required(initial.is_none());
            if let Some(initial) = initial {
                input = input.default_input(initial);
            }
            input.interact().map(typed)
        }
        Kind::Hidden => cliclack::password(prompt(question)).interact().map(typed),
    }
}

fn one(question: &Question, items: &[Item], initial: usize) -> io::Result<Answer> {
    let mut list = cliclack::select(&question.text).initial_value(Some(initial));
    for (place, item) in items.iter().enumerate() {
        list = list.item(Some(place), &item.label, &item.hint);
    }
    if question.goes_back {
        list = list.item(None, "Back", "");
    }
    Ok(list.interact()?.map_or(Answer::Back, Answer::One))
}

fn several(question: &Question, items: &[Item], initial: &[usize]) -> io::Result<Answer> {
    let text = format!("{} (space chooses, Enter goes on)", question.text);
    let mut list = cliclack::multiselect(text).required(false);
    list = list.initial_values(initial.iter().copied().map(Some).collect());
    for (place, item) in items.iter().enumerate() {
        list = list.item(Some(place), &item.label, &item.hint);
    }
    if question.goes_back {
        list = list.item(None, "Back", "");
    }
    let chosen: Option<Vec<usize>> = list.interact()?.into_iter().collect();
    Ok(chosen.map_or(Answer::Back, Answer::Several))
}

fn prompt(question: &Question) -> String {
    if question.goes_back { format!("{} ({BACK} goes back)", question.text) } else { question.text.clone() }
}

fn typed(text: String) -> Answer {
    if text.trim() == BACK { Answer::Back } else { Answer::Text(text) }
}
