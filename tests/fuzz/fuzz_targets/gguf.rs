//! A GGUF file is read, walked and dequantised: whatever the bytes are, it ends in numbers or an error.

#![no_main]

use std::sync::LazyLock;

use finch_model::checkpoint::CheckpointError;
use finch_model::gguf::{Gguf, TensorKind};
use finch_model::tiny::{TinySpec, write_tiny_gguf};
use libfuzzer_sys::fuzz_target;

/// Rows read of each tensor, and numbers of a row: enough for every kind of block, little enough to stay quick.
const ROWS_MAX: usize = 4;
const NUMBERS_MAX: usize = 1 << 16;

/// A small whole file, so that the fuzzer does not have to find one by itself.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("finch-fuzz-{}.gguf", std::process::id()));
    let spec = TinySpec {
        layers: 1,
        hidden: 64,
        heads: 2,
        kv_heads: 1,
        ff: 32,
        vocab: TinySpec::VOCAB_MIN,
        tensor_type: TensorKind::Q4_0,
        ..TinySpec::default()
    };
    write_tiny_gguf(&path, spec).expect("a temporary file");
    let bytes = std::fs::read(&path).expect("the file that was written");
    std::fs::remove_file(&path).expect("the file that was written");
    walk(bytes.clone()).expect("a whole file is read");
    bytes
});

fuzz_target!(|bytes: &[u8]| {
    for file in [bytes.to_vec(), patched(bytes)] {
        // What is refused is refused with an error, and that is all that is asked of it.
        walk(file).ok();
    }
});

/// The whole file with some bytes replaced: three bytes of input say where and by what.
fn patched(bytes: &[u8]) -> Vec<u8> {
    let mut file = WHOLE.clone();
    for patch in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]])) % file.len();
        file[at] = patch[2];
    }
    file
}

fn walk(bytes: Vec<u8>) -> Result<(), CheckpointError> {
    let length = bytes.len();
    let gguf = Gguf::from_bytes("fuzz", bytes)?;
    for key in gguf.keys() {
        let texts = gguf.texts(key).map(|texts| texts.map_or(0, |texts| texts.len()));
        let numbers = gguf.numbers(key).map(|numbers| numbers.map_or(0, |numbers| numbers.len()));
        assert!(texts.unwrap_or(0) <= length && numbers.unwrap_or(0) <= length);
    }
    let mut floats = Vec::new();
    for tensor in gguf.tensors().filter(|tensor| tensor.row_len() <= NUMBERS_MAX) {
        floats.resize(tensor.row_len(), 0.0);
        for row in 0..tensor.rows().min(ROWS_MAX) {
            let stored = tensor.row_bytes(row).expect("a row below the number of rows");
            tensor.kind().dequantize(stored, &mut floats);
        }
    }
    Ok(())
}
