use std::fs;

use finch_model::{
    manifest::{GRAPH_FILE, Manifest, Quant, WEIGHTS_FILE},
    tiny::TinySpec,
};

use super::check;
use crate::testing::TinyModel;

fn tiny() -> (TinyModel, Manifest) {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Int8);
    let manifest = Manifest::read(&model.dir).unwrap();
    (model, manifest)
}

#[test]
fn a_graph_of_finch_passes_and_tells_its_positions() {
    let (model, manifest) = tiny();
    let facts = check(&model.dir, &manifest).unwrap();
    assert_eq!(facts.positions, Some(manifest.shape.context_tokens_max));
}

#[cfg(unix)]
#[test]
fn links_to_other_files_are_refused() {
    for file in [GRAPH_FILE, WEIGHTS_FILE] {
        let (model, manifest) = tiny();
        let (path, outside) = (model.dir.join(file), model.dir.parent().unwrap().join("outside"));
        fs::rename(&path, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        let error = check(&model.dir, &manifest).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("is a link; import the model again"), "{error}");
        fs::remove_file(&path).unwrap();
        fs::hard_link(&outside, &path).unwrap();
        let error = check(&model.dir, &manifest).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("hard link"), "{error}");
    }
}

#[test]
fn a_file_of_another_size_is_refused() {
    let (model, manifest) = tiny();
    let path = model.dir.join(WEIGHTS_FILE);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = check(&model.dir, &manifest).unwrap_err().to_string();
    assert!(error.contains("is not the file of"), "{error}");
}
