//! Other suggestions for a place where the user asked for one himself: sampled, one after another, and not for long.
//!
//! They share the prompt of the first, so that the provider has most of it computed already.

use finch_llm::{Provenance, Sampling};
use tokio::time::Instant;

use super::landing::{Bounds, Heard, Listener, shown};
use super::{Completer, locked};
use crate::ask::{Ask, Trigger};
use crate::flight::{Flight, Turn};
use crate::limits::{ALTERNATIVES_MAX, ALTERNATIVES_WAIT, TEMPERATURE, TOP_P};
use crate::outcome::{Alternative, Outcome};
use crate::syntax::Token;

/// What was sampled.
struct Sample {
    /// The suggestion, if it makes one.
    text: Option<String>,
    /// What it stands in.
    token: Token,
    from: Option<Provenance>,
}

impl Completer {
    /// Adds to a suggestion what else the model may say there.
    pub(super) async fn add_alternatives(&self, turn: &Turn, ask: &Ask, first: &str, bounds: Bounds, to: &mut Outcome) {
        let count = ask.alternatives.min(ALTERNATIVES_MAX - 1);
        if ask.trigger == Trigger::Automatic || count == 0 {
            return;
        }
        // What goes on behind an earlier suggestion gives way.
        drop(self.flights.land(turn));
        let deadline = bounds.deadline.min(Instant::now() + ALTERNATIVES_WAIT);
        for seed in (1..).take(count) {
            let Some(Sample { text, token, from }) = self.sample(turn, ask, seed, deadline).await else { return };
            let is_new = |text: &String| text != first && to.alternatives.iter().all(|known| known.text != *text);
            if let Some(text) = text.filter(is_new) {
                let id = self.next_id();
                self.recent().remember_behind(self.entry(id, ask, &text, from.clone()));
                // It may be accepted and rejected as the first may.
                locked(&self.tally).shown(id, token);
                to.alternatives.push(Alternative { id, text });
            }
        }
    }

    /// One sampled suggestion; `None` ends it all.
    async fn sample(&self, turn: &Turn, ask: &Ask, seed: u64, deadline: Instant) -> Option<Sample> {
        if Instant::now() >= deadline {
            return None;
        }
        let (scene, window) = self.admit(ask).ok()?;
        let prompt = self.prompt(ask, window, scene.view.as_ref());
        let mut request = self.request(ask, &scene.place, &prompt);
        request.sampling = Sampling { temperature: TEMPERATURE, top_p: TOP_P, seed, ..request.sampling };
        let flight = || Flight::new(ask.clone(), prompt, self.provider.infill(request)).sampled();
        if !self.flights.launch(turn, flight) {
            return None;
        }
        let _seat = self.flights.seat(turn);
        let bounds = Bounds { deadline, box_ends: None };
        let listener = Listener { flights: &self.flights, turn, place: &scene.place, trigger: ask.trigger, bounds };
        let heard = listener.listen("", |_| None).await;
        let flight = self.flights.land(turn)?;
        let Heard::Over(Ok(ended)) = heard else { return None };
        let text = shown(&flight.said(), ended, "", &scene, ask.trigger).ok().map(|shown| shown.text);
        Some(Sample { text, token: scene.place.token(), from: flight.provenance() })
    }
}
