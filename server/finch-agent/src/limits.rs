//! The bounds of this crate, with their units.

use std::time::Duration;

// Files.

/// Bytes of a file that is read or made.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of a path, as systems have it.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

// What a tool tells the model.

/// Characters of a line before it is cut.
pub(crate) const LINE_CHARS_MAX: usize = 1000;
/// Lines that `Read` gives at once.
pub(crate) const READ_LINES_MAX: usize = 2000;
/// Bytes that `Read` gives at once.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;
/// Lines of what stands in the place of a text that was not found.
pub(crate) const MISS_LINES_MAX: usize = 40;
/// Bytes of the same.
pub(crate) const MISS_BYTES_MAX: usize = 8 * 1024;

// Edits.

/// Bytes of a unified diff.
pub(crate) const PATCH_BYTES_MAX: usize = 1024 * 1024;
/// Files of a unified diff.
pub(crate) const PATCH_FILES_MAX: usize = 200;

// Searches.

/// Files that a search looks at.
pub(crate) const SEARCH_FILES_MAX: usize = 500_000;
/// How long a search takes.
pub(crate) const SEARCH_TIME_MAX: Duration = Duration::from_secs(20);
/// Threads of a search.
pub(crate) const SEARCH_THREADS_MAX: usize = 8;
/// Bytes of a pattern.
pub(crate) const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a compiled pattern.
pub(crate) const PATTERN_SIZE_MAX: usize = 10 * 1024 * 1024;
/// Files that `Glob` names.
pub(crate) const GLOB_NAMED_MAX: usize = 1000;
/// Files that it counts.
pub(crate) const GLOB_FOUND_MAX: usize = 100_000;
/// Lines that match a `Grep`.
pub(crate) const GREP_MATCHES_MAX: usize = 200;
/// Bytes that it gives.
pub(crate) const GREP_BYTES_MAX: usize = 64 * 1024;
/// Lines around a match.
pub(crate) const GREP_CONTEXT_MAX: usize = 10;
/// Characters of a line of its result.
pub(crate) const GREP_LINE_CHARS_MAX: usize = 300;
/// Bytes of a line that is searched; a file with a longer one is left out.
pub(crate) const GREP_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a file that is searched in one piece.
pub(crate) const GREP_SMALL_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a file that is searched.
pub(crate) const GREP_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

// Turns.

/// Text that waits for a slow reader of events before the turn waits too.
pub(crate) const PENDING_BYTES_MAX: usize = 64 * 1024;
/// Events that wait for a slow reader.
pub const EVENTS_MAX: usize = 256;
/// How long a slow reader is waited for with the end of a turn.
pub(crate) const ENDED_WAIT: Duration = Duration::from_secs(1);
/// Bytes of one answer of the model.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Tool calls of one answer.
pub(crate) const CALLS_IN_ANSWER_MAX: usize = 128;
/// Calls that look at something side by side.
pub(crate) const PARALLEL_CALLS_MAX: usize = 8;
/// The same call with the same result: the model is told.
pub(crate) const REPEATS_TOLD: usize = 3;
/// The same: the turn ends.
pub(crate) const REPEATS_MAX: usize = 5;
/// Bytes of one tool result, at most and at least.
pub(crate) const RESULT_BYTES_MAX: usize = 96 * 1024;
pub(crate) const RESULT_BYTES_MIN: usize = 2 * 1024;
/// An estimate for code, on the safe side.
pub(crate) const BYTES_PER_TOKEN: usize = 3;
/// Answers that may be cut off one after the other.
pub(crate) const CUT_OFFS_MAX: usize = 2;
/// How often one answer is asked for again.
pub(crate) const RETRIES_MAX: usize = 2;
/// The pause before that; it doubles.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// A provider that asks for a longer pause ends the turn.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(60);

// Models that hold little.

/// A model that holds no more tokens is told less, and asked for less.
pub(crate) const SMALL_CONTEXT_TOKENS_MAX: usize = 8192;
/// The parts that a small context is divided into.
pub(crate) const CONTEXT_SHARES: usize = 64;
/// Answers of such a model while it reads the repository for a plan.
pub(crate) const SMALL_READING_ANSWERS_MAX: usize = 3;
/// Tokens of each of them.
pub(crate) const SMALL_READING_TOKENS_MAX: usize = 192;
/// The time for that.
pub(crate) const SMALL_READING_TIME_MAX: Duration = Duration::from_secs(45);
/// Files that a task names and that are read for such a model before it is asked.
pub(crate) const SMALL_NAMED_FILES_MAX: usize = 3;
/// Words of a task that are tried as names of files.
pub(crate) const SMALL_NAMED_WORDS_MAX: usize = 200;
/// Steps of a plan of such a model, and characters of their parts.
pub(crate) const SMALL_STEPS_MAX: usize = 4;
pub(crate) const SMALL_LINE_CHARS_MAX: usize = 80;
pub(crate) const SMALL_WHAT_CHARS_MAX: usize = 240;
/// Files of one of its steps.
pub(crate) const SMALL_STEP_FILES_MAX: usize = 3;
/// Findings of one persona, and characters of what each says.
pub(crate) const SMALL_FINDINGS_MAX: usize = 1;
pub(crate) const SMALL_CONCERN_CHARS_MAX: usize = 160;
/// Tokens of what one persona says.
pub(crate) const SMALL_CRITIQUE_TOKENS_MAX: usize = 320;
/// Answers of such a model in one turn of other work.
pub(crate) const SMALL_ANSWERS_MAX: usize = 8;
/// Tokens of each of them.
pub(crate) const SMALL_ANSWER_TOKENS_MAX: usize = 640;

