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

/// Bytes of one effect as the user is shown it. A bigger one is refused.
pub(crate) const QUESTION_BYTES_MAX: usize = 1024 * 1024;
/// Characters of one line of a question.
pub(crate) const QUESTION_COLUMNS: usize = 100;
/// Blanks in a row that are shown as blanks; more are counted.
pub(crate) const SHOWN_BLANKS_MAX: usize = 64;
/// Empty lines in a row that are shown as such; more are counted.
pub(crate) const SHOWN_EMPTY_LINES_MAX: usize = 3;

/// An answer comes within this time or it is no.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(10 * 60);
/// Questions open at once. One more call is denied.
pub(crate) const OPEN_QUESTIONS_MAX: usize = 32;
/// Answers that are kept for a session; the oldest goes.
pub(crate) const SESSION_RULES_MAX: usize = 1000;
/// Characters of a reason that the model is told.
pub(crate) const REASON_CHARS_MAX: usize = 4000;

/// Bytes of `permissions.toml`.
pub(crate) const PERMISSIONS_BYTES_MAX: u64 = 1024 * 1024;
/// Rules in `permissions.toml`.
pub(crate) const STORED_RULES_MAX: usize = 2000;
/// Damaged files that are kept; the first name is used again after that.
pub(crate) const PERMISSIONS_BAD_MAX: usize = 9;
/// A writer of `permissions.toml` waits this long for another.
pub(crate) const PERMISSIONS_LOCK_WAIT: Duration = Duration::from_secs(5);
/// Time between two looks at the lock.
pub(crate) const PERMISSIONS_LOCK_LOOK: Duration = Duration::from_millis(10);

/// Bytes of the description of a command for the sandbox.
pub(crate) const SPEC_BYTES_MAX: usize = 1024 * 1024;
/// The sandbox is tried out within this time or is not there.
pub(crate) const SANDBOX_CHECK_WAIT: Duration = Duration::from_secs(10);
/// Processes of one command at once.
pub(crate) const SANDBOX_PROCESSES_MAX: u64 = 512;
/// Bytes of one file that a command writes.
pub(crate) const SANDBOX_FILE_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Folders below the workspace in which guarded entries are looked for.
pub(crate) const GUARDED_DEPTH_MAX: usize = 3;
/// Entries that are looked at for that.
pub(crate) const GUARDED_ENTRIES_MAX: usize = 20_000;
/// The keeper looks at the command this often.
pub(crate) const KEEPER_LOOK: Duration = Duration::from_millis(10);
/// It counts its processes this often.
pub(crate) const KEEPER_COUNT_LOOK: Duration = Duration::from_millis(50);
/// Processes that do not go within this time are left to the system.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(5);
/// Time between two rounds of killing.
pub(crate) const KILL_LOOK: Duration = Duration::from_millis(2);
/// Processes that are killed in one round.
pub(crate) const KILLED_AT_ONCE: usize = 4096;
/// How much less of the processor a command gets than the editor, in steps of `nice`.
pub(crate) const COMMAND_NICENESS: i32 = 5;
