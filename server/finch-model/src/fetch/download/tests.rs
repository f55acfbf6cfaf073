use std::fs;

use super::*;
use crate::{
    digest::Digest,
    fetch::{
        FetchError, StorageError,
        tests::{Bench, Reply, Server, only_reason},
    },
    home::Home,
};

const LEN: usize = 3 * 1024 * 1024 + 17;
const GET: &str = "get /owner/name/resolve/main/tiny.gguf http/1.1";

fn content(len: usize) -> Vec<u8> {
    Bench::new(len).content
}

/// Fetches from a server with these replies and expects the file.
#[track_caller]
fn arrives(replies: Vec<Reply>, requests: &[&str]) -> Bench {
    run(async {
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(LEN, &server);
        let fetched = bench.fetch().await;
        assert_eq!(server.requests(), requests);
        bench.has_the_file(fetched);
        bench
    })
}

/// Fetches from a server with these replies and expects none of them to help.
#[track_caller]
fn fails(replies: Vec<Reply>) -> (SourceError, Bench) {
    run(async {
        let count = replies.len();
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(LEN, &server);
        let error = only_reason(bench.fetch().await);
        assert_eq!(server.requests().len(), count, "{error}");
        (error, bench)
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn from(first: usize, etag: &str) -> String {
    format!("{GET} | range: bytes={first}- | if-range: {etag}")
}

#[test]
fn a_whole_file_arrives_with_its_progress() {
    let bench = arrives(vec![Reply::whole(&content(LEN), "\"a\"")], &[GET]);
    let done: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            FetchEvent::Progress { bytes_done, bytes_total: Some(total), .. } => Some((*bytes_done, *total)),
            _ => None,
        })
        .collect();
    assert!(done.len() >= 2 && done.is_sorted(), "{done:?}");
    assert!(done.iter().all(|(done, total)| done <= total && *total == LEN as u64), "{done:?}");
}

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let content = content(LEN);
    let replies = vec![
        Reply::whole(&content, "\"a\"").cut(1_000_000),
        Reply::rest(&content, 1_000_000, "\"a\"").cut(500_000),
        Reply::rest(&content, 1_500_000, "\"a\""),
    ];
    let bench = arrives(replies, &[GET, &from(1_000_000, "\"a\""), &from(1_500_000, "\"a\"")]);
    assert_eq!(bench.waits().len(), 2);
}

#[test]
fn silence_counts_as_a_cut() {
    let content = content(LEN);
    run(async {
        let server = Server::start([
            Reply::whole(&content, "\"a\"").stall(2_000_000),
            Reply::rest(&content, 2_000_000, "\"a\""),
        ])
        .await;
        let mut bench = Bench::hub_only(LEN, &server);
        bench.pace.idle = Duration::from_millis(1500);
        let fetched = bench.fetch().await;
        assert_eq!(server.requests(), [GET.to_owned(), from(2_000_000, "\"a\"")]);
        bench.has_the_file(fetched);
    });
}

#[test]
fn a_host_that_never_says_a_word_gets_one_try_and_one_that_did_gets_more() {
    let content = content(LEN);
    run(async {
        let server = Server::start([Reply::mute()]).await;
        let mut bench = Bench::hub_only(LEN, &server);
        bench.pace.answer = Duration::from_millis(20);
        let error = only_reason(bench.fetch().await);
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        assert_eq!(bench.waits(), []);
    });
    run(async {
        let replies = [Reply::whole(&content, "\"a\"").cut(1000), Reply::mute(), Reply::rest(&content, 1000, "\"a\"")];
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(LEN, &server);
        bench.pace.answer = Duration::from_millis(1500);
        let fetched = bench.fetch().await;
        bench.has_the_file(fetched);
    });
}

#[test]
fn a_server_that_always_breaks_off_is_given_up_with_growing_waits() {
    let content = content(LEN);
    let mut replies = vec![Reply::whole(&content, "\"a\"").cut(1000)];
    replies.extend((1..5).map(|step| Reply::rest(&content, step * 1000, "\"a\"").cut(1000)));
    let (error, bench) = fails(replies);
    assert!(matches!(error, SourceError::Interrupted { tries: 5, .. }), "{error}");
    let waits = bench.waits();
    assert_eq!(waits.len(), 4);
    for (wait, whole_ms) in waits.into_iter().zip([500, 1000, 2000, 4000]) {
        assert!((whole_ms / 2..=whole_ms).contains(&wait.as_millis()), "{wait:?} of {whole_ms} ms");
    }
    assert_eq!(fs::read(bench.path("tiny.gguf.part")).unwrap(), &content[..5000]);
}

