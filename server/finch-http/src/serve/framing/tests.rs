use proptest::prelude::*;

use super::{Broken, Framing};

/// Reads it whole and in every division in two, and says how that ended.
#[track_caller]
fn read(text: &str) -> Result<Framing, Broken> {
    let whole = (Framing::new(), text.as_bytes());
    let run = |(mut framing, bytes): (Framing, &[u8])| framing.read(bytes).map(|()| framing);
    let expected = run(whole);
    for at in 0..=text.len() {
        let mut framing = Framing::new();
        let (first, second) = text.as_bytes().split_at(at);
        let result = framing
            .read(first)
            .and_then(|()| framing.read(second).map_err(|broken| Broken { at: broken.at + first.len() }))
            .map(|()| framing.reading);
        assert_eq!(result, expected.as_ref().map(|framing| framing.reading).map_err(|broken| *broken), "cut at {at}");
    }
    expected
}

#[track_caller]
fn whole(text: &str) {
    assert!(read(text).unwrap().is_between(), "{text:?}");
}

#[track_caller]
fn broken(text: &str, from: &str) {
    let Err(Broken { at }) = read(text) else { panic!("taken: {text:?}") };
    assert_eq!(&text[at..], from, "{text:?}");
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

#[test]
fn whole_requests_are_followed_to_their_end() {
    whole(&format!("{GET}\r\n"));
    whole(&format!("\r\n{GET}\r\n\r\n{GET}\r\n"));
    whole(&format!("{POST}Content-Length: 3\r\n\r\na\nb{GET}\r\n"));
    whole(&format!("{POST}content-length:0\r\n\r\n{GET}\r\n"));
    whole(&format!("{POST}Transfer-Encoding: Chunked\r\n\r\n3\r\na\nb\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n{GET}\r\n"));
    whole(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n"));
}

#[test]
fn what_has_not_ended_is_known() {
    assert!(read("GET / HT").unwrap().is_in_head());
    assert!(!read(&format!("{POST}Content-Length: 3\r\n\r\nab")).unwrap().is_between());
    assert!(!read(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nab")).unwrap().is_between());
}

#[test]
fn what_could_be_read_in_two_ways_is_no_request() {
    broken("GET / HTTP/1.1\nHost: a\r\n", "\nHost: a\r\n");
    broken("GET / HTTP/1.1\r\nA: b\rc", "c");
    broken(&format!("{GET}\n"), "\n");
    broken(&format!("{GET}Host: b\r\n\r\n"), "\n\r\n");
    broken(&format!("{GET} folded\r\n\r\n"), "\n\r\n");
    broken(&format!("{GET}no colon\r\n\r\n"), "\n\r\n");
    broken(&format!("{POST}Content-Length : 1\r\n\r\n"), "\n\r\n");
    for length in ["+1", "-1", "0x1", "1, 1", "", "1 1", "99999999999999999999"] {
        broken(&format!("{POST}Content-Length: {length}\r\n\r\n"), "\n\r\n");
    }
    broken(&format!("{POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), "\n\r\n");
    broken(&format!("{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "\n");
    broken(&format!("{POST}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), "\n");
    for encoding in ["gzip, chunked", "xchunked", "chunked, chunked", "identity", ""] {
        broken(&format!("{POST}Transfer-Encoding: {encoding}\r\n\r\n"), "\n\r\n");
    }
    for chunks in ["+3\r\n", "\r\n", "0x3\r\n", "g\r\n", "11111111111111111\r\n", "3;\u{1}\r\n"] {
        broken(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}"), "\n");
    }
    broken(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n3\n"), "\n");
    broken(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"), "\n");
}

#[test]
fn nothing_is_kept_without_bound() {
    let mut framing = Framing::new();
    assert!(framing.read(format!("{GET}A: {}", "a".repeat(1 << 20)).as_bytes()).is_err());
    let mut framing = Framing::new();
    assert!(framing.read(format!("{POST}Transfer-Encoding: chunked\r\n\r\n3;{}", "a".repeat(300)).as_bytes()).is_err());
    let trailers = "A: b\r\n".repeat(1000);
    assert!(framing.read(format!("{POST}Transfer-Encoding: chunked\r\n\r\n0\r\n{trailers}").as_bytes()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut framing = Framing::new();
        if let Err(Broken { at }) = framing.read(&bytes) {
            prop_assert!(at < bytes.len());
            prop_assert!(framing.is_broken());
        }
    }
}
