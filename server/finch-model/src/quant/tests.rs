use super::*;

const KINDS: [TensorKind; 10] = [
    TensorKind::Q4_0,
    TensorKind::Q4_1,
    TensorKind::Q5_0,
    TensorKind::Q5_1,
    TensorKind::Q8_0,
    TensorKind::Q2K,
    TensorKind::Q3K,
    TensorKind::Q4K,
    TensorKind::Q5K,
    TensorKind::Q6K,
];

/// Bytes without order, the same each time, and with 16-bit scales of ordinary size wherever a scale may be.
fn stored(kind: TensorKind, blocks: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..kind.block_bytes() * blocks).map(|at| (at * at * 31 + at * 7) as u8).collect();
    for block in bytes.chunks_exact_mut(kind.block_bytes()) {
        let scales = match kind {
            TensorKind::Q2K => vec![80, 82],
            TensorKind::Q3K => vec![108],
            TensorKind::Q6K => vec![208],
            _ => vec![0, 2],
        };
        let one_scale = matches!(kind, TensorKind::Q4_0 | TensorKind::Q5_0 | TensorKind::Q8_0);
        for at in scales.into_iter().take(if one_scale { 1 } else { 2 }) {
            block[at] = 0x66;
            block[at + 1] = 0x26;
        }
    }
    bytes
}

struct Quantized {
    layout: Layout,
    codes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<u8>,
}

fn quantize(kind: TensorKind, stored: &[u8], layout: Layout) -> Quantized {
    let len = stored.len() / kind.block_bytes() * kind.block_len();
    let mut codes = vec![0; layout.code_bytes(len)];
    let mut scales = vec![0.0; layout.scales(len)];
    let mut zeros = vec![0; layout.zero_bytes(len)];
    let row = QuantRow { codes: &mut codes, scales: &mut scales, zeros: &mut zeros };
    RowQuantizer::new(layout, len).quantize(kind, stored, row);
    Quantized { layout, codes, scales, zeros }
}

impl Quantized {
    /// What the operators make of it, from their documentation.
    fn numbers(&self) -> Vec<f32> {
        let len = self.codes.len() * 8 / self.layout.bits();
        let number = |place: usize| {
            let block = place / self.layout.block();
            let nibble = |bytes: &[u8], at: usize| f32::from(bytes[at / 2] >> (at % 2 * 4) & 15);
            let step = match self.layout {
                Layout::Eight { .. } => f32::from(self.codes[place]) - 128.0,
                Layout::Four { .. } => nibble(&self.codes, place) - 8.0,
                Layout::FourShifted => nibble(&self.codes, place) - nibble(&self.zeros, block),
            };
            step * self.scales[block]
        };
        (0..len).map(number).collect()
    }
}

fn source_numbers(kind: TensorKind, stored: &[u8]) -> Vec<f32> {
    let mut numbers = vec![0.0; stored.len() / kind.block_bytes() * kind.block_len()];
    kind.dequantize(stored, &mut numbers);
    numbers
}

fn square_error(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| (left - right) * (left - right)).sum()
}

#[test]
fn symmetric_blocks_are_carried_over_exactly() {
    let cases = [
        (TensorKind::Q4_0, Layout::Four { block: 32 }),
        (TensorKind::Q3K, Layout::Four { block: 16 }),
        (TensorKind::Q3K, Layout::Eight { block: 16 }),
        (TensorKind::Q4_0, Layout::FourShifted),
        (TensorKind::Q4_0, Layout::Eight { block: 32 }),
        (TensorKind::Q5_0, Layout::Eight { block: 32 }),
        (TensorKind::Q5_0, Layout::Eight { block: 16 }),
        (TensorKind::Q8_0, Layout::Eight { block: 32 }),
        (TensorKind::Q8_0, Layout::Eight { block: 16 }),
        (TensorKind::Q6K, Layout::Eight { block: 16 }),
    ];
    for (kind, layout) in cases {
        let stored = stored(kind, 3);
        assert_eq!(quantize(kind, &stored, layout).numbers(), source_numbers(kind, &stored), "{kind:?} in {layout:?}");
    }
}

#[test]
fn eight_bits_miss_by_half_a_step_at_most() {
    for kind in KINDS {
        let stored = stored(kind, 2);
        let quantized = quantize(kind, &stored, Layout::Eight { block: 32 });
        let numbers = quantized.numbers();
        for (place, (got, wanted)) in numbers.iter().zip(source_numbers(kind, &stored)).enumerate() {
            let step = quantized.scales[place / 32].abs();
            assert!((got - wanted).abs() <= step * 0.501, "{kind:?} at {place}: {got} for {wanted}");
        }
    }
}

