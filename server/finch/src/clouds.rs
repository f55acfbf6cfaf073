//! The providers of the configuration as they can be asked: each with its key, or with the reason why it has none.
//!
//! A key of the environment opens a provider that the user has configured; it never makes one, for text must not leave by
//! a default. Called by whoever puts the router together. No key reaches a message.

mod command;
#[cfg(test)]
mod tests;

use finch_llm::ProviderId;
use finch_llm::cloud::{CloudSpec, Key, Service};
use tokio::sync::watch;

use crate::config::{CloudConfig, Config, CostConfig, KeyCommand, Problem, Provider};
use crate::limits;
use crate::services::{self, SERVICES};

/// A cloud that can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) spec: CloudSpec,
    pub(crate) cost: Option<CostConfig>,
}

/// The clouds in the user's order, or the one of this name, and a problem for each that cannot be asked. Runs the
/// commands that print their keys, one after the other, each with a deadline.
pub(crate) fn specs(
    config: &Config,
    named: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> (Vec<Cloud>, Vec<Problem>) {
    specs_until(config, named, environment, &Stop::Never)
}

/// When a wait for a key is given up.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    Never,
    /// When the sender is gone.
    With(watch::Receiver<()>),
}

/// The same, and a command that still runs when it is time to stop is ended.
pub(crate) fn specs_until(
    config: &Config,
    named: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
    stop: &Stop,
) -> (Vec<Cloud>, Vec<Problem>) {
    let (mut clouds, mut problems) = (Vec::new(), Vec::new());
    let hidden = hidden_variables(config);
    let bounds = command::Bounds { hidden: &hidden, wait: limits::KEY_COMMAND_WAIT, stop };
    for cloud in configured(config).filter(|cloud| named.is_none_or(|name| cloud.name == name)) {
        match key(cloud, &environment, &bounds) {
            Ok(key) => clouds.push(Cloud { spec: spec(cloud, key), cost: cloud.cost }),
            Err(why) => {
                let message = format!("{}: {why}; this provider is left out until then", cloud.label);
                problems.push(cloud.place.problem(&message));
            }
        }
    }
    (clouds, problems)
}

/// The cloud of this name as it would be asked, or why it has no key; `None` if there is none that can be used.
pub(crate) fn named(
    config: &Config,
    name: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Option<Result<CloudSpec, String>> {
    let cloud = configured(config).find(|cloud| cloud.name == name)?;
    let hidden = hidden_variables(config);
    let bounds = command::Bounds { hidden: &hidden, wait: limits::KEY_COMMAND_WAIT, stop: &Stop::Never };
    Some(key(cloud, environment, &bounds).map(|key| spec(cloud, key)))
}

fn configured(config: &Config) -> impl Iterator<Item = &CloudConfig> {
    config.providers.iter().filter_map(|provider| match provider {
        Provider::Cloud(cloud) => Some(&**cloud),
        Provider::Local(_) => None,
    })
}

fn spec(cloud: &CloudConfig, key: Option<Key>) -> CloudSpec {
    let id = ProviderId::new(cloud.name.as_str());
    let usual = CloudSpec::new(id, cloud.service, cloud.model.as_str(), cloud.endpoint.clone());
    CloudSpec {
        key,
        headers: cloud.headers.clone(),
        proxy: cloud.proxy.clone(),
        waits: cloud.waits,
        infill: cloud.infill,
        thinking: cloud.thinking,
        context_tokens_max: cloud.context_tokens_max.unwrap_or(usual.context_tokens_max),
        images: cloud.images.unwrap_or(usual.images),
        ..usual
    }
}

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    File,
    Variable(String),
}

/// Where the key of a cloud comes from, or why there is none. Runs no command.
pub(crate) fn source(cloud: &CloudConfig, environment: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    Ok(match way(cloud, environment)? {
        Way::Key(_, Source::File) => "key from api_key".to_owned(),
        Way::Key(_, Source::Variable(name)) => format!("key from the variable {name}"),
        Way::Command(_) => "key from api_key_cmd, which is not run here".to_owned(),
        Way::Without => "without a key".to_owned(),
    })
}

/// How a key is come by.
enum Way<'a> {
    Key(Key, Source),
    Command(&'a KeyCommand),
    /// The server has none.
    Without,
}

/// The first way that leads to a key: the entry's own in the order of its documentation, then the usual variable.
fn way<'a>(cloud: &'a CloudConfig, environment: impl Fn(&str) -> Option<String>) -> Result<Way<'a>, String> {
    let variable = |name: &str| match environment(name).filter(|text| !text.trim().is_empty()) {
        Some(text) => Key::new(&text).map(Some).map_err(|bad| format!("the variable {name}: {bad}")),
        None => Ok(None),
    };
    if let Some(key) = &cloud.key.key {
        return Ok(Way::Key(key.clone(), Source::File));
    }
    if let Some(name) = &cloud.key.variable
        && let Some(key) = variable(name)?
    {
        return Ok(Way::Key(key, Source::Variable(name.clone())));
    }
    if let Some(command) = &cloud.key.command {
        return Ok(Way::Command(command));
    }
    for name in usual_variables(cloud.service) {
        if let Some(key) = variable(name)? {
            return Ok(Way::Key(key, Source::Variable((*name).to_owned())));
        }
    }
    match (&cloud.key.variable, cloud.service) {
        (Some(name), _) => Err(format!(
            "the variable {name} is not set; set it where finch starts, or give `api_key` or `api_key_cmd`"
        )),
        (None, Service::Compatible) => Ok(Way::Without),
        (None, service) => {
            let usual = usual_variables(service).join(" or ");
            Err(format!("it has no key; give it `api_key`, `api_key_env` or `api_key_cmd`, or set {usual}"))
        }
    }
}

/// The variables that hold keys: the usual ones and those that the configuration names.
fn hidden_variables(config: &Config) -> Vec<&str> {
    let mut variables: Vec<&str> = variables_of_keys().collect();
    variables.extend(configured(config).filter_map(|cloud| cloud.key.variable.as_deref()));
    variables
}

fn key(
    cloud: &CloudConfig,
    environment: impl Fn(&str) -> Option<String>,
    bounds: &command::Bounds<'_>,
) -> Result<Option<Key>, String> {
    match way(cloud, environment)? {
        Way::Key(key, _) => Ok(Some(key)),
        Way::Without => Ok(None),
        Way::Command(command) => {
            command::key(command, bounds).map(Some).map_err(|error| format!("api_key_cmd {error}"))
        }
    }
}

/// Where a service's own tools look for its key.
fn usual_variables(service: Service) -> &'static [&'static str] {
    services::row(service).map_or(&[], |row| row.key_variables)
}

/// All of them, which no child of finch needs.
pub(crate) fn variables_of_keys() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().flat_map(|row| row.key_variables).copied()
}
