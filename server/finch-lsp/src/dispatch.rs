//! From typed calls to handlers, and what keeps one handler's failure from being the session's.
//!
//! Invariant: a panic in a handler is an error answer to its own request and nothing else. `ordered` polls what
//! is returned here once in wire order, which runs a handler's prologue.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower_lsp::jsonrpc::{self, Error, ErrorCode};
use tower_lsp::lsp_types::notification::{Notification, WorkDoneProgressCancel};
use tower_lsp::lsp_types::{
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, DidChangeConfigurationParams,
    DidChangeWorkspaceFoldersParams, ExecuteCommandParams, InitializeParams, InitializeResult, InitializedParams,
    WorkDoneProgressCancelParams,
};
use tower_lsp::{ClientSocket, LanguageServer, LspService};

use crate::agent::{self, Agent};
use crate::announce::{Known, Show, announce};
use crate::clouds::follow;
use crate::configured;
use crate::editor::Editor;
use crate::facts::ClientFacts;
use crate::handlers::{self, HandlerError};
use crate::limits::PARENT_POLL;
use crate::ordered::OrderedService;
use crate::parent::Parent;
use crate::path::{folder_of, path_of};
use crate::serve::Backend;
use crate::session::Session;
use crate::tasks::Tasks;
use crate::wire::agent::Turn;
use crate::wire::context::Surroundings;
use crate::wire::explain::Explanation;
use crate::wire::feedback::{Feedback, Recorded};
use crate::wire::inline::{InlineCompletionList, InlineCompletionParams};
use crate::wire::method;
use crate::wire::status::Status;
use crate::wire::suggestion::{DidAccept, DidReject, DidShow};
use crate::workspace::{self, Workspace};

/// What the calls of one session share.
pub(crate) struct Shared {
    session: Mutex<Session>,
    pub(crate) tasks: Tasks,
    pub(crate) editor: Editor,
    pub(crate) agent: Option<Agent>,
    pub(crate) parent_gone: CancellationToken,
}

impl Shared {
    /// Runs `work` on the session; `None` if it panicked.
    pub(crate) fn with_session<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(|| work(&mut self.session.lock().unwrap_or_else(PoisonError::into_inner)))).ok()
    }

    /// Takes in what the client said of itself.
    pub(crate) fn begin(&self, facts: ClientFacts) {
        let (name, knows_inline_completion) = (&facts.name, facts.knows_inline_completion);
        tracing::info!(client = %name, knows_inline_completion, encoding = ?facts.encoding, "initialize");
        // Looked at before the answer, so that a client which dies right behind it was seen alive.
        if let Some(parent) = facts.process_id.and_then(Parent::find) {
            let gone = self.parent_gone.clone();
            self.tasks.spawn_for_session(async move {
                parent.gone(PARENT_POLL).await;
                gone.cancel();
            });
        }
        self.with_session(|session| {
            let settings = facts.settings.clone();
            if let Some(root) = &facts.root {
                self.open_workspace(session, path_of(root));
            }
            if let Some(began) = session.began.take() {
                began(facts.root.as_deref().and_then(folder_of));
            }
            session.facts = facts;
            if let Some(settings) = settings {
                handlers::configuration::apply(session, &settings);
            }
        });
    }

    fn open_workspace(&self, session: &mut Session, root: String) {
        session.completer.context().rooted(&root);
        let workspace = Workspace::new(root.into(), session.options.excludes.clone());
        let (sender, looks) = workspace::looks();
        session.looks = Some(sender);
        self.tasks.spawn_for_session(workspace::reading(workspace, looks, Arc::clone(session.completer.context())));
    }

    /// Ends what was asked for and is not done.
    pub(crate) fn stop_asks(&self) {
        self.with_session(|session| session.asks.stop());
        self.stop_turns(None);
    }

    /// Stops one turn of the agent, or all of them.
    fn stop_turns(&self, turn: Option<&str>) {
        if let Some(agent) = &self.agent {
            agent.turns.stop(turn);
        }
    }

    fn start_agent(self: &Arc<Self>) {
        let Some(agent) = &self.agent else { return };
        if self.with_session(|session| session.facts.refreshes_lenses) == Some(true) {
            self.tasks.spawn_for_session(agent.refresh_lenses(self.editor.clone()));
        }
        if let Some(folders) = self.with_session(|session| agent::folders(session)) {
            self.tasks.spawn_for_session(agent::offer_to_go_on(Arc::clone(self), folders));
        }
    }

    fn start_announcing(self: &Arc<Self>) {
        let started = self.with_session(|session| {
            let first = !std::mem::replace(&mut session.is_announced, true);
            let show = if session.facts.shows_progress { Show::StatusAndProgress } else { Show::StatusOnly };
            let (editor, seen) = (self.editor.clone(), session.seen.clone());
            let clouds = session.clouds.take().filter(|_| first);
            let follow_with =
                |clouds| follow(editor.clone(), self.tasks.clone(), clouds, (session.state.clone(), seen.clone()));
            let following = clouds.map(follow_with);
            let known = Known { provider: session.provider.id(), state: session.state.clone(), seen: seen.subscribe() };
            first.then(|| (announce(editor, known, show), following))
        });
        if let Some(changes) = self.with_session(|session| session.changes.take()).flatten() {
            self.tasks.spawn_for_session(configured::follow(Arc::clone(self), changes));
        }
        if let Some((announcing, following)) = started.flatten() {
            self.start_agent();
            self.tasks.spawn_for_session(announcing);
            if let Some(following) = following {
                self.tasks.spawn_for_session(following);
            }
        }
    }
}

