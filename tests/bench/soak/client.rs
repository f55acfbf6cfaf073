//! Requests of clients of the API that are right, and whether their answers are.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use finch_http::endpoint::Token;
use finch_llm::sse::SseParser;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::tally::Outcome;

/// What the local model and the cloud are called in answers.
const LOCAL: &str = "local";
const CLOUD: &str = "openai";
/// The one answer of that cloud.
const CLOUD_SAYS: &str = "Mock response from gpt-4o-mini.";
const TOKENS: usize = 24;

/// The daemon's door, as somebody with the token sees it.
pub(super) struct Door {
    client: Client,
    pub(super) address: SocketAddr,
    pub(super) token: Token,
}

/// A stream that came to an end, whichever.
struct Told {
    text: String,
    provider: String,
    /// What it said of its breaking off, if it did.
    error: Option<Value>,
}

impl Door {
    pub(super) fn new(address: SocketAddr, token: Token) -> Result<Self> {
        Ok(Self { client: Client::builder().no_proxy().build()?, address, token })
    }

    async fn send(&self, path: &str, body: String) -> Result<Response> {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(self.token.expose());
        Ok(request.header("content-type", "application/json").body(body).send().await?)
    }

    pub(super) async fn post(&self, path: &str, body: String) -> Result<(u16, String)> {
        let response = self.send(path, body).await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    pub(super) async fn status(&self) -> Result<Value> {
        let url = format!("http://{}/v1/status", self.address);
        let response = self.client.get(url).bearer_auth(self.token.expose()).send().await?;
        let (status, body) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    pub(super) async fn running(&self) -> Result<u64> {
        self.status().await?["requests"]["running"].as_u64().context("no count of what is under way")
    }

    async fn whole(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, body) = self.post(path, body.to_string()).await?;
        ensure!(status == 200, "{status}: {body}");
        let answer: Value = serde_json::from_str(&body)?;
        ensure!(answer["choices"][0]["finish_reason"].is_string(), "no finish_reason: {answer}");
        ensure!(answer["usage"]["completion_tokens"].as_u64() > Some(0), "no tokens: {answer}");
        Ok(answer)
    }

    /// Reads a stream to its end: `[DONE]` behind a `finish_reason`, or an error and nothing behind it.
    async fn streamed(&self, path: &str, body: &Value) -> Result<Told> {
        let mut response = self.send(path, body.to_string()).await?;
        if !response.status().is_success() {
            bail!("{}: {}", response.status(), response.text().await?);
        }
        let (mut parser, mut events) = (SseParser::default(), Vec::new());
        let mut told = Told { text: String::new(), provider: String::new(), error: None };
        let (mut id, mut has_reason, mut is_done) = (None, false, false);
        while let Some(bytes) = response.chunk().await? {
            parser.push(&bytes, &mut events)?;
            for event in events.drain(..) {
                ensure!(!is_done && told.error.is_none(), "something behind the end: {}", event.data);
                if event.data == "[DONE]" {
                    is_done = true;
                    continue;
                }
                let event: Value = serde_json::from_str(&event.data)?;
                if event.get("error").is_some() {
                    told.error = Some(event);
                    continue;
                }
                let is_same = *id.get_or_insert_with(|| event["id"].clone()) == event["id"];
                ensure!(is_same, "another id: {event}");
                let choice = &event["choices"][0];
                told.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
                has_reason |= choice["finish_reason"].is_string();
                if let Some(provider) = event["finch"]["provider"].as_str() {
                    told.provider = provider.to_owned();
                }
            }
        }
        ensure!(told.error.is_some() || (has_reason && is_done), "the stream ended without saying so");
        Ok(told)
    }

    pub(super) async fn chat_whole(&self, number: usize) -> Result<Outcome> {
        let answer = self.whole("/v1/chat/completions", &local_chat(number)).await?;
        ensure!(answer["finch"]["provider"] == LOCAL, "another answered: {answer}");
        is_for(number, answer["choices"][0]["message"]["content"].as_str().unwrap_or_default())
    }

    pub(super) async fn chat_streamed(&self, number: usize) -> Result<Outcome> {
        let mut body = local_chat(number);
        body["stream"] = true.into();
        let told = self.streamed("/v1/chat/completions", &body).await?;
        ensure!(told.error.is_none() && told.provider == LOCAL, "{:?} of {}", told.error, told.provider);
        is_for(number, &told.text)
    }

    pub(super) async fn completion(&self, number: usize) -> Result<Outcome> {
        let prompt = format!("def value_{number}(a, b):\n    total = ");
        let body = json!({
            "model": LOCAL, "prompt": prompt, "suffix": "\n    return total\n", "max_tokens": TOKENS, "temperature": 0,
        });
        let answer = self.whole("/v1/completions", &body).await?;
        ensure!(answer["finch"]["provider"] == LOCAL, "another answered: {answer}");
        ensure!(answer["choices"][0]["text"].is_string(), "no text: {answer}");
        Ok(Outcome::Right)
    }

    pub(super) async fn cloud_whole(&self, number: usize) -> Result<Outcome> {
        let (status, body) = self.post("/v1/chat/completions", cloud_chat(number).to_string()).await?;
        let answer: Value = serde_json::from_str(&body)?;
        // What broke off behind its first words is not begun anew.
        if status == 502 && answer["error"]["code"].is_string() {
            return Ok(Outcome::BrokeOff);
        }
        ensure!(status == 200, "{status}: {body}");
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        by_cloud_or_instead(answer["finch"]["provider"].as_str().unwrap_or_default(), text)
    }

    pub(super) async fn cloud_streamed(&self, number: usize) -> Result<Outcome> {
        let mut body = cloud_chat(number);
        body["stream"] = true.into();
        let told = self.streamed("/v1/chat/completions", &body).await?;
        if told.error.is_some() {
            return Ok(Outcome::BrokeOff);
        }
        by_cloud_or_instead(&told.provider, &told.text)
    }
}

/// A question to the local model that has one right answer: JSON with this number.
fn local_chat(number: usize) -> Value {
    let schema = json!({
        "type": "object", "properties": {"ticket": {"type": "string", "enum": [ticket(number)]}},
        "required": ["ticket"], "additionalProperties": false,
    });
    json!({
        "model": LOCAL, "max_tokens": 96, "temperature": 0,
        "messages": [{"role": "user", "content": format!("Say the ticket {} in JSON.", ticket(number))}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "ticket", "strict": true, "schema": schema}},
    })
}

/// A question to whoever comes first in the configuration: the cloud.
fn cloud_chat(number: usize) -> Value {
    json!({
        "max_tokens": TOKENS, "temperature": 0,
        "messages": [{"role": "user", "content": format!("I have {}. Hello?", ticket(number))}],
    })
}

fn ticket(number: usize) -> String {
    format!("ticket-{number}")
}

/// Whether an answer is the one to this request.
fn is_for(number: usize, text: &str) -> Result<Outcome> {
    let answer: Value = serde_json::from_str(text).with_context(|| format!("not JSON: {text:?}"))?;
    ensure!(answer == json!({"ticket": ticket(number)}), "not what was asked for: {answer}");
    Ok(Outcome::Right)
}

fn by_cloud_or_instead(provider: &str, text: &str) -> Result<Outcome> {
    ensure!(!text.is_empty(), "no text of {provider}");
    match provider {
        CLOUD => {
            ensure!(text == CLOUD_SAYS, "not what the cloud said: {text:?}");
            Ok(Outcome::Right)
        }
        LOCAL => Ok(Outcome::Instead),
        other => bail!("{other:?} answered"),
    }
}
