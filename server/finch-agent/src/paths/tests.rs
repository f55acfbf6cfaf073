use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::RenameFlags;

use super::{PathError, Root};

/// A workspace `ws` with neighbours.
struct Place {
    folder: tempfile::TempDir,
    root: Root,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ws/src", "ws-evil", "out"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["ws/src/a", "ws-evil/f", "out/s"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let root = Root::open(&folder.path().join("ws")).unwrap();
        Self { folder, root }
    }

    /// A path beside the workspace.
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn read(&self, name: &str) -> Result<String, PathError> {
        let mut text = String::new();
        self.root.read(&self.at(name))?.read_to_string(&mut text).unwrap();
        Ok(text)
    }
}

#[track_caller]
fn refused<T>(row: &str, result: Result<T, PathError>, wanted: fn(&PathError) -> bool) {
    match result {
        Err(error) => assert!(wanted(&error), "{row}: {error:?}"),
        Ok(_) => panic!("{row}: not refused"),
    }
}

fn link(error: &PathError) -> bool {
    matches!(error, PathError::Link { .. })
}

fn outside(error: &PathError) -> bool {
    matches!(error, PathError::Outside { .. } | PathError::NoName { .. })
}

fn special(error: &PathError) -> bool {
    matches!(error, PathError::Special { .. })
}

#[test]
fn files_are_read_and_written_below_the_root() {
    let place = Place::new();
    assert_eq!(place.read("ws/src/a").unwrap(), "ws/src/a");
    place.root.write(&place.at("ws/new/deep/file"), b"x").unwrap();
    assert_eq!(place.read("ws/new/deep/file").unwrap(), "x");
    fs::set_permissions(place.at("ws/src/a"), fs::Permissions::from_mode(0o751)).unwrap();
    place.root.write(&place.at("ws/src/a"), b"y").unwrap();
    assert_eq!(fs::metadata(place.at("ws/src/a")).unwrap().mode() & 0o777, 0o751);
    assert_eq!(place.read("ws/src/a").unwrap(), "y");
    place.root.remove(&place.at("ws/src/a")).unwrap();
    assert_eq!(fs::read_dir(place.at("ws/src")).unwrap().count(), 0, "no temporary file is left");
}

#[test]
fn paths_out_of_the_root_are_refused() {
    let place = Place::new();
    for name in ["ws/../out/s", "ws-evil/f", "out/s", "ws", "ws/src/../../out/s"] {
        refused("C1 C2", place.root.read(&place.at(name)), outside);
        refused("C1 C2", place.root.write(&place.at(name), b"x"), outside);
    }
    for name in ["ws/%2e%2e/out/s", "ws/..%2Fout"] {
        refused("C1", place.read(name), |error| matches!(error, PathError::Io { .. }));
    }
    assert_eq!(fs::read_to_string(place.at("out/s")).unwrap(), "out/s");
}

#[test]
fn where_a_path_leads_is_said_before_it_is_used() {
    let place = Place::new();
    symlink(place.at("out"), place.at("ws/away")).unwrap();
    symlink("src", place.at("ws/near")).unwrap();
    symlink("nowhere", place.at("ws/broken")).unwrap();
    for (name, led) in [
        ("src/a", "ws/src/a"),
        ("near/a", "ws/src/a"),
        ("away/s", "out/s"),
        ("away/new/x", "out/new/x"),
        ("../out/s", "out/s"),
        ("new/x", "ws/new/x"),
        ("src/../src/a", "ws/src/a"),
    ] {
        assert_eq!(place.root.named(Path::new(name)).unwrap(), place.at(led), "C3: {name}");
    }
    refused("C3", place.root.named(Path::new("broken")), link);
    refused("C1", place.root.named(Path::new("new/../../out/s")), |error| matches!(error, PathError::NoName { .. }));
}

