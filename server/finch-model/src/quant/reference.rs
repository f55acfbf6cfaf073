//! The plain block rounding that GGUF files are commonly made with, as a yardstick and for writing small test files.
//!
//! `round_like_*` says what a tensor would read as after such a rounding, so that a build of unknown weights can be held
//! against it. Called by the importer for reference builds and by `tiny`.

use half::f16;

use super::BLOCK;

/// One `Q4_0` block: the number of largest magnitude becomes code 0, the scale is stored in 16 bits.
pub(crate) fn q4_zero_block(floats: &[f32; BLOCK]) -> [u8; 18] {
    let peak = floats.iter().fold(0.0_f32, |peak, number| if number.abs() > peak.abs() { *number } else { peak });
    let scale = peak / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    // The codes are rounded under the exact scale; its storing in 16 bits is part of the error.
    let code = |number: f32| ((number * inverse + 8.5) as u8).min(15);
    let mut block = [0; 18];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for index in 0..BLOCK / 2 {
        block[2 + index] = code(floats[index]) | code(floats[index + BLOCK / 2]) << 4;
    }
    block
}

/// One `Q8_0` block.
pub(crate) fn q8_zero_block(floats: &[f32; BLOCK]) -> [u8; 34] {
    let largest = floats.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, number) in block[2..].iter_mut().zip(floats) {
        *byte = ((number * inverse).round() as i8).cast_unsigned();
    }
    block
}

/// Replaces numbers by what a `Q4_0` tensor of them would hold.
pub(crate) fn round_like_q4_zero(floats: &mut [f32]) {
    for floats in floats.as_chunks_mut::<BLOCK>().0 {
        crate::gguf::TensorKind::Q4_0.dequantize(&q4_zero_block(floats), floats);
    }
}

/// Replaces numbers by what a `Q8_0` tensor of them would hold.
pub(crate) fn round_like_q8_zero(floats: &mut [f32]) {
    for floats in floats.as_chunks_mut::<BLOCK>().0 {
        crate::gguf::TensorKind::Q8_0.dequantize(&q8_zero_block(floats), floats);
    }
}