#[test]
fn a_slow_line_that_gets_on_is_not_given_up() {
    let content = content(LEN);
    run(async {
        let mut replies = vec![Reply::whole(&content, "\"a\"").cut(300_000)];
        replies.extend((1..10).map(|step| Reply::rest(&content, step * 300_000, "\"a\"").cut(300_000)));
        replies.push(Reply::rest(&content, 3_000_000, "\"a\""));
        let server = Server::start(replies).await;
        let mut bench = Bench::hub_only(LEN, &server);
        bench.pace.progress_bytes = 300_000;
        let fetched = bench.fetch().await;
        bench.has_the_file(fetched);
    });
}

#[test]
fn a_server_without_ranges_starts_again_and_gains_nothing_by_it() {
    let content = content(LEN);
    arrives(
        vec![Reply::whole(&content, "\"a\"").cut(1000), Reply::whole(&content, "\"a\"")],
        &[GET, &from(1000, "\"a\"")],
    );
    run(async {
        let server = Server::start((0..5).map(|_| Reply::whole(&content, "\"a\"").cut(400_000))).await;
        let mut bench = Bench::hub_only(LEN, &server);
        bench.pace.progress_bytes = 300_000;
        let error = only_reason(bench.fetch().await);
        // The first 400 000 bytes were new once, and never again.
        assert!(matches!(error, SourceError::Interrupted { tries: 5, .. }), "{error}");
    });
}

#[test]
fn a_file_that_changed_meanwhile_begins_at_zero() {
    let (old, new) = (vec![7; LEN], content(LEN));
    arrives(
        vec![Reply::whole(&old, "\"old\"").cut(1_000_000), Reply::whole(&new, "\"new\"")],
        &[GET, &from(1_000_000, "\"old\"")],
    );
    arrives(
        vec![
            Reply::whole(&old, "\"old\"").cut(1_000_000),
            Reply::rest(&new, 1_000_000, "\"new\""),
            Reply::whole(&new, "\"new\""),
        ],
        &[GET, &from(1_000_000, "\"old\""), GET],
    );
}

#[test]
fn without_a_strong_tag_nothing_is_continued() {
    let content = content(LEN);
    for etag in ["W/\"a\"", "a", "\"\"", ""] {
        arrives(vec![Reply::whole(&content, etag).cut(1000), Reply::whole(&content, etag)], &[GET, GET]);
    }
}

#[test]
fn a_part_that_is_not_the_asked_one_is_thrown_away() {
    let content = content(LEN);
    let cut = || Reply::whole(&content, "\"a\"").cut(1000);
    arrives(
        vec![cut(), Reply::rest(&content, 999, "\"a\""), Reply::whole(&content, "\"a\"")],
        &[GET, &from(1000, "\"a\""), GET],
    );
    arrives(
        vec![cut(), Reply::status("416 Range Not Satisfiable"), Reply::whole(&content, "\"a\"")],
        &[GET, &from(1000, "\"a\""), GET],
    );
    for range in ["", "Content-Range: bytes 1000-/9", "Content-Range: bytes 5-1/9", "Content-Range: items 1000-2000/9"]
    {
        let (error, _) = fails(vec![cut(), Reply::new("206 Partial Content", range, "x")]);
        assert!(error.to_string().contains("does not say which"), "{range}: {error}");
    }
    let (error, _) = fails(vec![Reply::rest(&content, 1000, "\"a\"")]);
    assert!(error.to_string().contains("the whole was asked for"), "{error}");
}

