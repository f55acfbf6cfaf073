//! Files of the earlier program, understood as they are: `[[teachers]]` and `[backend]` become providers while the file is
//! read, with the places they have in it. `migrate` rewrites the file itself.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Notes;
use super::problem::Page;
use super::providers::Entry;

/// Keys of the top that the earlier program had and finch has no use for.
pub(super) const EARLIER_KEYS: [&str; 14] = [
    "streaming_enabled",
    "tui_enabled",
    "client",
    "colors",
    "features",
    "active_theme",
    "active_persona",
    "huggingface_token",
    "constitution_path",
    "metrics_dir",
    "fallback",
    "lora",
    "server",
    "memory",
];

/// Keys of a local model that say which file the earlier program loaded.
pub(super) const EARLIER_LOCAL_KEYS: [&str; 7] = [
    "inference_provider",
    "execution_target",
    "model_family",
    "model_size",
    "model_repo",
    "model_path",
    "fallback_chain",
];

/// Services whose entries never had an address of their own.
pub(super) const WITHOUT_ADDRESS: [&str; 3] = ["grok", "gemini", "groq"];

type Value<'a> = Spanned<DeValue<'a>>;

/// Takes the entries of providers out of a file, from wherever they stand.
pub(super) fn entries<'a>(root: &mut DeTable<'a>, page: Page<'_>, notes: &mut Notes) -> Vec<Entry<'a>> {
    let providers = list(root.remove("providers"), "providers", page, notes);
    let teachers = root.remove("teachers");
    let backend = root.remove("backend");
    let old = teachers.as_ref().or(backend.as_ref()).map(Spanned::span);
    let mut entries = match (providers.is_empty(), old) {
        (_, None) => providers,
        (false, Some(span)) => {
            let what = "`[[teachers]]` and `[backend]` have no effect beside `[[providers]]`; remove them";
            notes.warnings.push(page.problem(&span, what));
            providers
        }
        (true, Some(span)) => {
            let what = "`[[teachers]]` and `[backend]` are read as `[[providers]]`; `finch config migrate` rewrites \
                        the file so, and keeps a copy";
            notes.warnings.push(page.problem(&span, what));
            let mut entries = list(teachers, "teachers", page, notes);
            entries.iter_mut().for_each(|entry| teacher(entry, page, notes));
            entries.extend(backend.map(|backend| Entry { label: "backend".to_owned(), value: local(backend) }));
            entries
        }
    };
    entries.retain_mut(|entry| local_settings(entry, page, notes));
    entries
}

/// Takes out what the earlier program had at the top, with one warning for all of it.
pub(super) fn earlier_settings(root: &mut DeTable<'_>, page: Page<'_>, notes: &mut Notes) {
    let known = |key: &str| EARLIER_KEYS.contains(&key);
    let mut found: Vec<(Range<usize>, String)> = root
        .keys()
        .filter(|key| known(key.get_ref()))
        .map(|key| (key.span(), format!("`{}`", key.get_ref())))
        .collect();
    found.sort_by_key(|(span, _)| span.start);
    for key in EARLIER_KEYS {
        root.remove(key);
    }
    let Some((first, _)) = found.first() else { return };
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    notes
        .warnings
        .push(page.problem(first, &format!("settings of an earlier program have no effect: {}", names.join(", "))));
}

fn list<'a>(section: Option<Value<'a>>, name: &str, page: Page<'_>, notes: &mut Notes) -> Vec<Entry<'a>> {
    let Some(section) = section else { return Vec::new() };
    let span = section.span();
    match section.into_inner() {
        DeValue::Array(items) => {
            let entry = |(index, value)| Entry { label: format!("{name}[{index}]"), value };
            items.into_iter().enumerate().map(entry).collect()
        }
        _ => {
            notes.problems.push(page.problem(&span, &format!("{name}: write each entry as `[[{name}]]`")));
            Vec::new()
        }
    }
}

/// `provider` is `type` now, and some services lose an address that never worked.
fn teacher(entry: &mut Entry<'_>, page: Page<'_>, notes: &mut Notes) {
    let label = entry.label.clone();
    let DeValue::Table(table) = entry.value.get_mut() else { return };
    let Some((key, value)) = table.remove_entry("provider") else { return };
    let service = value.get_ref().as_str().unwrap_or_default().to_lowercase();
    if WITHOUT_ADDRESS.contains(&service.as_str())
        && let Some((key, _)) = table.remove_entry("base_url")
    {
        let what =
            format!("{label}: base_url has no effect for {service} in `[[teachers]]`; it has in `[[providers]]`");
        notes.warnings.push(page.problem(&key.span(), &what));
    }
    let name = Spanned::new(key.span(), Cow::Borrowed("type"));
    table.insert(name, value);
}

fn local(mut backend: Value<'_>) -> Value<'_> {
    let span = backend.span();
    if let DeValue::Table(table) = backend.get_mut() {
        let word = DeValue::String(Cow::Borrowed("local"));
        table.insert(Spanned::new(span.clone(), Cow::Borrowed("type")), Spanned::new(span, word));
    }
    backend
}

/// Takes the earlier program's settings out of an entry of the local model; `false` if it cannot compute as it says.
fn local_settings(entry: &mut Entry<'_>, page: Page<'_>, notes: &mut Notes) -> bool {
    let label = entry.label.clone();
    let DeValue::Table(table) = entry.value.get_mut() else { return true };
    let is_local = table
        .get("type")
        .and_then(|word| word.get_ref().as_str())
        .is_some_and(|word| word.trim().eq_ignore_ascii_case("local"));
    if !is_local {
        return true;
    }
    if let Some((key, value)) = table.remove_entry("device") {
        table.insert(Spanned::new(key.span(), Cow::Borrowed("execution_target")), value);
    }
    let mut found: Vec<(Range<usize>, &str)> = Vec::new();
    let mut unknown = None;
    for name in EARLIER_LOCAL_KEYS {
        let Some((key, value)) = table.remove_entry(name) else { continue };
        if name == "execution_target" && !is_target(value.get_ref()) {
            unknown = Some(value.span());
        }
        found.push((key.span(), name));
    }
    if let Some(span) = unknown {
        let what = format!(
            "{label} (local): execution_target: this machine has no such target; remove it, and name devices in \
             `engine.devices`; this entry is left out until that is mended"
        );
        notes.problems.push(page.problem(&span, &what));
        return false;
    }
    found.sort_by_key(|(span, _)| span.start);
    if let Some((first, _)) = found.first() {
        let names: Vec<String> = found.iter().map(|(_, name)| format!("`{name}`")).collect();
        let what = format!(
            "{label} (local): {} of an earlier program have no effect; `model` names an installed model, \
             `engine.devices` where it computes",
            names.join(", ")
        );
        notes.warnings.push(page.problem(first, &what));
    }
    true
}

/// Whether the earlier program could compute there on a system like this one.
fn is_target(value: &DeValue<'_>) -> bool {
    let Some(word) = value.as_str() else { return false };
    match word.to_lowercase().as_str() {
        "auto" | "cpu" | "cuda" => true,
        "coreml" => cfg!(target_os = "macos"),
        _ => false,
    }
}