// Summaries.

/// How long a summary may take.
pub(crate) const SUMMARY_WAIT: Duration = Duration::from_secs(120);
pub(crate) const SUMMARY_TOKENS_MAX: usize = 1024;
pub(crate) const SUMMARY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a tool result that a summary is made of.
pub(crate) const COMPACTED_RESULT_BYTES_MAX: usize = 1024;
/// Bytes that are left of each result where the newest are too many.
pub(crate) const SHORTENED_RESULT_BYTES_MIN: usize = 256;
/// Bytes of what the user said that go into a summary whole.
pub(crate) const USER_WORDS_BYTES_MAX: usize = 8 * 1024;
/// Lines of a summary that is a list.
pub(crate) const LISTED_CALLS_MAX: usize = 60;

// Commands.

pub(crate) const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// How long a command runs that asks for nothing else.
pub(crate) const COMMAND_TIME: Duration = Duration::from_secs(120);
/// What it may ask for.
pub(crate) const COMMAND_TIME_MAX: Duration = Duration::from_secs(1800);
/// Bytes of output that are kept from its beginning, and from its end.
pub(crate) const OUTPUT_HEAD_BYTES: usize = 16 * 1024;
pub(crate) const OUTPUT_TAIL_BYTES: usize = 32 * 1024;
/// Bytes that are read at once.
pub(crate) const OUTPUT_PIECE_BYTES: usize = 16 * 1024;
/// How long output is read after the end.
pub(crate) const OUTPUT_DRAIN: Duration = Duration::from_millis(200);

// Fetches.

pub(crate) const URL_BYTES_MAX: usize = 8 * 1024;
/// Redirects that are followed.
pub(crate) const FETCH_HOPS_MAX: usize = 5;
/// Bytes of a page, unpacked.
pub(crate) const FETCH_BYTES_MAX: usize = 5 * 1024 * 1024;
/// How long a page may take, redirects included.
pub(crate) const FETCH_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes of its text that the model is given.
pub(crate) const FETCH_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Addresses of a name that are tried.
pub(crate) const FETCH_ADDRESSES_MAX: usize = 16;
/// Characters of the name of a type or a charset.
pub(crate) const FETCH_TYPE_CHARS_MAX: usize = 100;
/// Bytes of HTML that are converted, once scripts and the like are gone.
pub(crate) const HTML_BYTES_MAX: usize = 512 * 1024;
/// Tags of it.
pub(crate) const HTML_TAGS_MAX: usize = 40_000;
/// Tags of it that are open at once.
pub(crate) const HTML_DEPTH_MAX: usize = 64;

// Restarts.

/// Characters of the reason for one.
pub(crate) const RESTART_REASON_CHARS_MAX: usize = 500;
/// How long one may take.
pub(crate) const RESTART_WAIT: Duration = Duration::from_secs(30);

// What a door answers.

/// Questions of one call, options of one question, and characters of each text.
pub(crate) const QUESTIONS_MAX: usize = 4;
pub(crate) const OPTIONS_MAX: usize = 6;
pub(crate) const QUESTION_CHARS_MAX: usize = 2000;
/// How long a question stands; then the model is told that nobody answered.
pub(crate) const USER_WAIT: Duration = Duration::from_secs(1800);
/// How long the editor may take to say what is wrong.
pub(crate) const DIAGNOSTICS_WAIT: Duration = Duration::from_secs(10);
/// Diagnostics that the model is told.
pub(crate) const DIAGNOSTICS_MAX: usize = 100;

// Plans.

