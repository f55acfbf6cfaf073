use std::sync::{Arc, mpsc};

use super::*;
use crate::record::{About, Event, Forgotten, Kept, Rejected, Shown};

fn item(number: u64, event: Event) -> Item {
    let about = About { suggestion: number, ..About::default() };
    Item { record: Record::new(number, about, event), done: None }
}

fn shown(number: u64) -> Item {
    item(number, Event::Shown(Shown::default()))
}

fn kept(number: u64) -> Item {
    item(number, Event::Kept(Kept { after_s: 30, share: 1.0, text: None }))
}

fn rejected(number: u64) -> Item {
    item(number, Event::Rejected(Rejected::default()))
}

fn numbers(queue: &Queue) -> Vec<u64> {
    queue.take().unwrap_or_default().iter().map(|item| item.record.at_ms).collect()
}

#[test]
fn records_come_out_as_they_went_in() {
    let queue = Queue::default();
    (0..QUEUE_RECORDS_MAX as u64).for_each(|number| queue.push(shown(number)));
    assert_eq!(numbers(&queue), (0..QUEUE_RECORDS_MAX as u64).collect::<Vec<_>>());
    assert_eq!(queue.take_lost(), 0);
}

#[test]
fn nobody_rests_while_somebody_waits_for_a_record() {
    let queue = Arc::new(Queue::default());
    queue.push(Item { done: Some(Box::new(|_| ())), ..shown(0) });
    let (rested, has_rested) = mpsc::channel();
    std::thread::spawn(move || {
        queue.rest(Duration::from_secs(3600));
        rested.send(()).unwrap();
    });
    has_rested.recv_timeout(Duration::from_secs(30)).unwrap();
}

#[test]
fn the_oldest_sight_goes_first_then_the_oldest_measurement_and_no_act() {
    let queue = Queue::default();
    queue.push(rejected(0));
    queue.push(kept(1));
    queue.push(shown(2));
    queue.push(shown(3));
    (4..QUEUE_RECORDS_MAX as u64 + 3).for_each(|number| queue.push(rejected(number)));
    assert_eq!(queue.take_lost(), 3);
    let left = numbers(&queue);
    assert_eq!((left[0], left[1], left.len()), (0, 4, QUEUE_RECORDS_MAX));
    (0..1000).for_each(|number| queue.push(rejected(number)));
    queue.push(shown(1000));
    assert_eq!((numbers(&queue).len(), queue.take_lost()), (1000, 1));
}

#[test]
fn even_acts_have_a_bound() {
    let queue = Queue::default();
    let (sender, told) = mpsc::channel();
    for number in 0..=QUEUE_ACTS_MAX as u64 {
        let sender = sender.clone();
        let gone = Event::Forgotten(Forgotten { feedback: 1 });
        let done: Done = Box::new(move |result| sender.send((number, result)).unwrap());
        queue.push(Item { done: Some(done), ..item(number, gone) });
    }
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(QUEUE_ACTS_MAX as u64, Err(JournalError::NotTaken))]);
    assert_eq!(numbers(&queue).len(), QUEUE_ACTS_MAX);
}

#[test]
fn what_is_put_back_goes_before_what_came_since() {
    let queue = Queue::default();
    queue.push(rejected(1));
    queue.push(rejected(2));
    let taken = queue.take().unwrap();
    queue.push(rejected(3));
    queue.put_back(taken);
    assert_eq!(numbers(&queue), [1, 2, 3]);
}

#[test]
fn after_the_end_nothing_is_taken_and_everybody_is_told() {
    let queue = Queue::default();
    let (sender, told) = mpsc::channel();
    let done = |sender: &mpsc::Sender<_>| -> Option<Done> {
        let sender = sender.clone();
        Some(Box::new(move |result| sender.send(result).unwrap()))
    };
    queue.push(Item { done: done(&sender), ..rejected(1) });
    queue.end();
    queue.push(Item { done: done(&sender), ..rejected(2) });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), vec![Err(JournalError::NotTaken); 2]);
    assert!(queue.take().is_none() && !queue.is_open());
    queue.close(Duration::from_secs(60));
}
