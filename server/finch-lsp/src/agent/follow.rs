//! Tells the client what happens in a turn: events for clients that take them, a progress bar for those that have one,
//! documents for all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::characters::{is_hidden, shown_on_one_line};
use finch_agent::plan::PlanEvent;
use finch_agent::task::{PlanState, StepState, TaskEvent, TaskId};
use finch_agent::turn::Event;
use finch_agent::view::Buffers as _;
use tokio::sync::watch;
use tokio::time::timeout;
use tower_lsp::lsp_types::MessageType;

use super::buffers::EditorBuffers;
use super::files::{message, save, show, uri_of};
use super::outbox::Outbox;
use super::papers::Review;
use super::review::render;
use super::turns::Turn;
use super::work::Done;
use super::{Bench, progress};
use crate::dispatch::Shared;
use crate::limits::{EVENT_TEXT_BYTES_MAX, LAST_EVENT_WAIT, PROGRESS_BYTES_MAX};
use crate::wire::turn_event::{Happening, PlanStage, StepStage, TaskKind, TurnOutcome};

/// What the user of an editor without an eye on the disk does.
const RELOAD: &str = "; the editor has an older text of the document: reload it";

/// One turn, as the client is shown it.
pub(super) struct Show {
    shared: Arc<Shared>,
    bench: Bench,
    id: TaskId,
    task: TaskKind,
    /// Absent where the client takes no events.
    outbox: Option<Outbox>,
    /// Absent where the client has no progress.
    line: Option<watch::Sender<String>>,
    round: u32,
    /// The document that was shown already.
    shown: Option<PathBuf>,
}

impl Show {
    pub(super) fn begin(shared: &Arc<Shared>, bench: Bench, turn: &Turn, id: TaskId, title: &str) -> Self {
        let facts = shared.with_session(|session| (session.facts.own.turn_events, session.facts.shows_progress));
        let (takes_events, shows_progress) = facts.unwrap_or_default();
        let outbox = takes_events.then(|| {
            let (outbox, sending) = Outbox::new(shared.editor.clone(), turn.id.clone());
            shared.tasks.spawn_for_session(sending);
            outbox
        });
        let line = shows_progress.then(|| {
            let (line, lines) = watch::channel(String::new());
            let title = format!("finch: {title}");
            shared.tasks.spawn_for_session(progress::show(shared.editor.clone(), turn.id.clone(), title, lines));
            line
        });
        let shared = Arc::clone(shared);
        let show = Self { shared, bench, id, task: turn.task, outbox, line, round: 0, shown: None };
        show.tell(Happening::Began { title: title.to_owned(), task: turn.task });
        show
    }

    pub(super) async fn event(&mut self, turn: &Turn, event: TaskEvent) {
        match event {
            TaskEvent::Turn(event) => self.in_turn(event),
            TaskEvent::Plan(event) => self.in_plan(&event),
            TaskEvent::PlanFile { path, hash, state, open } => {
                self.plan_file(turn, &path, hash.to_string(), stage(state), open).await;
            }
            TaskEvent::Step { number, title, state } => {
                self.say(&format!("step {number}: {title}"));
                self.tell(Happening::Step { number, title: clean(&title), state: step_stage(state) });
            }
            TaskEvent::Applied { paths } => {
                let uris = paths.iter().map(|path| self.uri(path)).collect();
                self.tell(Happening::Applied { uris });
            }
            TaskEvent::Review { revision } => self.review(revision).await,
        }
    }

    /// The last of it. A client that does not read is waited for a moment.
    pub(super) async fn end(mut self, done: Done) {
        let Done { outcome, message: text, document } = done;
        let uri = document.as_ref().map(|path| self.uri(path));
        if let (TaskKind::Ask, Some(path), Some(uri)) = (self.task, &document, &uri) {
            self.tell(Happening::Answer { uri: uri.clone() });
            self.open(path, "the answer").await;
        }
        self.say(&text);
        let text = cut(&clean(&text), EVENT_TEXT_BYTES_MAX);
        match (&self.outbox, outcome) {
            (Some(outbox), _) => {
                outbox.put(Happening::Ended { outcome, message: text, uri });
                if timeout(LAST_EVENT_WAIT, outbox.emptied()).await.is_err() {
                    tracing::info!("the client reads slowly; the turn ends meanwhile");
                }
            }
            (None, TurnOutcome::Failed) => message(&self.shared, MessageType::ERROR, format!("finch: {text}")).await,
            // The answer's document was shown.
            (None, TurnOutcome::Done) if self.task == TaskKind::Ask => {}
            // The last words of a progress bar go with it, if they are shown at all.
            (None, TurnOutcome::Done | TurnOutcome::Stopped) => {
                let reload = if self.is_outdated(document.as_deref()).await { RELOAD } else { "" };
                message(&self.shared, MessageType::INFO, format!("finch: {text}{reload}")).await;
            }
        }
    }

    /// Whether the editor shows another text of the document than the disk has: some do not read a file anew by themselves.
    async fn is_outdated(&self, document: Option<&Path>) -> bool {
        let Some(path) = document else { return false };
        let buffers = EditorBuffers { shared: Arc::clone(&self.shared) };
        let place = self.bench.plan(path).unwrap_or_else(|| path.to_owned());
        let differs = move || {
            let Some(shown) = buffers.buffer(&place) else { return false };
            std::fs::read_to_string(&place).is_ok_and(|on_disk| on_disk != shown.document.text())
        };
        super::off_thread(differs).await.unwrap_or(false)
    }