#[test]
fn the_search_is_never_worse_than_plain_rounding_and_often_far_better() {
    for kind in KINDS.into_iter().filter(|kind| *kind != TensorKind::Q4_0) {
        let stored = stored(kind, 8);
        let numbers = source_numbers(kind, &stored);
        let mut plain = numbers.clone();
        round_like_q4_zero(&mut plain);
        let searched = quantize(kind, &stored, Layout::FourShifted).numbers();
        let (searched, plain) = (square_error(&searched, &numbers), square_error(&plain, &numbers));
        assert!(searched < plain * 0.9, "{kind:?}: {searched} against {plain}");
    }
}

fn floats(numbers: [f32; 32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn blocks_on_a_four_bit_grid_are_found_again() {
    for (zero, step) in [(0.0, 0.25), (3.0, 0.5), (8.0, 1.0), (15.0, 2.0)] {
        let mut numbers = std::array::from_fn(|place| (place as f32 % 16.0 - zero) * step);
        numbers[0] = -zero * step;
        let quantized = quantize(TensorKind::F32, &floats(numbers), Layout::FourShifted);
        assert!(square_error(&quantized.numbers(), &numbers) < 1e-6, "zero {zero}");
    }
}

#[test]
fn empty_and_broken_blocks_give_finite_codes() {
    let nothing = quantize(TensorKind::F32, &floats([0.0; 32]), Layout::FourShifted);
    assert_eq!((nothing.scales[0], nothing.numbers()), (0.0, vec![0.0; 32]));
    let nothing = quantize(TensorKind::F32, &floats([0.0; 32]), Layout::Eight { block: 32 });
    assert_eq!(nothing.numbers(), vec![0.0; 32]);
    for odd in [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE] {
        let mut numbers = [0.5; 32];
        numbers[7] = odd;
        let quantized = quantize(TensorKind::F32, &floats(numbers), Layout::FourShifted);
        assert_eq!(quantized.codes.len(), 16, "{odd}");
    }
}

#[test]
fn earlier_numbers_lie_in_the_low_halves() {
    let mut packed = [0; 2];
    four::pack(&[-8, 7, 0, 1], 8, &mut packed);
    assert_eq!(packed, [0xf0, 0x98]);
}

#[test]
fn layouts_follow_their_sources() {
    assert_eq!(Layout::four([TensorKind::Q4_0, TensorKind::Q4_0]), Layout::Four { block: 32 });
    assert_eq!(Layout::four([TensorKind::Q3K]), Layout::Four { block: 16 });
    assert_eq!(Layout::four([TensorKind::Q3K, TensorKind::Q4_0]), Layout::FourShifted);
    assert_eq!(Layout::four([TensorKind::Q4_0, TensorKind::Q4K]), Layout::FourShifted);
    assert_eq!(Layout::eight([TensorKind::Q4K, TensorKind::Q8_0]), Layout::Eight { block: 32 });
    assert_eq!(Layout::eight([TensorKind::Q4K, TensorKind::Q6K]), Layout::Eight { block: 16 });
}

/// Expected bytes come from the reference implementation of the format.
#[test]
fn plain_rounding_is_the_reference_rounding() {
    #[rustfmt::skip]
    let numbers: [f32; 32] = [-0.0369, -0.025, 0.1524, -0.0428, -0.0304, 0.0353, -0.0121, -0.0197, -0.1114, -0.0012, -0.0444, 0.1166, 0.0653, -0.0024, 0.0668, -0.034, 0.1052, -0.0005, 0.0583, -0.1291, 0.0347, -0.1688, -0.2035, -0.0304, -0.09, 0.0164, 0.2245, -0.0832, -0.0624, 0.0205, 0.0493, -0.0176];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&q4_zero_block(&numbers)), "2fa7498963da79e7f899bc780ab4a6786699");
    assert_eq!(hex(&q8_zero_block(&numbers)), "3e17ebf256e8ef14f9f5c1ffe74225ff26ed3c0021b714a18defcd097fd1dd0c1cf6");
}

#[test]
fn scales_are_numbers_of_16_bits_where_that_costs_next_to_nothing() {
    assert_eq!(narrow(0.375), 0.375);
    let near = narrow(0.01);
    assert!(near != 0.01 && (near - 0.01).abs() < 1e-5 && f16::from_f32(near).to_f32() == near);
    assert_eq!(narrow(-near), -near);
    // Too small and too large for 16 bits.
    assert_eq!(narrow(1e-7), 1e-7);
    assert_eq!(narrow(1e6), 1e6);
    assert_eq!(narrow(0.0), 0.0);
    for (layout, codes) in [(Layout::Eight { block: 32 }, 254.0), (Layout::FourShifted, 15.0)] {
        let numbers: Vec<f32> = (0..64).map(|at| (at as f32 * 0.7).sin() * 0.03).collect();
        let stored: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let quantized = quantize(TensorKind::F32, &stored, layout);
        assert!(quantized.scales.iter().all(|&scale| f16::from_f32(scale).to_f32() == scale));
        let furthest = numbers.iter().zip(quantized.numbers()).map(|(it, made)| (it - made).abs()).fold(0.0, f32::max);
        assert!(furthest <= 0.06 / codes * 0.75, "{layout:?}: {furthest}");
    }
}
