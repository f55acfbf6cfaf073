//! Whether a service takes a key, asked in the cheapest way there is: the list of its models. It costs nothing, and nothing
//! but the key and the headers of every request goes along.
//!
//! Asks no gate and knows no policy: whoever calls it has the user's word that this key may go there now. One try, one
//! deadline for the whole of it.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use url::Url;

use super::{
    CloudSpec, Service,
    http::{self, Http},
    service::Dialect,
    status::{self, Refusal},
};
use crate::{LlmError, limits};

/// What a service that took the key says of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Listed,
    /// The list is whole and the model is not in it. Some services answer by names that they do not list.
    NotListed,
    /// The list goes on, or is none that finch can read.
    Unknown,
}

/// Asks the service for its models, within some seconds.
///
/// # Errors
/// [`LlmError::Unauthorized`] if it refuses the key; any other error leaves open whether the key is good.
pub async fn check(spec: &CloudSpec) -> Result<Checked, LlmError> {
    check_within(spec, limits::CHECK_WAIT).await
}

async fn check_within(spec: &CloudSpec, wait: Duration) -> Result<Checked, LlmError> {
    let http = spec.http().map_err(|reason| LlmError::Refused { reason })?;
    match tokio::time::timeout(wait, ask(spec, &http, wait)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(http::silence(wait)),
    }
}

async fn ask(spec: &CloudSpec, http: &Http, wait: Duration) -> Result<Checked, LlmError> {
    let response = http.get(url(spec), wait).await?;
    let status = response.status();
    if !status.is_success() {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = http::small_body(response, wait).await;
        let refusal = Refusal { status: status.as_u16(), retry_after: retry_after.as_deref(), body: &body };
        return Err(status::error(refusal, &spec.secrets(), spec.context_tokens_max));
    }
    let Some(body) = http::whole_body(response, limits::MODELS_BYTES_MAX, wait).await? else {
        return Ok(Checked::Unknown);
    };
    // Not the service, then: a page of a proxy or of a hotel, or an address that leads elsewhere.
    let no_json =
        |_| LlmError::Protocol { reason: "the answer to GET models is no JSON; check the address".to_owned() };
    let list: Value = serde_json::from_slice(&body).map_err(no_json)?;
    match status::in_stream(&list, &spec.secrets(), spec.context_tokens_max) {
        Some(error) => Err(error),
        None => Ok(found(spec.service, &spec.model, &list)),
    }
}

/// The address of the list, with as long a page as the service has.
fn url(spec: &CloudSpec) -> Url {
    let mut url = spec.endpoint.join(&["models"]);
    url.set_query(match spec.service.dialect() {
        Dialect::Claude => Some("limit=1000"),
        Dialect::Gemini => Some("pageSize=1000"),
        Dialect::OpenAi => None,
    });
    url
}

/// Whether the model is in the list.
fn found(service: Service, model: &str, list: &Value) -> Checked {
    let dialect = service.dialect();
    let (entries, id) = if dialect == Dialect::Gemini { ("models", "name") } else { ("data", "id") };
    let Some(entries) = list[entries].as_array() else { return Checked::Unknown };
    let names = entries.iter().flat_map(|entry| {
        let others = entry["aliases"].as_array().into_iter().flatten();
        std::iter::once(&entry[id]).chain(others).filter_map(Value::as_str)
    });
    // Gemini puts the kind before its names, and some servers of one's own a tag behind them.
    let bare = |name: &str| name.trim_start_matches("models/").trim_end_matches(":latest").to_owned();
    let (wanted, mut seen) = (bare(model.trim()), false);
    for name in names {
        seen = true;
        if bare(name) == wanted {
            return Checked::Listed;
        }
    }
    let goes_on = list["has_more"] == true || list["nextPageToken"].as_str().is_some_and(|token| !token.is_empty());
    if seen && !goes_on { Checked::NotListed } else { Checked::Unknown }
}

#[cfg(test)]
mod tests;