#[test]
fn links_are_not_followed_at_use() {
    let place = Place::new();
    symlink(place.at("out/s"), place.at("ws/l")).unwrap();
    symlink(place.at("out"), place.at("ws/d")).unwrap();
    symlink("l", place.at("ws/chain")).unwrap();
    symlink("src", place.at("ws/near")).unwrap();
    for name in ["ws/l", "ws/d/s", "ws/chain", "ws/near/a"] {
        refused("C3", place.root.read(&place.at(name)), link);
        refused("C3", place.root.write(&place.at(name), b"x"), link);
        refused("C3", place.root.remove(&place.at(name)), link);
    }
    refused("C7", place.root.write(&place.at("ws/d/new/x"), b"x"), link);
    for walked in [place.root.folder.walk_by_name(&["d"]), place.root.folder.walk_by_name(&["src", "..", "d"])] {
        assert!(matches!(walked, Err(super::Refusal::Link)), "the walk by name is as strict: {walked:?}");
    }
    assert_eq!(fs::read_to_string(place.at("out/s")).unwrap(), "out/s");
    assert_eq!(fs::read_dir(place.at("out")).unwrap().count(), 1);
}

#[test]
fn a_hard_link_keeps_its_content() {
    let place = Place::new();
    fs::hard_link(place.at("out/s"), place.at("ws/h")).unwrap();
    place.root.write(&place.at("ws/h"), b"new").unwrap();
    assert_eq!(fs::read_to_string(place.at("out/s")).unwrap(), "out/s", "C5");
    assert_eq!(fs::read_to_string(place.at("ws/h")).unwrap(), "new", "C5");
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let place = Place::new();
    let began = Instant::now();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.at("ws/p"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.at("ws/socket")).unwrap();
    for name in ["ws/p", "ws/socket", "ws/src"] {
        refused("C6", place.root.read(&place.at(name)), special);
        refused("C6", place.root.write(&place.at(name), b"x"), special);
    }
    let whole = Root::open(Path::new("/")).unwrap();
    for name in ["/dev/zero", "/dev/null", "/dev/tty"] {
        refused("C6", whole.read(Path::new(name)), |error| !outside(error));
    }
    refused("C6", whole.read(Path::new("/proc/self/environ")), link);
    refused("C6", whole.read(Path::new("/proc/self/fd/0")), link);
    assert!(began.elapsed() < Duration::from_secs(1), "C6");
}

/// Swaps the folder `ws/d` with a link to `out`, 10,000 times, while `attempt` works.
#[cfg(target_os = "linux")]
fn race(place: &Place, mut attempt: impl FnMut()) {
    fs::create_dir(place.at("ws/d")).unwrap();
    fs::write(place.at("ws/d/s"), "inside").unwrap();
    symlink(place.at("out"), place.at("ws/link")).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (folder, link) = (place.at("ws/d"), place.at("ws/link"));
            let swap =
                || rustix::fs::renameat_with(rustix::fs::CWD, &folder, rustix::fs::CWD, &link, RenameFlags::EXCHANGE);
            let began = Instant::now();
            let mut swaps = 0;
            let mut failed = None;
            while failed.is_none() && (swaps < 10_000 || began.elapsed() < Duration::from_millis(300)) {
                failed = swap().err().or_else(|| swap().err());
                swaps += 2;
            }
            is_done.store(true, Ordering::Release);
            assert_eq!(failed, None);
        });
        while !is_done.load(Ordering::Acquire) {
            attempt();
        }
    });
    attempt();
    assert_eq!(fs::read_to_string(place.at("out/s")).unwrap(), "out/s", "C4");
    assert_eq!(fs::read_dir(place.at("out")).unwrap().count(), 1, "C4");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let place = Place::new();
    let (mut written, mut refused) = (0, 0);
    race(&place, || match place.root.write(&place.at("ws/d/s"), b"mine") {
        Ok(()) => written += 1,
        Err(PathError::Link { .. } | PathError::Io { .. }) => refused += 1,
        Err(error) => panic!("{error}"),
    });
    assert!(written > 0 && refused > 0, "C4: the race was one: {written} written, {refused} refused");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_read_through_a_folder_that_is_swapped() {
    let place = Place::new();
    race(&place, || {
        if let Ok(text) = place.read("ws/d/s") {
            assert_eq!(text, "inside", "C4");
        }
    });
}
