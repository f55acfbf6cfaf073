//! One file of instructions: whether it may be read, and its text in a form in which nothing in it is hidden.
//!
//! A file is read when there is a sign that it changed. One that was written only just before may have been written again
//! without a sign, and is read each time until it has settled.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::places::Place;
use crate::{
    Access, characters,
    limits::{INSTRUCTION_BYTES_MAX, INSTRUCTION_SETTLED},
    paths::Root,
    rules::{Decision, Rules, Scope, Why},
    view::disk::{self, Opened},
};

/// The text of a file, at most [`INSTRUCTION_BYTES_MAX`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) text: String,
    /// Bytes of the file that are left out for their number.
    pub(super) left_out: u64,
    /// The file, whatever its name.
    file: FileId,
    has_hidden: bool,
}

/// What tells one file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileId {
    canonical: PathBuf,
    #[cfg(unix)]
    numbers: (u64, u64),
}

/// What changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sign {
    file: FileId,
    bytes: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    changed: (i64, i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Text(Content),
    /// Not there, blank, or the same file as one before.
    Nothing,
    /// It is left out, for this reason.
    LeftOut(String),
}

/// What is known of a place.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// None if it has to be read again in any case.
    sign: Option<Sign>,
    found: Found,
    label: String,
}

impl Known {
    /// What is there now. `before` is what was known of the place, `earlier` what was found in the places before it.
    pub(super) fn now(place: &Place, before: Option<Self>, rules: &Rules, earlier: &[(Place, Content)]) -> Self {
        let known = |sign, found| Self { sign, found, label: place.label() };
        if !place.is_there() {
            return known(None, Found::Nothing);
        }
        let sign = match sign(place.path()) {
            Ok(sign) => sign,
            Err(error) => return known(None, Found::LeftOut(reason(&error))),
        };
        if earlier.iter().any(|(_, content)| content.file.is_same(&sign.file)) {
            return known(None, Found::Nothing);
        }
        if let Some(before) = before.filter(|before| before.sign.as_ref() == Some(&sign)) {
            return before;
        }
        let found = match read(place, &sign, rules) {
            Ok(Some(content)) => Found::Text(content),
            Ok(None) => Found::Nothing,
            Err(reason) => Found::LeftOut(reason),
        };
        let is_settled = sign.modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > INSTRUCTION_SETTLED);
        known(is_settled.then_some(sign), found)
    }

    /// The text, and what is to be said about it.
    pub(super) fn content(&self, warnings: &mut Vec<String>) -> Option<&Content> {
        match &self.found {
            Found::Text(content) => {
                if content.has_hidden {
                    warnings.push(format!(
                        "{} has characters that do not show; they are written out for the model. Look at the file: they \
                         may be meant to deceive you",
                        self.label
                    ));
                }
                Some(content)
            }
            Found::Nothing => None,
            Found::LeftOut(reason) => {
                warnings.push(format!("{} is left out: {reason}", self.label));
                None
            }
        }
    }
}

#[cfg(test)]
impl Known {
    /// Whether it is not read again before its file changes.
    pub(super) fn is_kept(&self) -> bool {
        self.sign.is_some()
    }
}

impl FileId {
    fn new(canonical: PathBuf, #[cfg_attr(not(unix), expect(unused_variables))] metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            canonical,
            #[cfg(unix)]
            numbers: (metadata.dev(), metadata.ino()),
        }
    }

    #[cfg(unix)]
    fn is_same(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }

    #[cfg(not(unix))]
    fn is_same(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

fn sign(path: &Path) -> io::Result<Sign> {
    #[cfg(unix)]
    use std::os::unix::fs::MetadataExt as _;
    let canonical = path.canonicalize()?;
    let metadata = fs::metadata(&canonical)?;
    Ok(Sign {
        file: FileId::new(canonical, &metadata),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
        #[cfg(unix)]
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// The text of the file, none if it is blank, or why it is left out.
fn read(place: &Place, sign: &Sign, rules: &Rules) -> Result<Option<Content>, String> {
    let canonical = &sign.file.canonical;
    let file = match place {
        Place::Own { .. } => open_own(canonical)?,
        Place::Project { within, .. } => open_of_project(canonical, within, rules)?,
    };
    let bytes_max = INSTRUCTION_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    let metadata = file.metadata().map_err(|error| reason(&error))?;
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    let raw = String::from_utf8_lossy(&bytes);
    let raw = raw.strip_prefix('\u{feff}').unwrap_or(&raw);
    if raw.trim().is_empty() {
        return Ok(None);
    }
    let mut text = shown(raw);
    let mut left_out = metadata.len().saturating_sub(bytes.len() as u64);
    if text.len() > INSTRUCTION_BYTES_MAX || left_out > 0 {
        let whole = text.len();
        text.truncate(cut(&text, INSTRUCTION_BYTES_MAX.min(whole - 1)));
        left_out += (whole - text.len()) as u64;
    }
    let file = FileId::new(canonical.clone(), &metadata);
    Ok(Some(Content { text, left_out, file, has_hidden: raw.chars().any(deceives) }))
}

/// The user's own files may be links to wherever the user keeps them.
fn open_own(canonical: &Path) -> Result<File, String> {
    match disk::open(canonical) {
        Ok(Opened::File { file, .. }) => Ok(file),
        Ok(Opened::Folder | Opened::Special) => Err("it is no regular file".to_owned()),
        Ok(Opened::Nothing) => Err("it is not there any more".to_owned()),
        Err(error) => Err(reason(&error)),
    }
}

fn open_of_project(canonical: &Path, within: &Path, rules: &Rules) -> Result<File, String> {
    if !canonical.starts_with(within) {
        return Err(format!("it is a link that leads out of {}", crate::escape::path(within)));
    }
    let access = Access::Read { path: canonical.to_owned() };
    // What is built in holds also where a rule of the user opens more to tools, whose calls are seen.
    let built_in = Rules::new(Scope { workspace: within.to_owned(), ..rules.scope().clone() }, Vec::new());
    match built_in.decide(&access) {
        Decision::Allow => {}
        Decision::Ask { why } => return Err(why.to_string()),
        Decision::Deny { reason } => return Err(reason),
    }
    match rules.decide(&access) {
        Decision::Deny { reason } => return Err(reason),
        Decision::Ask { why: why @ Why::Rule(_) } => return Err(why.to_string()),
        Decision::Allow | Decision::Ask { .. } => {}
    }
    Root::open(within).and_then(|root| root.read(canonical)).map_err(|error| error.to_string())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is a link that leads to nothing".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

/// The text with everything spelt out that does not show, but for tabs and ends of lines.
fn shown(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let cells: Vec<String> = text.split('\t').map(characters::shown).collect();
    cells.join("\t")
}

/// Characters that people use to hide text. What picks the look of an emoji is not among them.
fn deceives(c: char) -> bool {
    characters::is_ignorable(c) && !matches!(c, '\u{200d}' | '\u{fe0e}'..='\u{fe0f}')
}

/// Where to cut a text so that at most `max` bytes are left: at the end of a line if there is one in the later half.
pub(super) fn cut(text: &str, max: usize) -> usize {
    let max = text.floor_char_boundary(max);
    match text[..max].rfind('\n') {
        Some(end) if end >= max / 2 => end + 1,
        _ => max,
    }
}
