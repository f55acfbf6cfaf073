//! Who is there: requests that are under way and clients that listen for events. While nobody is, the time to an idle end
//! runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::limits::ATTACHED_MAX;

#[derive(Debug)]
pub(crate) struct Presence {
    there: watch::Sender<usize>,
    attached: Mutex<Attached>,
}

#[derive(Debug, Default)]
struct Attached {
    names: BTreeMap<u64, String>,
    next: u64,
}

/// Somebody is there, until this is dropped.
#[derive(Debug)]
pub(crate) struct There(Arc<Presence>);

/// A client listens, until this is dropped.
#[derive(Debug)]
pub(crate) struct Listens {
    number: u64,
    there: There,
}

impl Default for Presence {
    fn default() -> Self {
        Self { there: watch::Sender::new(0), attached: Mutex::default() }
    }
}

impl Presence {
    pub(crate) fn enter(self: &Arc<Self>) -> There {
        self.there.send_modify(|there| *there += 1);
        There(Arc::clone(self))
    }

    /// A client that listens; none when there are too many.
    pub(crate) fn attach(self: &Arc<Self>, name: String) -> Option<Listens> {
        let mut attached = self.attached();
        (attached.names.len() < ATTACHED_MAX).then_some(())?;
        let number = attached.next;
        attached.next += 1;
        attached.names.insert(number, name);
        drop(attached);
        Some(Listens { number, there: self.enter() })
    }

    /// The names of those who listen, in the order in which they came.
    pub(crate) fn names(&self) -> Vec<String> {
        self.attached().names.values().cloned().collect()
    }

    /// Waits until nobody was there for so long.
    pub(crate) async fn nobody_for(&self, long: Duration) {
        let mut there = self.there.subscribe();
        loop {
            let is_empty = *there.borrow_and_update() == 0;
            tokio::select! {
                changed = there.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(long), if is_empty => return,
            }
        }
    }

    fn attached(&self) -> MutexGuard<'_, Attached> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.0.there.send_modify(|there| *there -= 1);
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        self.there.0.attached().names.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_runs_from_the_moment_the_last_one_left() {
        let presence = Arc::new(Presence::default());
        let started = tokio::time::Instant::now();
        let (long, minute) = (Duration::from_secs(1800), Duration::from_secs(60));
        let visits = async {
            tokio::time::sleep(minute).await;
            let first = presence.attach("a".into()).unwrap();
            let second = presence.enter();
            tokio::time::sleep(minute * 90).await;
            drop(first);
            tokio::time::sleep(minute * 90).await;
            drop(second);
            tokio::time::sleep(minute).await;
            drop(presence.enter());
        };
        tokio::join!(visits, presence.nobody_for(long));
        assert_eq!(started.elapsed().as_secs(), (minute * 182 + long).as_secs());
    }

    #[test]
    fn who_listens_is_known_by_name_and_their_number_is_bounded() {
        let presence = Arc::new(Presence::default());
        let (first, second) = (presence.attach("zed".into()), presence.attach("helix".into()));
        assert_eq!(presence.names(), ["zed", "helix"]);
        drop(first);
        assert_eq!(presence.names(), ["helix"]);
        let more: Vec<_> = std::iter::from_fn(|| presence.attach("more".into())).collect();
        assert_eq!(more.len(), ATTACHED_MAX - 1);
        drop(second);
    }
}
