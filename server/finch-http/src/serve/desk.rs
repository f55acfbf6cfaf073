//! What all requests share beside the host: counts, places, who is there, and how to stop.

use std::sync::Arc;
use std::time::Instant;

use super::body::Room;
use super::places::Places;
use super::presence::Presence;
use super::seats::Seats;
use super::stop::Stop;
use crate::counters::Counters;

/// One server's own state.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) counters: Arc<Counters>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) places: Arc<Places>,
    pub(crate) room: Room,
    pub(crate) stop: Stop,
    pub(crate) started: Instant,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            counters: Arc::default(),
            presence: Arc::default(),
            seats: Arc::default(),
            places: Arc::default(),
            room: Room::default(),
            stop: Stop::default(),
            started: Instant::now(),
        }
    }
}
