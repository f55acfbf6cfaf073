//! The check of keys, as far as it is part of the conversation: which clouds are to be asked, and what follows a refusal.
//!
//! What was found out is about a cloud as it was then: another key, address or model is checked anew.

use super::super::plan::{Cloud, Plan};
use super::offer::Offer;
use super::{Item, Kind, Policy, Step, Wizard, cloud, unfitting};

/// Which clouds are to be asked whether they take their keys.
#[derive(Debug, PartialEq)]
pub(crate) struct Check {
    /// What would be written, which says all that is needed for it.
    pub(crate) plan: Plan,
    /// Their names, in the order of the questions.
    pub(crate) names: Vec<String>,
}

/// What came of the check of a key, as a person reads it behind the name of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken(String),
    Refused(String),
    /// Whether the key is good remains open.
    Unknown(String),
}

/// A verdict on a cloud as it was then.
#[derive(Debug)]
pub(super) struct Checked {
    cloud: Cloud,
    verdict: Verdict,
    /// A refused key that the user wants to keep.
    is_kept: bool,
}

impl Wizard {
    /// Takes what came of a [`Check`], by the names in it. A cloud that is not named remains open.
    pub(crate) fn checked(&mut self, mut verdicts: Vec<(String, Verdict)>) {
        if self.step != Step::Check {
            return;
        }
        for of in self.unchecked() {
            let offer = &mut self.offers[of];
            let verdict = match verdicts.iter().position(|(name, _)| *name == offer.name) {
                Some(place) => verdicts.swap_remove(place).1,
                None => Verdict::Unknown("not checked".to_owned()),
            };
            offer.checked = Some(Checked { cloud: cloud(offer), verdict, is_kept: false });
        }
        // The way back from here leads to the questions, and not to keys that were replaced meanwhile.
        while matches!(self.behind.last(), Some(Step::Refused(_) | Step::TypedKey(_))) {
            self.behind.pop();
        }
        self.step = self.check_or_confirm();
    }

    /// What is next when all else is answered.
    pub(super) fn check_or_confirm(&self) -> Step {
        let is_refused = |offer: &Offer| {
            let checked = offer.checked.as_ref();
            offer.is_chosen && checked.is_some_and(|it| matches!(it.verdict, Verdict::Refused(_)) && !it.is_kept)
        };
        match self.offers.iter().position(is_refused) {
            _ if self.policy == Policy::LocalOnly => Step::Confirm,
            _ if !self.unchecked().is_empty() => Step::Check,
            Some(of) => Step::Refused(of),
            None => Step::Confirm,
        }
    }

    /// The chosen clouds of which nothing is known as they are now.
    fn unchecked(&self) -> Vec<usize> {
        let is_known = |offer: &Offer| offer.checked.as_ref().is_some_and(|checked| checked.cloud == cloud(offer));
        let offers = self.offers.iter().enumerate();
        offers.filter(|(_, offer)| offer.is_chosen && !is_known(offer)).map(|(of, _)| of).collect()
    }

    pub(super) fn check(&self) -> Check {
        let names = self.unchecked().into_iter().map(|of| self.offers[of].name.clone()).collect();
        Check { plan: self.plan(), names }
    }

    pub(super) fn refusal(&self, of: usize) -> String {
        let offer = &self.offers[of];
        let said = match offer.checked.as_ref().map(|checked| &checked.verdict) {
            Some(Verdict::Taken(said) | Verdict::Refused(said) | Verdict::Unknown(said)) => said.as_str(),
            None => "not checked",
        };
        format!("{}: {said}. What now?", offer.name)
    }

    pub(super) fn take_of_a_refusal(&mut self, of: usize, place: usize) -> Result<Step, String> {
        match place {
            0 => Ok(Step::TypedKey(of)),
            1 => {
                if let Some(checked) = &mut self.offers[of].checked {
                    checked.is_kept = true;
                }
                Ok(self.check_or_confirm())
            }
            2 => Ok(Step::Left),
            _ => Err(unfitting()),
        }
    }
}

pub(super) fn refused_items() -> Kind {
    let item = |label: &str, hint: &str| Item { label: label.to_owned(), hint: hint.to_owned() };
    Kind::One {
        items: vec![
            item("Type it again", "it is written into config.toml, for you alone"),
            item("Go on", "the key is kept as it is"),
            item("Leave", "everything stays as it was"),
        ],
        initial: 0,
    }
}