#[test]
fn another_length_is_refused_before_a_byte_is_written() {
    for offered in [0, LEN - 1, LEN + 1] {
        let (error, bench) = fails(vec![Reply::whole(&vec![0; offered], "\"a\"")]);
        let expected = LEN as u64;
        assert!(
            matches!(error, SourceError::WrongSize { offered: o, expected: e } if o == offered as u64 && e == expected)
        );
        assert_eq!(bench.names(), ["tiny.gguf.lock"]);
    }
    let content = content(LEN);
    let longer = Reply::new("206 Partial Content", &format!("Content-Range: bytes 1000-{LEN}/{}", LEN + 1), "x");
    let (error, _) = fails(vec![Reply::whole(&content, "\"a\"").cut(1000), longer]);
    assert!(matches!(error, SourceError::WrongSize { .. }), "{error}");
}

#[test]
fn a_body_without_a_length_may_be_short_once_but_never_long() {
    let content = content(LEN);
    let endless = |body: &[u8]| Reply::new("200 OK", "ETag: \"a\"", body);
    arrives(vec![endless(&content[..1000]), Reply::rest(&content, 1000, "\"a\"")], &[GET, &from(1000, "\"a\"")]);
    let (error, bench) = fails(vec![endless(&[&content[..], b"x"].concat())]);
    assert!(matches!(error, SourceError::WrongSize { .. }), "{error}");
    assert_eq!(bench.names(), ["tiny.gguf.lock"]);
}

#[test]
fn wrong_bytes_of_the_right_length_are_deleted_and_both_sums_named() {
    let (error, bench) = fails(vec![Reply::whole(&vec![0; LEN], "\"a\"")]);
    let text = error.to_string();
    for sum in [Digest::of_bytes(&vec![0; LEN]), Digest::of_bytes(&bench.content)] {
        assert!(text.contains(&sum.to_string()), "{text}");
    }
    assert_eq!(bench.names(), ["tiny.gguf.lock"]);
}

#[test]
fn damage_in_a_continued_part_is_found() {
    let content = content(LEN);
    run(async {
        let server = Server::start([
            Reply::whole(&content, "\"a\"").cut(1000),
            Reply::status("404 Not Found"),
            Reply::rest(&content, 1000, "\"a\""),
        ])
        .await;
        let mut bench = Bench::hub_only(LEN, &server);
        assert!(matches!(only_reason(bench.fetch().await), SourceError::NotFound { status: 404 }));
        let path = bench.path("tiny.gguf.part");
        let mut bytes = fs::read(&path).unwrap();
        bytes[500] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(only_reason(bench.fetch().await), SourceError::WrongHash { .. }));
        assert_eq!(bench.names(), ["tiny.gguf.lock"]);
    });
}

#[test]
fn a_hub_that_names_another_sum_need_not_send_the_file() {
    let sum = Digest::of_bytes(b"another file");
    let headers = format!("Location: /elsewhere\nX-Linked-Etag: \"{sum}\"\nContent-Length: 0");
    let (error, bench) = fails(vec![Reply::new("302 Found", &headers, "")]);
    assert!(matches!(error, SourceError::WrongHash { found, .. } if found == sum), "{error}");
    assert_eq!(bench.names(), ["tiny.gguf.lock"]);
}

#[test]
fn redirects_are_followed_with_their_range_and_not_for_ever() {
    let content = content(LEN);
    run(async {
        let other =
            Server::start([Reply::whole(&content, "\"a\"").cut(1000), Reply::rest(&content, 1000, "\"a\"")]).await;
        let to = format!("{}/cdn?sign=secret", other.url);
        let server = Server::start([Reply::redirect("/moved"), Reply::redirect(&to), Reply::redirect(&to)]).await;
        let mut bench = Bench::hub_only(LEN, &server);
        let fetched = bench.fetch().await;
        let range = "range: bytes=1000- | if-range: \"a\"";
        assert_eq!(server.requests(), [GET.to_owned(), "get /moved http/1.1".to_owned(), from(1000, "\"a\"")]);
        let cdn = "get /cdn?sign=secret http/1.1";
        assert_eq!(other.requests(), [cdn.to_owned(), format!("{cdn} | {range}")]);
        bench.has_the_file(fetched);
    });
    let (error, _) = fails((0..9).map(|_| Reply::redirect("/round")).collect());
    assert!(matches!(error, SourceError::Redirect { .. }), "{error}");
    let (error, _) = fails(vec![Reply::redirect("file:///etc/passwd")]);
    assert!(matches!(error, SourceError::Redirect { .. }), "{error}");
    let (error, _) = fails(vec![Reply::new("302 Found", "Content-Length: 0", "")]);
    assert!(error.to_string().contains("redirect to nowhere"), "{error}");
}

