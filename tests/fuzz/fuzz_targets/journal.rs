//! Any bytes as a file of the journal: nothing panics, what is read does not depend on how it is cut into pieces, no
//! number is out of bounds, and what was read is written and read the same again.
//!
//! The first byte is the size of the pieces.

#![no_main]

use std::io::BufReader;

use finch_learn::read::{self, Line};
use finch_learn::record::{Event, Record};
use finch_learn::{WEIGHT_MAX, WEIGHT_MIN};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, file)) = data.split_first() else { return };
    let whole = records(file, file.len().max(1));
    assert_eq!(whole, records(file, usize::from(piece).max(1)));
    let mut again = Vec::new();
    for record in &whole {
        match &record.event {
            Event::Feedback(feedback) => assert!((WEIGHT_MIN..=WEIGHT_MAX).contains(&feedback.weight)),
            Event::Kept(kept) => assert!((0.0..=1.0).contains(&kept.share)),
            Event::Shown(_) | Event::Accepted(_) | Event::Rejected(_) | Event::Forgotten(_) => {}
        }
        serde_json::to_writer(&mut again, record).unwrap();
        again.push(b'\n');
    }
    assert_eq!(whole, records(&again, again.len().max(1)));
});

fn records(file: &[u8], piece: usize) -> Vec<Record> {
    let mut found = Vec::new();
    read::lines(BufReader::with_capacity(piece, file), |line| {
        if let Line::Record(record, _) = line {
            found.push(*record);
        }
    })
    .unwrap();
    found
}
