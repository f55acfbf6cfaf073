//! The questions of `finch setup` as a state machine: an answer in, the next question or a finished plan out.
//!
//! Pure: no terminal, no file, no environment. Whoever drives it shows a [`Question`] and hands over an [`Answer`]; an
//! answer that does not do is refused with a reason, and the question stands. Going back keeps what was answered, so that
//! it is there to be confirmed. Keys are checked by whoever drives it: it gets a [`Check`] and hands over what came of it.
//! Nothing is to be written before [`Next::Done`].

use std::collections::BTreeSet;

use finch_llm::cloud::{Cleartext, Endpoint, Key, Service};
use finch_llm::router::Policy;

use super::Existing;
use super::plan::{Asked, Cloud, Clouds, KeyPlan, Plan, Typed};
use super::words::{AGREEMENTS, Agreement, Choice, POLICIES};

mod checks;
mod offer;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use checks::{Check, Verdict};
use offer::Offer;
pub(crate) use words::split;

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) hint: String,
}

/// What to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    /// To be read before the question.
    pub(crate) note: Option<String>,
    pub(crate) kind: Kind,
    /// There is a question before this one.
    pub(crate) goes_back: bool,
}

/// How it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    One {
        items: Vec<Item>,
        initial: usize,
    },
    Several {
        items: Vec<Item>,
        initial: Vec<usize>,
    },
    /// Nothing typed is the initial text.
    Text {
        initial: Option<String>,
    },
    /// What is typed is not shown.
    Hidden,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) label: String,
    pub(crate) hint: String,
}

/// What the user said. Items are named by their place in the question.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    One(usize),
    Several(Vec<usize>),
    Text(String),
    Back,
}

/// Where the conversation is.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Ask(Question),
    /// Keys are to be checked, and what came of it to be handed to [`Wizard::checked`].
    Check(Check),
    Done(Plan),
    /// The user wants everything left as it is.
    Left,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Model,
    Cloud,
    Which,
    /// The others are about one of the offers.
    Address(usize),
    Key(usize),
    TypedKey(usize),
    Command(usize),
    CloudModel(usize),
    Policy,
    Agreement,
    Check,
    /// Its key was refused.
    Refused(usize),
    Confirm,
    Done,
    Left,
}

#[derive(Debug)]
pub(crate) struct Wizard {
    models: Vec<Model>,
    model: usize,
    /// The file that is going to be written, as it is called in a question.
    file: String,
    wants_cloud: Ask,
    offers: Vec<Offer>,
    policy: Policy,
    agreement: Agreement,
    step: Step,
    /// The steps before this one.
    behind: Vec<Step>,
}

/// Whether a cloud is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    No,
    Yes,
}

impl Wizard {
    /// `proposed` is the place of a model; `variables` are those of the environment that hold something.
    pub(crate) fn new(
        models: Vec<Model>,
        proposed: usize,
        existing: &Existing,
        variables: &BTreeSet<String>,
        file: String,
    ) -> Self {
        let is_asked =
            existing.clouds.iter().any(|cloud| cloud.is_enabled) && existing.policy != Some(Policy::LocalOnly);
        Self {
            model: proposed.min(models.len().saturating_sub(1)),
            models,
            file,
            wants_cloud: if is_asked { Ask::Yes } else { Ask::No },
            offers: offer::all(existing, variables),
            policy: existing.policy.filter(|policy| *policy != Policy::LocalOnly).unwrap_or_default(),
            agreement: existing.agreement.unwrap_or_default(),
            step: Step::Model,
            behind: Vec::new(),
        }
    }

    /// What comes now.
    pub(crate) fn next(&self) -> Next {
        let (text, kind) = match self.step {
            Step::Done => return Next::Done(self.plan()),
            Step::Left => return Next::Left,
            Step::Check => return Next::Check(self.check()),
            Step::Refused(of) => (self.refusal(of), checks::refused_items()),
            Step::Model => ("Which model shall answer on this machine?".to_owned(), self.model_items()),
            Step::Cloud => ("Shall a cloud answer where the local model cannot?".to_owned(), self.cloud_items()),
            Step::Which => ("Which ones?".to_owned(), self.which_items()),
            Step::Address(of) => {
                let text = "Where is the server? Its address, with the version in the path".to_owned();
                (text, Kind::Text { initial: self.offers[of].address.clone() })
            }
            Step::Key(of) => (format!("Where is the key for {}?", self.offers[of].name), self.offers[of].key_items()),
            Step::TypedKey(of) => (format!("The key for {}; it is not shown", self.offers[of].name), Kind::Hidden),
            Step::Command(of) => {
                let text = format!("Which command prints the key for {}?", self.offers[of].name);
                (text, Kind::Text { initial: self.offers[of].command.clone() })
            }
            Step::CloudModel(of) => {
                let text = format!("Which model of {}?", self.offers[of].name);
                (text, Kind::Text { initial: self.offers[of].model.clone() })
            }
            Step::Policy => ("Who is asked first?".to_owned(), items(POLICIES, self.policy)),
            Step::Agreement => {
                ("Text of which workspaces may go to a cloud?".to_owned(), items(AGREEMENTS, self.agreement))
            }
            Step::Confirm => (format!("Write this to {}?", self.file), confirm_items()),
        };
        let note = (self.step == Step::Confirm).then(|| self.plan().lines().join("\n"));
        Next::Ask(Question { text, note, kind, goes_back: !self.behind.is_empty() })
    }

