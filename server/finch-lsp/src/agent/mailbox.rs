//! What the user says while a plan is being made: it waits here for the end of the round.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use finch_agent::plan::{Round, Steer, Steering};

use crate::limits::DIRECTIONS_MAX;

#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    directions: VecDeque<String>,
    is_good_enough: bool,
}

impl Mailbox {
    /// A word for the next round; the oldest goes when there are too many.
    pub(crate) fn direct(&self, direction: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.directions.len() == DIRECTIONS_MAX {
            waiting.directions.pop_front();
        }
        waiting.directions.push_back(direction);
    }

    /// The plan is to be taken as it is.
    pub(crate) fn finish(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_good_enough = true;
    }

    fn next(&self) -> Steer {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_good_enough {
            return Steer::Approve;
        }
        match waiting.directions.len() {
            0 => Steer::GoOn,
            _ => Steer::Direct(waiting.directions.drain(..).collect::<Vec<_>>().join("\n\n")),
        }
    }
}

impl Steering for Mailbox {
    fn steer<'a>(&'a self, _round: &'a Round) -> Pin<Box<dyn Future<Output = Steer> + Send + 'a>> {
        Box::pin(std::future::ready(self.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_said_together_at_the_end_of_a_round_and_once() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.next(), Steer::GoOn);
        mailbox.direct("smaller".to_owned());
        mailbox.direct("no new crates".to_owned());
        assert_eq!(mailbox.next(), Steer::Direct("smaller\n\nno new crates".to_owned()));
        assert_eq!(mailbox.next(), Steer::GoOn);
        mailbox.direct("more".to_owned());
        mailbox.finish();
        assert_eq!(mailbox.next(), Steer::Approve);
    }

    #[test]
    fn the_newest_words_are_kept() {
        let mailbox = Mailbox::default();
        (0..DIRECTIONS_MAX + 3).for_each(|n| mailbox.direct(n.to_string()));
        assert_eq!(mailbox.waiting.lock().unwrap().directions.len(), DIRECTIONS_MAX);
        assert!(matches!(mailbox.next(), Steer::Direct(text) if text.starts_with("3\n")));
    }
}
