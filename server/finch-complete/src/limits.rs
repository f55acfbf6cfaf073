//! The bounds of this crate, with their units.

use std::time::Duration;

/// Prompt tokens of one request, unless configured.
pub const PROMPT_TOKENS_MAX: usize = 512;
/// Of these, tokens for the text behind the cursor, unless configured. They are computed again with each key.
pub const SUFFIX_TOKENS_MAX: usize = 64;
/// Tokens of one suggestion, unless configured.
pub const TOKENS_MAX: usize = 64;
/// A person waits this long at most, unless configured.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Prompt tokens that are neither prefix nor suffix: the markers between them.
pub(crate) const MARKER_TOKENS: usize = 8;
/// Tenths of bytes: fewer than a token of code has on average, so that the window seldom has to be trimmed by the
/// provider: a trimmed window has another head after each key, and nothing of it is found in the provider's cache.
pub(crate) const BYTES_PER_TOKEN_TENTHS: usize = 34;
/// A window's first line moves in steps of this share of the window.
pub(crate) const WINDOW_STEPS: usize = 4;
/// A window gives up this share of a step, at most, to start at the start of a line.
pub(crate) const LINE_SHARE: usize = 4;

/// Bytes before the cursor that gates and rules look at.
pub(crate) const BEFORE_BYTES_MAX: usize = 4096;
/// Bytes behind the cursor that gates and rules look at.
pub(crate) const AFTER_BYTES_MAX: usize = 2048;

/// Characters behind the cursor, closing ones not counted, that an automatic request tolerates.
pub(crate) const TAIL_CHARS_MAX: usize = 8;
/// Characters other than whitespace that a model needs to continue anything.
pub(crate) const PROMPT_CHARS_MIN: usize = 4;

/// Lines of one suggestion.
pub(crate) const LINES_MAX: usize = 12;
/// Blank lines that may stand before the first line of code in a suggestion.
pub(crate) const LEADING_BLANK_LINES_MAX: usize = 2;
/// Bytes of one line of a suggestion.
pub(crate) const LINE_BYTES_MAX: usize = 400;
/// Bytes of one answer; a provider that ignores `tokens_max` is cut off here.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Lines whose repetition is noticed.
pub(crate) const CYCLE_LINES_MAX: usize = 4;
/// Bytes whose repetition within a line is noticed.
pub(crate) const CYCLE_BYTES_MAX: usize = 24;
/// So often, and over so many bytes, that a repetition within a line is a loop of the model.
pub(crate) const CYCLE_TIMES_MIN: usize = 8;
pub(crate) const CYCLE_RUN_BYTES_MIN: usize = 24;
/// Letters and digits that make a line worth comparing with another.
pub(crate) const TELLING_CHARS_MIN: usize = 4;
/// Shortest text behind the cursor that ends a suggestion which contains it.
pub(crate) const TAIL_OVERLAP_CHARS_MIN: usize = 3;

/// Lines above the cursor that a suggestion is compared with.
pub(crate) const REPEATED_LINES_ABOVE_MAX: usize = 8;

/// Suggestions that can still be typed through.
pub(crate) const RECENT_MAX: usize = 250;

/// Text before the cursor, and as much behind it, in which a provider may look for what the answer repeats.
pub(crate) const REFERENCE_BYTES_MAX: usize = 64 << 10;

/// Bytes of a text that is parsed; of a longer one, a window.
pub(crate) const SYNTAX_BYTES_MAX: usize = 512 * 1024;
/// Steps of a parse after which it is given up: some 30 microseconds each, so that 20 KiB take 100 of them.
pub(crate) const SYNTAX_STEPS_MAX: usize = 1_000;
/// Definitions that are taken from one document.
pub(crate) const DEFINITIONS_MAX: usize = 1_000;
/// So deep in modules and types definitions are looked for.
pub(crate) const DEFINITION_DEPTH_MAX: usize = 16;
/// What is shown of one definition.
pub(crate) const SIGNATURE_LINES_MAX: usize = 12;
pub(crate) const SIGNATURE_BYTES_MAX: usize = 480;
/// Bytes before and behind the cursor where names count as in use.
pub(crate) const NAMES_BYTES_BEFORE: usize = 2048;
pub(crate) const NAMES_BYTES_BEHIND: usize = 512;
/// Names in use at one place.
pub(crate) const NAMES_MAX: usize = 64;
/// Bytes at the head of a long document in which its imports are looked for.
pub(crate) const IMPORT_BYTES_MAX: usize = 4 * 1024;
/// Imports that are taken from one document.
pub(crate) const IMPORTS_MAX: usize = 256;
/// Documents whose trees are kept.
pub(crate) const TREES_MAX: usize = 4;
/// Of a longer document, so many bytes around the cursor are parsed.
pub(crate) const TREE_WINDOW_BYTES: usize = 8 * 1024;
/// The window moves so far at a time.
pub(crate) const TREE_WINDOW_STEP_BYTES: usize = 2 * 1024;
/// Ends of a suggestion that are tried to find one that harms nothing.
pub(crate) const TRIMS_MAX: usize = 6;

/// Lines of a suggestion that goes on within a block.
pub(crate) const BLOCK_LINES_MAX: usize = 8;
/// Characters other than whitespace of a suggestion that nobody asked for: accepting one costs a key itself.
pub(crate) const SHOWN_CHARS_MIN: usize = 2;

