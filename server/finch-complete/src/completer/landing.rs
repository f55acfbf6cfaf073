//! From a request under way to the suggestion it makes, be it a new one or one that an earlier ask began.
//!
//! An answer is always settled for the place it was asked for; what was typed of it since is cut off its start.

use finch_llm::LlmError;
use tokio::time::Instant;

use super::{Completer, locked};
use crate::answer::{Ended, settle};
use crate::ask::{Ask, Trigger};
use crate::ends::{self, LastLine};
use crate::flight::{Flight, Turn, Wait, agree};
use crate::limits::ANSWER_BYTES_MAX;
use crate::outcome::{Outcome, Reason, Rule, Source, Times};
use crate::place::{Place, is_blank};
use crate::recent::Entry;
use crate::syntax::View;

/// What stands around a place.
pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) view: Option<View>,
}

/// What came of listening.
enum Heard {
    Over(Result<Ended, LlmError>),
    /// The user types something else.
    Disagrees,
    /// A newer ask listens now.
    Gone,
}

impl Completer {
    /// The suggestion of a request that was sent for this ask.
    pub(super) async fn land(
        &self,
        flight: Flight,
        turn: &Turn,
        scene: &Scene,
        deadline: Instant,
        outcome: &mut Outcome,
    ) -> Result<String, Reason> {
        let ask = flight.ask.clone();
        outcome.prompt = Some(flight.prompt.clone());
        let seat = self.flights.launch(turn, flight).ok_or(Reason::Cancelled)?;
        let Heard::Over(ended) = self.listen(turn, &scene.place, "", deadline).await else {
            return Err(Reason::Cancelled);
        };
        let flight = self.flights.land(turn).ok_or(Reason::Cancelled)?;
        drop(seat);
        charge(outcome, &flight);
        let text = settled(&flight.said().text, ended.map_err(reason_of)?, scene, ask.trigger)?;
        self.remember(outcome, &ask, &text, scene);
        Ok(text)
    }

    /// The suggestion of a request that an earlier ask began, if the user types what it says. `None` is for asking anew:
    /// then nothing of it goes on.
    pub(super) async fn take_over(
        &self,
        flight: Flight,
        turn: &Turn,
        ask: &Ask,
        deadline: Instant,
        outcome: &mut Outcome,
    ) -> Option<Result<String, Reason>> {
        let typed = flight.typed(ask)?;
        let scene = self.scene(&flight.ask);
        let Some(seat) = self.flights.launch(turn, flight) else { return Some(Err(Reason::Cancelled)) };
        let heard = self.listen(turn, &scene.place, &typed, deadline).await;
        let flight = self.flights.land(turn);
        drop(seat);
        let (ended, flight) = match (heard, flight) {
            (Heard::Over(ended), Some(flight)) => (ended, flight),
            (Heard::Disagrees, _) => return None,
            (Heard::Gone | Heard::Over(_), _) => return Some(Err(Reason::Cancelled)),
        };
        charge(outcome, &flight);
        outcome.prompt = Some(flight.prompt.clone());
        let text = ended.map_err(reason_of);
        let text = text.and_then(|ended| settled(&flight.said().text, ended, &scene, ask.trigger));
        match text {
            Ok(text) => {
                let rest = text.strip_prefix(&typed).filter(|rest| !is_blank(rest))?.to_owned();
                outcome.source = Source::InFlight;
                self.remember(outcome, &flight.ask, &text, &scene);
                Some(Ok(rest))
            }
            // Somebody else stopped it.
            Err(Reason::Cancelled) => None,
            Err(reason) => (typed.is_empty() || reason == Reason::Deadline).then_some(Err(reason)),
        }
    }

    /// Listens until the answer's end is known, the model ends it, or time is up.
    async fn listen(&self, turn: &Turn, place: &Place, typed: &str, deadline: Instant) -> Heard {
        loop {
            let Some(said) = self.flights.said(turn) else { return Heard::Gone };
            if !agree(&said.text, typed) {
                return Heard::Disagrees;
            }
            if let Some(ended) = said.ended {
                return Heard::Over(ended);
            }
            let end_is_known = !said.text.is_empty() && ends::find(&said.text, place, LastLine::Open).is_some();
            if end_is_known || said.text.len() > ANSWER_BYTES_MAX {
                return Heard::Over(Ok(Ended::TooLong));
            }
            match self.flights.news(turn, deadline).await {
                Wait::News => {}
                Wait::TimeUp => return Heard::Over(Ok(Ended::Deadline)),
                Wait::Gone => return Heard::Gone,
            }
        }
    }

    /// The suggestion is on its way to the user, who may type through it.
    fn remember(&self, outcome: &Outcome, ask: &Ask, text: &str, scene: &Scene) {
        locked(&self.tally).shown(outcome.id, scene.place.token());
        self.recent().remember(Entry {
            id: outcome.id,
            path: ask.path.clone(),
            document: ask.document.clone(),
            offset: ask.offset,
            text: text.to_owned(),
            provider: outcome.provider.clone(),
            model: outcome.model.clone(),
        });
    }
}

/// What it cost, told to who asked last.
fn charge(outcome: &mut Outcome, flight: &Flight) {
    let progress = flight.progress();
    outcome.usage = progress.usage;
    let times = progress.timings;
    outcome.timings = Times { queued: times.queued, prefill: times.prefill, decode: times.decode, ..Times::default() };
}

fn settled(heard: &str, ended: Ended, scene: &Scene, trigger: Trigger) -> Result<String, Reason> {
    without_harm(settle(heard, ended, &scene.place, trigger)?, scene.view.as_ref())
}

/// As much of the text as breaks nothing that parses.
fn without_harm(text: String, view: Option<&View>) -> Result<String, Reason> {
    let Some(view) = view else { return Ok(text) };
    view.harmless(&text).map(str::to_owned).ok_or(Reason::Filtered(Rule::Syntax))
}

fn reason_of(error: LlmError) -> Reason {
    match error {
        LlmError::Cancelled => Reason::Cancelled,
        LlmError::Loading => Reason::ModelLoading,
        error => Reason::Error(error),
    }
}