#[test]
fn a_refusal_is_final_and_says_what_to_do() {
    for (status, says) in [
        ("401 Unauthorized", "may be gated; accept its licence at http://127.0.0.1"),
        ("403 Forbidden", "may be gated"),
        ("404 Not Found", "no such file (HTTP 404)"),
        ("410 Gone", "no such file (HTTP 410)"),
        ("418 I'm a teapot", "answered with HTTP 418"),
        ("304 Not Modified", "answered with HTTP 304"),
    ] {
        let (error, bench) = fails(vec![Reply::status(status)]);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(bench.waits(), []);
    }
}

#[test]
fn a_passing_trouble_is_tried_again() {
    let content = content(LEN);
    for status in
        ["500 Internal Server Error", "503 Service Unavailable", "408 Request Timeout", "429 Too Many Requests"]
    {
        arrives(vec![Reply::status(status), Reply::whole(&content, "\"a\"")], &[GET, GET]);
    }
    let (error, _) = fails((0..5).map(|_| Reply::status("500 Internal Server Error")).collect());
    assert!(matches!(&error, SourceError::Interrupted { tries: 5, reason } if reason == "HTTP 500"), "{error}");
}

#[test]
fn a_server_may_say_how_long_to_wait_within_reason() {
    let content = content(LEN);
    let wait =
        |seconds: &str| Reply::new("429 Too Many Requests", &format!("Retry-After: {seconds}\nContent-Length: 0"), "");
    let bench = arrives(vec![wait("7"), wait("60"), Reply::whole(&content, "\"a\"")], &[GET; 3]);
    assert_eq!(bench.waits(), [7, 60].map(Duration::from_secs));
    let (error, bench) = fails(vec![wait("3600")]);
    assert!(matches!(error, SourceError::RateLimited { wait } if wait == Duration::from_secs(3600)), "{error}");
    assert_eq!(bench.waits(), []);
}

#[test]
fn a_login_page_or_a_packed_body_is_not_the_file() {
    let length = format!("Content-Length: {LEN}");
    for (header, says) in
        [("Content-Type: text/HTML; charset=utf-8", "a web page"), ("Content-Encoding: gzip", "packed")]
    {
        let (error, bench) = fails(vec![Reply::new("200 OK", &format!("{header}\n{length}"), content(LEN))]);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(bench.names(), ["tiny.gguf.lock"]);
    }
}

#[test]
fn a_cancelled_download_is_continued() {
    let content = content(LEN);
    run(async {
        let server =
            Server::start([Reply::whole(&content, "\"a\"").stall(LEN - 1), Reply::status("404 Not Found")]).await;
        let mut bench = Bench::hub_only(LEN, &server);
        let catalogue = bench.catalogue();
        let home = Home::new(bench.home.path());
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let mut events = |event| {
            if let FetchEvent::Progress { .. } = event {
                begun.send(()).unwrap();
            }
        };
        tokio::select! {
            fetched = crate::fetch::fetch_model(&catalogue.models()[0], &home, &bench.options, &mut events) => panic!("{fetched:?}"),
            _ = has_begun.recv() => {}
        }
        // The lock waits for the last write of the cancelled download.
        assert!(matches!(only_reason(bench.fetch().await), SourceError::NotFound { .. }));
        let have = fs::read(bench.path("tiny.gguf.part")).unwrap();
        assert!(have.len() >= limits::WRITE_BATCH_BYTES && content.starts_with(&have), "{}", have.len());
        let server = Server::start([Reply::rest(&content, have.len(), "\"a\"")]).await;
        // Another address is another file, until its note says otherwise.
        let note = fs::read_to_string(bench.path("tiny.gguf.part.toml")).unwrap();
        let old = bench.options.endpoint.to_string();
        fs::write(bench.path("tiny.gguf.part.toml"), note.replace(&old, &server.url)).unwrap();
        bench.options.endpoint = server.url.parse().unwrap();
        let fetched = bench.fetch().await;
        assert_eq!(server.requests(), [from(have.len(), "\"a\"")]);
        bench.has_the_file(fetched);
    });
}

