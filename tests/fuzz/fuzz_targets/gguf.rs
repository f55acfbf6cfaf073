//! A GGUF file is read, walked and dequantised: whatever the bytes are, it ends in numbers or an error.

#![no_main]

use finch_model::gguf::Gguf;
use libfuzzer_sys::fuzz_target;

/// Rows read of each tensor, and numbers of a row: enough for every kind of block, little enough to stay quick.
const ROWS_MAX: usize = 4;
const NUMBERS_MAX: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(gguf) = Gguf::from_bytes("fuzz", bytes.to_vec()) else {
        return;
    };
    for key in gguf.keys() {
        let texts = gguf.texts(key).map(|texts| texts.map_or(0, |texts| texts.len()));
        let numbers = gguf.numbers(key).map(|numbers| numbers.map_or(0, |numbers| numbers.len()));
        assert!(texts.unwrap_or(0) <= bytes.len() && numbers.unwrap_or(0) <= bytes.len());
    }
    let mut floats = Vec::new();
    for tensor in gguf.tensors().filter(|tensor| tensor.row_len() <= NUMBERS_MAX) {
        floats.resize(tensor.row_len(), 0.0);
        for row in 0..tensor.rows().min(ROWS_MAX) {
            let stored = tensor.row_bytes(row).expect("a row below the number of rows");
            tensor.kind().dequantize(stored, &mut floats);
        }
    }
});
