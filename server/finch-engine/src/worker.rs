//! The engine's thread: decides after every pass who computes next.
//!
//! Interactive sequences go before batch ones, short ones before long ones, and those whose reader has not caught up
//! wait without blocking the others. Batch sequences take turns, several in one pass where their slots are
//! neighbours. A sequence keeps its slot until it ends, so one that was passed over continues where it was; a warm-up
//! ends as soon as anything else comes. The session and the slots are touched by this thread alone.

mod passes;

use std::{cmp::Reverse, sync::Arc};

use finch_llm::{ClientId, Lane, LlmError};

use crate::{
    EngineError, Speculation,
    cache::{self, Held, User, Worth},
    keep::{self, Keep, Kept},
    lanes::{self, Job, Lanes},
    limits,
    network::{Network, Slot},
    pace::Pace,
    prompt::{Prompt, Prompts},
    sequence::{Outbox, Sequence},
    speculation::{Costs, Speculator},
    task::Task,
    watch::Watch,
};

pub(crate) struct Worker {
    network: Network,
    prompts: Arc<Prompts>,
    lanes: Arc<Lanes>,
    shelves: Vec<Shelf>,
    sequences: Vec<Sequence>,
    /// What ended sequences still have to say.
    farewells: Vec<Outbox>,
    pace: Pace,
    /// None if nothing is guessed.
    speculator: Option<Speculator>,
    /// What passes over neighbours cost.
    together: Costs,
    watch: Watch,
    cache_bytes_max: usize,
    /// Where what slots hold outlives the process; none if it does not.
    keep: Option<Keep>,
    /// The clock when it was kept last.
    kept: u64,
    /// Counts passes and placements: greater is later.
    clock: u64,
}

/// How requests are served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Sequences that are kept or run at once.
    pub(crate) slots: usize,
    /// What slots that no sequence runs in may hold.
    pub(crate) cache_bytes_max: usize,
    pub(crate) speculation: Speculation,
}

/// A slot and what the placement needs to know about it.
struct Shelf {
    slot: Slot,
    stable: usize,
    worth: Worth,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Computed,
    /// There is nothing to do.
    Idle,
    /// Only readers that have not caught up are left.
    Stalled,
}

impl Worker {
    pub(crate) fn new(
        mut network: Network,
        prompts: Arc<Prompts>,
        lanes: Arc<Lanes>,
        service: Service,
    ) -> Result<Self, EngineError> {
        let shelves = network
            .slots(service.slots)
            .into_iter()
            .map(|slot| Shelf { slot, stable: 0, worth: Worth::default() })
            .collect();
        let watch = Watch::start(Arc::clone(&lanes), network.interrupter()).map_err(EngineError::Thread)?;
        Ok(Self {
            network,
            prompts,
            lanes,
            watch,
            shelves,
            sequences: Vec::new(),
            farewells: Vec::new(),
            pace: Pace::default(),
            speculator: match service.speculation {
                Speculation::Off => None,
                Speculation::On => Some(Speculator::default()),
            },
            together: Costs::default(),
            cache_bytes_max: service.cache_bytes_max,
            keep: None,
            kept: 0,
            clock: 0,
        })
    }

    /// Works until the lanes are closed, or have ended and nothing is left to do.
    pub(crate) fn run(mut self) {
        while !self.lanes.is_closed() {
            // Asked before the lanes are looked at: from then on nothing comes any more.
            let is_ending = self.lanes.is_ending();
            match self.turn() {
                Turn::Computed => {}
                Turn::Idle if is_ending => break,
                Turn::Idle => self.rest(),
                Turn::Stalled => self.lanes.wait(Some(limits::SLOW_READER_RETRY)),
            }
        }
        for sequence in self.sequences.drain(..) {
            sequence.fail(lanes::ended()).flush();
        }
        self.lanes.runs(std::iter::empty());
        for job in self.lanes.drain() {
            job.refuse(lanes::ended());
        }
        self.keep();
        if let Some(keep) = &mut self.keep {
            keep.finish();
        }
    }

