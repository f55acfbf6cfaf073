//! The passes themselves: a piece of a prompt, one sequence with what was guessed for it, or several sequences that
//! take a token each.
//!
//! What a pass comes to is handed to its sequences; who computes is decided elsewhere.

use std::{ops::Range, time::Instant};

use finch_llm::LlmError;

use super::Worker;
use crate::{
    EngineError, limits,
    network::Place,
    sequence::Step,
    speculation::{Draft, Text},
    watch::End,
};

impl Worker {
    /// One pass for a sequence, and for others if that gives more tokens a second.
    pub(super) fn compute(&mut self, index: usize) {
        self.clock += 1;
        self.sequences[index].turn = self.clock;
        if self.sequences[index].next.is_none() {
            return self.read(index);
        }
        let draft = self.draft(index);
        let run = self.company(index);
        let members = self.members(index, &run);
        if members.len() > 1 && members.len() as f64 / self.together.of(run.len()) >= draft.rate {
            self.step_together(run, members);
        } else {
            self.step_alone(index, draft);
        }
    }

    /// A piece of a prompt.
    fn read(&mut self, index: usize) {
        let free_slots = self.shelves.len() - self.sequences.len();
        let sequence = &mut self.sequences[index];
        let slot = &mut self.shelves[sequence.slot].slot;
        let left = &sequence.prompt.tokens[slot.tokens().len()..];
        let tokens = &left[..left.len().min(self.pace.chunk())];
        let rows = usize::from(tokens.len() == left.len());
        let pass = sequence.pass(free_slots);
        let started = Instant::now();
        let (result, end) = if tokens.len() > 1 {
            self.watch.during(pass, || self.network.forward(slot, tokens, rows).map(|_| ()))
        } else {
            (self.network.forward(slot, tokens, rows).map(|_| ()), End::Own)
        };
        let time = started.elapsed();
        let count = tokens.len();
        sequence.spent(time);
        let step = match outcome(result, end) {
            Ok(Ran::Through) => {
                self.pace.learn(count, time);
                self.take(index, rows, &Draft::default())
            }
            Ok(Ran::Interrupted) => Ok(Step::Continue),
            Err(error) => Err(error),
        };
        self.conclude(index, step);
    }

    /// The next token of a sequence, and what may come behind it.
    fn step_alone(&mut self, index: usize, draft: Draft) {
        let free_slots = self.shelves.len() - self.sequences.len();
        let sequence = &mut self.sequences[index];
        let slot = &mut self.shelves[sequence.slot].slot;
        let tokens: Vec<u32> = sequence.next.into_iter().chain(draft.tokens.iter().copied()).collect();
        let rows = tokens.len();
        let pass = sequence.pass(free_slots);
        let started = Instant::now();
        let (result, end) = if rows >= limits::WATCHED_TOKENS_MIN {
            self.watch.during(pass, || self.network.forward(slot, &tokens, rows).map(|_| ()))
        } else {
            // Over sooner than a watch could see anything.
            (self.network.forward(slot, &tokens, rows).map(|_| ()), End::Own)
        };
        let time = started.elapsed();
        sequence.spent(time);
        let step = match outcome(result, end) {
            Ok(Ran::Through) => {
                if let Some(speculator) = &mut self.speculator {
                    speculator.timed(rows, time);
                }
                if rows == 1 {
                    self.together.learn(1, time);
                }
                self.take(index, rows, &draft)
            }
            Ok(Ran::Interrupted) => Ok(Step::Continue),
            Err(error) => Err(error),
        };
        self.conclude(index, step);
    }

    /// A token for each of several sequences whose slots are in `run`. What else is there only lies between.
    fn step_together(&mut self, run: Range<usize>, mut members: Vec<usize>) {
        let taking = |slot: usize| {
            members.iter().find(|&&index| self.sequences[index].slot == slot).and_then(|&it| self.sequences[it].next)
        };
        let tokens: Vec<Option<u32>> = run.clone().map(taking).collect();
        let places = self.shelves[run.clone()].iter_mut().zip(tokens).map(|(shelf, token)| match token {
            Some(token) => Place::Takes(&mut shelf.slot, token),
            None => Place::Between(&mut shelf.slot),
        });
        let started = Instant::now();
        let result = self.network.forward_each(&mut places.collect::<Vec<_>>());
        let time = started.elapsed();
        if result.is_ok() {
            self.together.learn(run.len(), time);
        }
        // From the last on, so that one that ends does not move those before it.
        members.sort_unstable();
        for index in members.into_iter().rev() {
            let sequence = &mut self.sequences[index];
            sequence.turn = self.clock;
            sequence.spent(time);
            let step = match &result {
                Ok(()) => {
                    let room = self.network.capacity() - self.shelves[sequence.slot].slot.tokens().len();
                    let logits = self.network.logits(sequence.slot - run.start);
                    sequence.advance(logits, room, &self.prompts)
                }
                Err(error) => Err(LlmError::Unavailable { reason: error.to_string() }),
            };
            self.conclude(index, step);
        }
    }

    /// The run of slots around a sequence that are worth computing together with it.
    fn company(&self, index: usize) -> Range<usize> {
        let lane = self.sequences[index].lane;
        let peers: Vec<usize> = (self.sequences.iter())
            .filter(|it| it.lane == lane && it.next.is_some() && it.outbox.is_empty())
            .map(|it| it.slot)
            .collect();
        let mine = self.sequences[index].slot;
        let mut run = mine..mine + 1;
        // A slot that is full has no room for what is written between others.
        let fits = |slots: Range<usize>| {
            slots.into_iter().all(|slot| self.shelves[slot].slot.tokens().len() < self.network.capacity())
        };
        let pays = |count: usize, more: usize| {
            self.together.of(count + more) - self.together.of(count) < limits::COMPANY_COST_MAX
        };
        loop {
            let above = peers.iter().copied().filter(|&slot| slot >= run.end).min();
            let below = peers.iter().copied().filter(|&slot| slot < run.start).max();
            if let Some(slot) = above
                && pays(run.len(), slot + 1 - run.end)
                && fits(run.end..slot + 1)
            {
                run.end = slot + 1;
            } else if let Some(slot) = below
                && pays(run.len(), run.start - slot)
                && fits(slot..run.start)
            {
                run.start = slot;
            } else {
                return run;
            }
        }
    }

    /// The sequences like this one whose slots are in a run.
    fn members(&self, index: usize, run: &Range<usize>) -> Vec<usize> {
        let lane = self.sequences[index].lane;
        let is_member = |index: &usize| {
            let it = &self.sequences[*index];
            it.lane == lane && it.next.is_some() && it.outbox.is_empty() && run.contains(&it.slot)
        };
        (0..self.sequences.len()).filter(is_member).collect()
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

enum Ran {
    Through,
    /// The next turn sees why, and the slot is as it was.
    Interrupted,
}

fn outcome(result: Result<(), EngineError>, end: End) -> Result<Ran, LlmError> {
    match (result, end) {
        (Ok(()), _) => Ok(Ran::Through),
        (Err(_), End::Interrupted) => Ok(Ran::Interrupted),
        (Err(error), End::Own) => Err(LlmError::Unavailable { reason: error.to_string() }),
    }
}
