//! `textDocument/inlineCompletion`: one suggestion at a position, or nothing and a reason for it.
//!
//! The answer belongs to the text at the moment of the request. When that text changes, or a newer request
//! comes, this one is answered with nothing at once.

use std::sync::Arc;
use std::time::Duration;

use finch_complete::{Ask, Completer, Outcome, Reason, Source, Suggestion, Trigger};
use finch_learn::record::{About, Texts};
use finch_text::{Change, Document, PositionEncoding};
use tokio::time::{Instant, sleep};

use crate::delay::{Client, Pace};
use crate::documents::Snapshot;
use crate::handlers::HandlerError;
use crate::handlers::document::{position_of, range_of};
use crate::limits::ALTERNATIVES;
use crate::outcomes::{Offer, Origin, Outcomes};
use crate::path::path_of;
use crate::session::Session;
use crate::why::Why;
use crate::wire::inline::{
    AcceptCommand, InlineCompletionItem, InlineCompletionList, InlineCompletionParams, Position, Provenance, Range,
    SelectedCompletionInfo,
};
use crate::wire::method;

pub(crate) fn inline_completion(
    session: &mut Session,
    params: InlineCompletionParams,
) -> impl Future<Output = Result<Option<InlineCompletionList>, HandlerError>> + Send + use<> {
    let uri = params.text_document.uri.clone();
    let snapshot = session.documents.snapshot(&uri);
    let version = snapshot.as_ref().ok().map(|snapshot| snapshot.version);
    let ticket = session.asks.begin(&uri, version, &session.records);
    let place = match snapshot {
        Ok(snapshot) => place(session, snapshot, params),
        Err(missing) => Err(Why::from(missing)),
    };
    async move {
        let place = match place {
            Ok(place) => place,
            Err(why) => {
                ticket.finish(|record| record.why = Some(why));
                return Ok(None);
            }
        };
        let Some(outcome) = ticket.run(place.complete()).await else {
            return Ok(None);
        };
        let offers = || place.offers(&outcome);
        place.outcomes.offered(offers, || ticket.counts());
        ticket.finish(|record| record.fill(&outcome));
        Ok(place.list(&outcome))
    }
}

/// The suggestion and its alternatives, each with its number.
fn numbered(outcome: &Outcome) -> impl Iterator<Item = (u64, Suggestion)> {
    outcome.suggestion.iter().flat_map(|first| {
        let others = outcome.alternatives.iter();
        let others = others.map(|it| (it.id, Suggestion { text: it.text.clone(), replace: first.replace.clone() }));
        std::iter::once((outcome.id, first.clone())).chain(others)
    })
}

/// Where a suggestion is wanted.
struct Place {
    completer: Arc<Completer>,
    ask: Ask,
    uri: String,
    /// The editor's text, in which the item's range counts.
    document: Document,
    encoding: PositionEncoding,
    selected: Option<SelectedCompletionInfo>,
    outcomes: Arc<Outcomes>,
    pace: Arc<Pace>,
    client: Client,
    language: String,
}

fn place(session: &Session, snapshot: Snapshot, params: InlineCompletionParams) -> Result<Place, Why> {
    if !session.settings.enabled {
        return Err(Why::Disabled);
    }
    let asked_for = params.text_document.version;
    if asked_for.is_some_and(|version| version != snapshot.version) {
        return Err(Why::Completer(Reason::Cancelled));
    }
    let encoding = session.facts.encoding;
    let on_one_line = |info: &SelectedCompletionInfo| info.range.start.line == info.range.end.line;
    let selected = params.context.selected_completion_info.filter(on_one_line);
    let (document, offset) = match &selected {
        // The editor shows only what continues the selected entry, so that is what is asked for.
        Some(info) => with_selected(&snapshot.document, info, encoding),
        None => (snapshot.document.clone(), snapshot.document.offset(position_of(params.position), encoding)),
    };
    let uri = params.text_document.uri;
    let path = path_of(&uri);
    let language = session.outcomes.language(&uri);
    let ask = Ask {
        client: session.client.clone(),
        document,
        path: Some(path.clone()),
        language: Some(language.clone()),
        offset,
        trigger: if params.context.trigger_kind == 1 { Trigger::Invoked } else { Trigger::Automatic },
        alternatives: ALTERNATIVES,
        is_ahead: false,
    };
    let completer = Arc::clone(&session.completer);
    let cursor = snapshot.document.offset(position_of(params.position), encoding);
    session.outcomes.asked(&uri, cursor);
    session.completer.context().visited(&path, &snapshot.document, snapshot.document.line_of(cursor));
    let outcomes = Arc::clone(&session.outcomes);
    let (pace, client) = (Arc::clone(&session.pace), Client::of(&session.facts.name));
    let document = snapshot.document;
    Ok(Place { completer, ask, uri, document, encoding, selected, outcomes, pace, client, language })
}

