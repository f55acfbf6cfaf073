//! `POST /v1/feedback`: what a person says of an answer, acknowledged once it survives a power cut.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use finch_learn::record::{About, Event, Feedback, Record, Verdict};
use finch_learn::{Collect, Journal};
use tokio::sync::oneshot;

use crate::Host;
use crate::limits::FEEDBACK_WAIT;
use crate::serve::Refusal;
use crate::wire::{FeedbackAnswer, FeedbackRequest, SeverityWire, VerdictWire};

pub(crate) async fn feedback(State(host): State<Host>, uri: Uri, body: Bytes) -> Response {
    match take(&host, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refusal.answer(uri.path()),
    }
}

async fn take(host: &Host, body: &[u8]) -> Result<FeedbackAnswer, Refusal> {
    let Some(journal) = &host.journal else {
        return Err(unavailable("learning_off", "nothing is recorded: learning.enabled is false in the configuration"));
    };
    let request = parse(body)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let answer = FeedbackAnswer {
        id: journal.feedback_id(now_ms),
        weight: verdict(&request).weight(),
        keeps_correction: request.correction.is_some() && journal.collect() == Collect::Text,
    };
    let (sender, written) = oneshot::channel();
    let done = move |result| {
        if sender.send(result).is_err() {
            tracing::debug!("nobody waits for that feedback any more");
        }
    };
    journal.record_then(record(journal, now_ms, request, &answer), done);
    match tokio::time::timeout(FEEDBACK_WAIT, written).await {
        Ok(Ok(Ok(()))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(unavailable("journal", error.to_string())),
        Ok(Err(_)) => Err(unavailable("journal", "the journal has ended; nothing was recorded")),
        Err(_) => Err(unavailable("journal", "the disk did not answer in time; whether it is recorded is not known")),
    }
}

fn unavailable(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
}

fn parse(body: &[u8]) -> Result<FeedbackRequest, Refusal> {
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, "bad_feedback", message);
    let request: FeedbackRequest = serde_json::from_slice(body).map_err(|error| bad(said(&error)))?;
    if request.verdict == VerdictWire::Good && request.severity.is_some() {
        return Err(bad("what is good has no severity".to_owned()));
    }
    for (name, text, bytes_max) in [
        ("note", &request.note, finch_learn::NOTE_BYTES_MAX),
        ("correction", &request.correction, finch_learn::TEXT_BYTES_MAX),
    ] {
        if text.as_ref().is_some_and(|text| text.len() > bytes_max) {
            return Err(bad(format!("`{name}` has more than {bytes_max} bytes, and would not be kept whole")));
        }
    }
    Ok(request)
}

/// Where it is wrong and how, without what stands there.
fn said(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => format!(
            "at {place}: not what feedback looks like: `verdict` is `good` or `bad`, `severity` `minor` or `major`, and \
             docs/daemon.md has the other members"
        ),
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            format!("at {place}: not JSON")
        }
    }
}

fn verdict(request: &FeedbackRequest) -> Verdict {
    match (request.verdict, request.severity) {
        (VerdictWire::Good, _) => Verdict::Good,
        (VerdictWire::Bad, Some(SeverityWire::Minor)) => Verdict::BadMinor,
        (VerdictWire::Bad, Some(SeverityWire::Major) | None) => Verdict::Bad,
    }
}

fn record(journal: &Journal, now_ms: u64, request: FeedbackRequest, answer: &FeedbackAnswer) -> Record {
    let about = About {
        session: request.session.unwrap_or_else(|| journal.session().to_owned()),
        suggestion: request.suggestion,
        language: request.language,
        provider: request.provider,
        model: request.model,
        adapter: request.adapter,
        source: request.source,
    };
    let note = request.note.filter(|note| !note.trim().is_empty());
    let feedback = Feedback { id: answer.id, weight: answer.weight, note, correction: request.correction };
    Record::new(now_ms, about, Event::Feedback(feedback))
}
