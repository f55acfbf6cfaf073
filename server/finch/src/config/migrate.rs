//! Rewrites a file of the earlier program: `[[teachers]]` and `[backend]` become `[[providers]]`, and every comment and every
//! other key stays. Reading needs no rewriting, see `legacy`; a command that may write the file does it.
//!
//! The old bytes are kept beside it before anything changes, and the file is replaced in one step.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use finch_model::home::write_atomic;
use toml_edit::{ArrayOfTables, Decor, DocumentMut, Item, Key, RawString, Table, Value};

use super::legacy::WITHOUT_ADDRESS;
use crate::limits;

#[cfg(test)]
mod tests;

/// The line by which editors find the schema.
const SCHEMA_LINE: &str = "#:schema https://raw.githubusercontent.com/darwin-finch/finch/main/schemas/config.json\n";
const SCHEMA_MARK: &str = "#:schema";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rewritten {
        backup: PathBuf,
    },
    /// There is nothing of the earlier program in it, or no file.
    NothingToDo,
}

/// Rewrites the file if it is one of the earlier program.
///
/// # Errors
/// When the file cannot be read or written, or is no TOML. Then it is as it was.
pub(crate) fn apply(path: &Path) -> Result<Outcome> {
    // A link to the file stays one.
    let path = match std::fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Outcome::NothingToDo),
        Err(error) => return Err(error).with_context(|| format!("finding {}", path.display())),
    };
    let old = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let Some(new) = rewritten(&old).with_context(|| format!("{} is not valid; mend it first", path.display()))? else {
        return Ok(Outcome::NothingToDo);
    };
    let backup = keep(&path, old.as_bytes())?;
    write_atomic(&path, new.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    Ok(Outcome::Rewritten { backup })
}

/// A text that begins with the line for the schema, as every file that finch makes does.
pub(crate) fn with_schema_line(text: &str) -> String {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let comments = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with('#'));
    let line = if comments.into_iter().any(|line| line.starts_with(SCHEMA_MARK)) { "" } else { SCHEMA_LINE };
    format!("{mark}{line}{text}")
}

/// The new text; `None` if the old one may stay.
pub(crate) fn rewritten(text: &str) -> Result<Option<String>> {
    // The parser's own message shows lines of the file, and a key may stand in one.
    let Ok(mut document) = text.parse::<DocumentMut>() else { bail!("`finch config check` says where") };
    let is_new = match document.get("providers") {
        None => false,
        Some(Item::Value(Value::Array(list))) => !list.is_empty(),
        Some(_) => true,
    };
    if is_new || !(document.contains_key("teachers") || document.contains_key("backend")) {
        return Ok(None);
    }
    let mut lost = document
        .as_table_mut()
        .remove_entry("providers")
        .map(|(key, _)| comments(key.leaf_decor()))
        .unwrap_or_default();
    let (mut providers, more) = match document.as_table_mut().remove_entry("teachers") {
        Some((key, item)) => tables(&key, item)?,
        None => Default::default(),
    };
    lost.extend(more);
    providers.iter_mut().for_each(teacher);
    if let Some((key, item)) = document.as_table_mut().remove_entry("backend") {
        providers.push(backend(&key, item, providers.is_empty())?);
    }
    if let Some(first) = providers.iter_mut().next() {
        put_before(first.decor_mut(), &lost);
    }
    document.insert("providers", Item::ArrayOfTables(providers));
    Ok(Some(with_schema_line(&document.to_string())))
}

/// The entries, whether they are tables or stand in a list; and the comments that have no place in them.
fn tables(key: &Key, item: Item) -> Result<(ArrayOfTables, Vec<String>)> {
    let list = match item {
        Item::ArrayOfTables(tables) => return Ok((tables, Vec::new())),
        Item::Value(Value::Array(list)) => list,
        _ => bail!("`teachers` is no list of tables"),
    };
    let (mut tables, mut lost) = (ArrayOfTables::new(), comments(key.leaf_decor()));
    let (trailing, suffix) = (raw(Some(list.trailing())), list.decor().suffix().map(|text| raw(Some(text))));
    for value in list {
        let before = comments(value.decor());
        let Value::InlineTable(mut inline) = value else { bail!("an entry of `teachers` is no table") };
        let mut table = Table::new();
        let keys: Vec<String> = inline.iter().map(|(key, _)| key.to_owned()).collect();
        for (mut key, mut value) in keys.iter().filter_map(|key| inline.remove_entry(key)) {
            plain(key.leaf_decor_mut());
            plain(value.decor_mut());
            table.insert_formatted(&key, Item::Value(value));
        }
        put_before(table.decor_mut(), &before);
        tables.push(table);
    }
    lost.extend([trailing, suffix.unwrap_or_default()].iter().flat_map(|text| comment_lines(text)));
    Ok((tables, lost))
}