/// The text as if the selected entry had been taken, and the end of it.
fn with_selected(document: &Document, info: &SelectedCompletionInfo, encoding: PositionEncoding) -> (Document, usize) {
    let range = range_of(info.range);
    let start = document.offset(range.start, encoding).min(document.offset(range.end, encoding));
    let mut taken = document.clone();
    taken.apply(&Change { range: Some(range), text: info.text.clone() }, encoding);
    (taken, start + info.text.len())
}

impl Place {
    /// Asks, when it is time to.
    async fn complete(&self) -> Outcome {
        let wait = match self.ask.trigger {
            Trigger::Automatic => self.pace.held().wait(self.client, Instant::now()),
            Trigger::Invoked => Duration::ZERO,
        };
        if !wait.is_zero() && !self.completer.has_at_hand(&self.ask) {
            self.completer.give_way(&self.ask.client);
            sleep(wait).await;
        }
        let outcome = self.completer.complete(self.ask.clone()).await;
        if outcome.source == Source::Model && outcome.usage.generated_tokens > 0 {
            self.pace.held().answered(outcome.timings.total);
        }
        outcome
    }

    /// What is followed from here on: the suggestion and its alternatives.
    fn offers(&self, outcome: &Outcome) -> Vec<Offer> {
        numbered(outcome).map(|(id, suggestion)| self.offer(id, suggestion, outcome)).collect()
    }

    fn offer(&self, id: u64, suggestion: Suggestion, outcome: &Outcome) -> Offer {
        let (range, text) = match &self.selected {
            Some(info) => {
                let range = range_of(info.range);
                let at = |position| self.document.offset(position, self.encoding);
                (at(range.start)..at(range.end), format!("{}{}", info.text, suggestion.text))
            }
            None => (suggestion.replace.clone(), suggestion.text.clone()),
        };
        let text = if self.document.ends_lines_with_crlf() { text.replace('\n', "\r\n") } else { text };
        let about = About {
            session: self.outcomes.session(),
            suggestion: id,
            language: self.language.clone(),
            provider: outcome.provider.clone(),
            model: outcome.model.clone(),
            adapter: None,
            source: outcome.source.to_string(),
        };
        let texts = self.outcomes.collects_text().then(|| self.texts(outcome, &suggestion.text));
        let origin = Arc::new(Origin { id, about, texts });
        let replaced = self.document.slice(range.clone());
        Offer { origin, uri: self.uri.clone(), start: self.document.floor(range.start), replaced, text }
    }

    fn texts(&self, outcome: &Outcome, offered: &str) -> Texts {
        let prompt = outcome.prompt.clone();
        let (prefix, suffix) = prompt.map(|prompt| (prompt.prefix, prompt.suffix)).unwrap_or_default();
        Texts { path: self.ask.path.clone(), prefix, suffix, offered: offered.to_owned() }
    }

    fn list(&self, outcome: &Outcome) -> Option<InlineCompletionList> {
        let items: Vec<_> = numbered(outcome).map(|(id, suggestion)| self.item(id, suggestion, outcome)).collect();
        (!items.is_empty()).then_some(InlineCompletionList { items })
    }

    fn item(&self, id: u64, suggestion: Suggestion, outcome: &Outcome) -> InlineCompletionItem {
        let provenance = Provenance { id, provider: outcome.provider.clone(), model: outcome.model.clone() };
        let (insert_text, range) = self.text_and_range(suggestion);
        let command = AcceptCommand {
            title: "Accept suggestion".to_owned(),
            command: method::ACCEPT_COMMAND.to_owned(),
            arguments: [provenance],
        };
        InlineCompletionItem { insert_text, range, command }
    }

    fn text_and_range(&self, suggestion: Suggestion) -> (String, Range) {
        match &self.selected {
            Some(info) => (format!("{}{}", info.text, suggestion.text), info.range),
            None => {
                let at = |offset| {
                    let position = self.document.position(offset, self.encoding);
                    Position { line: position.line, character: position.character }
                };
                let range = Range { start: at(suggestion.replace.start), end: at(suggestion.replace.end) };
                (suggestion.text, range)
            }
        }
    }
}