    fn in_turn(&self, event: Event) {
        match event {
            Event::Text(text) => self.tell(Happening::Text { text: clean(&text) }),
            Event::Reasoning(text) => self.tell(Happening::Reasoning { text: clean(&text) }),
            Event::Retried { reason } => self.say(&format!("asking again: {reason}")),
            Event::Call { id, name, arguments_json } => {
                self.say(&format!("{name} {arguments_json}"));
                let arguments = cut(&clean(&arguments_json), EVENT_TEXT_BYTES_MAX);
                self.tell(Happening::Call { id, name, arguments });
            }
            Event::Output { call_id: id, text } => self.tell(Happening::Output { id, text: clean(&text) }),
            Event::Called { id, outcome } => {
                let text = cut(&clean(&outcome.text), EVENT_TEXT_BYTES_MAX);
                self.tell(Happening::Called { id, text, failed: outcome.is_error });
            }
            // Of the conversation, and of single steps.
            Event::Said(_) | Event::Compacted { .. } | Event::Ended(_) => {}
        }
    }

    fn in_plan(&mut self, event: &PlanEvent) {
        match event {
            PlanEvent::Drafting { round } => {
                self.round = *round;
                self.say(&format!("round {round}: writing the plan"));
            }
            PlanEvent::Drafted { round, .. } => self.say(&format!("round {round}: the plan is being attacked")),
            PlanEvent::Reviewed { round, persona, .. } => {
                self.say(&format!("round {round}: {} was heard", persona.name()));
            }
        }
    }

    async fn plan_file(&mut self, turn: &Turn, path: &Path, hash: String, state: PlanStage, open: usize) {
        let path = self.bench.plan(path).unwrap_or_else(|| path.to_owned());
        turn.is_at(&path);
        if let Some(agent) = &self.shared.agent {
            let worked = (self.task == TaskKind::Work).then_some(turn.id.as_str());
            agent.papers.plan(&path, state, &hash, worked);
            agent.offers_changed();
        }
        self.tell(Happening::Plan { uri: self.uri(&path), hash, round: self.round, state, open });
        if self.task == TaskKind::Plan {
            self.open(&path, "the plan").await;
        }
    }

    async fn review(&mut self, revision: u64) {
        let (Some(agent), Some(staged)) = (&self.shared.agent, self.bench.workbench.staged(&self.id)) else { return };
        let path = agent.backend.reviews.join(format!("{}.diff", self.id));
        let workspace = self.bench.workbench.workspace();
        let name = |path: &Path| {
            let inside = path.strip_prefix(workspace).unwrap_or(path);
            shown_on_one_line(&inside.to_string_lossy())
        };
        let (text, marks) = render(&staged, name);
        if let Err(error) = save(path.clone(), text.clone()).await {
            return message(&self.shared, MessageType::ERROR, format!("finch: {error}")).await;
        }
        let place = super::off_thread({
            let path = path.clone();
            move || path.canonicalize()
        });
        let place = place.await.ok().and_then(Result::ok).unwrap_or_else(|| path.clone());
        agent.papers.review(&place, Review { turn: self.id.to_string(), revision, text, marks });
        agent.offers_changed();
        let uri = self.uri(&place);
        self.tell(Happening::Review { uri, revision });
        self.open(&place, "what finch would change").await;
    }

    /// Shows a document, once.
    async fn open(&mut self, path: &Path, what: &str) {
        if self.shown.as_deref() != Some(path) {
            self.shown = Some(path.to_owned());
            show(&self.shared, path, what).await;
        }
    }

    fn uri(&self, path: &Path) -> String {
        uri_of(&EditorBuffers { shared: Arc::clone(&self.shared) }, path)
    }

    fn tell(&self, event: Happening) {
        if let Some(outbox) = &self.outbox {
            outbox.put(event);
        }
    }

    /// A line for the progress bar.
    fn say(&self, line: &str) {
        if let Some(shown) = &self.line {
            shown.send_replace(cut(&shown_on_one_line(line), PROGRESS_BYTES_MAX));
        }
    }
}

fn stage(state: PlanState) -> PlanStage {
    match state {
        PlanState::Drafted => PlanStage::Attacking,
        PlanState::Attacked => PlanStage::Drafting,
        PlanState::Settled => PlanStage::Settled,
        PlanState::Taken => PlanStage::Approved,
        PlanState::Stopped => PlanStage::Stopped,
        PlanState::RoundsOver => PlanStage::RoundsOver,
        PlanState::Working => PlanStage::Working,
        PlanState::Done => PlanStage::Done,
    }
}

fn step_stage(state: StepState) -> StepStage {
    match state {
        StepState::Working => StepStage::Working,
        StepState::Checking => StepStage::Checking,
        StepState::Done => StepStage::Done,
        StepState::Failed => StepStage::Failed,
    }
}

fn cut(text: &str, bytes_max: usize) -> String {
    match text.len() <= bytes_max {
        true => text.to_owned(),
        false => format!("{}…", &text[..text.floor_char_boundary(bytes_max)]),
    }
}

/// Text for a client that may hand it to a terminal: what steers or hides is written out, line ends and tabs stay.
fn clean(text: &str) -> String {
    let is_harmless = |c: char| matches!(c, '\n' | '\t' | '\u{200D}' | '\u{FE0F}') || !is_hidden(c);
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            c if is_harmless(c) => cleaned.push(c),
            c => cleaned.extend(c.escape_unicode()),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_hides_is_written_out() {
        assert_eq!(
            clean("a\r\n\tb\u{1b}]52;c\u{7}\u{202e}c ❤\u{fe0f}\rd"),
            "a\n\tb\\u{1b}]52;c\\u{7}\\u{202e}c ❤\u{fe0f}\\u{d}d"
        );
        assert_eq!(clean("größe\n"), "größe\n");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a…");
        assert_eq!(cut("aé", 3), "aé");
    }
}