/// `provider` is `type`; an address that never worked becomes a comment.
fn teacher(table: &mut Table) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let service = table.get("provider").and_then(Item::as_str).unwrap_or_default().to_lowercase();
    let mut lost = Vec::new();
    // Taken out and put back in turn, all keep their order.
    for (key, mut item) in keys.iter().filter_map(|key| table.remove_entry(key)).collect::<Vec<_>>() {
        match key.get() {
            "provider" => {
                if let Some(value) = item.as_value_mut().filter(|value| value.is_str()) {
                    let decor = value.decor().clone();
                    *value = Value::from(service.as_str());
                    *value.decor_mut() = decor;
                }
                let name = Key::new("type").with_leaf_decor(key.leaf_decor().clone());
                table.insert_formatted(&name, item);
            }
            "base_url" if WITHOUT_ADDRESS.contains(&service.as_str()) => {
                lost.extend(comments(key.leaf_decor()));
                lost.push(format!("# base_url ={}", item.to_string().trim_end()));
            }
            _ => {
                table.insert_formatted(&key, item);
            }
        }
    }
    if let Some((mut first, _)) = table.iter_mut().next() {
        put_before(first.leaf_decor_mut(), &lost);
    }
}

/// The local model as an entry. It keeps its place in the file if it is the only one, and else comes last.
fn backend(key: &Key, item: Item, is_only: bool) -> Result<Table> {
    let is_header = matches!(&item, Item::Table(table) if !table.is_dotted());
    let mut old = match item.into_table() {
        Ok(table) => table,
        Err(_) => bail!("`backend` is no table"),
    };
    let mut table = Table::new();
    let kind = Key::new("type");
    table.insert_formatted(&kind, Item::Value(Value::from("local")));
    let keys: Vec<String> = old.iter().map(|(key, _)| key.to_owned()).collect();
    for (key, item) in keys.iter().filter_map(|key| old.remove_entry(key)).collect::<Vec<_>>() {
        table.insert_formatted(&key, item);
    }
    if is_header {
        *table.decor_mut() = old.decor().clone();
        table.set_position(if is_only { old.position() } else { None });
    } else {
        put_before(table.decor_mut(), &comments(key.leaf_decor()));
    }
    Ok(table)
}

/// Comments in front of what a decor surrounds.
fn put_before(decor: &mut Decor, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let before = decor.prefix().map(|text| raw(Some(text))).unwrap_or_default();
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    decor.set_prefix(format!("{lines}{before}"));
}

/// Takes space away that has no comment in it: it was for another layout.
fn plain(decor: &mut Decor) {
    if comments(decor).is_empty() {
        decor.clear();
    }
}

fn comments(decor: &Decor) -> Vec<String> {
    [decor.prefix(), decor.suffix()].into_iter().flat_map(|text| comment_lines(&raw(text))).collect()
}

fn comment_lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).map(str::to_owned).collect()
}

fn raw(text: Option<&RawString>) -> String {
    text.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// Keeps the old bytes beside the file, under the first name that is free, or that holds the same already.
fn keep(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let folder = path.parent().context("the configuration has no folder")?;
    let name = path.file_name().context("the configuration has no name")?.to_string_lossy();
    let mut file = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder).context("keeping the old file")?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).context("keeping the old file")?;
    for number in 0..limits::BACKUPS_MAX {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let backup = folder.join(format!("{name}.bak{suffix}"));
        if std::fs::read(&backup).is_ok_and(|kept| kept == bytes) {
            return Ok(backup);
        }
        file = match file.persist_noclobber(&backup) {
            Ok(_) => return Ok(backup),
            Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => refused.file,
            Err(refused) => return Err(refused.error).context("keeping the old file"),
        };
    }
    bail!("there are {} copies of old files beside {} already; move some away", limits::BACKUPS_MAX, path.display())
}
