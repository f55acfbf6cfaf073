//! How many requests for text may be under way, and how many of them one client's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{GENERATING_MAX, GENERATING_PER_CLIENT_MAX};

/// All places for requests that generate.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<String, usize>,
}

/// A request's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    client: String,
}

impl Places {
    /// A place for a request of that client; none when there is none for it.
    pub(crate) fn take(self: &Arc<Self>, client: String) -> Option<Place> {
        let mut taken = self.taken();
        let of_client = taken.by_client.get(&client).copied().unwrap_or_default();
        if taken.total >= GENERATING_MAX || of_client >= GENERATING_PER_CLIENT_MAX {
            return None;
        }
        taken.total += 1;
        taken.by_client.insert(client.clone(), of_client + 1);
        Some(Place { places: Arc::clone(self), client })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.total -= 1;
        if let Some(of_client) = taken.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_takes_all_places() {
        let places = Arc::new(Places::default());
        let greedy: Vec<_> = std::iter::from_fn(|| places.take("greedy".into())).collect();
        assert_eq!(greedy.len(), GENERATING_PER_CLIENT_MAX);
        let others: Vec<_> = (0..).map_while(|n| places.take(format!("client {n}"))).collect();
        assert_eq!(others.len(), GENERATING_MAX - GENERATING_PER_CLIENT_MAX);
        drop((greedy, others));
        assert!(places.taken().by_client.is_empty());
        assert!(places.take("greedy".into()).is_some());
    }
}
