//! From a request under way to the suggestion it makes, be it a new one or one that an earlier ask began.
//!
//! An answer is always settled for the place it was asked for; what was typed of it since is cut off its start.

use finch_llm::{LlmError, Provenance, ProviderId};
use tokio::time::Instant;

use super::{Completer, locked};
use crate::ahead::accepted;
use crate::answer::{Ended, settle};
use crate::ask::{Ask, Options, Trigger};
use crate::confidence::Doubts;
use crate::ends::{self, LastLine};
use crate::flight::{Flight, Flights, Said, Turn, Wait, agree};
use crate::limits::{ANSWER_BYTES_MAX, FIRST_ANSWER, NEXT_PARTS_MAX};
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

/// Why an answer makes no suggestion.
enum Unheard {
    /// The user types something else; nothing of it goes on.
    Disagrees,
    /// A newer ask has it now.
    Gone,
    Silent(Reason),
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
        let shown = match self.hear(turn, scene, "", (ask.trigger, bounds), outcome).await {
            Ok(shown) => shown,
            Err(Unheard::Silent(reason)) => return Err(reason),
            Err(Unheard::Disagrees | Unheard::Gone) => return Err(Reason::Cancelled),
        };
        self.remember(outcome, ask, &shown, scene);
        Ok(shown.text)
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
        if !self.flights.launch(turn, || flight) {
            return Some(Err(Reason::Cancelled));
        }
        match self.hear(turn, &scene, &typed, (ask.trigger, bounds), outcome).await {
            Ok(shown) => {
                let rest = rest_of(&shown.text, &typed)?.to_owned();
                outcome.source = Source::InFlight;
                self.remember(outcome, &began, &shown, &scene);
                Some(Ok(rest))
            }
            Err(Unheard::Gone) => Some(Err(Reason::Cancelled)),
            // Somebody else stopped it.
            Err(Unheard::Disagrees | Unheard::Silent(Reason::Cancelled)) => None,
            Err(Unheard::Silent(reason)) => (typed.is_empty() || reason == Reason::Deadline).then_some(Err(reason)),
        }
    }

    /// Listens to the turn's flight, of whose answer so much was typed already.
    async fn hear(
        &self,
        turn: &Turn,
        scene: &Scene,
        typed: &str,
        (trigger, bounds): (Trigger, Bounds),
        outcome: &mut Outcome,
    ) -> Result<Shown, Unheard> {
        let seat = self.flights.seat(turn);
        let listener = Listener { flights: &self.flights, turn, place: &scene.place, trigger, bounds };
        let enough = |said: &Said| {
            let text = shown(said, Ended::Whole, typed, scene, trigger).ok()?.text;
            rest_of(&text, typed).is_some().then_some(text)
        };
        match listener.listen(typed, enough).await {
            Heard::Enough(text) => {
                self.flights.look(turn, |flight| charge(outcome, flight));
                seat.leave();
                Ok(Shown { text, next: Vec::new() })
            }
            Heard::Over(ended) => {
                let flight = self.flights.land(turn).ok_or(Unheard::Gone)?;
                charge(outcome, &flight);
                let ended = ended.map_err(reason_of);
                let shown = ended.and_then(|ended| shown(&flight.said(), ended, typed, scene, trigger));
                shown.map_err(Unheard::Silent)
            }
            Heard::Disagrees => {
                drop(self.flights.land(turn));
                Err(Unheard::Disagrees)
            }
            Heard::Gone => Err(Unheard::Gone),
        }
    }

    /// The suggestion is on its way to the user, who may type through it. What was said beyond it is offered next, if it
    /// is accepted.
    fn remember(&self, outcome: &Outcome, ask: &Ask, shown: &Shown, scene: &Scene) {
        locked(&self.tally).shown(outcome.id, scene.place.token());
        let from = Provenance { provider: ProviderId::new(&outcome.provider), model: outcome.model.clone() };
        self.recent().remember(self.entry(outcome.id, ask, &shown.text, Some(from.clone())));
        let mut before = shown.text.clone();
        for next in shown.next.iter().filter(|_| self.options.ahead) {
            self.expect(&accepted(ask, &before), next, Some(from.clone()));
            before.push_str(next);
        }
    }
}

/// Somebody who listens to the flight of a turn.
pub(crate) struct Listener<'a> {
    pub(crate) flights: &'a Flights,
    pub(crate) turn: &'a Turn,
    pub(crate) place: &'a Place,
    pub(crate) trigger: Trigger,
    pub(crate) bounds: Bounds,
}

