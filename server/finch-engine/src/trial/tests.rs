use std::{fs, path::Path};

use finch_model::{
    manifest::{GRAPH_FILE, MANIFEST_FILE, Quant, TOKENIZER_FILE, WEIGHTS_FILE},
    tiny::TinySpec,
};

use super::run;
use crate::{
    EngineError, Kernels,
    testing::{TinyModel, runtime},
};

fn tiny() -> TinyModel {
    TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Int8)
}

/// Tries the model with a file changed, its length stated anew where it has another.
fn changed(model: &TinyModel, file: &str, bytes: &[u8]) -> Result<(), EngineError> {
    let path = model.dir.join(file);
    let manifest = model.dir.join(MANIFEST_FILE);
    let (whole, stated) = (fs::read(&path).unwrap(), fs::read_to_string(&manifest).unwrap());
    fs::write(&path, bytes).unwrap();
    if file != MANIFEST_FILE {
        let entry = |bytes: usize| format!("name = \"{file}\"\nbytes = {bytes}\n");
        fs::write(&manifest, stated.replace(&entry(whole.len()), &entry(bytes.len()))).unwrap();
    }
    let tried = run(&runtime(), &model.dir, Kernels::Auto);
    fs::write(&path, whole).unwrap();
    fs::write(&manifest, stated).unwrap();
    tried
}

fn names(error: &EngineError, file: &str, dir: &Path) -> bool {
    let text = error.to_string();
    text.contains(file) || text.contains(&*dir.to_string_lossy())
}

/// Files of a model cut short, with a manifest that knows no better.
#[test]
fn a_file_that_is_cut_short_is_named() {
    let model = tiny();
    for file in [GRAPH_FILE, WEIGHTS_FILE, TOKENIZER_FILE, MANIFEST_FILE] {
        let whole = fs::read(model.dir.join(file)).unwrap();
        for percent in [0, 1, 50, 99] {
            let error = changed(&model, file, &whole[..whole.len() * percent / 100]).unwrap_err();
            assert!(names(&error, file, &model.dir), "{file} at {percent} %: {error}");
        }
    }
    run(&runtime(), &model.dir, Kernels::Auto).unwrap();
}

/// Nothing that a flipped bit does ends the process: it loads, or there is an error that names a file.
#[test]
fn a_thousand_flipped_bits_are_loaded_or_refused() {
    let model = tiny();
    let (mut random, mut refused) = (7u64, 0);
    for file in [GRAPH_FILE, TOKENIZER_FILE] {
        let whole = fs::read(model.dir.join(file)).unwrap();
        for _ in 0..500 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bit = (random >> 24) as usize % (whole.len() * 8);
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Err(error) = changed(&model, file, &bytes) {
                refused += 1;
                assert!(names(&error, file, &model.dir), "bit {bit} of {file}: {error}");
            }
        }
    }
    assert!(refused > 100, "{refused} of 1000 are refused");
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let model = tiny();
    let bytes = fs::metadata(model.dir.join(WEIGHTS_FILE)).unwrap().len() as usize;
    let error = changed(&model, WEIGHTS_FILE, &vec![0xff; bytes]).unwrap_err().to_string();
    assert!(error.contains("no numbers"), "{error}");
}