/// Suggestions in comments and strings whose fate is awaited.
pub(crate) const QUIET_SHOWN_MAX: usize = 64;
/// Fates that are remembered.
pub(crate) const FATES_MAX: usize = 64;
/// After so many rejections, and next to no acceptance, nothing is suggested there.
pub(crate) const QUIET_AFTER_REJECTIONS: usize = 8;
/// A rejection counts for so long.
pub(crate) const QUIET_FADES: Duration = Duration::from_secs(30 * 60);

/// Of the prompt, this share is for what is known beyond the document.
pub(crate) const CONTEXT_PERCENT: usize = 40;
/// Tokens that the document's own path may take.
pub(crate) const PATH_TOKENS_MAX: usize = 48;
/// Tenths of bytes that a token of context has on average.
pub(crate) const CONTEXT_BYTES_PER_TOKEN_TENTHS: usize = 34;
/// Reading documents for a prompt stops after this time and goes on with a later key.
pub(crate) const CONTEXT_WAIT: Duration = Duration::from_millis(50);
/// Of the context, this share is for definitions.
pub(crate) const DEFINITIONS_PERCENT: usize = 50;
/// Of the context, this share is for edits.
pub(crate) const EDITS_PERCENT: usize = 20;
/// What was gathered serves so many lines above and below.
pub(crate) const HELD_LINES: usize = 16;

/// Places in documents where the user was, and the lines around each.
pub(crate) const CHUNKS_MAX: usize = 16;
pub(crate) const CHUNK_LINES: usize = 64;
/// Of these, so many come from the head of a document when it is opened.
pub(crate) const OPENED_CHUNKS_MAX: usize = 4;
/// Lines that are shown as one, and by how many the next ones begin further down.
pub(crate) const PASSAGE_LINES: usize = 12;
pub(crate) const PASSAGE_STEP: usize = 6;
/// Passages in one prompt.
pub(crate) const PASSAGES_MAX: usize = 4;
/// Passages that share more of their names than this say the same.
pub(crate) const LIKE_TWINS_MAX: f64 = 0.8;
/// Lines before and behind the cursor that passages are compared with.
pub(crate) const LIKENESS_LINES_BEFORE: usize = 10;
pub(crate) const LIKENESS_LINES_BEHIND: usize = 4;

/// What is told while somebody gathers, before the oldest is forgotten.
pub(crate) const NEWS_MAX: usize = 1024;

/// Open documents that are remembered, and of these, read for definitions.
pub(crate) const OPEN_MAX: usize = 16;
pub(crate) const PARSED_MAX: usize = 16;
/// Files of the workspace whose definitions are known.
pub(crate) const DEFINED_FILES_MAX: usize = 512;
/// A name that so many more files define equally means nothing certain.
pub(crate) const AMBIGUOUS_MAX: usize = 2;
/// Members shown with a type.
pub(crate) const MEMBERS_MAX: usize = 8;
/// Documents for which an editor told definitions, how many of each, and their bytes.
pub(crate) const TOLD_FILES_MAX: usize = 16;
pub(crate) const TOLD_MAX: usize = 64;
pub(crate) const TOLD_BYTES_MAX: usize = 2048;

/// Edits that are remembered, and of these, shown.
pub(crate) const EDITS_MAX: usize = 16;
pub(crate) const EDITS_SHOWN_MAX: usize = 3;
/// Changes so many lines apart are one edit.
pub(crate) const EDIT_GAP_LINES: usize = 2;
/// Lines taken away and added by an edit that is shown.
pub(crate) const EDIT_LINES_MAX: usize = 16;

/// Documents whose diagnostics are known, and how many of each.
pub(crate) const DIAGNOSED_FILES_MAX: usize = 64;
pub(crate) const DIAGNOSTICS_MAX: usize = 256;
/// Lines from the cursor within which a diagnostic counts, how many are shown, and the bytes of each.
pub(crate) const DIAGNOSTIC_LINES_NEAR: usize = 20;
pub(crate) const DIAGNOSTICS_SHOWN_MAX: usize = 3;
pub(crate) const DIAGNOSTIC_BYTES_MAX: usize = 160;

/// What is shown is right with this chance at least, by the model's own account.
pub(crate) const CONFIDENCE_MIN: f64 = 0.15;
/// A part of an answer is shown where it is worth so many times the whole.
pub(crate) const WHOLE_WORTH: f64 = 1.3;
/// Parts of an answer that are kept to be offered after the one that is shown.
pub(crate) const NEXT_PARTS_MAX: usize = 6;
/// Bytes of a token of which nothing was said.
pub(crate) const CERTAIN_BYTES: f64 = 5.0;
/// A request whose asker has gone goes on for so long: the next key may agree with it.
pub(crate) const FLIGHT_LINGERS: Duration = Duration::from_millis(300);
/// So long after a suggestion nothing else was asked for when the model is asked for what comes behind it.
pub(crate) const AHEAD_AFTER: Duration = Duration::from_millis(250);
/// After so long, whole lines are shown while the model goes on.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_millis(400);
/// Suggestions for one place, the first among them.
pub(crate) const ALTERNATIVES_MAX: usize = 3;
/// The first suggestion waits so long for the others.
pub(crate) const ALTERNATIVES_WAIT: Duration = Duration::from_secs(1);
/// How the others are drawn: near to the likeliest, but not the same.
pub(crate) const TEMPERATURE: f32 = 0.6;
pub(crate) const TOP_P: f32 = 0.95;
/// Clients whose requests are kept apart; of more, the one that asked least recently starts anew.
pub(crate) const CLIENTS_MAX: usize = 16;
/// Bytes that may be typed while a request is under way; with more it is asked anew.
pub(crate) const TYPED_BYTES_MAX: usize = 512;
