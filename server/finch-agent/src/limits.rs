//! The bounds of this crate, with their units.

use std::time::Duration;

/// Bytes of one command line. A longer one is refused, so that a deny holds for all that is read.
pub(crate) const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Commands in one plain command line; with more it is asked about.
pub(crate) const COMMANDS_MAX: usize = 50;
/// Commands within commands (`env nice sh -c '…'`) that are looked into for a deny.
pub(crate) const NESTED_SCRIPTS_MAX: usize = 6;
/// Arguments of a program that starts another in which the other is looked for.
pub(crate) const LAUNCHED_WORDS_MAX: usize = 24;
