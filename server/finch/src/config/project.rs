//! `.finch/config.toml` in a workspace: what a project may settle for those who work on it.
//!
//! It is read only where the user trusts the workspace. It may say how ghost text is made and which model suits the
//! project, and may keep more on this machine than the user does; who is asked, with which key, where a text goes, and
//! whether it may leave, are the user's alone. Whatever else stands there is a problem with its place, and has no effect.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::problem::Page;
use super::router::{PolicyConfig, RuleConfig};
use super::{CompletionConfig, Config, ConfigError, Notes, Problem, bounds, check};
use crate::limits;

#[cfg(test)]
mod tests;

/// Whether the user trusts a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Trusted,
    Unknown,
}

/// What a project settles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Project {
    completion: toml::Table,
    model: Option<String>,
    policy: Option<(PolicyConfig, Problem)>,
    /// Each with the complaint that it would loosen something.
    rules: Vec<(RuleConfig, Problem)>,
}

/// Where it stands.
pub(crate) fn path(workspace: &Path) -> PathBuf {
    workspace.join(".finch").join("config.toml")
}

/// Reads the file of a workspace that is trusted; `None` if it is not, or has none.
///
/// # Errors
/// When it cannot be read, or is no TOML.
pub(crate) fn read(workspace: &Path, trust: Trust) -> Result<Option<(Project, Notes)>, ConfigError> {
    match trust {
        Trust::Unknown => return Ok(None),
        Trust::Trusted => {}
    }
    let path = path(workspace);
    match text(&path) {
        Ok(text) => parse(&text, &path).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::Unreadable { path, error }),
    }
}

fn text(path: &Path) -> std::io::Result<String> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    // Looked at before it is opened: a pipe would never be.
    if !std::fs::metadata(path)?.is_file() {
        return Err(invalid("it is no file"));
    }
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(limits::PROJECT_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    match read as u64 > limits::PROJECT_FILE_BYTES_MAX {
        true => Err(invalid("it is larger than 1 MiB")),
        false => Ok(text),
    }
}

fn parse(text: &str, path: &Path) -> Result<(Project, Notes), ConfigError> {
    let page = Page { file: path, text };
    let root = DeTable::parse(text).map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        problems: vec![page.refusal(&error, "", &(0..0))],
    })?;
    let mut root = root.into_inner();
    let (mut notes, schema) = (Notes::default(), Config::schema());
    forbid(&mut root, page, &schema, &mut notes);
    notes.warnings.extend(check::walk(&mut root, &schema, page));
    let places = bounds::Places::of(&root);
    let mut project = Project::default();
    if let Some(value) = root.remove("completion") {
        project.completion = completion(value, page, &places, &mut notes);
    }
    if let Some(value) = inner(&mut root, "engine", "model") {
        project.model = settled("engine.model", value, page, &mut notes);
    }
    if let Some(value) = inner(&mut root, "router", "policy") {
        let looser =
            page.problem(&value.span(), "router.policy: a project may only keep more on this machine than you do");
        project.policy = settled("router.policy", value, page, &mut notes).map(|policy| (policy, looser));
    }
    if let Some(value) = inner(&mut root, "router", "rules") {
        project.rules = rules(value, page, &mut notes);
    }
    Ok((project, notes))
}

/// What may stand there, beside the whole of `completion`.
const ALLOWED: [(&str, &[&str]); 2] = [("engine", &["model"]), ("router", &["policy", "rules"])];

/// Takes out, with a problem for each, the settings that finch has and a project may not make.
fn forbid(root: &mut DeTable<'_>, page: Page<'_>, schema: &Value, notes: &mut Notes) {
    let mut forbidden = Vec::new();
    let sections: Vec<String> = root.keys().map(|key| key.get_ref().to_string()).collect();
    for section in sections {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == section).map(|(_, keys)| *keys);
        match allowed {
            _ if section == "completion" => {}
            Some(keys) => {
                let Some(value) = root.get_mut(section.as_str()) else { continue };
                let span = value.span();
                let DeValue::Table(table) = value.get_mut() else {
                    notes.problems.push(page.problem(&span, &format!("{section}: expected a table")));
                    continue;
                };
                let others: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
                let is_forbidden = |key: &&String| !keys.contains(&key.as_str()) && is_known(schema, &section, key);
                for other in others.iter().filter(is_forbidden) {
                    let entry = table.remove_entry(other.as_str());
                    forbidden.extend(entry.map(|(key, _)| (key.span(), format!("{section}.{other}"))));
                }
            }
            None if schema["properties"].get(&section).is_some() || ["teachers", "backend"].contains(&&*section) => {
                let entry = root.remove_entry(section.as_str());
                forbidden.extend(entry.map(|(key, _)| (key.span(), section)));
            }
            None => {}
        }
    }
    for (span, key) in forbidden {
        let message =
            format!("{key}: a project may not set this; it has no effect here, and belongs into your own config.toml");
        notes.problems.push(page.problem(&span, &message));
    }
}