    /// Takes up what was kept, and keeps from here on.
    pub(crate) fn keep_in(&mut self, keep: Keep) {
        let kept = keep.read(self.token_floats()).unwrap_or_else(|error| {
            tracing::info!("what was computed before is not used: {error}");
            Vec::new()
        });
        // The last one used comes first.
        let count = kept.len().min(self.shelves.len());
        for (shelf, kept) in self.shelves.iter_mut().zip(kept.into_iter().take(count)).rev() {
            let stable = kept.tokens.len();
            if self.network.restore(&mut shelf.slot, kept.tokens, &kept.state) {
                self.clock += 1;
                shelf.stable = stable;
                shelf.worth = Worth { user: User::Person, used: self.clock };
            }
        }
        self.kept = self.clock;
        self.keep = Some(keep);
    }

    /// Waits for work, and keeps what was computed when none comes for a while.
    fn rest(&mut self) {
        if self.keep.is_none() || self.kept == self.clock {
            self.lanes.wait(None);
        } else if !self.lanes.wait_for_work(limits::KEEP_AFTER) {
            self.keep();
        }
    }

    /// Keeps the lasting part of what slots hold, what is worth most first, as far as there is room.
    fn keep(&mut self) {
        let token_floats = self.token_floats();
        let Some(keep) = self.keep.as_mut().filter(|_| self.kept != self.clock) else { return };
        let mut shelves: Vec<&Shelf> = self.shelves.iter().collect();
        shelves.sort_unstable_by_key(|shelf| Reverse(shelf.worth));
        let mut room = keep::tokens_max(token_floats);
        let mut kept = Vec::new();
        for shelf in shelves {
            let count = shelf.stable.min(shelf.slot.tokens().len()).min(room);
            if count > 0 {
                room -= count;
                let tokens = shelf.slot.tokens()[..count].to_vec();
                kept.push(Kept { tokens, state: self.network.state(&shelf.slot, count) });
            }
        }
        keep.write(kept);
        self.kept = self.clock;
    }

    fn token_floats(&self) -> usize {
        self.network.token_bytes() / size_of::<f32>()
    }

    /// Looks at what has changed, then does one pass.
    fn turn(&mut self) -> Turn {
        self.deliver();
        self.admit();
        self.lanes.runs(self.sequences.iter().map(|sequence| sequence.lane));
        self.evict();
        match self.choose() {
            Some(index) => {
                self.compute(index);
                Turn::Computed
            }
            None if self.sequences.is_empty() && self.farewells.is_empty() => Turn::Idle,
            None => Turn::Stalled,
        }
    }

    /// Hands out what is ready, and ends sequences that nobody waits for.
    fn deliver(&mut self) {
        let is_needed = self.lanes.is_work_waiting();
        let mut index = 0;
        while index < self.sequences.len() {
            let sequence = &mut self.sequences[index];
            sequence.outbox.flush();
            let replaced = match sequence.lane {
                Lane::Interactive => self.lanes.is_replaced(&sequence.client),
                Lane::Batch => false,
                // What it has computed so far stays in its slot.
                Lane::Warm => is_needed,
            };
            if sequence.outbox.is_abandoned() {
                self.sequences.remove(index);
            } else if replaced {
                let outbox = self.sequences.remove(index).fail(LlmError::Cancelled);
                self.part(outbox);
            } else {
                index += 1;
            }
        }
        for farewell in &mut self.farewells {
            farewell.flush();
        }
        self.farewells.retain(|farewell| !farewell.is_empty() && !farewell.is_abandoned());
    }

    /// Ends what a client waits for no more: it may have asked anew after the last look at the lanes.
    fn replace(&mut self, client: &ClientId) {
        let is_older = |it: &Sequence| it.lane == Lane::Interactive && it.client == *client;
        if let Some(index) = self.sequences.iter().position(is_older) {
            let outbox = self.sequences.remove(index).fail(LlmError::Cancelled);
            self.part(outbox);
        }
    }

    fn part(&mut self, mut outbox: Outbox) {
        outbox.flush();
        if !outbox.is_empty() {
            self.farewells.push(outbox);
        }
    }

