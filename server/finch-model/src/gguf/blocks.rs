//! Splits quantised blocks into whole codes, scales and offsets: the one place that knows their bit layouts.
//!
//! Every number of a block is `code * scale + offset` with the scale and offset of its group. Reading floats and carrying
//! codes over exactly both come from this, so they cannot disagree. Called by `tensor` and `quant`.

use half::f16;

use super::TensorKind;

/// Numbers in the largest block.
const BLOCK_LEN_MAX: usize = 256;
const GROUPS_MAX: usize = 16;

/// One block taken apart.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Whole codes in the order of the numbers; symmetric kinds are already centred on zero.
    pub(crate) codes: [i8; BLOCK_LEN_MAX],
    /// One scale for each group.
    pub(crate) scales: [f32; GROUPS_MAX],
    offsets: [f32; GROUPS_MAX],
    group_len: usize,
}

impl Default for Unpacked {
    fn default() -> Self {
        Self { codes: [0; BLOCK_LEN_MAX], scales: [0.0; GROUPS_MAX], offsets: [0.0; GROUPS_MAX], group_len: 32 }
    }
}

impl Unpacked {
    pub(super) fn write_floats(&self, out: &mut [f32]) {
        let groups = self.codes.chunks_exact(self.group_len).zip(self.scales.iter().zip(&self.offsets));
        for (out, (codes, (scale, offset))) in out.chunks_exact_mut(self.group_len).zip(groups) {
            for (number, code) in out.iter_mut().zip(codes) {
                *number = f32::from(*code) * scale + offset;
            }
        }
    }
}