fn is_known(schema: &Value, section: &str, key: &str) -> bool {
    let name = schema["properties"][section]["$ref"].as_str().unwrap_or_default().trim_start_matches("#/$defs/");
    schema["$defs"][name]["properties"].get(key).is_some()
}

fn inner<'a>(root: &mut DeTable<'a>, section: &str, key: &str) -> Option<Spanned<DeValue<'a>>> {
    match root.get_mut(section).map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => table.remove(key),
        _ => None,
    }
}

fn settled<'a, T: serde::Deserialize<'a>>(
    key: &str,
    value: Spanned<DeValue<'a>>,
    page: Page<'_>,
    notes: &mut Notes,
) -> Option<T> {
    let span = value.span();
    match T::deserialize(ValueDeserializer::from(value)) {
        Ok(settled) => Some(settled),
        Err(error) => {
            notes.problems.push(page.refusal(&error, key, &span));
            None
        }
    }
}

/// The settings of ghost text as they stand there; none of them if one is wrong.
fn completion(value: Spanned<DeValue<'_>>, page: Page<'_>, places: &bounds::Places, notes: &mut Notes) -> toml::Table {
    let Some(completion) = settled::<CompletionConfig>("completion", value.clone(), page, notes) else {
        return toml::Table::new();
    };
    let problems = bounds::check(&Config { completion, ..Config::default() }, places, page);
    let table = settled::<toml::Table>("completion", value, page, notes).unwrap_or_default();
    if problems.is_empty() {
        return table;
    }
    notes.problems.extend(problems);
    toml::Table::new()
}

fn rules(value: Spanned<DeValue<'_>>, page: Page<'_>, notes: &mut Notes) -> Vec<(RuleConfig, Problem)> {
    let span = value.span();
    let DeValue::Array(rules) = value.into_inner() else {
        notes.problems.push(page.problem(&span, "router.rules: write each as `[[router.rules]]`"));
        return Vec::new();
    };
    let mut settled_rules = Vec::new();
    for (index, rule) in rules.into_iter().enumerate() {
        let key = format!("router.rules[{index}]");
        let what = format!("{key}: a project may only keep more on this machine than you do");
        let looser = page.problem(&rule.span(), &what);
        settled_rules.extend(settled(&key, rule, page, notes).map(|rule| (rule, looser)));
    }
    settled_rules
}

/// The user's configuration with what a project settles, and a problem for each thing that would loosen it.
pub(crate) fn merge(config: &Config, project: &Project) -> (Config, Vec<Problem>) {
    let (mut config, mut problems) = (config.clone(), Vec::new());
    config.completion = with_completion(&config.completion, &project.completion);
    if let Some(model) = &project.model {
        config.engine.model = Some(model.clone());
    }
    let router = &mut config.router;
    match &project.policy {
        Some((policy, _)) if looseness(*policy) < looseness(router.policy) => {
            router.policy = *policy;
            let too_loose = |rule: &&mut RuleConfig| looseness(rule.policy) > looseness(*policy);
            router.rules.iter_mut().filter(too_loose).for_each(|rule| rule.policy = *policy);
        }
        Some((policy, looser)) if *policy != router.policy => problems.push(looser.clone()),
        _ => {}
    }
    // Rules that keep text here go before the user's own; any other is only heard where the user has none.
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (rule, looser) in &project.rules {
        match rule.policy {
            PolicyConfig::LocalOnly => first.push(rule.clone()),
            policy if policy == router.policy || looseness(policy) < looseness(router.policy) => {
                last.push(rule.clone())
            }
            _ => problems.push(looser.clone()),
        }
    }
    first.append(&mut router.rules);
    first.append(&mut last);
    router.rules = first;
    (config, problems)
}

/// How much a policy lets out.
fn looseness(policy: PolicyConfig) -> u8 {
    match policy {
        PolicyConfig::LocalOnly => 0,
        PolicyConfig::LocalFirst => 1,
        PolicyConfig::CloudFirst | PolicyConfig::Cheapest => 2,
    }
}

/// The user's settings of ghost text with those of a project over them. What the user excludes stays excluded.
fn with_completion(own: &CompletionConfig, project: &toml::Table) -> CompletionConfig {
    let Ok(mut table) = toml::Table::try_from(own) else { return own.clone() };
    lay_over(&mut table, project);
    let Ok(mut merged) = table.try_into::<CompletionConfig>() else { return own.clone() };
    let more = own.exclude.iter().filter(|pattern| !merged.exclude.contains(pattern)).cloned().collect::<Vec<_>>();
    merged.exclude.extend(more);
    merged
}

fn lay_over(table: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => lay_over(inner, over),
            _ => drop(table.insert(key.clone(), value.clone())),
        }
    }
}
