//! A cloud, or a server of the user's own, as a [`Provider`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::runtime::Handle;

use super::{
    Endpoint, Gate, Header, InfillWay, Key, Service, Waits, claude,
    exchange::Exchange,
    fill, gemini,
    http::{self, Http},
    openai,
    reader::Reader,
    service::{Dialect, Quirks},
};
use crate::{
    Capabilities, GenerateRequest, GenerateStream, InfillRequest, Lane, LlmError, Message, Origin, OutputFormat,
    Provider, ProviderId, history, limits, redact, retry::Patience, stop::StopMatcher, stream,
};

/// Whether the model is asked to think before it answers. Some think unasked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thinking {
    #[default]
    Off,
    /// Tokens for it, beside those of the answer. Claude wants 1024 at least.
    Tokens(usize),
}

/// What is to be known of a provider. No way to print it shows a key.
#[derive(Debug, Clone)]
pub struct CloudSpec {
    pub id: ProviderId,
    pub service: Service,
    pub model: String,
    pub endpoint: Endpoint,
    /// Servers of one's own often have none.
    pub key: Option<Key>,
    pub headers: Vec<Header>,
    /// The address of a proxy; it may hold a password. Without one the environment's holds.
    pub proxy: Option<Key>,
    pub waits: Waits,
    pub infill: InfillWay,
    pub thinking: Thinking,
    pub context_tokens_max: usize,
    /// The model sees pictures.
    pub images: bool,
}

impl CloudSpec {
    /// What an error must not show.
    pub(super) fn secrets(&self) -> Vec<Key> {
        self.key.iter().cloned().chain(self.headers.iter().flat_map(|header| header.value.words())).collect()
    }

    /// A provider with the usual settings of its service.
    #[must_use]
    pub fn new(id: ProviderId, service: Service, model: impl Into<String>, endpoint: Endpoint) -> Self {
        Self {
            id,
            service,
            model: model.into(),
            endpoint,
            key: None,
            headers: Vec::new(),
            proxy: None,
            waits: Waits::default(),
            infill: service.infill(),
            thinking: Thinking::Off,
            context_tokens_max: limits::CONTEXT_TOKENS_DEFAULT,
            images: service != Service::Compatible,
        }
    }

    /// A client with the headers and the proxy of every request. Opens no connection.
    pub(super) fn http(&self) -> Result<Http, String> {
        let fixed = self.service.headers(self.key.as_ref());
        let fixed: Vec<(&'static str, &str)> = fixed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers = http::headers(&fixed, &self.headers)?;
        Http::new(&self.endpoint, headers, self.proxy.as_ref().map(Key::reveal), &self.waits)
    }
}

/// A setting that no request can be sent with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {problem}")]
pub struct BadSpec {
    pub provider: ProviderId,
    pub problem: String,
}

/// A provider over HTTP.
#[derive(Clone)]
pub struct CloudProvider {
    spec: Arc<CloudSpec>,
    http: Http,
    gate: Gate,
    runtime: Handle,
    answers: Arc<AtomicU64>,
}

impl fmt::Debug for CloudProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudProvider").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl CloudProvider {
    /// `gate` is asked before anything leaves; requests run on `runtime`. Opens no connection.
    ///
    /// # Errors
    /// [`BadSpec`] if a header, the proxy or the model's name is none.
    pub fn new(spec: CloudSpec, gate: Gate, runtime: Handle) -> Result<Self, BadSpec> {
        let bad = |problem: String| BadSpec { provider: spec.id.clone(), problem };
        if spec.model.trim().is_empty() {
            return Err(bad("no model is named".to_owned()));
        }
        let http = spec.http().map_err(&bad)?;
        Ok(Self { spec: Arc::new(spec), http, gate, runtime, answers: Arc::default() })
    }

    fn quirks(&self) -> Quirks {
        self.spec.service.quirks(&self.spec.model)
    }

    /// What goes out: no secrets unless it stays here, and a history that the service takes.
    fn prepared(&self, mut request: GenerateRequest) -> GenerateRequest {
        if !self.spec.endpoint.is_loopback() {
            request.messages.iter_mut().for_each(redact_message);
        }
        let rules = self.spec.service.history_rules(self.spec.images);
        request.messages = history::valid_for(&request.messages, &rules);
        request
    }

    fn start(
        &self,
        origin: Origin,
        path: &[&str],
        body: Vec<u8>,
        patience: Patience,
        reader: Box<dyn Fn() -> Reader + Send + Sync>,
    ) -> GenerateStream {
        let (sender, receiver) = stream();
        let spec = &self.spec;
        let mut url = spec.endpoint.join(path);
        if spec.service.dialect() == Dialect::Gemini {
            url.set_query(Some("alt=sse"));
        }
        let exchange = Exchange {
            provider: spec.id.clone(),
            model: spec.model.clone(),
            origin,
            http: self.http.clone(),
            gate: Arc::clone(&self.gate),
            host: spec.endpoint.host(),
            is_loopback: spec.endpoint.is_loopback(),
            url,
            body,
            secrets: spec.secrets(),
            // Nobody waits longer for a piece than for the whole.
            waits: Waits { between_bytes: spec.waits.between_bytes.min(patience.total), ..spec.waits },
            patience,
            tokens_max: spec.context_tokens_max,
            reader,
        };
        // The task ends with its reader, and with the runtime.
        drop(self.runtime.spawn(exchange.run(sender)));
        receiver
    }

