//! From a request under way to the suggestion it makes, be it a new one or one that an earlier ask began.
//!
//! An answer is always settled for the place it was asked for; what was typed of it since is cut off its start.

use finch_llm::LlmError;
use tokio::time::Instant;

use super::{Completer, locked};
use crate::answer::{Ended, settle};
use crate::ask::{Ask, Options, Trigger};
use crate::ends::{self, LastLine};
use crate::flight::{Flight, Flights, Turn, Wait, agree};
use crate::limits::{ANSWER_BYTES_MAX, FIRST_ANSWER};
use crate::outcome::{Outcome, Reason, Rule, Source, Times};
use crate::place::{Place, is_blank};
use crate::syntax::View;

/// What stands around a place.
pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) view: Option<View>,
}

/// How long an ask listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    /// From then on whole lines are enough.
    pub(crate) box_ends: Option<Instant>,
}

impl Bounds {
    pub(super) fn new(ask: &Ask, options: &Options, started: Instant) -> Self {
        let is_boxed = options.ahead && ask.trigger == Trigger::Automatic;
        Self { deadline: started + options.deadline, box_ends: is_boxed.then_some(started + FIRST_ANSWER) }
    }

    /// When to look up from listening.
    fn next(self) -> Instant {
        let to_come = self.box_ends.filter(|box_ends| Instant::now() < *box_ends);
        to_come.map_or(self.deadline, |box_ends| box_ends.min(self.deadline))
    }
}

/// What came of listening.
pub(crate) enum Heard {
    Over(Result<Ended, LlmError>),
    /// So much of it is shown, and the model goes on.
    Enough(String),
    /// The user types something else.
    Disagrees,
    /// A newer ask listens now.
    Gone,
}

impl Completer {
    /// The suggestion of the request that was sent for this ask.
    pub(super) async fn land(
        &self,
        turn: &Turn,
        ask: &Ask,
        scene: &Scene,
        bounds: Bounds,
        outcome: &mut Outcome,
    ) -> Result<String, Reason> {
        let seat = self.flights.seat(turn);
        let enough = |lines: &str| settled(lines, Ended::Whole, scene, ask.trigger).ok();
        let text = match listen(&self.flights, turn, &scene.place, "", bounds, enough).await {
            Heard::Enough(text) => {
                self.flights.look(turn, |flight| charge(outcome, flight));
                seat.leave();
                text
            }
            Heard::Over(ended) => {
                let flight = self.flights.land(turn).ok_or(Reason::Cancelled)?;
                charge(outcome, &flight);
                settled(&flight.said().text, ended.map_err(reason_of)?, scene, ask.trigger)?
            }
            Heard::Disagrees | Heard::Gone => return Err(Reason::Cancelled),
        };
        self.remember(outcome, ask, &text, scene);
        Ok(text)
    }

    /// The suggestion of a request that an earlier ask began, if the user types what it says. `None` is for asking anew:
    /// then nothing of it goes on.
    pub(super) async fn take_over(
        &self,
        flight: Flight,
        turn: &Turn,
        ask: &Ask,
        bounds: Bounds,
        outcome: &mut Outcome,
    ) -> Option<Result<String, Reason>> {
        let typed = flight.typed(ask)?;
        let (began, scene) = (flight.ask.clone(), self.scene(&flight.ask));
        outcome.prompt = Some(flight.prompt.clone());
        if !self.flights.launch(turn, || flight) {
            return Some(Err(Reason::Cancelled));
        }
        let seat = self.flights.seat(turn);
        let enough = |lines: &str| {
            let text = settled(lines, Ended::Whole, &scene, ask.trigger).ok()?;
            rest_of(&text, &typed).is_some().then_some(text)
        };
        let text = match listen(&self.flights, turn, &scene.place, &typed, bounds, enough).await {
            Heard::Enough(text) => {
                self.flights.look(turn, |flight| charge(outcome, flight));
                seat.leave();
                Ok(text)
            }
            Heard::Over(ended) => {
                let Some(flight) = self.flights.land(turn) else { return Some(Err(Reason::Cancelled)) };
                charge(outcome, &flight);
                let ended = ended.map_err(reason_of);
                ended.and_then(|ended| settled(&flight.said().text, ended, &scene, ask.trigger))
            }
            Heard::Disagrees => {
                drop(self.flights.land(turn));
                return None;
            }
            Heard::Gone => return Some(Err(Reason::Cancelled)),
        };
        match text {
            Ok(text) => {
                let rest = rest_of(&text, &typed)?.to_owned();
                outcome.source = Source::InFlight;
                self.remember(outcome, &began, &text, &scene);
                Some(Ok(rest))
            }
            // Somebody else stopped it.
            Err(Reason::Cancelled) => None,
            Err(reason) => (typed.is_empty() || reason == Reason::Deadline).then_some(Err(reason)),
        }
    }

    /// The suggestion is on its way to the user, who may type through it.
    fn remember(&self, outcome: &Outcome, ask: &Ask, text: &str, scene: &Scene) {
        locked(&self.tally).shown(outcome.id, scene.place.token());
        self.recent().remember(self.entry(outcome.id, ask, text));
    }
}

/// Listens until the answer's end is known, the model ends it, there is enough of it, or time is up.
///
/// `enough` makes a suggestion of whole lines, if they make one.
pub(crate) async fn listen(
    flights: &Flights,
    turn: &Turn,
    place: &Place,
    typed: &str,
    bounds: Bounds,
    enough: impl Fn(&str) -> Option<String>,
) -> Heard {
    let mut tried = 0;
    loop {
        let Some(said) = flights.said(turn) else { return Heard::Gone };
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
        let lines = said.text.rfind('\n').filter(|lines| *lines > tried);
        if let Some(lines) = lines.filter(|_| bounds.box_ends.is_some_and(|box_ends| Instant::now() >= box_ends)) {
            tried = lines;
            if let Some(text) = enough(&said.text[..lines]) {
                return Heard::Enough(text);
            }
        }
        let until = bounds.next();
        match flights.news(turn, until).await {
            Wait::TimeUp if until == bounds.deadline => return Heard::Over(Ok(Ended::Deadline)),
            Wait::News | Wait::TimeUp => {}
            Wait::Gone => return Heard::Gone,
        }
    }
}

fn rest_of<'a>(text: &'a str, typed: &str) -> Option<&'a str> {
    text.strip_prefix(typed).filter(|rest| !is_blank(rest))
}

/// What it cost, told to who asked last.
fn charge(outcome: &mut Outcome, flight: &Flight) {
    let progress = flight.progress();
    outcome.usage = progress.usage;
    let times = progress.timings;
    outcome.timings = Times { queued: times.queued, prefill: times.prefill, decode: times.decode, ..Times::default() };
}

pub(crate) fn settled(heard: &str, ended: Ended, scene: &Scene, trigger: Trigger) -> Result<String, Reason> {
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