/// The language server as the protocol library sees it.
pub(crate) struct Dispatch {
    pub(crate) shared: Arc<Shared>,
}

/// The service of one session, and its end of the messages to the client.
pub(crate) fn service(backend: Backend, tasks: &Tasks) -> (OrderedService, ClientSocket, Arc<Shared>) {
    let building = LspService::build(|client| {
        let editor = Editor::new(client, tasks.clone());
        let agent = backend.agent.clone().map(Agent::new);
        let session = Session::new(backend, editor.log().clone());
        tasks.spawn_for_session(Arc::clone(&session.outcomes).keep_time());
        let session = Mutex::new(session);
        let parent_gone = CancellationToken::new();
        Dispatch { shared: Arc::new(Shared { session, tasks: tasks.clone(), editor, agent, parent_gone }) }
    })
    .custom_method(method::INLINE_COMPLETION, Dispatch::inline_completion)
    .custom_method(method::DID_SHOW, Dispatch::did_show)
    .custom_method(method::DID_ACCEPT, Dispatch::did_accept)
    .custom_method(method::DID_REJECT, Dispatch::did_reject)
    .custom_method(method::CONTEXT, Dispatch::context)
    .custom_method(method::FEEDBACK, Dispatch::feedback)
    .custom_method(method::EXPLAIN_LAST, Dispatch::explain_last)
    .custom_method(method::STATUS, Dispatch::status)
    .custom_method(method::TURN_CANCEL, Dispatch::turn_cancel)
    .custom_method(WorkDoneProgressCancel::METHOD, Dispatch::progress_cancel);
    #[cfg(test)]
    let building = crate::tests::with_test_methods(building);
    let (service, socket) = building.finish();
    let shared = Arc::clone(&service.inner().shared);
    (OrderedService::new(service, Arc::clone(&shared)), socket, shared)
}

impl Dispatch {
    /// Runs the prologue now and the rest as a task, which ends when the request is cancelled.
    pub(crate) async fn run<P, R, F>(&self, handler: fn(&mut Session, P) -> F, params: P) -> jsonrpc::Result<R>
    where
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Send + 'static,
    {
        let work = self.shared.with_session(|session| handler(session, params)).ok_or_else(Error::internal_error)?;
        self.run_task(work).await?.map_err(error_of)
    }

    fn answer<P, R>(&self, handler: fn(&mut Session, P) -> Result<R, HandlerError>, params: P) -> jsonrpc::Result<R> {
        let answer = self.shared.with_session(|session| handler(session, params));
        answer.ok_or_else(Error::internal_error)?.map_err(error_of)
    }

    fn note<P>(&self, handler: fn(&mut Session, P), params: P) {
        self.shared.with_session(|session| handler(session, params));
    }

