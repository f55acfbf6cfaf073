//! What happens in a turn, for whoever shows it.

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Output of a call while it runs. The call's end has all of it, so that some may be left out here.
    Output { call_id: String, text: String },
}
