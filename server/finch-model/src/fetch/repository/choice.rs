//! Which files of a repository make the model that is wanted. Pure.

use super::listing::{Listed, Listing};
use super::reference::Pick;
use crate::hub::{CONFIG, INDEX, SIDE_FILES, WEIGHTS};

/// What to fetch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// One file that is all.
    Gguf(&'a Listed),
    /// The layout of a hub, with these files; they say which files of weights belong to it.
    Directory(Vec<&'a Listed>),
}

/// How many files a message lists.
const NAMES_SHOWN_MAX: usize = 20;

impl Listing {
    /// The files that `pick` means, or why it means none.
    pub(super) fn choose(&self, pick: &Pick) -> Result<Choice<'_>, String> {
        let ggufs: Vec<&Listed> = self.files.iter().filter(|file| is_gguf(file)).collect();
        match pick {
            Pick::File(path) => match self.file(path) {
                Some(file) => whole(file),
                None => Err(format!("it has no {path}; {}", offer(&ggufs))),
            },
            Pick::Labelled(label) => {
                let found: Vec<&Listed> = ggufs.iter().copied().filter(|file| has_label(&file.path, label)).collect();
                match found.as_slice() {
                    [] => Err(format!("no GGUF file of it is called {label}; {}", offer(&ggufs))),
                    [file] => whole(file),
                    several => Err(format!("{label} is not one file; {}", offer(several))),
                }
            }
            Pick::Only => {
                let has = |name: &str| self.file(name).is_some();
                if has(CONFIG) && (has(WEIGHTS) || has(INDEX)) {
                    return Ok(Choice::Directory(self.beside()));
                }
                match ggufs.as_slice() {
                    [] => Err(format!("it has neither {CONFIG} with safetensors nor a GGUF file, which finch reads")),
                    [file] => whole(file),
                    several => Err(format!("it has several GGUF files; {}", offer(several))),
                }
            }
        }
    }

    /// What lies beside weights, and the index of these where they are in several files.
    fn beside(&self) -> Vec<&Listed> {
        let index = self.file(WEIGHTS).map_or(Some(INDEX), |_| None);
        let names = SIDE_FILES.into_iter().chain(index);
        names.filter_map(|name| self.file(name)).collect()
    }
}

/// True for a file that is read together with weights.
pub(super) fn is_beside_weights(name: &str) -> bool {
    SIDE_FILES.contains(&name) || name == INDEX
}

fn is_gguf(file: &Listed) -> bool {
    let name = file.name().to_ascii_lowercase();
    // Projectors of images lie beside models and are none.
    name.ends_with(".gguf") && !name.starts_with("mmproj")
}

fn whole(file: &Listed) -> Result<Choice<'_>, String> {
    if is_piece(file.name()) {
        return Err(format!("{} is one of several pieces; finch reads GGUF files that are whole", file.path));
    }
    Ok(Choice::Gguf(file))
}

/// `…-00001-of-00003.gguf`.
fn is_piece(name: &str) -> bool {
    let number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = &name[..name.len() - ".gguf".len().min(name.len())];
    let ends = stem.rsplit_once("-of-").and_then(|(before, count)| Some((before.rsplit_once('-')?.1, count)));
    ends.is_some_and(|(index, count)| number(index) && number(count))
}

/// True where the label stands by itself: `Q4_K` is not in `Q4_K_M`.
fn has_label(path: &str, label: &str) -> bool {
    let (path, label) = (path.to_ascii_lowercase(), label.to_ascii_lowercase());
    let path = path.strip_suffix(".gguf").unwrap_or(&path);
    let alone = |at: usize| {
        let before = path[..at].bytes().next_back();
        let behind = path[at + label.len()..].bytes().next();
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
            && behind.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
    };
    path.match_indices(&label).any(|(at, _)| alone(at))
}

fn offer(files: &[&Listed]) -> String {
    if files.is_empty() {
        return "it has no GGUF file".to_owned();
    }
    let names = files.iter().take(NAMES_SHOWN_MAX).map(|file| format!("\n  {}", file.path));
    let more = if files.len() > NAMES_SHOWN_MAX { "\n  …" } else { "" };
    format!(
        "name one of its files behind the repository, or what only its name holds behind a colon:{}{more}",
        names.collect::<String>()
    )
}
