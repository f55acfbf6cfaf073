use proptest::prelude::*;

use super::*;

/// Feeds `stream` in pieces of `piece` bytes and collects what comes out.
fn frames_of(stream: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>, bool) {
    let mut frames = Frames::default();
    let mut out = Vec::new();
    for mut input in stream.chunks(piece) {
        loop {
            match frames.read(&mut input) {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(error) => return (out, Some(error), false),
            }
        }
    }
    (out, None, frames.is_between_messages())
}

#[track_caller]
fn check(stream: &[u8], bodies: &[&str], error: Option<FrameError>) {
    let bodies: Vec<Frame> = bodies.iter().map(|body| Frame::Body(body.as_bytes().to_vec())).collect();
    for piece in [1, 2, 7, stream.len().max(1)] {
        let (frames, failed, _) = frames_of(stream, piece);
        assert_eq!(frames, bodies, "in pieces of {piece}");
        assert_eq!(failed, error, "in pieces of {piece}");
    }
}

#[test]
fn bodies_are_cut_at_their_length_whatever_the_pieces() {
    check(b"", &[], None);
    check(b"Content-Length: 2\r\n\r\n{}", &["{}"], None);
    check(b"Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]", &["{}", "[1]"], None);
    check(b"content-length:2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}", &["{}"], None);
    check(b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", &["{}"], None);
    check(b"Content-Length: 5\r\n\r\n{", &[], None);
    check(b"Content-Le", &[], None);
}

#[test]
fn an_empty_body_is_a_body() {
    check(b"Content-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n{}", &["", "{}"], None);
    assert_eq!(frames_of(b"Content-Length: 0\r\n\r\n", 100).0, [Frame::Body(Vec::new())]);
}

#[test]
fn a_lost_framing_is_an_error_and_never_a_guess() {
    check(b"\r\n\r\n", &[], Some(FrameError::LengthMissing));
    check(b"Content-Type: x\r\n\r\n", &[], Some(FrameError::LengthMissing));
    check(b"garbage\r\n\r\n", &[], Some(FrameError::HeaderMalformed));
    check(b"\xff\xfe: 1\r\n\r\n", &[], Some(FrameError::HeaderMalformed));
    for length in ["", "-1", "+1", "1 2", "0x10", "99999999999999999999", "1099511627776", "ten"] {
        let stream = format!("Content-Length: {length}\r\n\r\n");
        check(stream.as_bytes(), &[], Some(FrameError::LengthMalformed));
    }
    check(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", &[], Some(FrameError::LengthMalformed));
    check(b"Content-Length: 2\r\n\r\n{}junk\r\n\r\n", &["{}"], Some(FrameError::HeaderMalformed));
}

#[test]
fn a_header_without_end_is_given_up() {
    let stream = vec![b'a'; 100 * 1024 * 1024];
    let (frames, error, _) = frames_of(&stream, READ_BYTES);
    assert_eq!((frames, error), (Vec::new(), Some(FrameError::HeaderTooLong)));
}

#[test]
fn a_body_above_the_limit_is_read_past_and_the_next_one_arrives() {
    let long = BODY_BYTES_MAX + 1;
    let mut frames = Frames::default();
    let header = format!("Content-Length: {long}\r\n\r\n");
    assert_eq!(frames.read(&mut header.as_bytes()), Ok(None));
    let piece = vec![b'x'; READ_BYTES];
    let mut left = usize::try_from(long).unwrap();
    let mut seen = Vec::new();
    while left > 0 {
        let mut input = &piece[..left.min(READ_BYTES)];
        left -= input.len();
        seen.extend(frames.read(&mut input).unwrap());
    }
    seen.extend(frames.read(&mut b"Content-Length: 2\r\n\r\n{}".as_slice()).unwrap());
    assert_eq!(seen, [Frame::TooLong { bytes: long }, Frame::Body(b"{}".to_vec())]);
}

#[test]
fn memory_follows_the_bytes_that_came_and_not_the_promise() {
    let mut frames = Frames::default();
    let header = format!("Content-Length: {BODY_BYTES_MAX}\r\n\r\nabc");
    assert_eq!(frames.read(&mut header.as_bytes()), Ok(None));
    let Part::Body { body, .. } = &frames.part else { panic!("a body is expected") };
    assert!(body.capacity() <= READ_BYTES, "{} bytes were reserved for 3", body.capacity());
}

#[test]
fn only_between_messages_may_a_stream_end() {
    assert!(frames_of(b"", 1).2);
    assert!(frames_of(b"Content-Length: 2\r\n\r\n{}", 1).2);
    assert!(!frames_of(b"Content-Length: 2\r\n\r\n{", 1).2);
    assert!(!frames_of(b"Content", 1).2);
}

proptest! {
    #[test]
    fn the_pieces_never_change_the_result(stream in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..40) {
        prop_assert_eq!(frames_of(&stream, piece), frames_of(&stream, stream.len().max(1)));
    }

    #[test]
    fn what_is_framed_comes_back(bodies in proptest::collection::vec(".{0,40}", 0..8), piece in 1usize..40) {
        let stream: String = bodies.iter().map(|body| format!("Content-Length: {}\r\n\r\n{body}", body.len())).collect();
        let (frames, error, between) = frames_of(stream.as_bytes(), piece);
        prop_assert_eq!(error, None);
        prop_assert!(between);
        let expected: Vec<Frame> = bodies.iter().map(|body| Frame::Body(body.clone().into_bytes())).collect();
        prop_assert_eq!(frames, expected);
    }
}
