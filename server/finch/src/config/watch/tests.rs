use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Event, Look, Watch};
use crate::config::{Config, ConfigError, Reading};

/// How long a change may take to be told.
const WAIT: Duration = Duration::from_secs(30);

struct Watched {
    path: PathBuf,
    changes: Receiver<Event>,
    watch: Option<Watch>,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let (sender, changes) = mpsc::channel();
        let tell = move |event| sender.send(event).unwrap();
        let look = Look::at(path.clone()).beside(folder.path().join("trust.toml"));
        let watch = Watch::start_looking(look, Duration::from_millis(5), tell).unwrap();
        Self { path, changes, watch: Some(watch), _folder: folder }
    }

    /// Saves as careful editors do, so that no half of it is seen.
    fn save(&self, text: &str) {
        finch_model::home::write_atomic(&self.path, text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn event(&self) -> Event {
        self.changes.recv_timeout(WAIT).unwrap()
    }

    /// The next change of the configuration.
    #[track_caller]
    fn next(&self) -> Result<Reading, ConfigError> {
        match self.event() {
            Event::Changed(change) => *change,
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn a_change_is_told_with_the_new_configuration_and_a_broken_file_as_that() {
    let watched = Watched::start("[engine]\nslots = 4\n");
    assert!(matches!(watched.event(), Event::Began));
    watched.save("[engine]\nslots = 5\n");
    assert_eq!(watched.next().unwrap().config.engine.slots, 5);
    watched.save("[engine\nslots = 6\n");
    assert!(matches!(watched.next(), Err(ConfigError::Invalid { .. })));
    watched.save("[engine]\nslots = 6\n");
    assert_eq!(watched.next().unwrap().config.engine.slots, 6);
    std::fs::remove_file(&watched.path).unwrap();
    assert_eq!(watched.next().unwrap().config, Config::default());
    std::fs::write(&watched.path, "[engine]\nslots = 7\n").unwrap();
    // It may be seen before the text is in it.
    let slots = || watched.next().unwrap().config.engine.slots;
    assert!(slots() == 7 || slots() == 7);
}

#[test]
fn a_save_that_is_half_done_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("[engine]\nslots = 4\n");
    let mut look = Look::at(path.clone());
    let mut slots = || match look.again() {
        Some(Event::Changed(change)) => Some(change.unwrap().config.engine.slots),
        None => None,
        event => panic!("{event:?}"),
    };
    write("");
    assert_eq!(slots(), None);
    write("[engine]\nslots = 5\n");
    assert_eq!(slots(), Some(5));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(slots(), None);
    // What stays away is gone.
    let default = Config::default().engine.slots;
    assert_eq!((slots(), slots()), (Some(default), None));
}

#[test]
fn a_change_of_a_file_beside_it_is_told_as_that() {
    let watched = Watched::start("");
    assert!(matches!(watched.event(), Event::Began));
    std::fs::write(watched.path.with_file_name("trust.toml"), "a").unwrap();
    assert!(matches!(watched.event(), Event::ChangedBeside));
}

#[test]
fn it_ends_when_it_is_dropped() {
    let mut watched = Watched::start("");
    let begun = Instant::now();
    drop(watched.watch.take());
    // The sender went with the thread.
    assert!(matches!(watched.event(), Event::Began));
    assert_eq!(watched.changes.recv_timeout(WAIT).map(drop).unwrap_err(), RecvTimeoutError::Disconnected);
    assert!(begun.elapsed() < WAIT);
    // And one that looks rarely does not have to look once more.
    let watch = Watch::start(Look::at(watched.path.clone()), |_| ()).unwrap();
    let begun = Instant::now();
    drop(watch);
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}
