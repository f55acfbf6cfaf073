//! What goes on behind a suggestion: the model says more than was shown, or is asked as if it had been accepted.
//!
//! What comes of it is remembered, so that the next suggestion is there at once when this one was accepted. It is one
//! step only, and it ends with the client's next ask, which takes it over where it is just for that place.

use std::sync::{Arc, Weak};

use finch_llm::Provenance;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::ask::{Ask, Trigger};
use crate::completer::Completer;
use crate::completer::landing::{Bounds, Heard, Listener, Scene, shown};
use crate::flight::{Flight, Flights, Turn};
use crate::limits::AHEAD_AFTER;
use crate::place::is_blank;

/// A task that knows its completer as long as that lives.
struct Ahead {
    completer: Weak<Completer>,
    flights: Flights,
    turn: Turn,
    /// The document as if the suggestion had been accepted.
    ask: Ask,
}

/// The document with the text in it, and the cursor behind it.
pub(crate) fn accepted(ask: &Ask, text: &str) -> Ask {
    // As an editor inserts it.
    let text = if ask.document.ends_lines_with_crlf() { text.replace('\n', "\r\n") } else { text.to_owned() };
    let mut document = ask.document.clone();
    document.replace(ask.offset..ask.offset, &text);
    Ask { document, offset: ask.offset + text.len(), trigger: Trigger::Automatic, is_ahead: true, ..ask.clone() }
}

impl Completer {
    /// Begins what is to go on behind a suggestion, which the user reads meanwhile.
    pub(crate) fn go_ahead(self: &Arc<Self>, turn: &Turn, ask: &Ask, text: &str, bounds: Bounds) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.options().ahead {
            return;
        }
        let under_way = self.flights.look(turn, |flight| flight.ask.clone());
        let (completer, flights, turn) = (Arc::downgrade(self), self.flights.clone(), turn.clone());
        let ahead = Ahead { completer, flights, turn: turn.clone(), ask: accepted(ask, text) };
        let task = match under_way {
            Some(began) => {
                let typed = ask.document.slice(began.offset..ask.offset);
                let shown = crate::place::unify_line_ends(&typed) + text;
                runtime.spawn(ahead.hear_more(self.scene(&began), shown, Bounds { box_ends: None, ..bounds }))
            }
            None => runtime.spawn(ahead.ask_on(bounds.deadline.saturating_duration_since(Instant::now()))),
        };
        self.flights.follow(&turn, task.abort_handle());
    }

    /// Asks the model, as for an ask of a client.
    fn depart(&self, turn: &Turn, ask: &Ask) -> Option<Scene> {
        let (path, document) = (ask.path.as_deref(), &ask.document);
        if self.is_excluded(ask) || self.recent().rest(path, document, ask.offset).is_some() {
            return None;
        }
        let (scene, window) = self.admit(ask).ok()?;
        self.launch(turn, ask, &scene, window).then_some(scene)
    }

    pub(crate) fn expect(&self, ask: &Ask, text: &str, from: Option<Provenance>) {
        self.recent().remember(self.entry(self.next_id(), ask, text, from));
    }
}

impl Ahead {
    /// What the model says beyond what was shown of its answer.
    async fn hear_more(self, scene: Scene, shown: String, bounds: Bounds) {
        let Some((flight, text)) = self.answer(&scene, &shown, bounds).await else { return };
        let rest = text.strip_prefix(&shown).filter(|rest| !is_blank(rest));
        if let (Some(rest), Some(completer)) = (rest, self.completer.upgrade()) {
            completer.expect(&self.ask, rest, flight.provenance());
        }
    }

    /// What the model says once the suggestion is accepted, if nothing else is asked for a while.
    async fn ask_on(self, time: std::time::Duration) {
        sleep(AHEAD_AFTER).await;
        let Some(scene) = self.completer.upgrade().and_then(|completer| completer.depart(&self.turn, &self.ask)) else {
            return;
        };
        let bounds = Bounds { deadline: Instant::now() + time, box_ends: None };
        if let Some((flight, text)) = self.answer(&scene, "", bounds).await
            && let Some(completer) = self.completer.upgrade()
        {
            completer.expect(&flight.ask, &text, flight.provenance());
        }
    }

    /// The whole answer, which begins with what is known of it; `None` if it makes no suggestion or belongs to a newer ask.
    async fn answer(&self, scene: &Scene, known: &str, bounds: Bounds) -> Option<(Flight, String)> {
        let (flights, turn, place, trigger) = (&self.flights, &self.turn, &scene.place, Trigger::Automatic);
        let listener = Listener { flights, turn, place, trigger, bounds };
        let Heard::Over(ended) = listener.listen(known, |_| None).await else { return None };
        let flight = self.flights.land(&self.turn)?;
        let shown = shown(&flight.said(), ended.ok()?, known, scene, trigger).ok()?;
        Some((flight, shown.text))
    }
}