/// Invariant: `block` is one whole block of `kind`, and `kind` is one of the block kinds.
pub(super) fn unpack(kind: TensorKind, block: &[u8], out: &mut Unpacked) {
    let fine = matches!(kind, TensorKind::Q2K | TensorKind::Q3K | TensorKind::Q6K);
    out.group_len = if fine { 16 } else { 32 };
    match kind {
        TensorKind::Q4_0 => {
            out.scales[0] = half_at(block, 0);
            out.offsets[0] = 0.0;
            nibbles(&block[2..18], &mut out.codes);
            recentre(&mut out.codes[..32], 8);
        }
        TensorKind::Q4_1 => {
            out.scales[0] = half_at(block, 0);
            out.offsets[0] = half_at(block, 2);
            nibbles(&block[4..20], &mut out.codes);
        }
        TensorKind::Q5_0 => {
            out.scales[0] = half_at(block, 0);
            out.offsets[0] = 0.0;
            nibbles(&block[6..22], &mut out.codes);
            fifth_bits(&block[2..6], &mut out.codes);
            recentre(&mut out.codes[..32], 16);
        }
        TensorKind::Q5_1 => {
            out.scales[0] = half_at(block, 0);
            out.offsets[0] = half_at(block, 2);
            nibbles(&block[8..24], &mut out.codes);
            fifth_bits(&block[4..8], &mut out.codes);
        }
        TensorKind::Q8_0 => {
            out.scales[0] = half_at(block, 0);
            out.offsets[0] = 0.0;
            for (code, byte) in out.codes.iter_mut().zip(&block[2..34]) {
                *code = byte.cast_signed();
            }
        }
        TensorKind::Q2K => two_bits_and_minima(block, out),
        TensorKind::Q3K => three_bits(block, out),
        TensorKind::Q4K => {
            scales_and_minima(block, out);
            four_bit_runs(&block[16..144], &mut out.codes);
        }
        TensorKind::Q5K => {
            scales_and_minima(block, out);
            four_bit_runs(&block[48..176], &mut out.codes);
            for (index, code) in out.codes.iter_mut().enumerate() {
                // Bit `run` of byte `i` is the fifth bit of number `i` in run `run`.
                *code |= ((block[16 + index % 32] >> (index / 32)) & 1).cast_signed() << 4;
            }
        }
        TensorKind::Q6K => six_bits(block, out),
        TensorKind::F32 | TensorKind::F16 | TensorKind::Bf16 => {}
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// 16 bytes hold 32 numbers: the low halves first, then the high halves.
fn nibbles(bytes: &[u8], codes: &mut [i8]) {
    for (index, byte) in bytes.iter().enumerate() {
        codes[index] = (byte & 15).cast_signed();
        codes[index + 16] = (byte >> 4).cast_signed();
    }
}

fn fifth_bits(bytes: &[u8], codes: &mut [i8]) {
    for (index, code) in codes[..32].iter_mut().enumerate() {
        *code |= ((bytes[index / 8] >> (index % 8)) & 1).cast_signed() << 4;
    }
}

fn recentre(codes: &mut [i8], zero: i8) {
    for code in codes {
        *code -= zero;
    }
}

/// 32 bytes hold 64 numbers: a run of 32 low halves, then a run of 32 high halves.
fn four_bit_runs(bytes: &[u8], codes: &mut [i8]) {
    for (bytes, codes) in bytes.chunks_exact(32).zip(codes.chunks_exact_mut(64)) {
        for (index, byte) in bytes.iter().enumerate() {
            codes[index] = (byte & 15).cast_signed();
            codes[index + 32] = (byte >> 4).cast_signed();
        }
    }
}

/// Eight 6-bit scales and eight 6-bit minima in 12 bytes, behind a scale for each kind.
fn scales_and_minima(block: &[u8], out: &mut Unpacked) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let packed = &block[4..16];
    for group in 0..8 {
        let (code, low) = if group < 4 {
            (packed[group] & 63, packed[group + 4] & 63)
        } else {
            let pair = packed[group + 4];
            ((pair & 15) | (packed[group - 4] >> 6) << 4, (pair >> 4) | (packed[group] >> 6) << 4)
        };
        out.scales[group] = scale * f32::from(code);
        out.offsets[group] = -(minimum * f32::from(low));
    }
}

/// 64 bytes hold 256 numbers of 2 bits: each half of 128 numbers is four runs of 32 at rising places of the same bytes.
fn two_bit_runs(bytes: &[u8], codes: &mut [i8]) {
    for (index, code) in codes.iter_mut().enumerate() {
        let (part, run, column) = (index / 128, index % 128 / 32, index % 32);
        *code = ((bytes[part * 32 + column] >> (run * 2)) & 3).cast_signed();
    }
}

fn two_bits_and_minima(block: &[u8], out: &mut Unpacked) {
    let (scale, minimum) = (half_at(block, 80), half_at(block, 82));
    for (group, packed) in block[..16].iter().enumerate() {
        out.scales[group] = scale * f32::from(packed & 15);
        out.offsets[group] = -(minimum * f32::from(packed >> 4));
    }
    two_bit_runs(&block[16..80], &mut out.codes);
}

fn three_bits(block: &[u8], out: &mut Unpacked) {
    let (high, low, packed) = (&block[..32], &block[32..96], &block[96..108]);
    let scale = half_at(block, 108);
    for group in 0..GROUPS_MAX {
        // Four bits in the first eight bytes, two more in the last four.
        let nibble = packed[group % 8] >> (group / 8 * 4) & 15;
        let top = packed[8 + group % 4] >> (group / 4 * 2) & 3;
        out.scales[group] = scale * f32::from((nibble | top << 4).cast_signed() - 32);
        out.offsets[group] = 0.0;
    }
    two_bit_runs(low, &mut out.codes);
    for (index, code) in out.codes.iter_mut().enumerate() {
        // Bit `run` of byte `i`, unset, takes four from number `i` of run `run`.
        *code -= (((high[index % 32] >> (index / 32)) & 1) ^ 1).cast_signed() << 2;
    }
}

fn six_bits(block: &[u8], out: &mut Unpacked) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half_at(block, 208);
    for (group, code) in scales.iter().enumerate() {
        out.scales[group] = scale * f32::from(code.cast_signed());
        out.offsets[group] = 0.0;
    }
    for (index, code) in out.codes.iter_mut().enumerate() {
        // Each half of 128 numbers is four runs of 32; runs 0 and 1 are low nibbles, 2 and 3 the high ones of the same bytes.
        let (part, run, column) = (index / 128, index % 128 / 32, index % 32);
        let nibble = low[part * 64 + (run % 2) * 32 + column] >> ((run / 2) * 4) & 15;
        let top = (high[part * 32 + column] >> (run * 2)) & 3;
        *code = (nibble | top << 4).cast_signed() - 32;
    }
}
