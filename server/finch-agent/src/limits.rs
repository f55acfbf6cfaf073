//! The bounds of this crate, with their units.
