//! The bounds of this crate, with their units.

use std::time::Duration;

/// Header bytes of one message. Real headers take about thirty.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Body bytes of one message that are held in memory; a longer message is read past and refused.
pub const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Body bytes that are read past. A length above this is taken for garbage and ends the session.
pub const SKIPPED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes asked of the input at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Requests that are worked on at once; one more is refused at once, so that cancels and answers still arrive.
pub(crate) const REQUESTS_IN_FLIGHT_MAX: usize = 1024;
/// Messages that wait for a slow reader of our output before the senders wait.
pub(crate) const OUTGOING_MESSAGES_MAX: usize = 64;
/// Requests to the client that have no answer yet.
pub(crate) const QUESTIONS_MAX: usize = 32;
/// Lines for the editor's log that wait to be sent; one more is dropped.
pub(crate) const LOG_LINES_MAX: usize = 64;

/// Open documents. An editor that opens more gets no suggestions in the rest.
pub(crate) const DOCUMENTS_MAX: usize = 4096;
/// Bytes of a document that is held; a larger one gets no suggestions.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Suggestions whose fate is remembered.
pub(crate) const SUGGESTIONS_MAX: usize = 256;
/// Bytes of a reason that the client gives for a rejection.
pub(crate) const REJECTION_BYTES_MAX: usize = 256;

/// Bytes of a change that are compared with what they replace.
pub(crate) const SPLICE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an accepted text, with what was put into it since, that is followed to see how much of it is kept.
pub(crate) const REGION_BYTES_MAX: usize = 16 * 1024;
/// Places in documents that are followed at once.
pub(crate) const WATCHES_MAX: usize = 256;
/// Characters that come in at once and are not taken for typed.
pub(crate) const INSERTED_CHARACTERS_MIN: usize = 3;
/// Seconds after an acceptance at which it is looked how much of it is kept.
pub(crate) const KEPT_AFTER_S: [u32; 2] = [30, 300];
/// How long a suggestion must stand before it counts as seen, where the client does not tell.
pub(crate) const VISIBLE_AFTER: Duration = Duration::from_millis(150);
/// How long feedback may take to reach the disk before the client is told that it did not.
pub(crate) const FEEDBACK_WAIT: Duration = Duration::from_secs(5);

/// How long the client may take to answer a question before we stop waiting.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long a person may take to answer a question of consequence.
pub(crate) const PERSON_WAIT: Duration = Duration::from_secs(3600);
/// Folders for which a session asks whether text of them may go to a cloud.
pub(crate) const FOLDERS_ASKED_MAX: usize = 16;
/// How long work may take to end, and its answers to be written, once the session is over.
pub(crate) const DRAIN_WAIT: Duration = Duration::from_millis(1500);
/// Between two looks at whether the editor's process is alive.
pub(crate) const PARENT_POLL: Duration = Duration::from_secs(1);
/// Between two reports of how far a download is.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Entries of a workspace that are walked past, files that are listed, folders inside each other, and the time for it.
pub(crate) const WALKED_ENTRIES_MAX: usize = 200_000;
pub(crate) const LISTED_FILES_MAX: usize = 20_000;
pub(crate) const LISTED_DEPTH_MAX: usize = 32;
pub(crate) const LISTING_TIME_MAX: Duration = Duration::from_secs(5);
/// A list of files that is older is made anew.
pub(crate) const LISTING_AGE_MAX: Duration = Duration::from_secs(120);
/// Files that one import may mean, and files beside a document, that are read for what they define.
pub(crate) const IMPORT_FILES_MAX: usize = 4;
pub(crate) const SIBLING_FILES_MAX: usize = 16;
/// Files that are read around one document, the bytes of all and of each.
pub(crate) const FILES_READ_MAX: usize = 64;
pub(crate) const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;
pub(crate) const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Documents that wait to be looked around.
pub(crate) const LOOKS_WAITING_MAX: usize = 16;
/// Other suggestions beside the first, for who asks himself.
pub(crate) const ALTERNATIVES: usize = 2;

