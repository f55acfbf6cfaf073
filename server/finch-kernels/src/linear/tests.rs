use super::*;
use crate::InOrder;

/// Numbers without any pattern, between -1 and 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn bytes(count: usize, seed: u32) -> Vec<u8> {
    noise(count, seed).iter().map(|number| (number * 127.9 + 128.0) as u8).collect()
}

struct Quantised {
    shape: Shape,
    codes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Option<Vec<u8>>,
    turned: [Vec<u8>; 3],
}

fn turned<const N: usize>(row_bytes: usize, rows: &[u8]) -> Vec<u8> {
    let mut turned = vec![0; rows.len().next_multiple_of(PANEL_ROWS * row_bytes)];
    turn::<N>(row_bytes, rows, &mut turned);
    turned
}

impl Quantised {
    fn random(shape: Shape, shifted: bool, seed: u32) -> Self {
        let zeros = shifted.then(|| bytes(shape.rows * shape.zero_bytes(), seed + 2));
        // Whole 4096ths up to 1/64 are numbers of 16 bits too.
        let scale = |it: &f32| (it * 64.0).round() / 4096.0;
        let scales: Vec<f32> = noise(shape.rows * shape.blocks(), seed + 1).iter().map(scale).collect();
        let codes = bytes(shape.rows * shape.code_bytes(), seed);
        let turned_scales = match shape.scales {
            Scales::Half => {
                let bytes: Vec<u8> = scales.iter().flat_map(|it| half::f16::from_f32(*it).to_le_bytes()).collect();
                turned::<2>(shape.scale_bytes(), &bytes)
            }
            Scales::Single => {
                let bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
                turned::<4>(shape.scale_bytes(), &bytes)
            }
        };
        let turned = [
            turned::<4>(shape.code_bytes(), &codes),
            turned_scales,
            turned::<1>(shape.zero_bytes(), zeros.as_deref().unwrap_or_default()),
        ];
        Self { shape, codes, scales, zeros, turned }
    }

    fn matrix(&self) -> Matrix<'_> {
        let [codes, scales, zeros] = &self.turned;
        Matrix::new(self.shape, codes, scales, self.zeros.is_some().then_some(zeros.as_slice())).unwrap()
    }

    fn number(&self, row: usize, column: usize) -> f64 {
        let block = column / self.shape.block;
        let code = |index: usize| self.codes[row * self.shape.code_bytes() + index];
        let (code, zero) = match self.shape.bits {
            Bits::Four => {
                let zero_of =
                    |zeros: &Vec<u8>| zeros[row * self.shape.zero_bytes() + block / 2] >> (block % 2 * 4) & 15;
                (code(column / 2) >> (column % 2 * 4) & 15, self.zeros.as_ref().map_or(8, zero_of))
            }
            Bits::Eight => (code(column), 128),
        };
        f64::from(self.scales[row * self.shape.blocks() + block]) * (f64::from(code) - f64::from(zero))
    }
}

/// Activations as the kernels see them.
fn rounded(input: &[f32]) -> Vec<f64> {
    let block = |block: &[f32]| {
        let scale = block.iter().fold(0.0_f32, |largest, it| largest.max(it.abs())) / 127.0;
        let code = |number: &f32| f64::from((number * (1.0 / scale)).round_ties_even()) * f64::from(scale);
        block.iter().map(code).collect::<Vec<_>>()
    };
    input.chunks(BLOCK).flat_map(block).collect()
}

fn expected(weights: &Quantised, input: &[f32]) -> Vec<f64> {
    let columns = weights.shape.columns;
    let numbers = rounded(input);
    let product = |row: &[f64], out: usize| (0..columns).map(|at| row[at] * weights.number(out, at)).sum::<f64>();
    numbers.chunks(columns).flat_map(|row| (0..weights.shape.rows).map(move |out| product(row, out))).collect()
}

#[track_caller]
fn assert_close(ours: &[f32], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    for (at, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        // The reference divides by a scale where the kernels multiply by its inverse, which moves a rare code by one.
        assert!((f64::from(*ours) - expected).abs() < 2e-3, "{at}: {ours} is not {expected}");
    }
}

#[track_caller]
fn check(bits: Bits, block: usize, shifted: bool) {
    let Some(processor) = Processor::detect() else {
        return;
    };
    let sizes = [(16, 128), (5, 32), (49, 96), (64, 576), (33, 896)];
    for ((rows, columns), scales) in sizes.into_iter().flat_map(|it| [(it, Scales::Half), (it, Scales::Single)]) {
        let shape = Shape { rows, columns, bits, block, scales };
        let (weights, other) = (Quantised::random(shape, shifted, 1), Quantised::random(shape, shifted, 9));
        let bias = noise(rows, 3);
        for count in [1, 2, 3, 5, 8, 9, 24, 25, 33] {
            let input = noise(count * columns, 4);
            let mut output = vec![f32::NAN; count * rows];
            let mut room = Room::default();
            let plain = Product::Plain { matrix: weights.matrix(), bias: Some(&bias) };
            multiply(processor, &InOrder, &plain, &input, &mut output, &mut room);
            let product = expected(&weights, &input);
            let biased: Vec<f64> = product.iter().enumerate().map(|(at, it)| it + f64::from(bias[at % rows])).collect();
            assert_close(&output, &biased);
            let gated = Product::Gated { gate: weights.matrix(), up: other.matrix() };
            multiply(processor, &InOrder, &gated, &input, &mut output, &mut room);
            let ups = expected(&other, &input);
            let gated: Vec<f64> = product.iter().zip(ups).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
            assert_close(&output, &gated);
        }
    }
}

#[test]
fn four_bits_around_eight() {
    check(Bits::Four, 32, false);
}

#[test]
fn four_bits_with_zeros_of_their_own() {
    check(Bits::Four, 32, true);
}

#[test]
fn eight_bits_in_blocks_of_32() {
    check(Bits::Eight, 32, false);
}

#[test]
fn eight_bits_in_blocks_of_16() {
    check(Bits::Eight, 16, false);
}

#[test]
fn other_layouts_are_refused() {
    let shape = Shape { rows: 16, columns: 64, bits: Bits::Four, block: 32, scales: Scales::Single };
    let fits = |shape: Shape, codes: usize| Matrix::new(shape, &vec![0; codes], &[0; 16 * 8], None).map(|_| ());
    assert_eq!(fits(shape, 512), Ok(()));
    assert_eq!(fits(Shape { rows: 9, ..shape }, 512), Ok(()));
    assert_eq!(fits(shape, 511), Err(Unfit::Length));
    assert_eq!(fits(Shape { scales: Scales::Half, ..shape }, 512), Err(Unfit::Length));
    assert_eq!(fits(Shape { block: 64, ..shape }, 512), Err(Unfit::Layout));
    assert_eq!(fits(Shape { rows: 9, ..shape }, 288), Err(Unfit::Length));
    assert_eq!(fits(Shape { columns: 48, ..shape }, 384), Err(Unfit::Layout));
    assert_eq!(fits(Shape { bits: Bits::Eight, block: 128, ..shape }, 1024), Err(Unfit::Layout));
}