    /// Takes an answer to the question that [`Wizard::next`] asks.
    ///
    /// # Errors
    /// With the reason why it does not do.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), String> {
        if answer == Answer::Back {
            if let Some(step) = self.behind.pop() {
                self.step = step;
            }
            return Ok(());
        }
        let step = self.step;
        self.step = self.take(step, answer)?;
        self.behind.push(step);
        Ok(())
    }

    /// Keeps an answer and says which step is next.
    fn take(&mut self, step: Step, answer: Answer) -> Result<Step, String> {
        match (step, answer) {
            (Step::Model, Answer::One(place)) if place < self.models.len() => {
                self.model = place;
                Ok(Step::Cloud)
            }
            (Step::Cloud, Answer::One(place)) if place < 2 => {
                self.wants_cloud = if place == 1 { Ask::Yes } else { Ask::No };
                Ok(if place == 1 { Step::Which } else { Step::Confirm })
            }
            (Step::Which, Answer::Several(places)) => {
                if places.is_empty() {
                    return Err("choose at least one with the space bar, or go back and answer no".to_owned());
                }
                for (place, offer) in self.offers.iter_mut().enumerate() {
                    offer.is_chosen = places.contains(&place);
                }
                Ok(self.cloud_after(None))
            }
            (Step::Policy, Answer::One(place)) => {
                self.policy = POLICIES.get(place).ok_or_else(unfitting)?.value;
                Ok(if self.policy == Policy::LocalOnly { Step::Confirm } else { Step::Agreement })
            }
            (Step::Agreement, Answer::One(place)) => {
                self.agreement = AGREEMENTS.get(place).ok_or_else(unfitting)?.value;
                Ok(self.check_or_confirm())
            }
            (Step::Refused(of), Answer::One(place)) => self.take_of_a_refusal(of, place),
            (Step::Confirm, Answer::One(place)) => Ok(if place == 0 { Step::Done } else { Step::Left }),
            (step, answer) => self.take_of_a_cloud(step, answer),
        }
    }

    fn take_of_a_cloud(&mut self, step: Step, answer: Answer) -> Result<Step, String> {
        match (step, answer) {
            (Step::Address(of), Answer::Text(text)) => {
                let offer = &mut self.offers[of];
                let text = typed(text, offer.address.as_deref()).ok_or("type an address, such as https://host/v1")?;
                let cleartext = if offer.allows_http { Cleartext::Anywhere } else { Cleartext::Loopback };
                offer.address = Some(Endpoint::new(&text, cleartext).map_err(|bad| bad.to_string())?.to_string());
                Ok(Step::Key(of))
            }
            (Step::Key(of), Answer::One(place)) => {
                let offer = &mut self.offers[of];
                offer.key = offer.keys.get(place).ok_or_else(unfitting)?.clone();
                Ok(match offer.key {
                    offer::KeyWay::Type => Step::TypedKey(of),
                    offer::KeyWay::Command => Step::Command(of),
                    offer::KeyWay::Keep | offer::KeyWay::Variable(_) | offer::KeyWay::None => Step::CloudModel(of),
                })
            }
            (Step::TypedKey(of), Answer::Text(text)) => {
                Key::new(&text).map_err(|bad| format!("{bad}; paste it again"))?;
                let offer = &mut self.offers[of];
                (offer.key, offer.typed) = (offer::KeyWay::Type, Some(Typed(text.trim().to_owned())));
                let is_again = self.behind.last() == Some(&Step::Refused(of));
                Ok(if is_again { self.check_or_confirm() } else { Step::CloudModel(of) })
            }
            (Step::Command(of), Answer::Text(text)) => {
                let offer = &mut self.offers[of];
                let text = typed(text, offer.command.as_deref()).ok_or("type a command, such as pass show cloud")?;
                split(&text)?;
                offer.command = Some(text);
                Ok(Step::CloudModel(of))
            }
            (Step::CloudModel(of), Answer::Text(text)) => {
                let offer = &mut self.offers[of];
                let text = typed(text, offer.model.as_deref()).ok_or("type the name of a model that it has")?;
                offer.model = Some(text);
                Ok(self.cloud_after(Some(of)))
            }
            _ => Err(unfitting()),
        }
    }

    /// The first question about the next chosen cloud.
    fn cloud_after(&self, of: Option<usize>) -> Step {
        let from = of.map_or(0, |of| of + 1);
        match (from..self.offers.len()).find(|place| self.offers[*place].is_chosen) {
            Some(place) if self.offers[place].row.service == Service::Compatible => Step::Address(place),
            Some(place) => Step::Key(place),
            None => Step::Policy,
        }
    }

    fn plan(&self) -> Plan {
        let model = self.models.get(self.model).map(|model| model.id.clone()).unwrap_or_default();
        let clouds = match self.wants_cloud {
            Ask::No if self.offers.iter().any(|offer| offer.was_asked) => Clouds::Off,
            Ask::No => Clouds::None,
            Ask::Yes => {
                let off = self.offers.iter().filter(|offer| offer.was_asked && !offer.is_chosen);
                Clouds::Asked(Asked {
                    clouds: self.offers.iter().filter(|offer| offer.is_chosen).map(cloud).collect(),
                    off: off.map(|offer| offer.name.clone()).collect(),
                    policy: self.policy,
                    agreement: (self.policy != Policy::LocalOnly).then_some(self.agreement),
                })
            }
        };
        Plan { model, clouds }
    }

    fn model_items(&self) -> Kind {
        let item = |model: &Model| Item { label: model.label.clone(), hint: model.hint.clone() };
        Kind::One { items: self.models.iter().map(item).collect(), initial: self.model }
    }

    fn cloud_items(&self) -> Kind {
        let item = |label: &str, hint: &str| Item { label: label.to_owned(), hint: hint.to_owned() };
        Kind::One {
            items: vec![
                item("No", "nothing you write leaves this machine"),
                item("Yes", "you are asked before text leaves"),
            ],
            initial: usize::from(self.wants_cloud == Ask::Yes),
        }
    }

    fn which_items(&self) -> Kind {
        let chosen = self.offers.iter().enumerate().filter(|(_, offer)| offer.is_chosen);
        let initial = chosen.map(|(place, _)| place).collect();
        Kind::Several { items: self.offers.iter().map(Offer::item).collect(), initial }
    }
}

