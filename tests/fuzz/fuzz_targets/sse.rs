//! Any bytes, in pieces of any size, as a stream of events: nothing panics, and the events do not care for the pieces.
//!
//! The first byte is the size of the pieces.

#![no_main]

use finch_llm::sse::{SseEvent, SseParser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else { return };
    let whole = events_of(stream, stream.len().max(1));
    let pieces = events_of(stream, usize::from(piece).max(1));
    assert_eq!(whole, pieces);
});

fn events_of(stream: &[u8], piece: usize) -> Vec<SseEvent> {
    let (mut parser, mut events) = (SseParser::default(), Vec::new());
    for piece in stream.chunks(piece) {
        parser.push(piece, &mut events).expect("a fuzzer's input is short");
    }
    parser.finish(&mut events).expect("a fuzzer's input is short");
    events
}
