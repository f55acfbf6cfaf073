//! How many connections there may be, and whose is closed when there are too many.
//!
//! A connection is a stranger until it has shown the token. Strangers never fill the house: where one comes too many, the
//! oldest of them goes. An honest client shows its token a moment after it has connected.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::limits::{CONNECTIONS_MAX, STRANGERS_MAX};

/// All places for connections.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// By age, with the time of their arrival.
    strangers: BTreeMap<u64, (Instant, CancellationToken)>,
    known: usize,
    next: u64,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    is_known: AtomicBool,
    /// Somebody else gets the place.
    pub(crate) evicted: CancellationToken,
}

impl Seats {
    /// A place; none when clients that have shown the token have them all.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.strangers.len() >= STRANGERS_MAX || taken.total() >= CONNECTIONS_MAX {
            taken.evict(Duration::ZERO).then_some(())?;
        }
        let (number, evicted) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.strangers.insert(number, (Instant::now(), evicted.clone()));
        Some(Seat { seats: Arc::clone(self), number, is_known: AtomicBool::new(false), evicted })
    }

    /// Closes the oldest stranger's connection, if there is one that has been here for so long.
    pub(crate) fn evict(&self, after: Duration) -> bool {
        self.taken().evict(after)
    }

    /// Connections that there are.
    pub(crate) fn total(&self) -> usize {
        self.taken().total()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn total(&self) -> usize {
        self.strangers.len() + self.known
    }

    fn evict(&mut self, after: Duration) -> bool {
        let oldest = self.strangers.first_entry().filter(|oldest| oldest.get().0.elapsed() >= after);
        oldest.map(|oldest| oldest.remove().1.cancel()).is_some()
    }
}

impl Seat {
    /// The connection has shown the token.
    pub(crate) fn is_of_a_client(&self) {
        if self.is_known() {
            return;
        }
        let mut taken = self.seats.taken();
        // Who was evicted meanwhile stays so.
        if taken.strangers.remove(&self.number).is_some() {
            taken.known += 1;
            self.is_known.store(true, Ordering::Release);
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if *self.is_known.get_mut() {
            taken.known -= 1;
        } else {
            taken.strangers.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_give_way_to_who_comes_and_never_take_all_places() {
        let seats = Arc::new(Seats::default());
        let strangers: Vec<Seat> = (0..STRANGERS_MAX).map(|_| seats.take().unwrap()).collect();
        let client = seats.take().unwrap();
        client.is_of_a_client();
        assert!(strangers[0].evicted.is_cancelled());
        assert!(!strangers[1].evicted.is_cancelled());
        assert!(!client.evicted.is_cancelled());
        assert_eq!(seats.total(), STRANGERS_MAX);
        drop(strangers);
        assert_eq!(seats.total(), 1);
        drop(client);
        assert_eq!(seats.total(), 0);
    }

    #[test]
    fn who_has_just_come_is_not_sent_away_for_nobody() {
        let seats = Arc::new(Seats::default());
        let stranger = seats.take().unwrap();
        assert!(!seats.evict(Duration::from_secs(3600)));
        assert!(!stranger.evicted.is_cancelled());
        assert!(seats.evict(Duration::ZERO));
        assert!(stranger.evicted.is_cancelled());
        assert!(!seats.evict(Duration::ZERO));
    }

    #[test]
    fn clients_keep_their_places() {
        let seats = Arc::new(Seats::default());
        let clients: Vec<Seat> = (0..CONNECTIONS_MAX)
            .map(|_| {
                let seat = seats.take().unwrap();
                seat.is_of_a_client();
                seat
            })
            .collect();
        assert!(seats.take().is_none());
        assert!(clients.iter().all(|client| !client.evicted.is_cancelled()));
        drop(clients);
        assert!(seats.take().is_some());
    }
}
