//! The engine's thread: decides after every pass who computes next.
//!
//! Interactive sequences go before batch ones, short ones before long ones, and those whose reader has not caught up
//! wait without blocking the others. A sequence keeps its slot until it ends, so one that was passed over continues
//! where it was. The session and the slots are touched by this thread alone.

use std::{cmp::Reverse, sync::Arc, time::Instant};

use finch_llm::{Lane, LlmError};

use crate::{
    EngineError, Speculation,
    cache::{self, Held},
    lanes::{self, Job, Lanes},
    limits,
    network::{Network, Slot},
    pace::Pace,
    prompt::{Prompt, Prompts},
    sequence::{Outbox, Sequence, Step},
    speculation::{Draft, Speculator, Text},
    task::Task,
    watch::{End, Watch},
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
    watch: Watch,
    clock: u64,
}

/// A slot and what the placement needs to know about it.
struct Shelf {
    slot: Slot,
    stable: usize,
    used: u64,
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
        slots: usize,
        speculation: Speculation,
    ) -> Result<Self, EngineError> {
        let shelves = network.slots(slots).into_iter().map(|slot| Shelf { slot, stable: 0, used: 0 }).collect();
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
            speculator: match speculation {
                Speculation::Off => None,
                Speculation::On => Some(Speculator::default()),
            },
            clock: 0,
        })
    }

    /// Works until the lanes are closed.
    pub(crate) fn run(mut self) {
        while !self.lanes.is_closed() {
            match self.turn() {
                Turn::Computed => {}
                Turn::Idle => self.lanes.wait(None),
                Turn::Stalled => self.lanes.wait(Some(limits::SLOW_READER_RETRY)),
            }
        }
        for sequence in self.sequences.drain(..) {
            sequence.fail(lanes::ended()).flush();
        }
        for job in self.lanes.drain() {
            job.refuse(lanes::ended());
        }
    }

    /// Looks at what has changed, then does one pass for one sequence.
    fn turn(&mut self) -> Turn {
        self.deliver();
        self.admit();
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
        let mut index = 0;
        while index < self.sequences.len() {
            let sequence = &mut self.sequences[index];
            sequence.outbox.flush();
            let replaced = sequence.lane == Lane::Interactive && self.lanes.is_replaced(&sequence.client);
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

    fn part(&mut self, mut outbox: Outbox) {
        outbox.flush();
        if !outbox.is_empty() {
            self.farewells.push(outbox);
        }
    }

    /// Starts what waits: interactive jobs while a slot is free, a batch job if none runs and one slot stays free.
    fn admit(&mut self) {
        while self.sequences.len() < self.shelves.len()
            && let Some(job) = self.lanes.take(Lane::Interactive)
        {
            self.start(job);
        }
        let batch_runs = self.sequences.iter().any(|it| it.lane == Lane::Batch && it.outbox.is_empty());
        if !batch_runs
            && self.sequences.len() + 1 < self.shelves.len()
            && let Some(job) = self.lanes.take(Lane::Batch)
        {
            self.start(job);
        }
    }

    fn start(&mut self, job: Job) {
        let task = match Task::of(&job.ask, &self.prompts) {
            Ok(task) => task,
            Err(error) => return job.refuse(error),
        };
        match self.prepare_slot(&task.prompt) {
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
    fn prepare_slot(&mut self, prompt: &Prompt) -> Option<(usize, usize)> {
        let busy = |slot: usize| self.sequences.iter().any(|sequence| sequence.slot == slot);
        let held: Vec<Held<'_>> = (self.shelves.iter().enumerate())
            .map(|(index, shelf)| Held {
                tokens: shelf.slot.tokens(),
                stable: shelf.stable,
                used: shelf.used,
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
        shelf.used = self.clock;
        Some((place.slot, place.shared))
    }

    /// The sequence that computes next: interactive before batch, shorter answers before longer, older before newer.
    fn choose(&self) -> Option<usize> {
        let ready = self.sequences.iter().enumerate().filter(|(_, sequence)| sequence.outbox.is_empty());
        let rank = |sequence: &Sequence| match sequence.lane {
            Lane::Interactive => (Reverse(true), sequence.tokens_max()),
            Lane::Batch => (Reverse(false), 0),
        };
        ready.min_by_key(|(index, sequence)| (rank(sequence), *index)).map(|(index, _)| index)
    }

    /// One pass for one sequence: a piece of its prompt, or its next token and what may come behind it.
    fn compute(&mut self, index: usize) {
        let draft = self.draft(index);
        let free_slots = self.shelves.len() - self.sequences.len();
        let sequence = &mut self.sequences[index];
        let slot = &mut self.shelves[sequence.slot].slot;
        let done = slot.tokens().len();
        let decoding = sequence.next.is_some();
        let (tokens, rows) = match sequence.next {
            Some(token) => {
                (std::iter::once(token).chain(draft.tokens.iter().copied()).collect(), draft.tokens.len() + 1)
            }
            None => {
                let left = &sequence.prompt.tokens[done..];
                let count = left.len().min(self.pace.chunk());
                (left[..count].to_vec(), usize::from(count == left.len()))
            }
        };
        let pass = sequence.pass(free_slots);
        let started = Instant::now();
        let network = &mut self.network;
        let is_watched = tokens.len() >= if decoding { limits::WATCHED_TOKENS_MIN } else { 2 };
        let (result, end) = if is_watched {
            self.watch.during(pass, || network.forward(slot, &tokens, rows).map(|_| ()))
        } else {
            (network.forward(slot, &tokens, rows).map(|_| ()), End::Own)
        };
        let time = started.elapsed();
        sequence.spent(time);
        let step = match result {
            // The next turn sees why, and the slot is as it was.
            Err(_) if end == End::Interrupted => Ok(Step::Continue),
            Err(error) => Err(LlmError::Unavailable { reason: error.to_string() }),
            Ok(()) => {
                match &mut self.speculator {
                    _ if !decoding => self.pace.learn(tokens.len(), time),
                    Some(speculator) => speculator.timed(rows, time),
                    None => {}
                }
                self.take(index, rows, &draft)
            }
        };
        self.conclude(index, step);
    }

    /// Tokens to compute along with the next one of a sequence.
    fn draft(&mut self, index: usize) -> Draft {
        let sequence = &mut self.sequences[index];
        let room = sequence.tokens_left();
        let (Some(next), Some(guesses), Some(speculator)) =
            (sequence.next, &mut sequence.guesses, &mut self.speculator)
        else {
            return Draft::default();
        };
        let mine = sequence.slot;
        let tokens = self.shelves[mine].slot.tokens();
        let room = room.min(self.network.capacity().saturating_sub(tokens.len() + 1));
        let others = self.shelves.iter().enumerate().filter(|(slot, _)| *slot != mine);
        let others: Vec<&[u32]> = others.map(|(_, shelf)| shelf.slot.tokens()).collect();
        speculator.draft(Text { tokens, next, room }, guesses, &others, self.prompts.vocabulary())
    }

    /// Chooses tokens from the rows of the last pass, up to the first that was guessed wrong.
    ///
    /// Each row is what a pass over the true text comes to, for the rows before it were guessed right. The slot
    /// forgets the others.
    fn take(&mut self, index: usize, rows: usize, draft: &Draft) -> Result<Step, LlmError> {
        let sequence = &mut self.sequences[index];
        let slot = &mut self.shelves[sequence.slot].slot;
        let before = slot.tokens().len() - rows;
        let mut step = Ok(Step::Continue);
        let mut accepted = 0;
        for row in 0..rows {
            let room = self.network.capacity() - (before + row + 1);
            step = sequence.advance(self.network.logits(row), room, &self.prompts);
            if draft.tokens.get(row).is_some_and(|&guess| sequence.next == Some(guess)) && step == Ok(Step::Continue) {
                accepted += 1;
            } else {
                slot.truncate(before + row + 1);
                break;
            }
        }
        if !draft.tokens.is_empty()
            && let (Some(speculator), Some(guesses)) = (&mut self.speculator, &mut sequence.guesses)
        {
            speculator.judge(guesses, draft, accepted);
            sequence.guessed(draft.tokens.len(), accepted);
        }
        step
    }

    fn conclude(&mut self, index: usize, step: Result<Step, LlmError>) {
        let outbox = match step {
            Ok(Step::Continue) => return self.sequences[index].outbox.flush(),
            Ok(Step::Ended(reason)) => self.sequences.remove(index).finish(reason),
            Err(error) => self.sequences.remove(index).fail(error),
        };
        self.part(outbox);
    }
}

#[cfg(test)]
mod tests;
