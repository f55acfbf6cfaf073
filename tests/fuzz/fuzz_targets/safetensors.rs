//! A safetensors file is read, walked and widened to floats: whatever the bytes are, it ends in numbers or an error.

#![no_main]

use std::sync::LazyLock;

use finch_model::checkpoint::CheckpointError;
use finch_model::hub::Safetensors;
use finch_model::tiny::{HubSpec, TinySpec, write_hub, write_tiny_gguf};
use libfuzzer_sys::fuzz_target;

/// Rows read of each tensor, and numbers of a row: enough for every type, little enough to stay quick.
const ROWS_MAX: usize = 4;
const NUMBERS_MAX: usize = 1 << 16;

/// A small whole file, so that the fuzzer does not have to find one by itself.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("finch-fuzz-hub-{}", std::process::id()));
    std::fs::create_dir_all(&place).expect("a temporary directory");
    let gguf = place.join("m.gguf");
    let spec = TinySpec { layers: 1, hidden: 32, heads: 2, kv_heads: 1, ff: 32, ..TinySpec::default() };
    write_tiny_gguf(&gguf, spec).expect("a temporary file");
    write_hub(&gguf, &place, HubSpec::default()).expect("a temporary directory");
    let bytes = std::fs::read(place.join("model.safetensors")).expect("the file that was written");
    std::fs::remove_dir_all(&place).expect("the directory that was written");
    walk(bytes.clone()).expect("a whole file is read");
    bytes
});

fuzz_target!(|bytes: &[u8]| {
    for file in [bytes.to_vec(), headed(bytes), patched(bytes)] {
        // What is refused is refused with an error, and that is all that is asked of it.
        walk(file).ok();
    }
});

/// The bytes as a header of the right length, with some data behind it.
fn headed(bytes: &[u8]) -> Vec<u8> {
    let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
    file.extend(bytes);
    file.resize(file.len() + 8, 0);
    file
}

/// The whole file with some bytes of its header replaced: three bytes of input say where and by what.
fn patched(bytes: &[u8]) -> Vec<u8> {
    let mut file = WHOLE.clone();
    for patch in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]])) % file.len().min(4096);
        file[at] = patch[2];
    }
    file
}

fn walk(bytes: Vec<u8>) -> Result<(), CheckpointError> {
    let file = Safetensors::from_bytes("fuzz", bytes)?;
    let mut floats = Vec::new();
    for tensor in file.tensors().filter(|tensor| tensor.row_len() <= NUMBERS_MAX) {
        floats.resize(tensor.row_len(), 0.0);
        for row in 0..tensor.rows().min(ROWS_MAX) {
            tensor.read_row(row, &mut floats);
        }
    }
    Ok(())
}