impl Listener<'_> {
    /// Listens until the answer's end is known, the model ends it or only guesses on, there is enough of it, or time is
    /// up.
    ///
    /// `enough` makes a suggestion of whole lines, if they make one.
    pub(crate) async fn listen(&self, typed: &str, enough: impl Fn(&Said) -> Option<String>) -> Heard {
        let box_ends = self.bounds.box_ends;
        let mut tried = 0;
        loop {
            let Some(said) = self.flights.said(self.turn) else { return Heard::Gone };
            if !agree(&said.text, typed) {
                return Heard::Disagrees;
            }
            if let Some(ended) = said.ended {
                return Heard::Over(ended);
            }
            if let Some(ended) = self.end_of(&said, typed) {
                return Heard::Over(Ok(ended));
            }
            let lines = said.text.rfind('\n').filter(|lines| *lines > tried);
            if let Some(lines) = lines.filter(|_| box_ends.is_some_and(|box_ends| Instant::now() >= box_ends)) {
                tried = lines;
                if let Some(text) = enough(&said.before(lines)) {
                    return Heard::Enough(text);
                }
            }
            let until = self.bounds.next();
            match self.flights.news(self.turn, until).await {
                Wait::TimeUp if until == self.bounds.deadline => return Heard::Over(Ok(Ended::Deadline)),
                Wait::News | Wait::TimeUp => {}
                Wait::Gone => return Heard::Gone,
            }
        }
    }

    /// Whether there is no need to hear more.
    fn end_of(&self, said: &Said, typed: &str) -> Option<Ended> {
        let end_is_known = !said.text.is_empty() && ends::find(&said.text, self.place, LastLine::Open).is_some();
        if end_is_known || said.text.len() > ANSWER_BYTES_MAX {
            return Some(Ended::TooLong);
        }
        let heard = said.text.len().checked_sub(typed.len())?;
        let is_guess = self.trigger == Trigger::Automatic && said.doubts.behind(typed.len()).is_lost(heard);
        is_guess.then_some(Ended::Unsure)
    }
}

fn rest_of<'a>(text: &'a str, typed: &str) -> Option<&'a str> {
    text.strip_prefix(typed).filter(|rest| !is_blank(rest))
}

/// What was asked and what it cost, told to who asked last.
fn charge(outcome: &mut Outcome, flight: &Flight) {
    outcome.prompt = Some(flight.prompt.clone());
    if let Some(from) = flight.provenance() {
        outcome.provider = from.provider.to_string();
        outcome.model = from.model;
    }
    let progress = flight.progress();
    outcome.usage = progress.usage;
    let times = progress.timings;
    outcome.timings = Times { queued: times.queued, prefill: times.prefill, decode: times.decode, ..Times::default() };
}

/// What is shown of an answer, and what is offered next if that is accepted, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) next: Vec<String>,
}

/// What of an answer is shown: all that belongs here, or as much of it as the model was sure of. What was typed of it
/// already is certain.
pub(crate) fn shown(said: &Said, ended: Ended, typed: &str, scene: &Scene, trigger: Trigger) -> Result<Shown, Reason> {
    let alone = |text| Ok(Shown { text: fitting(text, scene, trigger)?, next: Vec::new() });
    let whole = match settle(&said.text, ended, &scene.place, trigger) {
        Ok(whole) if trigger == Trigger::Automatic && !said.doubts.is_empty() => whole,
        Ok(whole) => return alone(whole),
        // There may be a part to show though the line has no end.
        Err(Reason::Filtered(Rule::Unsure | Rule::TooLong)) if ended != Ended::Whole => String::new(),
        Err(reason) => return Err(reason),
    };
    let is_complete = ended != Ended::Unsure && !whole.is_empty();
    let text = if is_complete { &whole } else { &said.text };
    // What is known of its parts holds for an answer that stands there as it was said.
    if !said.text.starts_with(text.as_str()) || !text.starts_with(typed) {
        return alone(whole);
    }
    let part = |known| sure_part((text, is_complete), &said.doubts, known, scene, trigger);
    let first = part(typed.len())?;
    let mut next = Vec::new();
    let mut known = first.clone();
    while next.len() < NEXT_PARTS_MAX
        && is_complete
        && text.starts_with(&known)
        && let Ok(longer) = part(known.len())
        && let Some(more) = longer.strip_prefix(&known).filter(|more| !is_blank(more))
    {
        next.push(more.to_owned());
        known = longer;
    }
    Ok(Shown { text: first, next })
}

/// The start of the text that is worth showing where its first `known` bytes are certain.
fn sure_part(
    (text, is_complete): (&str, bool),
    doubts: &Doubts,
    known: usize,
    scene: &Scene,
    trigger: Trigger,
) -> Result<String, Reason> {
    let mut silence = Reason::Filtered(Rule::Unsure);
    for end in doubts.behind(known).ends(text.get(known..).unwrap_or_default(), is_complete) {
        let end = known + end;
        let is_all = is_complete && end == text.len();
        let part = if is_all { Ok(text.to_owned()) } else { settle(&text[..end], Ended::Whole, &scene.place, trigger) };
        match part.and_then(|part| fitting(part, scene, trigger)) {
            Ok(part) => return Ok(part),
            Err(reason) => silence = reason,
        }
    }
    Err(silence)
}

/// As much of the text as breaks nothing that parses. Cut, it ends with another line, which has to belong here too.
fn fitting(text: String, scene: &Scene, trigger: Trigger) -> Result<String, Reason> {
    let Some(view) = &scene.view else { return Ok(text) };
    let harmless = |text: &str| view.harmless(text).map(str::to_owned).ok_or(Reason::Filtered(Rule::Syntax));
    let kept = harmless(&text)?;
    if kept == text {
        return Ok(text);
    }
    let settled = settle(&kept, Ended::Whole, &scene.place, trigger)?;
    if settled == kept { Ok(settled) } else { harmless(&settled) }
}

fn reason_of(error: LlmError) -> Reason {
    match error {
        LlmError::Cancelled => Reason::Cancelled,
        LlmError::Loading => Reason::ModelLoading,
        error => Reason::Error(error),
    }
}