    async fn inline_completion(&self, params: InlineCompletionParams) -> jsonrpc::Result<Option<InlineCompletionList>> {
        self.run(handlers::inline_completion::inline_completion, params).await
    }

    async fn did_show(&self, params: DidShow) {
        self.note(handlers::suggestion::did_show, params);
    }

    async fn did_accept(&self, params: DidAccept) {
        self.note(handlers::suggestion::did_accept, params);
    }

    async fn did_reject(&self, params: DidReject) {
        self.note(handlers::suggestion::did_reject, params);
    }

    async fn context(&self, params: Surroundings) {
        self.note(handlers::context::context, params);
    }

    async fn feedback(&self, params: Feedback) -> jsonrpc::Result<Recorded> {
        self.run(handlers::feedback::feedback, params).await
    }

    async fn explain_last(&self) -> jsonrpc::Result<Explanation> {
        self.answer(handlers::explain_last::explain_last, ())
    }

    async fn status(&self) -> jsonrpc::Result<Status> {
        self.answer(handlers::status::status, ())
    }

    async fn turn_cancel(&self, params: Turn) {
        self.shared.stop_turns(Some(&params.turn));
    }

    async fn progress_cancel(&self, params: WorkDoneProgressCancelParams) {
        if let Some(turn) = agent::turn_of(&params.token) {
            self.shared.stop_turns(Some(turn));
        }
    }

    /// Runs as a task what was begun in wire order; it ends when the request is cancelled.
    async fn run_task<R: Send + 'static>(&self, work: impl Future<Output = R> + Send + 'static) -> jsonrpc::Result<R> {
        match self.shared.tasks.spawn_bound(work).await {
            Ok(Some(answer)) => Ok(answer),
            // The session ends.
            Ok(None) => Err(Error::request_cancelled()),
            Err(error) => {
                tracing::error!(%error, "a handler failed");
                Err(Error::internal_error())
            }
        }
    }
}

#[tower_lsp::async_trait]
impl LanguageServer for Dispatch {
    async fn initialize(&self, _: InitializeParams) -> jsonrpc::Result<InitializeResult> {
        self.answer(handlers::initialize::initialize, ())
    }

    async fn initialized(&self, _: InitializedParams) {
        self.shared.start_announcing();
    }

    async fn shutdown(&self) -> jsonrpc::Result<()> {
        Ok(())
    }

    async fn code_action(&self, params: CodeActionParams) -> jsonrpc::Result<Option<CodeActionResponse>> {
        self.run_task(agent::code_actions(&self.shared, params)).await.map(Some)
    }

    async fn code_lens(&self, params: CodeLensParams) -> jsonrpc::Result<Option<Vec<CodeLens>>> {
        let uri = params.text_document.uri.to_string();
        self.run_task(agent::code_lenses(&self.shared, uri)).await.map(Some)
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> jsonrpc::Result<Option<Value>> {
        if self.shared.agent.is_some()
            && let Some(command) = agent::Command::read(&params)
        {
            let done = match command {
                Ok(command) => self.run_task(agent::execute(&self.shared, command)).await?,
                Err(error) => Err(error),
            };
            if let Err(error) = &done {
                agent::say_why_not(&self.shared, error).await;
            }
            return done.map_err(error_of);
        }
        self.run(handlers::execute_command::execute_command, params).await
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        self.note(handlers::configuration::did_change_configuration, params);
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let new = self.shared.with_session(|session| handlers::folders::did_change(session, params));
        if self.shared.agent.is_some()
            && let Some(new) = new
        {
            self.shared.tasks.spawn_for_session(agent::offer_to_go_on(Arc::clone(&self.shared), new));
        }
    }
}

/// `RequestFailed` of the protocol.
pub(crate) const REQUEST_FAILED: ErrorCode = ErrorCode::ServerError(-32803);

fn error_of(error: HandlerError) -> Error {
    match error {
        HandlerError::BadRequest { reason } => Error::invalid_params(reason),
        HandlerError::Failed { reason } => Error { code: REQUEST_FAILED, message: Cow::Owned(reason), data: None },
    }
}