/// How long a request that nobody made himself waits where nothing is known of keys and answers.
pub(crate) const DELAY: Duration = Duration::from_millis(60);
/// How long it waits at most.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(1);
/// A model that answers so fast is asked with each key.
pub(crate) const FAST_ANSWER: Duration = Duration::from_millis(100);
/// Changes of the text further apart than this are no typing.
pub(crate) const GAP_MAX: Duration = Duration::from_secs(1);
/// Keys and answers that tell the pace, and how many it takes to tell it.
pub(crate) const PACE_COUNT_MAX: usize = 8;
pub(crate) const PACE_COUNT_MIN: usize = 3;
/// The wait doubles after each so many rejections in a row.
pub(crate) const PATIENT_REJECTIONS: u32 = 5;

/// Folders of the workspace that are looked at.
pub(crate) const FOLDERS_MAX: usize = 64;
/// Turns under way at once, those that only look at something included. One of them in a folder may change files.
pub(crate) const TURNS_MAX: usize = 8;
/// Events of a turn that wait for a slow client, and the bytes of them; output and text are left out past that.
pub(crate) const WAITING_EVENTS_MAX: usize = 512;
pub(crate) const WAITING_EVENT_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one piece of text, or of one call's arguments or result, that a client is told.
pub(crate) const EVENT_TEXT_BYTES_MAX: usize = 64 * 1024;
/// How long the last event of a turn waits for a slow client before the next turn may begin.
pub(crate) const LAST_EVENT_WAIT: Duration = Duration::from_secs(2);
/// Between two lines of a turn's progress.
pub(crate) const TURN_PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Bytes of one line of progress, and of one message to the user.
pub(crate) const PROGRESS_BYTES_MAX: usize = 200;
/// How long the editor may take to make an edit; some ask the user.
pub(crate) const APPLY_WAIT: Duration = Duration::from_secs(600);
/// How often an edit is tried that came too late for its version.
pub(crate) const APPLY_TRIES_MAX: usize = 4;
/// How long the editor may take to tell of the edit that it says it made.
pub(crate) const ARRIVAL_WAIT: Duration = Duration::from_secs(5);
/// How long the editor may take to save, and how long the user where the editor cannot.
pub(crate) const SAVE_WAIT: Duration = Duration::from_secs(60);
pub(crate) const SAVED_BY_HAND_WAIT: Duration = Duration::from_secs(300);
/// Between two looks at whether files are saved.
pub(crate) const SAVED_LOOK: Duration = Duration::from_millis(200);
/// Files that are named in one message.
pub(crate) const NAMED_FILES_MAX: usize = 5;
/// Plans and reviews whose state is remembered; the oldest goes.
pub(crate) const PAPERS_MAX: usize = 256;
/// Words of the user that wait for the next round of a plan.
pub(crate) const DIRECTIONS_MAX: usize = 16;
/// Lines of a review around a place that stay as they are.
pub(crate) const REVIEW_CONTEXT_LINES: usize = 3;
/// Lines that are looked at for the function around a place.
pub(crate) const FUNCTION_HEAD_LINES_MAX: usize = 1000;
pub(crate) const FUNCTION_LINES_MAX: usize = 2000;
/// Bytes of these lines; with more there is no function to be found.
pub(crate) const FUNCTION_BYTES_MAX: usize = 512 * 1024;
/// Bytes of a line that are looked at for code actions.
pub(crate) const ACTION_LINE_BYTES_MAX: usize = 4096;
/// Diagnostics that get an action of their own.
pub(crate) const ACTION_DIAGNOSTICS_MAX: usize = 8;
/// Bytes of text that a command carries into a task.
pub(crate) const TASK_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Diagnostics of the editor that are read.
pub(crate) const REPORTED_MAX: usize = 2000;
/// Rows of a question that is put as a message, and columns of a row. Helix 25.07 ends with an error where a message and
/// its buttons are larger than its window; this much it shows in one of 80 columns and 20 rows.
pub(crate) const MESSAGE_ROWS_MAX: usize = 12;
pub(crate) const MESSAGE_COLUMNS: usize = 60;
/// Hashes of a plan that are remembered, to know an older text of it.
pub(crate) const PLAN_HASHES_MAX: usize = 32;
/// Bytes of an option as it stands on a button.
pub(crate) const BUTTON_BYTES_MAX: usize = 120;
