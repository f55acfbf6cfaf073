//! The permission for one tool call. Only the gate makes it, and the call uses it up.

use crate::Access;

/// What one tool call may do. It cannot be copied, kept or made elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    granted: Vec<Access>,
}

impl Permit {
    /// For the gate alone.
    pub(crate) fn new(granted: Vec<Access>) -> Self {
        Self { granted }
    }

    /// Whether exactly this was permitted. A tool asks again at the moment of the effect.
    #[must_use]
    pub fn covers(&self, access: &Access) -> bool {
        self.granted.contains(access)
    }

    /// For tests, which have no gate.
    #[cfg(test)]
    pub(crate) fn for_test(granted: &[Access]) -> Self {
        Self { granted: granted.to_vec() }
    }
}
