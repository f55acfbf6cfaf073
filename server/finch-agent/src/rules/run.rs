//! Decides about commands.
//!
//! Denies are held against every command that can be seen. All else needs a plain command: each of its simple commands
//! must be allowed by itself, by the built-in shapes or by a rule, and a rule with a `*` covers only known, tame words.

use std::path::{Component, Path};

use super::{Decision, Pattern, Rules, Tail, Verdict, Why, denied_by, deny, protected, secret, shapes};
use crate::access::Network;
use crate::shell;

pub(super) fn decide(rules: &Rules, command: &str, cwd: &Path, network: Network) -> Decision {
    if super::refused_path(cwd).is_some() || !cwd.starts_with(&rules.scope.workspace) {
        return deny("commands run in the workspace; the folder asked for is outside it");
    }
    let script = match shell::read(command) {
        Ok(script) => script,
        Err(error) => return deny(error.to_string()),
    };
    let touched = |verdict| {
        rules.rules.iter().find(|rule| {
            rule.verdict == verdict
                && (rule.pattern.is_exactly(command, cwd, Network::Off)
                    || script.seen.iter().any(|seen| rule.pattern.touches(seen)))
        })
    };
    if let Some(rule) = touched(Verdict::Deny) {
        return denied_by(rule);
    }
    let commands = match script.plain {
        Ok(commands) => commands,
        Err(reason) => return Decision::Ask { why: Why::NotPlain(reason) },
    };
    if let Some(word) = commands.iter().flatten().find(|word| is_guarded(rules, word, cwd)) {
        return Decision::Ask { why: Why::Guarded(word.clone()) };
    }
    if let Some(rule) = touched(Verdict::Ask) {
        return Decision::Ask { why: Why::Rule(rule.pattern.to_string()) };
    }
    allowed(rules, command, &commands, cwd, network)
}

fn allowed(rules: &Rules, command: &str, commands: &[Vec<String>], cwd: &Path, network: Network) -> Decision {
    let allows = || rules.rules.iter().filter(|rule| rule.verdict == Verdict::Allow).map(|rule| &rule.pattern);
    if allows().any(|pattern| pattern.is_exactly(command, cwd, network)) {
        return Decision::Allow;
    }
    let ask = |why| Decision::Ask { why };
    for argv in commands {
        if let Some(why) = argv.iter().skip(1).find_map(|word| leads_away(rules, word, cwd)) {
            return ask(why);
        }
        let is_named = allows().any(|pattern| pattern.is_command(argv, network));
        let is_spelled_out = allows().any(|pattern| pattern.is_all_of(argv, network));
        let by_itself = network == Network::Off && shapes::is_harmless(argv);
        if by_itself || is_spelled_out || (is_named && shapes::is_tame(argv)) {
            continue;
        }
        return ask(match (is_named, network) {
            (true, _) => Why::Untame,
            (false, Network::On) => Why::Network,
            (false, Network::Off) => Why::NoRule,
        });
    }
    Decision::Allow
}

/// The pattern that covers this command and what is like it, if one can be given without giving more than it says.
pub(crate) fn offered(command: &str, network: Network) -> Option<Pattern> {
    let commands = shell::read(command).ok()?.plain.ok()?;
    let mut open = commands.iter().filter(|argv| !(network == Network::Off && shapes::is_harmless(argv)));
    let (argv, rest) = (open.next()?, open.next());
    if rest.is_some() || !shapes::is_tame(argv) {
        return None;
    }
    let words = shapes::derived(argv)?;
    Some(Pattern::Command { words, tail: Tail::Anything, network })
}

/// What a word may name: itself, and what stands behind a `=` or between colons.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    std::iter::once(word).chain(word.split(['=', ':', ',', '@'])).filter(|part| !part.is_empty())
}

/// Whether the word names finch's own files, or what is in `.git` so that it could be changed.
fn is_guarded(rules: &Rules, word: &str, cwd: &Path) -> bool {
    parts(word).any(|part| {
        let path = cwd.join(part);
        let relative = Path::new(part);
        protected::is_own(relative)
            || protected::is_own_home(&path, &rules.scope)
            || protected::is_git(relative)
            || protected::runs_in_editors(relative)
    })
}

/// Whether the word may lead to secrets or out of the workspace, which a pattern does not cover.
fn leads_away(rules: &Rules, word: &str, cwd: &Path) -> Option<Why> {
    parts(word).find_map(|part| {
        let path = Path::new(part);
        let is_away = path.components().any(|piece| piece == Component::ParentDir)
            || !cwd.join(path).starts_with(&rules.scope.workspace);
        let is_secret = secret::is_secret(path);
        is_away.then_some(Why::Outside).or(is_secret.then_some(Why::Secret))
    })
}