    /// A conversation; `at` is the text before the cursor if it is text at a cursor that is wanted.
    fn converse(
        &self,
        request: GenerateRequest,
        thinking: Thinking,
        patience: Patience,
        at: Option<String>,
        stops: StopMatcher,
    ) -> GenerateStream {
        let request = self.prepared(request);
        let model = self.spec.model.as_str();
        let dialect = self.spec.service.dialect();
        let model_path = format!("{}:streamGenerateContent", model.trim_start_matches("models/"));
        let (path, body) = match dialect {
            Dialect::OpenAi => (vec!["chat", "completions"], openai::chat(&request, model, &self.quirks())),
            Dialect::Claude => (vec!["messages"], claude::messages(&request, model, thinking)),
            Dialect::Gemini => (vec!["models", &model_path], gemini::contents(&request, thinking)),
        };
        let (tokens_max, number) = (self.spec.context_tokens_max, self.answers.fetch_add(1, Ordering::Relaxed));
        let (origin, body) = (request.origin.clone(), body.to_string().into_bytes());
        let prompt_bytes = body.len().saturating_sub(picture_bytes(&request.messages));
        let reader = Box::new(move || {
            let reader = Reader::of_chat(dialect, &request, tokens_max, number).stopping(stops.clone(), prompt_bytes);
            match &at {
                Some(prefix) => reader.peeling(prefix),
                None => reader,
            }
        });
        self.start(origin, &path, body, patience, reader)
    }

    fn refused(&self, reason: &str) -> GenerateStream {
        GenerateStream::failed(LlmError::Refused { reason: format!("{}: {reason}", self.spec.id) })
    }
}

impl Provider for CloudProvider {
    fn id(&self) -> ProviderId {
        self.spec.id.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: self.spec.model.clone(),
            fill_in_the_middle: self.spec.infill != InfillWay::No,
            chat: true,
            tools: true,
            // They promise it, and the promise is checked when the answer is read.
            structured_output: false,
            context_tokens_max: self.spec.context_tokens_max,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        if request.lane == Lane::Warm {
            // Nothing is kept there, and every request costs.
            return GenerateStream::failed(LlmError::Cancelled);
        }
        if matches!(request.output, OutputFormat::Grammar(_)) {
            return self.refused("it cannot be bound to a grammar");
        }
        let stops = match StopMatcher::new(&request.sampling.stop) {
            Ok(stops) => stops,
            Err(error) => return self.refused(&error.to_string()),
        };
        let patience = Patience { total: limits::CHAT_PATIENCE, tries: limits::TRIES_MAX };
        self.converse(request, self.spec.thinking, patience, None, stops)
    }

    fn infill(&self, mut request: InfillRequest) -> GenerateStream {
        if request.lane == Lane::Warm {
            return GenerateStream::failed(LlmError::Cancelled);
        }
        let path = match self.spec.infill {
            InfillWay::No => return self.refused("it does not fill in text between two texts"),
            InfillWay::Completions => Some(vec!["completions"]),
            InfillWay::Fim => Some(vec!["fim", "completions"]),
            InfillWay::Chat => None,
        };
        if !self.spec.endpoint.is_loopback() {
            redact_text(&mut request.prefix);
            redact_text(&mut request.suffix);
            request.context.excerpts.retain(|excerpt| !excerpt.is_foreign);
            for excerpt in &mut request.context.excerpts {
                excerpt.text = redact::redact(&excerpt.text).into();
            }
        }
        let stops = match StopMatcher::new(&request.sampling.stop) {
            Ok(stops) => stops,
            Err(error) => return self.refused(&error.to_string()),
        };
        let patience = Patience { total: limits::INFILL_PATIENCE, tries: limits::INFILL_TRIES };
        let Some(path) = path else {
            return self.converse(fill::question(&request), Thinking::Off, patience, Some(request.prefix), stops);
        };
        let body = openai::infill(&request, &self.spec.model, &self.quirks()).to_string().into_bytes();
        let (tokens_max, prompt_bytes) = (self.spec.context_tokens_max, body.len());
        let reader = Box::new(move || Reader::of_infill(tokens_max).stopping(stops.clone(), prompt_bytes));
        self.start(request.origin, &path, body, patience, reader)
    }
}

/// What of a request is no text.
fn picture_bytes(messages: &[Message]) -> usize {
    let of = |message: &Message| match message {
        Message::Image(image) => image.base64.len(),
        Message::System(_) | Message::User(_) | Message::Assistant(_) | Message::ToolResult(_) => 0,
    };
    messages.iter().map(of).sum()
}

fn redact_text(text: &mut String) {
    if let std::borrow::Cow::Owned(clean) = redact::redact(text) {
        *text = clean;
    }
}

fn redact_message(message: &mut Message) {
    match message {
        Message::System(text) | Message::User(text) => redact_text(text),
        Message::Image(_) => {}
        Message::ToolResult(result) => redact_text(&mut result.text),
        Message::Assistant(answer) => {
            redact_text(&mut answer.text);
            redact_text(&mut answer.reasoning);
            for call in &mut answer.tool_calls {
                redact_text(&mut call.arguments_json);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
