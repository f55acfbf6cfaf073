//! The state of one editor session: what handlers may change, in wire order.
//!
//! Invariant: it is locked for the synchronous part of a handler only, well under a millisecond, and never across
//! an await; work happens on snapshots.

use std::path::PathBuf;
use std::sync::Arc;

use finch_complete::{Completer, Options};
use finch_llm::{ClientId, Provider, StateReceiver};
use finch_text::Document;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::asks::Asks;
use crate::clouds::{Clouds, Seen};
use crate::configured::{Began, Configured};
use crate::delay::Pace;
use crate::documents::{Applied, Documents, Edit, Missing, Problem, Snapshot, Splice};
use crate::editor::Log;
use crate::facts::ClientFacts;
use crate::outcomes::Outcomes;
use crate::path::path_of;
use crate::places::Places;
use crate::records::Records;
use crate::serve::{Backend, Settings};
use crate::wire::settings::CompletionSettings;
use crate::workspace::Look;

pub(crate) struct Session {
    pub(crate) facts: ClientFacts,
    pub(crate) documents: Documents,
    /// Which files the open documents are.
    pub(crate) places: Places,
    /// Counts what happens to documents, for who waits for it.
    pub(crate) touched: watch::Sender<u64>,
    pub(crate) asks: Asks,
    pub(crate) records: Arc<Records>,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) completer: Arc<Completer>,
    /// Documents around which the workspace's files are read; none without a folder.
    pub(crate) looks: Option<mpsc::Sender<Look>>,
    pub(crate) options: Options,
    pub(crate) settings: Settings,
    /// What the user's files say, without what the editor has set.
    pub(crate) files: (Options, Settings),
    /// What the editor has set.
    pub(crate) chosen: CompletionSettings,
    /// Present until the client has said what it has open.
    pub(crate) began: Option<Began>,
    /// Present until they are followed.
    pub(crate) changes: Option<watch::Receiver<Configured>>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) state: StateReceiver,
    pub(crate) client: ClientId,
    pub(crate) log: Log,
    /// Present until it is followed.
    pub(crate) clouds: Option<Clouds>,
    pub(crate) seen: watch::Sender<Seen>,
    /// The client is being told about the model.
    pub(crate) is_announced: bool,
    pub(crate) has_agent: bool,
}

impl Session {
    pub(crate) fn new(backend: Backend, log: Log) -> Self {
        let Backend { provider, state, options, settings, journal, clouds, configuration, agent } = backend;
        let (began, changes) = configuration.map(|files| (files.began, files.changes)).unzip();
        let completer = Arc::new(Completer::new(Arc::clone(&provider), state.clone(), options.clone()));
        let pace = Arc::new(Pace::default());
        Self {
            facts: ClientFacts::default(),
            documents: Documents::default(),
            places: Places::default(),
            touched: watch::Sender::default(),
            asks: Asks::default(),
            records: Arc::new(Records::default()),
            outcomes: Arc::new(Outcomes::new(journal, Arc::clone(&completer), Arc::clone(&pace))),
            pace,
            completer,
            looks: None,
            files: (options.clone(), settings.clone()),
            chosen: CompletionSettings::default(),
            has_agent: agent.is_some(),
            began,
            changes,
            options,
            settings,
            provider,
            state,
            // One process serves one editor window.
            client: ClientId::new(format!("lsp-{}", std::process::id())),
            log,
            clouds,
            seen: watch::Sender::default(),
            is_announced: false,
        }
    }

    pub(crate) fn open(
        &mut self,
        uri: String,
        version: Option<i64>,
        language: String,
        text: Result<Document, Missing>,
        place: Option<PathBuf>,
    ) {
        self.asks.stop_for(&uri);
        if let Some(place) = place {
            self.places.open(uri.clone(), place);
        }
        self.outcomes.opened(&uri, language);
        if let Ok(document) = &text {
            self.completer.context().opened(&path_of(&uri), document);
            self.look_around(&uri, document);
        }
        let opened = self.documents.open(uri, version, text);
        self.touch();
        self.report(opened);
    }

    pub(crate) fn change(&mut self, uri: &str, version: Option<i64>, edits: Vec<Edit>) {
        self.asks.stop_for(uri);
        let before = self.documents.snapshot(uri);
        self.pace.held().changed(Instant::now());
        let changed = self.documents.change(uri, version, edits, self.facts.encoding);
        match &changed {
            Ok(Applied::Spliced(splices)) => {
                self.remember(uri, before.ok(), splices);
                self.outcomes.changed(uri, splices);
            }
            Ok(Applied::Unknown) | Err(_) => self.outcomes.lost(uri),
        }
        self.touch();
        self.report(changed.map(drop));
    }

    fn touch(&self) {
        self.touched.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn remember(&self, uri: &str, before: Option<Snapshot>, splices: &[Splice]) {
        let Ok(after) = self.documents.snapshot(uri).map(|snapshot| snapshot.document) else { return };
        let before = before.map(|snapshot| snapshot.document);
        let range = before.as_ref().and_then(|before| Splice::all(splices, before.len()));
        match (before, range) {
            (Some(before), Some(range)) => {
                let len = after.len() - (before.len() - range.len());
                self.completer.context().changed(&path_of(uri), &before, &after, range, len);
            }
            _ => self.completer.context().replaced(&path_of(uri), &after),
        }
    }

    pub(crate) fn save(&mut self, uri: &str) {
        self.completer.context().saved(&path_of(uri));
        self.touch();
        if let Ok(snapshot) = self.documents.snapshot(uri) {
            self.look_around(uri, &snapshot.document);
        }
    }

    fn look_around(&self, uri: &str, document: &Document) {
        let look = || Look { path: path_of(uri), document: document.clone() };
        if let Some(looks) = &self.looks
            && let Err(error) = looks.try_send(look())
        {
            tracing::debug!(%error, "what is around a document is not looked at");
        }
    }

    pub(crate) fn close(&mut self, uri: &str) {
        self.asks.stop_for(uri);
        self.outcomes.closed(uri);
        self.completer.context().closed(&path_of(uri));
        self.places.close(uri);
        let closed = self.documents.close(uri);
        self.touch();
        self.report(closed);
    }

    /// A change of this document could not be read.
    pub(crate) fn lose(&mut self, uri: &str, reason: String) {
        self.asks.stop_for(uri);
        self.outcomes.lost(uri);
        let lost = self.documents.lose(uri, reason);
        self.report(lost);
    }

    fn report(&self, result: Result<(), Problem>) {
        match result {
            Ok(()) => {}
            // It would be said with every key. A request for a suggestion there is explained instead.
            Err(problem @ Problem::NotOpen { .. }) => tracing::info!("{problem}"),
            Err(problem) => self.log.warn(problem.to_string()),
        }
    }
}