/// A plan's file.
pub(crate) const PLAN_BYTES_MAX: usize = 1 << 20;
/// Steps of a plan.
pub(crate) const PLAN_STEPS_MAX: usize = 50;
/// Findings of one persona.
pub(crate) const FINDINGS_MAX: usize = 20;
/// A quote may stand so many lines from where it is said to: models count badly.
pub(crate) const EVIDENCE_LINES_NEAR: usize = 3;
/// A plan is the one before when so much of each step, on average, says the same.
pub(crate) const PLAN_STABLE_PERCENT: usize = 80;
/// Rounds unless the user wants more.
pub const PLAN_ROUNDS_DEFAULT: u32 = 3;
/// Rounds at most.
pub const PLAN_ROUNDS_MAX: u32 = 10;
/// Tokens of a plan, and of what one persona says of it.
pub(crate) const PLAN_TOKENS_MAX: usize = 4096;
/// Personas that are asked at once.
pub(crate) const PERSONAS_AT_ONCE: usize = 3;
/// What is known of the repository, as far as it goes into a question.
pub(crate) const NOTES_BYTES_MAX: usize = 48 * 1024;
/// What one request of the loop may take.
pub(crate) const PLAN_ANSWER_WAIT: std::time::Duration = std::time::Duration::from_secs(600);
/// Answers of the model while it reads the repository for a plan.
pub(crate) const PLAN_READING_ANSWERS_MAX: usize = 20;
/// The time for that.
pub(crate) const PLAN_READING_TIME_MAX: Duration = Duration::from_secs(600);
/// A file against which a claim about the code is held, in bytes.
pub(crate) const PLAN_SOURCE_BYTES_MAX: usize = 4 << 20;
/// Turns that a step of a plan gets until its check passes.
pub(crate) const CHECK_TRIES_MAX: usize = 3;
/// Sets of changes that can be taken back where there is no store to keep them.
pub(crate) const CHANGE_SETS_HERE_MAX: usize = 200;
/// Tasks whose edits wait to be looked at.
pub(crate) const TASKS_STAGED_MAX: usize = 10;
/// Steering by the user: bytes of it.
pub(crate) const STEERING_BYTES_MAX: usize = 16 * 1024;
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
/// A writer of a file that several processes write waits this long for another.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Time between two looks at the lock.
pub(crate) const LOCK_LOOK: Duration = Duration::from_millis(10);

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
/// A keeper takes what it is told to run within this time.
pub(crate) const KEEPER_TELL_WAIT: Duration = Duration::from_secs(10);
/// A keeper that has not ended its command so long after the command's time is told to.
pub(crate) const KEEPER_LATE: Duration = Duration::from_secs(2);
/// A keeper that ends takes no longer than this, [`KILL_WAIT`] included.
pub(crate) const KEEPER_END_WAIT: Duration = Duration::from_secs(7);
/// Processes that do not go within this time are left to the system.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(5);
/// Time between two rounds of killing.
pub(crate) const KILL_LOOK: Duration = Duration::from_millis(2);
/// Processes that are killed in one round.
pub(crate) const KILLED_AT_ONCE: usize = 4096;
/// How much less of the processor a command gets than the editor, in steps of `nice`.
pub(crate) const COMMAND_NICENESS: i32 = 5;

// Tasks that are kept.

/// A task that nothing happened to for so long is removed, with what belongs to it.
pub(crate) const TASK_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Tasks of one workspace; the oldest go.
pub(crate) const TASKS_MAX: usize = 200;
/// Bytes of all tasks; the oldest go.
pub(crate) const STORE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a task's text.
pub(crate) const TASK_BYTES_MAX: usize = 1 << 20;
/// Bytes of one message, written down.
pub(crate) const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// Messages of one task that are not summed up.
pub(crate) const MESSAGES_MAX: usize = 10_000;
/// Names of files that one conversation has text of.
pub(crate) const NAMED_FILES_MAX: usize = 20_000;
/// Bytes of one set of changes: the texts before and after.
pub(crate) const CHANGE_SET_BYTES_MAX: usize = 128 << 20;
/// Sets of changes of one task.
pub(crate) const CHANGE_SETS_MAX: usize = 2000;
/// Another process may hold the store for so long.
pub(crate) const STORE_WAIT: Duration = Duration::from_secs(5);
/// Time between two looks whether it still does.
pub(crate) const STORE_LOOK: Duration = Duration::from_millis(2);
/// Bytes that the log of the store keeps when it is empty.
pub(crate) const STORE_LOG_BYTES: u64 = 4 << 20;
/// Damaged stores that are kept; the first name is used again after that.
pub(crate) const STORE_BAD_MAX: usize = 3;
/// A process that cannot be seen from here is gone when its task has not changed for so long.
pub(crate) const OWNER_SILENT_MAX: Duration = Duration::from_secs(15 * 60);

// Instructions of the user and of a repository.

/// Bytes of one file of instructions, as it is shown.
pub(crate) const INSTRUCTION_BYTES_MAX: usize = 16 * 1024;
/// A file that has room for less is left out.
pub(crate) const INSTRUCTION_BYTES_MIN: usize = 256;
/// Bytes of all of them.
pub(crate) const INSTRUCTIONS_BYTES_MAX: usize = 32 * 1024;
/// What the user's own may take of it. The repository's cannot push them out.
pub(crate) const OWN_INSTRUCTIONS_BYTES_MAX: usize = 16 * 1024;
/// Folders above the workspace that are looked at.
pub(crate) const INSTRUCTION_PARENTS_MAX: usize = 32;
/// Folders below the workspace that are looked at.
pub(crate) const INSTRUCTION_FOLDERS_MAX: usize = 128;
/// A file that was written so shortly before it was read may have been written again without a sign of it.
pub(crate) const INSTRUCTION_SETTLED: Duration = Duration::from_secs(2);