fn cloud(offer: &Offer) -> Cloud {
    let key = match &offer.key {
        offer::KeyWay::Keep => KeyPlan::Keep,
        offer::KeyWay::None => KeyPlan::None,
        offer::KeyWay::Variable(variable) => KeyPlan::Variable(variable.clone()),
        // Invariant: neither step is left without an answer that does.
        offer::KeyWay::Type => offer.typed.clone().map_or(KeyPlan::None, KeyPlan::Typed),
        offer::KeyWay::Command => {
            let words = offer.command.as_deref().and_then(|command| split(command).ok());
            words.map_or(KeyPlan::None, KeyPlan::Command)
        }
    };
    Cloud {
        row: offer.row,
        name: offer.name.clone(),
        model: offer.model.clone().unwrap_or_default(),
        base_url: offer.address.clone().filter(|_| offer.row.service == Service::Compatible),
        key,
    }
}

/// What was typed, or what stands there if nothing was.
fn typed(text: String, initial: Option<&str>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() { initial.map(str::to_owned) } else { Some(text.to_owned()) }
}

fn items<T: Copy + PartialEq>(choices: &[Choice<T>], initial: T) -> Kind {
    let item = |choice: &Choice<T>| Item { label: choice.word.to_owned(), hint: choice.label.to_owned() };
    let initial = choices.iter().position(|choice| choice.value == initial).unwrap_or(0);
    Kind::One { items: choices.iter().map(item).collect(), initial }
}

fn confirm_items() -> Kind {
    let item = |label: &str, hint: &str| Item { label: label.to_owned(), hint: hint.to_owned() };
    Kind::One {
        items: vec![item("Yes", "and fetch what is not here yet"), item("No", "leave everything as it is")],
        initial: 0,
    }
}

fn unfitting() -> String {
    "that is no answer to this question".to_owned()
}
