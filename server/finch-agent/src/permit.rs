//! The permission for one tool call. Only the gate makes it, and the call uses it up.

use crate::Access;

/// By what an effect was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// By what is built in, by a rule, or by an answer that was given before.
    ByRule,
    /// The user was asked about exactly this, for this call, and said yes.
    ByAnswer,
}

/// What one tool call may do. It cannot be copied, kept or made elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    granted: Vec<Access>,
    /// Those that the user was asked about for this call.
    answered: Vec<Access>,
}

impl Permit {
    /// For the gate alone.
    pub(crate) fn new(granted: Vec<Access>, answered: Vec<Access>) -> Self {
        Self { granted, answered }
    }

    /// Whether exactly this was permitted. A tool asks again at the moment of the effect.
    #[must_use]
    pub fn covers(&self, access: &Access) -> bool {
        self.granted.contains(access)
    }

    /// By what this effect, which the permit covers, was permitted.
    #[must_use]
    pub fn permitted(&self, access: &Access) -> Permitted {
        if self.answered.contains(access) { Permitted::ByAnswer } else { Permitted::ByRule }
    }

    /// For tests, which have no gate: as if rules had granted all of it.
    #[cfg(test)]
    pub(crate) fn for_test(granted: &[Access]) -> Self {
        Self::new(granted.to_vec(), Vec::new())
    }

    /// For tests: as if the user had been asked about all of it.
    #[cfg(test)]
    pub(crate) fn answered_for_test(granted: &[Access]) -> Self {
        Self::new(granted.to_vec(), granted.to_vec())
    }
}
