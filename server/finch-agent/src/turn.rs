//! The turn loop: a model, its tools and the gate, until the task is done or a limit is reached.

mod events;

pub use events::Event;
