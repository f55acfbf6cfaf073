//! `/v1/models`: what may be asked for by name. Anthropic's clients, who say so in a header, get it in their shape.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{Host, Offer, error::ApiError, request::model};

pub(super) async fn list(State(host): State<Host>, headers: HeaderMap) -> Json<Value> {
    let offers = host.models.offers();
    if is_anthropic(&headers) {
        let data: Vec<Value> = offers.iter().map(anthropic).collect();
        let (first, last) = (offers.first().map(|offer| &offer.id), offers.last().map(|offer| &offer.id));
        return Json(json!({"data": data, "has_more": false, "first_id": first, "last_id": last}));
    }
    let data: Vec<Value> = offers.iter().map(openai).collect();
    Json(json!({"object": "list", "data": data}))
}

pub(super) async fn one(State(host): State<Host>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match (find(&host, &id), is_anthropic(&headers)) {
        (Ok(offer), true) => Json(anthropic(&offer)).into_response(),
        (Ok(offer), false) => Json(openai(&offer)).into_response(),
        (Err(error), true) => error.into_anthropic(),
        (Err(error), false) => error.into_response(),
    }
}

fn find(host: &Host, id: &str) -> Result<Offer, ApiError> {
    model::check(id)?;
    let offer = host.models.offers().into_iter().find(|offer| offer.id == id);
    offer.ok_or_else(|| ApiError::model_not_found(id))
}

fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

fn openai(offer: &Offer) -> Value {
    json!({"id": offer.id, "object": "model", "created": offer.created_s, "owned_by": offer.owner})
}

fn anthropic(offer: &Offer) -> Value {
    json!({"type": "model", "id": offer.id, "display_name": offer.id, "created_at": rfc3339(offer.created_s)})
}

/// Seconds since 1970 as a date and a time of day.
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since the first of March of the year 0, in cycles of 400 years.
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_cycle + cycle * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn seconds_become_dates() {
        assert_eq!(super::rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(super::rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(super::rfc3339(1_764_200_000), "2025-11-26T23:33:20Z");
        assert_eq!(super::rfc3339(4_107_542_399), "2100-02-28T23:59:59Z");
    }
}
