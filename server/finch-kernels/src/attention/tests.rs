use super::*;
use crate::InOrder;

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

/// One layer with a cache, and the same in plain arithmetic.
struct Case {
    shape: Shape,
    /// Half of the numbers that turn; none turn at zero.
    half: usize,
    each: usize,
    past: Vec<usize>,
}

const CAPACITY: usize = 150;

impl Case {
    fn packed_width(&self) -> usize {
        (self.shape.heads + 2 * self.shape.kv_heads) * self.shape.head_dim
    }

    fn angle(&self, position: usize, pair: usize) -> f64 {
        position as f64 * 0.3_f64.powi(i32::try_from(pair).unwrap())
    }

    fn turned(&self, head: &[f32], position: usize) -> Vec<f64> {
        let mut out: Vec<f64> = head.iter().map(|it| f64::from(*it)).collect();
        for pair in 0..self.half {
            let (sine, cosine) = self.angle(position, pair).sin_cos();
            let (low, high) = (out[pair], out[self.half + pair]);
            (out[pair], out[self.half + pair]) = (low * cosine - high * sine, high * cosine + low * sine);
        }
        out
    }

    /// What a query attends to, given all keys and values of its head.
    fn attended(&self, query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
        let position = keys.len() - 1;
        let start = self.shape.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let score = |key: &Vec<f64>| {
            let score = query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>() * f64::from(self.shape.scale);
            self.shape.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
        };
        let weights: Vec<f64> = keys[start..].iter().map(|key| score(key).exp()).collect();
        let total: f64 = weights.iter().sum();
        let number =
            |at: usize| weights.iter().zip(&values[start..]).map(|(w, value)| w * value[at]).sum::<f64>() / total;
        (0..self.shape.head_dim).map(number).collect()
    }

    #[track_caller]
    fn check(&self) {
        let Some(processor) = Processor::detect() else {
            return;
        };
        let Shape { heads, kv_heads, head_dim, .. } = self.shape;
        let sequences = self.past.len();
        let table = |trigonometric: fn(f64) -> f64| -> Vec<f32> {
            let numbers = (0..CAPACITY).flat_map(|at| (0..self.half).map(move |pair| (at, pair)));
            numbers.map(|(at, pair)| trigonometric(self.angle(at, pair)) as f32).collect()
        };
        let (cosines, sines) = (table(f64::cos), table(f64::sin));
        let width = self.packed_width();
        let input = noise(sequences * self.each * width, 5);
        // What the cache does not hold is not a number, so reading it shows.
        let mut keys = vec![f32::NAN; sequences * kv_heads * CAPACITY * head_dim];
        let mut values = keys.clone();
        for (at, past) in self.past.iter().enumerate() {
            for head in 0..kv_heads {
                let place = (at * kv_heads + head) * CAPACITY * head_dim;
                keys[place..place + past * head_dim].copy_from_slice(&noise(past * head_dim, 11 + head as u32));
                values[place..place + past * head_dim].copy_from_slice(&noise(past * head_dim, 17 + head as u32));
            }
        }
        let (old_keys, old_values) = (keys.clone(), values.clone());
        let rows = |start: usize| Rows { numbers: &input, start: start * head_dim, stride: width };
        let tokens = Tokens {
            queries: rows(0),
            keys: rows(heads),
            values: rows(heads + kv_heads),
            rotary: (self.half > 0).then_some(Rotary { cosines: &cosines, sines: &sines, half: self.half }),
            each: self.each,
            past: &self.past,
        };
        let mut output = vec![f32::NAN; sequences * self.each * heads * head_dim];
        let mut cache = Cache { keys: &mut keys, values: &mut values, capacity: CAPACITY };
        attend(processor, &InOrder, &self.shape, &tokens, &mut cache, &mut output).unwrap();
        let floats = |row: &[f32]| row.iter().map(|it| f64::from(*it)).collect::<Vec<f64>>();
        for (sequence, past) in self.past.iter().enumerate() {
            for head in 0..heads {
                let kv_head = head / (heads / kv_heads);
                let old = |held: &[f32]| -> Vec<Vec<f64>> {
                    let place = (sequence * kv_heads + kv_head) * CAPACITY * head_dim;
                    held[place..place + past * head_dim].chunks(head_dim).map(floats).collect()
                };
                let (mut all_keys, mut all_values) = (old(&old_keys), old(&old_values));
                for token in 0..self.each {
                    let row = &input[(sequence * self.each + token) * width..][..width];
                    let part = |at: usize| &row[at * head_dim..(at + 1) * head_dim];
                    all_keys.push(self.turned(part(heads + kv_head), past + token));
                    all_values.push(floats(part(heads + kv_heads + kv_head)));
                    let query = self.turned(part(head), past + token);
                    let expected = self.attended(&query, &all_keys, &all_values);
                    let place = ((sequence * self.each + token) * heads + head) * head_dim;
                    for (ours, expected) in output[place..place + head_dim].iter().zip(expected) {
                        assert!((f64::from(*ours) - expected).abs() < 2e-5, "{ours} is not {expected}");
                    }
                }
            }
        }
    }
}

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> Shape {
    Shape { heads, kv_heads, head_dim, scale: (head_dim as f32).sqrt().recip(), softcap: None, window: None }
}

