//! The bounds of this crate, with their units.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How long the first load of a model's files may take.
pub(crate) const TRIAL_TIME: Duration = Duration::from_secs(60);
/// Large models get a second more for so many bytes.
pub(crate) const TRIAL_BYTES_PER_S: u64 = 200 << 20;
/// The address space of that load, whatever the model: what ONNX Runtime, its threads and the vocabulary take.
pub(crate) const TRIAL_SPACE_BYTES: u64 = 4 << 30;
/// And so many times the bytes of the files: mapped, and laid out anew for the processor.
pub(crate) const TRIAL_SPACE_PER_BYTE: u64 = 4;
/// Processor time of that load, as a part of its time; it computes with one thread.
pub(crate) const TRIAL_PROCESSOR_SHARE: u64 = 2;
/// What is read of its answer.
pub(crate) const TRIAL_ANSWER_BYTES: u64 = 16 << 10;

/// An answer about consent is read anew when it is older: another process may have changed it.
pub(crate) const CONSENT_AGE_MAX: Duration = Duration::from_secs(2);

/// How long feedback may take to reach the disk.
pub(crate) const FEEDBACK_WAIT: Duration = Duration::from_secs(5);

/// How long an ending process waits for the files that are being written.
pub(crate) const WRITTEN_WAIT: Duration = Duration::from_millis(1500);

/// Bytes of a line of the ledger at most, so that it is one write that nobody else's comes between.
pub(crate) const LEDGER_LINE_BYTES_MAX: usize = 4000;
/// Bytes of a line that are read; a longer one is passed over.
pub(crate) const LEDGER_READ_BYTES_MAX: usize = 16 << 10;
/// Bytes of a name in the ledger: a provider, a model, a host.
pub(crate) const LEDGER_NAME_BYTES_MAX: usize = 256;
/// Bytes of a path in the ledger.
pub(crate) const LEDGER_PATH_BYTES_MAX: usize = 512;
/// Departures that are held at once; of more, the oldest are passed over.
pub(crate) const LEDGER_ENTRIES_MAX: usize = 200_000;
/// Months after which a file of the ledger is removed.
pub(crate) const LEDGER_MONTHS_MAX: u64 = 12;

/// Bytes of `trust.toml` at most.
pub(crate) const TRUST_BYTES_MAX: u64 = 1 << 20;
/// Damaged files that are kept beside `trust.toml`.
pub(crate) const TRUST_BAD_MAX: u32 = 100;
// Providers.

/// The name of a provider.
pub(crate) const PROVIDER_NAME_CHARS_MAX: usize = 64;
/// What a wait for a provider may be set to, in milliseconds.
pub(crate) const PROVIDER_WAIT_MS: RangeInclusive<u64> = 1..=3_600_000;
/// Tokens that a provider's model may be said to hold.
pub(crate) const PROVIDER_CONTEXT_TOKENS_MIN: usize = 256;
pub(crate) const PROVIDER_CONTEXT_TOKENS_MAX: usize = 100_000_000;
/// The longest wait before a cloud is asked beside the local model.
pub(crate) const HEDGE_MS_MAX: u64 = 60_000;
/// A command that prints a key has so long for it; a person may have to unlock something.
pub(crate) const KEY_COMMAND_WAIT: Duration = Duration::from_secs(10);
/// What is read of it.
pub(crate) const KEY_COMMAND_BYTES_MAX: usize = 16 << 10;
/// Copies of old configurations beside the new one.
pub(crate) const BACKUPS_MAX: usize = 10;
/// The configuration file is looked at so often.
pub(crate) const CONFIG_LOOK_PAUSE: Duration = Duration::from_secs(1);
/// A configuration file in a project that is larger is none.
pub(crate) const PROJECT_FILE_BYTES_MAX: u64 = 1 << 20;

// The daemon.

/// How long a daemon that was started may take to prove itself.
pub(crate) const START_WAIT: Duration = Duration::from_secs(5);
/// Daemons that one wait starts at most, one after the other that ended.
pub(crate) const STARTS_MAX: u32 = 3;
/// How long a daemon may take to end once it was told to.
pub(crate) const STOP_WAIT: Duration = Duration::from_secs(15);
/// How long one is waited for that has its lock and cannot be asked: it begins, is held up, or ends within [`STOP_WAIT`].
pub(crate) const HELD_WAIT: Duration = STOP_WAIT.saturating_add(Duration::from_secs(1));
/// How often it is looked meanwhile whether it still has it. Who looks holds the lock for an instant.
pub(crate) const HELD_LOOK_PAUSE: Duration = Duration::from_millis(250);
/// How long an editor looks for a daemon that was there and that others start anew, as systemd does after 5 s.
pub(crate) const RESTART_WAIT: Duration = Duration::from_secs(30);
/// Between two such looks at most.
pub(crate) const RESTART_LOOK_PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long a model may take to finish what it was asked before another one takes its place.
pub(crate) const MODEL_FINISH_WAIT: Duration = Duration::from_secs(30);
/// How long a daemon may take to end that was told to cut off its answers; one that takes longer does not know how to.
pub(crate) const CUT_WAIT: Duration = Duration::from_secs(2);
/// How long a command in a terminal waits for a daemon that is still loading its model.
pub(crate) const ATTACH_WAIT: Duration = Duration::from_secs(60);
/// How often it is looked whether a daemon is there, or gone.
pub(crate) const DAEMON_LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How long a daemon waits for its lock: those who look whether it is free hold it for an instant.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(250);
/// How often a daemon looks whether its lock is still the one that others ask for.
pub(crate) const LOCK_LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of the daemon's log. One that was full is kept beside it.
pub(crate) const LOG_BYTES_MAX: u64 = 4 << 20;
/// Lines of the log that a complaint shows.
pub(crate) const LOG_TAIL_LINES: usize = 8;
/// Bytes that are read of it for that.
pub(crate) const LOG_TAIL_BYTES: u64 = 16 << 10;

/// File descriptors without which no command begins that needs the network.
#[cfg(unix)]
pub(crate) const FILES_MIN: u64 = 16;