    /// Starts what waits: interactive jobs while a slot is free, batch jobs while another stays free, and a warm-up
    /// if there is nothing else to do.
    fn admit(&mut self) {
        while self.sequences.len() < self.shelves.len()
            && let Some(job) = self.lanes.take(Lane::Interactive)
        {
            self.replace(job.ask.client());
            self.start(job);
        }
        while self.sequences.len() + 1 < self.shelves.len()
            && let Some(job) = self.lanes.take(Lane::Batch)
        {
            self.start(job);
        }
        while self.sequences.is_empty()
            && let Some(job) = self.lanes.take(Lane::Warm)
        {
            self.start(job);
        }
    }

    /// Keeps what slots hold within its bound: what is worth least goes first, and none that a sequence runs in.
    fn evict(&mut self) {
        let token_bytes = self.network.token_bytes();
        let tokens_max = self.cache_bytes_max / token_bytes.max(1);
        let held = |shelves: &[Shelf]| shelves.iter().map(|shelf| shelf.slot.touched()).sum::<usize>();
        while held(&self.shelves) > tokens_max {
            let is_idle = |slot: &usize| self.sequences.iter().all(|sequence| sequence.slot != *slot);
            let oldest = (0..self.shelves.len())
                .filter(|&slot| self.shelves[slot].slot.touched() > 0)
                .filter(is_idle)
                .min_by_key(|&slot| self.shelves[slot].worth);
            let Some(oldest) = oldest else { return };
            let slot = &mut self.shelves[oldest].slot;
            // What was forgotten goes before what can still be used.
            if slot.touched() == slot.tokens().len() {
                slot.truncate(0);
            }
            self.network.release(slot);
        }
    }

    fn start(&mut self, job: Job) {
        let task = match Task::of(&job.ask, &self.prompts) {
            Ok(task) => task,
            Err(error) => return job.refuse(error),
        };
        match self.prepare_slot(&task.prompt, job.ask.lane()) {
            Some((slot, cached)) => {
                let guesses = self.speculator.as_ref().map(|it| it.guesses(job.ask.references()));
                let mut sequence = Sequence::begin(job, task, slot, cached);
                sequence.guesses = guesses;
                self.sequences.push(sequence);
            }
            None => job.refuse(LlmError::Overloaded),
        }
    }

    /// A free slot that holds the front of the prompt as far as anything does, and how far that is.
    fn prepare_slot(&mut self, prompt: &Prompt, lane: Lane) -> Option<(usize, usize)> {
        let user = match lane {
            Lane::Interactive | Lane::Warm => User::Person,
            Lane::Batch => User::Batch,
        };
        let busy = |slot: usize| self.sequences.iter().any(|sequence| sequence.slot == slot);
        let held: Vec<Held<'_>> = (self.shelves.iter().enumerate())
            .map(|(index, shelf)| Held {
                tokens: shelf.slot.tokens(),
                stable: shelf.stable,
                worth: shelf.worth,
                busy: busy(index),
            })
            .collect();
        let place = cache::place(&prompt.tokens, prompt.stable, &held)?;
        if let Some(source) = place.copy_from
            && let Ok([target, source]) = self.shelves.get_disjoint_mut([place.slot, source])
        {
            self.network.copy_prefix(&mut target.slot, &source.slot, place.shared);
        }
        self.clock += 1;
        let shelf = &mut self.shelves[place.slot];
        if let Some(speculator) = &mut self.speculator
            && place.copy_from.is_none()
        {
            speculator.remember(shelf.slot.tokens(), place.shared);
        }
        shelf.slot.truncate(place.shared);
        shelf.stable = prompt.stable;
        shelf.worth = Worth { user, used: self.clock };
        Some((place.slot, place.shared))
    }

    /// The sequence that computes next: interactive before batch before warm-ups. Interactive ones: the shorter
    /// before the longer, the older before the newer. Batch ones: prompts first, so that answers are given together,
    /// and then whoever waited longest.
    fn choose(&self) -> Option<usize> {
        let ready = self.sequences.iter().enumerate().filter(|(_, sequence)| sequence.outbox.is_empty());
        let rank = |sequence: &Sequence| match sequence.lane {
            Lane::Interactive => (0, sequence.tokens_max(), 0),
            Lane::Batch => (1, usize::from(sequence.next.is_some()), sequence.turn),
            Lane::Warm => (2, 0, 0),
        };
        ready.min_by_key(|(index, sequence)| (rank(sequence), *index)).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests;
