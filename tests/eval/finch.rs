//! finch, asked as an editor asks it: a server of its own for each place, so that nothing seen at another place, where
//! what is hidden here may have stood, can answer.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::{File, scramble};
use crate::document::Document;
use crate::lsp::{Lsp, Start, uri};
use crate::options::Common;
use crate::scene::{Answer, Scene, Subject};

/// Places in a neighbouring file at which something is typed and taken back.
const TOUCHES: u64 = 2;

pub(crate) struct Finch {
    pub(crate) name: String,
    pub(crate) home: TempDir,
    pub(crate) binary: PathBuf,
    pub(crate) client: String,
    pub(crate) settings: Value,
}

impl Subject for Finch {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn ask(&mut self, scene: &Scene) -> Result<Answer> {
        let place = scene.place;
        let folder = tempfile::tempdir()?;
        let before = format!("{}{}", &place.prefix[..place.typed], place.suffix);
        write(folder.path(), scene.file, &before)?;
        for file in &scene.neighbours {
            write(folder.path(), file, &file.text)?;
        }
        let mut lsp = self.start(folder.path())?;
        for file in &scene.neighbours {
            visit(&mut lsp, folder.path(), file)?;
        }
        let here = uri(&folder.path().join(&scene.file.path));
        let mut document = Document::open(&mut lsp, here, scene.file.language.id(), before)?;
        let started = Instant::now();
        document.replace(&mut lsp, place.typed..place.typed, &place.prefix[place.typed..])?;
        let id = document.ask(&mut lsp, place.prefix.len())?;
        let (answered, answer) = lsp.answer(id)?;
        let shown = document.shown(&answer, place.prefix.len())?;
        let why = lsp.request("finch/explainLast", json!({}))?;
        let (text, replaced) = shown.unwrap_or_default();
        Ok(Answer {
            text,
            replaced,
            reason: why["reason"].as_str().map(str::to_owned),
            time: answered - started,
            prompt_tokens: why["prompt_tokens"].as_u64().unwrap_or(0),
            generated_tokens: why["generated_tokens"].as_u64().unwrap_or(0),
        })
    }
}

impl Finch {
    /// The build that is asked.
    pub(crate) fn binary(common: &Common) -> PathBuf {
        common.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_finch").into())
    }

    pub(crate) fn start(&self, workspace: &Path) -> Result<Lsp> {
        let (binary, home) = (self.binary.as_path(), self.home.path());
        Lsp::start(&Start { binary, home, workspace, client: &self.client, settings: &self.settings })
    }
}

pub(crate) fn write(workspace: &Path, file: &File, text: &str) -> Result<()> {
    let path = workspace.join(&file.path);
    std::fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(std::fs::write(path, text)?)
}

/// Opens a file, types at some of its places, takes it back and saves.
pub(crate) fn visit(lsp: &mut Lsp, workspace: &Path, file: &File) -> Result<()> {
    let mut document = Document::open(lsp, uri(&workspace.join(&file.path)), file.language.id(), file.text.clone())?;
    let ends: Vec<usize> = file.text.match_indices('\n').map(|(at, _)| at).collect();
    for touch in 0..TOUCHES {
        let seed = scramble(&format!("{}/{touch}", file.path));
        let at = ends[usize::try_from(seed % ends.len().max(1) as u64)?];
        document.replace(lsp, at..at, " ")?;
        document.replace(lsp, at..at + 1, "")?;
    }
    document.save(lsp)
}
