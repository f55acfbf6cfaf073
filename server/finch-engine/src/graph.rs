//! What is looked at before ONNX Runtime sees a model: that its files are the plain files the manifest speaks of, and
//! that the graph points at nothing else.
//!
//! The graph itself is read in `finch_model::outline`; which files a model has, and that none of them is another file
//! under a second name, is known here. Called before every load.

use std::{fs, path::Path};

use finch_model::{
    manifest::{BuiltFile, GRAPH_FILE, Layout, Manifest, TOKENIZER_FILE},
    outline::Outline,
};

use crate::{EngineError, limits};

/// Refuses links and anything that is no plain file, and a graph that points elsewhere.
pub(crate) fn check(dir: &Path, manifest: &Manifest) -> Result<Outline, EngineError> {
    for file in &manifest.files {
        check_plain(dir, file)?;
    }
    let path = dir.join(GRAPH_FILE);
    let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
    let weights = |name: &str| {
        let file = manifest.files.iter().find(|file| file.name == name)?;
        (![GRAPH_FILE, TOKENIZER_FILE].contains(&name)).then_some(file.bytes)
    };
    let bytes_max = match manifest.layout {
        Layout::Finch => limits::GRAPH_BYTES_MAX,
        Layout::Optimum | Layout::Genai => limits::EXPORT_GRAPH_BYTES_MAX,
    };
    let outline = Outline::of_file(&path, bytes_max, &weights);
    outline.map_err(|error| problem(error.to_string()))?.map_err(|refusal| problem(refusal.to_string()))
}

fn check_plain(dir: &Path, file: &BuiltFile) -> Result<(), EngineError> {
    let path = dir.join(&file.name);
    let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
    let metadata = fs::symlink_metadata(&path).map_err(|error| problem(error.to_string()))?;
    if metadata.is_symlink() {
        return Err(problem("is a link".to_owned()));
    }
    if !metadata.is_file() || metadata.len() != file.bytes {
        return Err(problem(format!("is not the file of {} bytes that was written", file.bytes)));
    }
    match links(&metadata) {
        1 => Ok(()),
        links => Err(problem(format!("has {links} names: it is a hard link to another file"))),
    }
}

#[cfg(unix)]
fn links(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_metadata: &fs::Metadata) -> u64 {
    1
}

#[cfg(test)]
mod tests;
