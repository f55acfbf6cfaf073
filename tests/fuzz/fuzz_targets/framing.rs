//! Any bytes, in pieces of any size: the framing never panics, holds only what came, and does not care for pieces.
//!
//! The first byte is the size of the pieces.

#![no_main]

use finch_lsp::frame::{Frame, FrameError, Frames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else { return };
    let whole = frames_of(stream, stream.len().max(1));
    let pieces = frames_of(stream, usize::from(piece).max(1));
    assert_eq!(whole, pieces);
    let held: usize = whole
        .0
        .iter()
        .map(|frame| match frame {
            Frame::Body(body) => body.len(),
            Frame::TooLong { .. } => 0,
        })
        .sum();
    assert!(held <= stream.len());
});

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
