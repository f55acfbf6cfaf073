//! What the user lets out, and in which order: the policy, its exceptions, and who has agreed to what.

use std::{fmt, sync::Arc};

use super::order::{Consent, Policy, Rule, policy};
use crate::{LlmError, Origin, cloud::Departure};

/// Whether text from there may go to a cloud.
pub type ConsentOf = Arc<dyn Fn(&Origin) -> Consent + Send + Sync>;

/// The terms on which providers are asked. The order of candidates and the gate of each provider go by the same ones.
#[derive(Clone)]
pub struct Terms {
    pub policy: Policy,
    pub rules: Vec<Rule>,
    pub consent: ConsentOf,
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("policy", &self.policy).field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Terms {
    /// The policy for a request: that of the file that is worked on, and `local-only` if it holds for any file whose
    /// text is in it.
    pub(crate) fn policy_of(&self, origin: &Origin) -> Policy {
        let of = |path: Option<&str>| policy(&self.rules, self.policy, origin.task, path);
        let is_bound = origin.files.iter().any(|file| of(Some(file)) == Policy::LocalOnly);
        if is_bound { Policy::LocalOnly } else { of(origin.files.first().map(String::as_str)) }
    }

    /// Whether its text may go to a cloud. Who names a provider for one request agrees to that one.
    pub(crate) fn consent_of(&self, origin: &Origin) -> Consent {
        match (self.consent)(origin) {
            Consent::Unknown if origin.named.is_some() => Consent::Given,
            consent => consent,
        }
    }

    /// What a provider's gate answers: nothing leaves this machine without policy and consent.
    ///
    /// # Errors
    /// [`LlmError::Refused`] says which of them is missing.
    pub fn let_out(&self, departure: &Departure<'_>) -> Result<(), LlmError> {
        if departure.is_loopback {
            return Ok(());
        }
        let origin = departure.origin;
        self.permit(origin, self.policy_of(origin), self.consent_of(origin))
            .map_err(|reason| LlmError::Refused { reason: reason.to_owned() })
    }

    pub(crate) fn permit(&self, origin: &Origin, policy: Policy, consent: Consent) -> Result<(), &'static str> {
        match (policy, consent) {
            (Policy::LocalOnly, _) => Err("the policy is local-only"),
            (_, Consent::Given) => Ok(()),
            (_, Consent::Refused) => Err("text of this workspace may not go to a cloud"),
            (_, Consent::Unknown) if origin.workspace.is_none() => {
                Err("nobody has agreed that text from outside of a workspace may go to a cloud")
            }
            (_, Consent::Unknown) => Err(
                "nobody has agreed that text of this workspace may go to a cloud; agree in the editor or with `finch consent give`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProviderId, Task};

    fn terms(policy: Policy, consent: Consent) -> Terms {
        let rules = vec![Rule { tasks: Vec::new(), glob: Some("secret/**".to_owned()), policy: Policy::LocalOnly }];
        Terms { policy, rules, consent: Arc::new(move |_| consent) }
    }

    fn origin(files: &[&str], named: Option<&str>) -> Origin {
        Origin {
            task: Task::Completion,
            files: files.iter().map(|&file| file.to_owned()).collect(),
            named: named.map(ProviderId::new),
            ..Origin::default()
        }
    }

    #[track_caller]
    fn check(policy: Policy, consent: Consent, origin: &Origin, away: bool, here: bool) {
        let id = ProviderId::new("a");
        let found = [false, true].map(|is_loopback| {
            let departure = Departure { provider: &id, model: "m", host: "h", is_loopback, bytes: 1, origin };
            terms(policy, consent).let_out(&departure).is_ok()
        });
        assert_eq!(found, [away, here]);
    }

    #[test]
    fn nothing_leaves_without_policy_and_consent() {
        let plain = origin(&[], None);
        check(Policy::LocalFirst, Consent::Given, &plain, true, true);
        check(Policy::LocalOnly, Consent::Given, &plain, false, true);
        check(Policy::CloudFirst, Consent::Unknown, &plain, false, true);
        check(Policy::Cheapest, Consent::Refused, &plain, false, true);
    }

    #[test]
    fn one_file_that_stays_keeps_the_request_here() {
        check(Policy::CloudFirst, Consent::Given, &origin(&["src/a.rs", "src/b.rs"], None), true, true);
        check(Policy::CloudFirst, Consent::Given, &origin(&["src/a.rs", "secret/b.rs"], None), false, true);
    }

    #[test]
    fn who_names_a_provider_agrees_to_it_but_not_against_what_was_settled() {
        let named = origin(&[], Some("a"));
        check(Policy::LocalFirst, Consent::Unknown, &named, true, true);
        check(Policy::LocalFirst, Consent::Refused, &named, false, true);
        check(Policy::LocalOnly, Consent::Unknown, &named, false, true);
    }
}