#[test]
fn one_token_behind_a_context() {
    for past in [0, 1, 15, 16, 100] {
        Case { shape: shape(14, 2, 64), half: 32, each: 1, past: vec![past] }.check();
    }
}

#[test]
fn many_tokens_with_and_without_a_context() {
    for past in [0, 7, 40] {
        for each in [2, 8, 9, 33, 100] {
            Case { shape: shape(3, 3, 16), half: 8, each, past: vec![past] }.check();
            Case { shape: shape(4, 1, 80), half: 32, each, past: vec![past] }.check();
        }
    }
}

#[test]
fn several_sequences_of_different_lengths() {
    Case { shape: shape(6, 3, 32), half: 16, each: 1, past: vec![3, 0, 120, 17] }.check();
    Case { shape: shape(6, 2, 192), half: 0, each: 3, past: vec![3, 0, 99] }.check();
}

#[test]
fn windows_and_soft_caps() {
    let plain = shape(4, 2, 32);
    for window in [1, 5, 16, 64] {
        let windowed = Shape { window: Some(window), ..plain };
        Case { shape: windowed, half: 16, each: 40, past: vec![30] }.check();
        Case { shape: Shape { softcap: Some(2.0), ..windowed }, half: 16, each: 1, past: vec![90] }.check();
    }
    Case { shape: Shape { softcap: Some(0.5), ..plain }, half: 16, each: 20, past: vec![0] }.check();
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let Some(processor) = Processor::detect() else {
        return;
    };
    let refused = |shape: Shape, past: usize, rows: usize| {
        let numbers = vec![0.0; 64];
        let rows = Rows { numbers: &numbers[..rows * 64], start: 0, stride: 64 };
        let tokens = Tokens { queries: rows, keys: rows, values: rows, rotary: None, each: 1, past: &[past] };
        let (mut keys, mut values) = (vec![0.0; 160], vec![0.0; 160]);
        let mut cache = Cache { keys: &mut keys, values: &mut values, capacity: 10 };
        attend(processor, &InOrder, &shape, &tokens, &mut cache, &mut [0.0; 16]).err().map(|error| error.to_string())
    };
    let fine = shape(1, 1, 16);
    assert_eq!(refused(fine, 9, 1), None);
    assert_eq!(refused(fine, 10, 1).as_deref(), Some("the cache is full"));
    assert_eq!(refused(fine, 9, 0).as_deref(), Some("the inputs are not a row for each token"));
    assert_eq!(refused(shape(1, 1, 8), 0, 1).as_deref(), Some("no kernel for these heads"));
    assert_eq!(refused(shape(3, 2, 16), 0, 1).as_deref(), Some("no kernel for these heads"));
    assert_eq!(refused(shape(2, 1, 16), 0, 1).as_deref(), Some("the output is not a row for each token"));
}
