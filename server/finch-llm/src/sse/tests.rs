use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// The events of a stream that comes in these pieces.
fn parsed<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<SseEvent>, SseTooLong> {
    let (mut parser, mut events) = (SseParser::default(), Vec::new());
    for piece in pieces {
        parser.push(piece, &mut events)?;
    }
    parser.finish(&mut events)?;
    Ok(events)
}

fn event(name: &str, data: &str, id: &str) -> SseEvent {
    SseEvent { name: name.to_owned(), data: data.to_owned(), id: id.to_owned() }
}

/// The data of the events, for every place at which the stream may be cut in two.
#[track_caller]
fn check(stream: &str, data: &[&str]) {
    let bytes = stream.as_bytes();
    for at in 0..=bytes.len() {
        let events = parsed([&bytes[..at], &bytes[at..]]).unwrap();
        let found: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
        assert_eq!(found, data, "cut at {at}");
    }
    let events = parsed(bytes.chunks(1)).unwrap();
    assert_eq!(events.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(), data, "byte by byte");
}

#[test]
fn events_end_with_a_blank_line_of_any_kind() {
    check("data: a\n\ndata: b\n\n", &["a", "b"]);
    check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    check("data: a\r\rdata: b\r\r", &["a", "b"]);
    check("data: a\n\r\ndata: b\r\n\ndata: c\r\r\n", &["a", "b", "c"]);
}

#[test]
fn what_is_no_event_is_skipped() {
    check("\u{FEFF}data: a\n\n", &["a"]);
    check("data: \u{FEFF}a\n\n", &["\u{FEFF}a"]);
    check(": a comment\n\n:\n\ndata: a\n: another\n\n\n\n", &["a"]);
    check("retry: 10\nunknown: x\ndata: a\nwithout a colon\n\n", &["a"]);
    check("event: ping\n\ndata: a\n\n", &["a"]);
    check("", &[]);
}

#[test]
fn data_may_have_many_lines_and_one_space_less() {
    check("data: a\ndata: b\ndata\ndata:c\n\n", &["a\nb\n\nc"]);
    check("data:  two spaces \n\n", &[" two spaces "]);
    check("data:\n\n", &[""]);
    check("data: x: y\n\n", &["x: y"]);
    check("data: ✦é\u{1F600}\n\n", &["✦é\u{1F600}"]);
}

#[test]
fn the_last_event_needs_no_blank_line() {
    check("data: a\n\ndata: [DONE]", &["a", "[DONE]"]);
    check("data: a\n\ndata: [DONE]\n", &["a", "[DONE]"]);
}

#[test]
fn names_belong_to_one_event_and_ids_stay() {
    let stream = "event: start\nid: 7\ndata: a\n\ndata: b\n\nevent: end\nid: 8\u{0}\ndata: c\n\nid\ndata: d\n\n";
    let events = parsed([stream.as_bytes()]).unwrap();
    let wanted = [event("start", "a", "7"), event("", "b", "7"), event("end", "c", "7"), event("", "d", "")];
    assert_eq!(events, wanted);
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    assert_eq!(parsed([&b"data: a\xFFb\n\n"[..]]).unwrap(), [event("", "a\u{FFFD}b", "")]);
}

#[test]
fn a_line_or_an_event_that_is_too_long_is_an_error() {
    let long = vec![b'x'; SSE_EVENT_BYTES_MAX];
    assert_eq!(parsed([&b"data: "[..], &long, b"\n\n"]), Err(SseTooLong));
    assert_eq!(parsed(long.chunks(1 << 16).chain([&b"x"[..]])), Err(SseTooLong));
    assert_eq!(parsed([[&long[..], b"x\n"].concat().as_slice()]), Err(SseTooLong));
    let line = [b"data: ", &long[..SSE_EVENT_BYTES_MAX / 2], b"\n"].concat();
    assert_eq!(parsed([line.as_slice(), &line, &line]), Err(SseTooLong));
}

#[test]
fn a_large_stream_is_read_fast() {
    let event = format!("event: delta\ndata: {}\n\n", "x".repeat(300));
    let stream = event.repeat((32 << 20) / event.len());
    let (mut parser, mut events, mut count) = (SseParser::default(), Vec::new(), 0);
    let begun = Instant::now();
    for piece in stream.as_bytes().chunks(16 * 1024) {
        parser.push(piece, &mut events).unwrap();
        count += events.drain(..).count();
    }
    let rate = stream.len() as f64 / begun.elapsed().as_secs_f64() / 1e6;
    assert_eq!(count, stream.len() / event.len());
    println!("{rate:.0} MB/s");
    // A debug build on a busy machine is no measure; a release build has to reach 200.
    assert!(rate > if cfg!(debug_assertions) { 2.0 } else { 200.0 }, "{rate:.0} MB/s");
}

/// Streams of what matters to the parser: line ends, fields, text of several bytes.
fn a_stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => Just(&b"\n"[..]),
        2 => Just(&b"\r"[..]),
        2 => Just(&b"\r\n"[..]),
        3 => Just(&b"data: x"[..]),
        1 => Just(&b"data:y"[..]),
        1 => Just(&b"event: e"[..]),
        1 => Just(&b"id: 1"[..]),
        1 => Just(&b": c"[..]),
        1 => Just("é✦".as_bytes()),
        1 => Just(&b"\xEF\xBB\xBF"[..]),
        1 => Just(&b"\xFF\x00"[..]),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_way_to_cut_a_stream_gives_the_same_events(stream in a_stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        let whole = parsed([stream.as_slice()]).unwrap();
        prop_assert_eq!(parsed(pieces).unwrap(), whole.clone());
        prop_assert_eq!(parsed(stream.chunks(1)).unwrap(), whole);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(stream in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parsed([stream.as_slice()]).is_ok());
    }
}
