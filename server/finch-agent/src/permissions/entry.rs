//! One rule as a table of `permissions.toml`, and back.
//!
//! A key that is not known makes the file damaged: a rule that is half understood must not allow anything.

use std::path::{Path, PathBuf};

use toml_edit::{Item, Table, value};

use super::Stored;
use crate::access::Network;
use crate::rules::{PathPattern, Pattern, Rule, Tail, Verdict};
use crate::shell;

const KEYS: &[&str] = &[
    "verdict",
    "workspace",
    "command",
    "exact",
    "cwd",
    "network",
    "read",
    "write",
    "path",
    "host",
    "url",
    "server",
    "tool",
    "arguments",
];

pub(super) fn read(table: &Table) -> Result<Stored, String> {
    if let Some((key, _)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(format!("a rule has the unknown key `{key}`"));
    }
    if let Some((key, _)) = table.iter().find(|(key, item)| *key != "network" && !item.is_str()) {
        return Err(format!("`{key}` of a rule is no text"));
    }
    let text = |key: &str| table.get(key).and_then(Item::as_str);
    let verdict = match text("verdict") {
        Some("allow") => Verdict::Allow,
        Some("ask") => Verdict::Ask,
        Some("deny") => Verdict::Deny,
        _ => return Err("`verdict` of a rule is none of \"allow\", \"ask\" and \"deny\"".to_owned()),
    };
    let network = match table.get("network").map(Item::as_bool) {
        None | Some(Some(false)) => Network::Off,
        Some(Some(true)) => Network::On,
        Some(None) => return Err("`network` of a rule is neither true nor false".to_owned()),
    };
    let mut patterns = Vec::new();
    if let Some(command) = text("command") {
        patterns.push(Pattern::command(command, network).map_err(|error| error.to_string())?);
    }
    if let Some(command) = text("exact") {
        let cwd = text("cwd").ok_or("an exact command has no `cwd`")?;
        patterns.push(Pattern::ExactCommand { command: command.to_owned(), cwd: cwd.into(), network });
    }
    for (key, of) in [("read", Pattern::Read as fn(PathPattern) -> Pattern), ("write", Pattern::Write)] {
        if let Some(glob) = text(key) {
            patterns.push(of(PathPattern::glob(glob).map_err(|error| error.to_string())?));
        }
    }
    if let Some(path) = text("path") {
        let (kind, path) = path.split_once(' ').ok_or("`path` of a rule does not begin with read or write")?;
        let path = PathPattern::Exact(path.into());
        patterns.push(match kind {
            "read" => Pattern::Read(path),
            "write" => Pattern::Write(path),
            _ => return Err("`path` of a rule does not begin with read or write".to_owned()),
        });
    }
    patterns.extend(text("host").map(|host| Pattern::Host(host.to_owned())));
    patterns.extend(text("url").map(|url| Pattern::Url(url.to_owned())));
    if let Some(server) = text("server") {
        let own = |key| text(key).map(str::to_owned);
        patterns.push(Pattern::Mcp { server: server.to_owned(), tool: own("tool"), arguments: own("arguments") });
    }
    let workspace = text("workspace").map(PathBuf::from);
    match <[Pattern; 1]>::try_from(patterns) {
        Ok([pattern]) => Ok(Stored { workspace, rule: Rule { verdict, pattern } }),
        Err(_) => Err("a rule speaks of nothing, or of more than one thing".to_owned()),
    }
}

/// The table of a rule, or the path that is no text.
pub(super) fn written(stored: &Stored) -> Result<Table, PathBuf> {
    let path = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| path.to_owned());
    let mut table = Table::new();
    table["verdict"] = value(match stored.rule.verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    });
    if let Some(workspace) = &stored.workspace {
        table["workspace"] = value(path(workspace)?);
    }
    let mut with = Network::Off;
    match &stored.rule.pattern {
        Pattern::Command { words, tail, network } => {
            let words: Vec<String> = words.iter().map(|word| shell::quoted(word)).collect();
            let end = if *tail == Tail::Anything { " *" } else { "" };
            table["command"] = value(format!("{}{end}", words.join(" ")));
            with = *network;
        }
        Pattern::ExactCommand { command, cwd, network } => {
            table["exact"] = value(command);
            table["cwd"] = value(path(cwd)?);
            with = *network;
        }
        Pattern::Read(PathPattern::Exact(file)) => table["path"] = value(format!("read {}", path(file)?)),
        Pattern::Write(PathPattern::Exact(file)) => table["path"] = value(format!("write {}", path(file)?)),
        Pattern::Read(glob) => table["read"] = value(glob.to_string()),
        Pattern::Write(glob) => table["write"] = value(glob.to_string()),
        Pattern::Host(host) => table["host"] = value(host),
        Pattern::Url(url) => table["url"] = value(url),
        Pattern::Mcp { server, tool, arguments } => {
            table["server"] = value(server);
            for (key, text) in [("tool", tool), ("arguments", arguments)] {
                if let Some(text) = text {
                    table[key] = value(text);
                }
            }
        }
    }
    if with == Network::On {
        table["network"] = value(true);
    }
    Ok(table)
}
