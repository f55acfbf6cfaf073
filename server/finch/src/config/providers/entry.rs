//! From an entry as it is written to a provider that can be asked: every setting is checked, and the absent ones are
//! filled in.

use std::ops::RangeInclusive;
use std::time::Duration;

use finch_llm::cloud::{Cleartext, Endpoint, Header, Key, Service, Thinking, Waits};

use super::raw::{CostConfig, KeyCommand, ProviderConfig, TimeoutsConfig};
use super::{CloudConfig, KeyWays, Refusal, refuse};
use crate::config::problem::Place;
use crate::config::secret::{HeaderSecret, Secret};
use crate::limits;
use crate::services;

/// The least that Claude takes for thinking.
const CLAUDE_THINKING_TOKENS_MIN: usize = 1024;

pub(super) fn cloud(
    raw: ProviderConfig,
    name: String,
    service: Service,
    place: Place,
    label: String,
) -> Result<CloudConfig, Refusal> {
    let Some(model) = model(raw.model)?.or_else(|| services::row(service).and_then(|row| row.model).map(str::to_owned))
    else {
        return refuse("model", format!("{} needs one; name a model that the server has", raw.kind.word()));
    };
    Ok(CloudConfig {
        name,
        service,
        model,
        endpoint: endpoint(raw.base_url, raw.allow_http, service)?,
        key: key(raw.api_key, raw.api_key_env, raw.api_key_cmd)?,
        headers: raw.headers.into_iter().map(header).collect::<Result<_, _>>()?,
        proxy: raw.proxy.map(proxy).transpose()?,
        waits: waits(raw.timeouts)?,
        infill: raw.infill.map_or_else(|| service.infill(), Into::into),
        thinking: thinking(raw.thinking_tokens, service)?,
        context_tokens_max: raw.context_tokens_max.map(context_tokens_max).transpose()?,
        images: raw.images,
        cost: raw.cost.map(cost).transpose()?,
        place,
        label,
    })
}

/// The name of an entry, or that of its type.
pub(super) fn name(raw: &ProviderConfig) -> Result<String, Refusal> {
    match raw.name.as_deref().map(str::trim) {
        None => Ok(raw.kind.word().to_owned()),
        Some(name) if is_name(name) => Ok(name.to_owned()),
        Some(_) => {
            refuse("name", format!("write 1 to {} characters, all of them printable", limits::PROVIDER_NAME_CHARS_MAX))
        }
    }
}

/// Whether it can be shown as a name.
pub(super) fn is_name(text: &str) -> bool {
    (1..=limits::PROVIDER_NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

pub(super) fn model(model: Option<String>) -> Result<Option<String>, Refusal> {
    match model {
        Some(model) if model.trim().is_empty() => refuse("model", "it is empty; name one or remove the line"),
        Some(model) => Ok(Some(model.trim().to_owned())),
        None => Ok(None),
    }
}

fn endpoint(base_url: Option<String>, allow_http: bool, service: Service) -> Result<Endpoint, Refusal> {
    let cleartext = if allow_http { Cleartext::Anywhere } else { Cleartext::Loopback };
    let usual = service.base_url().map(str::to_owned);
    let Some(address) = base_url.or(usual) else {
        return refuse("base_url", "this type needs one, such as http://127.0.0.1:8080/v1");
    };
    Endpoint::new(&address, cleartext).or_else(|bad| {
        let hint = if bad.problem.contains("unencrypted") { "; `allow_http = true` allows it" } else { "" };
        refuse("base_url", format!("{bad}{hint}"))
    })
}

fn key(key: Option<Secret>, variable: Option<String>, command: Option<KeyCommand>) -> Result<KeyWays, Refusal> {
    let variable = match variable.map(|name| name.trim().to_owned()) {
        // A key was pasted where its variable is to be named; it is not repeated.
        Some(name) if !is_variable(&name) => {
            return refuse(
                "api_key_env",
                "write the name of an environment variable; a key itself goes into `api_key`",
            );
        }
        variable => variable,
    };
    let is_empty = match &command {
        Some(KeyCommand::Shell(line)) => line.trim().is_empty(),
        Some(KeyCommand::Program(words)) => words.first().is_none_or(|program| program.trim().is_empty()),
        None => false,
    };
    if is_empty {
        return refuse("api_key_cmd", "it names no program");
    }
    Ok(KeyWays { key: key.map(|secret| secret.0), variable, command })
}

fn is_variable(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn header((name, HeaderSecret(value)): (String, HeaderSecret)) -> Result<Header, Refusal> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !name.is_empty() && name.bytes().all(is_token) {
        true => Ok(Header { name, value }),
        false => refuse("headers", format!("{name:?} is no name of a header; use letters, digits and hyphens")),
    }
}

/// It may hold a password, so it is not repeated.
fn proxy(address: String) -> Result<Key, Refusal> {
    let is_known = match address.trim().split_once("://") {
        Some((scheme, host)) => ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) && !host.is_empty(),
        None => true,
    };
    match Key::new(&address) {
        Ok(key) if is_known => Ok(key),
        _ => refuse("proxy", "it is no address of a proxy; use one such as http://host:3128"),
    }
}

fn waits(timeouts: TimeoutsConfig) -> Result<Waits, Refusal> {
    let usual = Waits::default();
    let wait = |name: &str, ms: Option<u64>, usual: Duration| match ms {
        None => Ok(usual),
        Some(ms) if limits::PROVIDER_WAIT_MS.contains(&ms) => Ok(Duration::from_millis(ms)),
        Some(ms) => refuse("timeouts", format!("{name} is {ms}, and must be {}", bounds(&limits::PROVIDER_WAIT_MS))),
    };
    Ok(Waits {
        connect: wait("connect_ms", timeouts.connect_ms, usual.connect)?,
        first_byte: wait("first_byte_ms", timeouts.first_byte_ms, usual.first_byte)?,
        between_bytes: wait("between_bytes_ms", timeouts.between_bytes_ms, usual.between_bytes)?,
    })
}

fn thinking(tokens: usize, service: Service) -> Result<Thinking, Refusal> {
    let least = if service == Service::Claude { CLAUDE_THINKING_TOKENS_MIN } else { 1 };
    let range = least..=limits::PROVIDER_CONTEXT_TOKENS_MAX;
    match tokens {
        0 => Ok(Thinking::Off),
        _ if range.contains(&tokens) => Ok(Thinking::Tokens(tokens)),
        _ => refuse("thinking_tokens", format!("it is {tokens}, and must be 0 or {}", bounds(&range))),
    }
}

fn context_tokens_max(tokens: usize) -> Result<usize, Refusal> {
    let range = limits::PROVIDER_CONTEXT_TOKENS_MIN..=limits::PROVIDER_CONTEXT_TOKENS_MAX;
    match range.contains(&tokens) {
        true => Ok(tokens),
        false => refuse("context_tokens_max", format!("it is {tokens}, and must be {}", bounds(&range))),
    }
}

fn cost(cost: CostConfig) -> Result<CostConfig, Refusal> {
    match [cost.input, cost.output].iter().all(|price| price.is_finite() && *price >= 0.0) {
        true => Ok(cost),
        false => refuse("cost", "a price is 0 or more"),
    }
}

fn bounds<T: std::fmt::Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}