#[test]
fn a_part_with_a_damaged_or_foreign_note_begins_at_zero() {
    let content = content(LEN);
    for note in ["", "url = \"", "url = \"http://other/\"\netag = '\"a\"'"] {
        run(async {
            let server = Server::start([Reply::whole(&content, "\"a\"")]).await;
            let mut bench = Bench::hub_only(LEN, &server);
            fs::create_dir_all(bench.home().downloads()).unwrap();
            fs::write(bench.path("tiny.gguf.part"), &content[..1000]).unwrap();
            fs::write(bench.path("tiny.gguf.part.toml"), note).unwrap();
            let fetched = bench.fetch().await;
            assert_eq!(server.requests(), [GET]);
            bench.has_the_file(fetched);
        });
    }
}

#[test]
fn a_part_that_is_whole_needs_no_connection_and_one_that_is_too_long_begins_at_zero() {
    let content = content(LEN);
    for (part, requests) in [(content.clone(), &[][..]), ([&content[..], b"x"].concat(), &[GET])] {
        run(async {
            let server = Server::start([Reply::whole(&content, "\"a\"")]).await;
            let mut bench = Bench::hub_only(LEN, &server);
            fs::create_dir_all(bench.home().downloads()).unwrap();
            fs::write(bench.path("tiny.gguf.part"), part).unwrap();
            let note = format!("url = \"{}/owner/name/resolve/main/tiny.gguf\"\netag = '\"a\"'", server.url);
            fs::write(bench.path("tiny.gguf.part.toml"), note).unwrap();
            let fetched = bench.fetch().await;
            assert_eq!(server.requests(), requests);
            bench.has_the_file(fetched);
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_fetch_and_keeps_the_part() {
    run(async {
        let server = Server::start([Reply::whole(&content(LEN), "\"a\"")]).await;
        let mut bench = Bench::new(LEN);
        bench.options.endpoint = server.url.parse().unwrap();
        let directory = bench.home().downloads();
        // The part is continued on a device that is always full.
        let slot = full_disk_slot(&bench).await;
        let part = Part::open(&slot, Lane::Hub, 0).unwrap();
        let error = write(part, vec![1; 100_000]).await.map(|part| part.len()).unwrap_err();
        let SourceError::Storage(StorageError::Full { directory: named, bytes_needed }) = &error else {
            panic!("{error}")
        };
        assert_eq!((named, *bytes_needed), (&directory, LEN as u64));
        let error = FetchError::from(StorageError::Full { directory, bytes_needed: *bytes_needed }).to_string();
        assert!(error.contains("the disk is full") && error.contains("needs 3145745 more bytes"), "{error}");
        assert!(fs::symlink_metadata(bench.path("tiny.gguf.part")).is_ok());
        drop(slot);
    });
}

#[cfg(target_os = "linux")]
async fn full_disk_slot(bench: &Bench) -> Slot {
    let place = crate::fetch::place(&bench.catalogue().models()[0], &bench.home());
    let slot = Slot::claim(place, &bench.pace, &mut |_| {}).await.unwrap();
    std::os::unix::fs::symlink("/dev/full", bench.path("tiny.gguf.part")).unwrap();
    slot
}

#[test]
fn content_ranges_are_read_and_nonsense_is_not() {
    for (value, expected) in [
        ("bytes 0-9/10", Some((0, Some(10)))),
        ("bytes 5-9/*", Some((5, None))),
        ("bytes 5-10/10", None),
        ("bytes */10", None),
        ("bytes 9-5/10", None),
        ("bytes -5-9/10", None),
        ("0-9/10", None),
        ("bytes 0-9/99999999999999999999", None),
    ] {
        assert_eq!(content_range(value), expected, "{value}");
    }
}

#[test]
fn waits_double_up_to_their_bound() {
    for (tries, whole_ms) in [(1, 500), (2, 1000), (5, 8000), (60, 8000)] {
        let wait = backoff(tries).as_millis();
        assert!((whole_ms / 2..=whole_ms).contains(&wait), "{tries}: {wait}");
    }
}
