//! `logprobs`: how probable each token of an answer was, in OpenAI's two shapes. Pure.

use finch_llm::{ALTERNATIVES_MAX, ScoredToken, TokenScore};
use serde_json::{Map, Value, json};

use crate::{answer::Asker, error::ApiError, request::Fields};

/// How improbable a token is told to be at most: JSON knows no infinity.
const LOG_PROBABILITY_MIN: f32 = -9999.0;

/// What a conversation asks for: `logprobs`, and with it `top_logprobs`.
pub(crate) fn of_a_chat(fields: &mut Fields) -> Result<Option<usize>, ApiError> {
    let (wanted, path) = (fields.flag("logprobs")? == Some(true), fields.path("top_logprobs"));
    match (wanted, fields.whole("top_logprobs", 0..=ALTERNATIVES_MAX)?) {
        (true, count) => Ok(Some(count.unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(ApiError::invalid(path, "has to go with logprobs: true")),
    }
}

/// What a completion asks for: `logprobs` is the number of alternatives.
pub(crate) fn of_a_completion(fields: &mut Fields) -> Result<Option<usize>, ApiError> {
    // As a conversation says it.
    match fields.take("logprobs") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::Number(number)) if number.as_u64().is_some_and(|number| number <= ALTERNATIVES_MAX as u64) => {
            Ok(number.as_u64().and_then(|number| usize::try_from(number).ok()))
        }
        Some(_) => {
            let problem = format!("has to be a whole number from 0 to {ALTERNATIVES_MAX}");
            Err(ApiError::invalid(fields.path("logprobs"), &problem))
        }
    }
}

/// Whether the one who answers can tell.
pub(crate) fn check(alternatives: Option<usize>, asker: &Asker) -> Result<(), ApiError> {
    if alternatives.is_some() && !asker.provider.scores_tokens(&asker.origin) {
        return Err(ApiError::unsupported("logprobs", "is told by local models alone"));
    }
    Ok(())
}

/// The `logprobs` of a choice of a conversation; null where none are asked for.
pub(crate) fn chat(scored: &[ScoredToken]) -> Value {
    if scored.is_empty() {
        return Value::Null;
    }
    let one = |score: &TokenScore| json!({"token": text(score), "logprob": number(score), "bytes": score.bytes});
    let content = scored.iter().map(|token| {
        let mut told = one(&token.chosen);
        told["top_logprobs"] = token.likeliest.iter().map(one).collect();
        told
    });
    json!({"content": content.collect::<Value>(), "refusal": null})
}

/// The `logprobs` of a choice of a completion; null where none are asked for. `offset` is how many characters stand
/// before the first token.
pub(crate) fn completion(scored: &[ScoredToken], mut offset: usize) -> Value {
    if scored.is_empty() {
        return Value::Null;
    }
    let mut offsets = Vec::new();
    for token in scored {
        offsets.push(offset);
        offset += text(&token.chosen).chars().count();
    }
    let likeliest = |token: &ScoredToken| -> Map<String, Value> {
        token.likeliest.iter().map(|score| (text(score), number(score).into())).collect()
    };
    json!({
        "tokens": scored.iter().map(|token| text(&token.chosen)).collect::<Vec<_>>(),
        "token_logprobs": scored.iter().map(|token| number(&token.chosen)).collect::<Vec<_>>(),
        "top_logprobs": scored.iter().map(likeliest).collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}

fn text(score: &TokenScore) -> String {
    String::from_utf8_lossy(&score.bytes).into_owned()
}

fn number(score: &TokenScore) -> f32 {
    score.log_probability.max(LOG_PROBABILITY_MIN)
}

#[cfg(test)]
mod tests {
    use finch_llm::{ScoredToken, TokenScore};
    use serde_json::json;

    use super::{chat, completion};

    fn score(text: &[u8], log_probability: f32) -> TokenScore {
        TokenScore { bytes: text.to_vec(), log_probability }
    }

    fn scored() -> [ScoredToken; 2] {
        let (yes, half) = (score(b" yes", -0.25), score(&[0xC3], f32::NEG_INFINITY));
        [
            ScoredToken { chosen: yes.clone(), likeliest: vec![yes, score(b" no", -1.5)] },
            ScoredToken { chosen: half, likeliest: Vec::new() },
        ]
    }

    #[test]
    fn a_conversation_tells_tokens_with_their_bytes() {
        let yes = json!({"token": " yes", "logprob": -0.25, "bytes": [32, 121, 101, 115]});
        let mut first = yes.clone();
        first["top_logprobs"] = json!([yes, {"token": " no", "logprob": -1.5, "bytes": [32, 110, 111]}]);
        let second = json!({"token": "\u{fffd}", "logprob": -9999.0, "bytes": [0xC3], "top_logprobs": []});
        assert_eq!(chat(&scored()), json!({"content": [first, second], "refusal": null}));
        assert_eq!(chat(&[]), json!(null));
    }

    #[test]
    fn a_completion_tells_where_each_token_stands() {
        let expected = json!({
            "tokens": [" yes", "\u{fffd}"],
            "token_logprobs": [-0.25, -9999.0],
            "top_logprobs": [{" yes": -0.25, " no": -1.5}, {}],
            "text_offset": [3, 7],
        });
        assert_eq!(completion(&scored(), 3), expected);
        assert_eq!(completion(&[], 0), json!(null));
    }
}
