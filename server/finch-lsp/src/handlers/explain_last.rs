//! `finch/explainLast`: why there was a suggestion, or none, and what it cost.

use std::time::Duration;

use finch_complete::Source;

use crate::handlers::HandlerError;
use crate::records::Record;
use crate::session::Session;
use crate::why::Why;
use crate::wire::explain::{self, Explanation, Fate, Millis};

pub(crate) fn explain_last(session: &mut Session, (): ()) -> Result<Explanation, HandlerError> {
    let mut explanation = match session.records.last() {
        Some((record, fate)) => explanation(record, fate),
        None => explanation(Record::new(0, "", None), None),
    };
    // Requests that did not come as far as a provider would have gone to this one.
    if explanation.provider.is_empty() {
        explanation.provider = session.provider.id().to_string();
        explanation.model = session.provider.capabilities().model;
    }
    Ok(explanation)
}

fn explanation(record: Record, fate: Option<Fate>) -> Explanation {
    let message = match (&record.why, record.source) {
        (Some(why), _) => why.sentence(),
        (None, Some(Source::Model)) => "the model made a suggestion".to_owned(),
        (None, Some(Source::Cache)) => "the same place was asked about before; that suggestion still fits".to_owned(),
        (None, Some(Source::TypedThrough)) => "the rest of the suggestion that is being typed".to_owned(),
        (None, Some(Source::InFlight)) => "the model was just saying what is being typed".to_owned(),
        (None, None) => "no suggestion was asked for yet: type in an open document".to_owned(),
    };
    Explanation {
        id: record.id,
        reason: record.why.as_ref().map(Why::to_string),
        message,
        uri: Some(record.uri).filter(|uri| !uri.is_empty()),
        version: record.version,
        provider: record.provider,
        model: record.model,
        source: record.source.map(source_of),
        prompt_tokens: record.usage.prompt_tokens as u64,
        cached_tokens: record.usage.cached_tokens as u64,
        suffix_tokens: record.usage.suffix_tokens as u64,
        generated_tokens: record.usage.generated_tokens as u64,
        ms: Millis {
            prefill: millis(record.times.prefill),
            decode: millis(record.times.decode),
            total: millis(record.times.total),
        },
        fate,
    }
}

fn source_of(source: Source) -> explain::Source {
    match source {
        Source::Model => explain::Source::Model,
        Source::Cache => explain::Source::Cache,
        Source::TypedThrough => explain::Source::TypedThrough,
        Source::InFlight => explain::Source::InFlight,
    }
}

/// Milliseconds to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
