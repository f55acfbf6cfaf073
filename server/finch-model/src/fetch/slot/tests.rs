use std::time::Duration;

use super::*;
use crate::fetch::tests::Bench;

async fn slot(bench: &Bench) -> Slot {
    let place = crate::fetch::place(&bench.catalogue().models()[0], &bench.home());
    Slot::claim(place, &bench.pace, &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_slot_is_held_until_the_last_part_of_it_is_gone() {
    let mut bench = Bench::new(10);
    bench.pace.claim_idle = Duration::ZERO;
    let held = slot(&bench).await;
    let part = Part::open(&held, Lane::Pip, 0).unwrap();
    drop(held);
    assert!(matches!(bench.fetch().await, Err(FetchError::Busy { .. })));
    drop(part);
    slot(&bench).await;
}

#[tokio::test]
async fn a_part_that_lost_bytes_since_it_was_measured_is_refused() {
    let bench = Bench::new(10);
    let slot = slot(&bench).await;
    fs::write(bench.path("tiny.gguf.part"), &bench.content[..4]).unwrap();
    assert!(matches!(Part::open(&slot, Lane::Hub, 5), Err(StorageError::Io { .. })));
    assert_eq!(Part::open(&slot, Lane::Hub, 3).unwrap().len(), 3);
    assert_eq!(fs::read(bench.path("tiny.gguf.part")).unwrap().len(), 3);
}

#[tokio::test]
async fn a_finished_part_replaces_what_was_there_and_clears_both_lanes() {
    let bench = Bench::new(10);
    let slot = slot(&bench).await;
    fs::write(bench.path("tiny.gguf"), "damaged").unwrap();
    fs::write(bench.path("tiny.gguf.pip.part"), "half").unwrap();
    let mut part = Part::open(&slot, Lane::Hub, 0).unwrap();
    part.write(&bench.content).unwrap();
    let path = part.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), bench.content);
    assert_eq!(slot.place().finished(), Some(path));
    assert_eq!(bench.names(), ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.toml"]);
}
