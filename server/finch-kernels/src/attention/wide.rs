//! Attention in registers of sixteen.
//!
//! Keys are taken in tiles of sixteen tokens for all queries of a task, so a tile is read from memory once; values
//! likewise. Scores are kept for the whole context, which makes one softmax over them possible.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_mask_blend_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_sub_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};
use std::{cell::RefCell, ops::Range};

use super::{Cache, Rotary, Rows, Shape, Tokens};
use crate::{
    Tasks,
    lanes::{LANES, ahead, exp, first, load, load_some, store, store_some},
    shared::Shared,
};

/// New tokens of a sequence whose queries one task takes together.
const TOKENS_AT_ONCE: usize = 8;
/// Values that one pass over the queries reads.
const VALUES_AT_ONCE: usize = 64;

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// What a task needs beside its output.
#[derive(Default)]
struct Room {
    queries: Vec<f32>,
    scores: Vec<f32>,
}

/// A view of the cache while tasks run. Invariant: keys and values are written by [`append`] alone, before any is read.
struct Held<'c> {
    keys: &'c [f32],
    values: &'c [f32],
    capacity: usize,
}

pub(super) fn attend(tasks: &dyn Tasks, shape: &Shape, tokens: &Tokens<'_>, cache: &mut Cache<'_>, output: &mut [f32]) {
    append(tasks, shape, tokens, cache);
    let held = Held { keys: cache.keys, values: cache.values, capacity: cache.capacity };
    let parts = tokens.each.div_ceil(TOKENS_AT_ONCE);
    let splits = splits(shape, tokens.past.len() * parts, tasks.width());
    let job = Job { shape, tokens, held, output: Shared::new(output), splits };
    let task = |index: usize| {
        // The last tokens see most: they go first, so that no thread begins a long piece when the others are done.
        let (rest, split) = (index / splits, index % splits);
        let (rest, kv_head) = (rest / shape.kv_heads, rest % shape.kv_heads);
        let (sequence, part) = (rest % tokens.past.len(), parts - 1 - rest / tokens.past.len());
        ROOM.with_borrow_mut(|room| {
            #[expect(unsafe_code, reason = "calls a function for this processor")]
            // SAFETY: this module is reached with a `Processor` of these instructions alone.
            unsafe {
                job.piece(sequence, part, kv_head, split, room);
            }
        });
    };
    tasks.run(parts * tokens.past.len() * shape.kv_heads * splits, &task);
}

/// Into how many pieces the heads that share keys are cut: none if there is work for every thread without, because each
/// piece reads the keys again.
fn splits(shape: &Shape, pieces: usize, threads: usize) -> usize {
    let pieces = pieces * shape.kv_heads;
    let group = shape.heads / shape.kv_heads;
    if pieces.is_multiple_of(threads) || pieces > 4 * threads { 1 } else { group.min(threads.next_power_of_two()) }
}

/// Turns the new keys and puts them and the values behind the old ones.
fn append(tasks: &dyn Tasks, shape: &Shape, tokens: &Tokens<'_>, cache: &mut Cache<'_>) {
    let Shape { kv_heads, head_dim, .. } = *shape;
    let capacity = cache.capacity;
    let (keys, values) = (Shared::new(cache.keys), Shared::new(cache.values));
    let row = |index: usize| {
        let (sequence, at) = (index / tokens.each, index % tokens.each);
        let position = tokens.past[sequence] + at;
        let (new_keys, new_values) = (tokens.keys.row(index), tokens.values.row(index));
        for head in 0..kv_heads {
            let place = ((sequence * kv_heads + head) * capacity + position) * head_dim;
            let (from, to) = (head * head_dim..(head + 1) * head_dim, place..place + head_dim);
            values.range(to.clone()).copy_from_slice(&new_values[from.clone()]);
            #[expect(unsafe_code, reason = "calls a function for this processor")]
            // SAFETY: this module is reached with a `Processor` of these instructions alone.
            unsafe {
                turn(&new_keys[from], tokens.rotary, position, keys.range(to));
            }
        }
    };
    let rows = tokens.past.len() * tokens.each;
    if rows <= LANES {
        (0..rows).for_each(row);
    } else {
        let piece = |index: usize| (index * LANES..rows.min((index + 1) * LANES)).for_each(row);
        tasks.run(rows.div_ceil(LANES), &piece);
    }
}

/// Turns the pairs of a head by its position; numbers beyond the turned width stay.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn turn(head: &[f32], rotary: Option<Rotary<'_>>, position: usize, out: &mut [f32]) {
    let Some(Rotary { cosines, sines, half }) = rotary else {
        out.copy_from_slice(head);
        return;
    };
    let (cosines, sines) = (&cosines[position * half..][..half], &sines[position * half..][..half]);
    for start in (0..half).step_by(LANES) {
        let end = (start + LANES).min(half);
        let (low, high) = (load_some(&head[start..end]), load_some(&head[half + start..half + end]));
        let (cosine, sine) = (load_some(&cosines[start..end]), load_some(&sines[start..end]));
        store_some(&mut out[start..end], _mm512_fnmadd_ps(high, sine, _mm512_mul_ps(low, cosine)));
        store_some(&mut out[half + start..half + end], _mm512_fmadd_ps(low, sine, _mm512_mul_ps(high, cosine)));
    }
    out[2 * half..].copy_from_slice(&head[2 * half..]);
}

impl<'i> Rows<'i> {
    /// One row and whatever lies behind it.
    fn row(&self, index: usize) -> &'i [f32] {
        &self.numbers[self.start + index * self.stride..]
    }
}

struct Job<'j> {
    shape: &'j Shape,
    tokens: &'j Tokens<'j>,
    held: Held<'j>,
    output: Shared<'j, f32>,
    splits: usize,
}

/// The queries of a task: some new tokens of one sequence, some heads that share keys.
struct Piece {
    sequence: usize,
    tokens: Range<usize>,
    heads: Range<usize>,
    kv_head: usize,
}

impl Job<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn piece(&self, sequence: usize, part: usize, kv_head: usize, split: usize, room: &mut Room) {
        let group = self.shape.heads / self.shape.kv_heads;
        let tokens = part * TOKENS_AT_ONCE..((part + 1) * TOKENS_AT_ONCE).min(self.tokens.each);
        let heads = kv_head * group + split * group / self.splits..kv_head * group + (split + 1) * group / self.splits;
        let piece = Piece { sequence, tokens, heads, kv_head };
        let context = self.tokens.past[sequence] + piece.tokens.end;
        let count = piece.tokens.len() * piece.heads.len();
        let width = context.next_multiple_of(LANES);
        room.queries.resize(count * self.shape.head_dim, 0.0);
        room.scores.resize(count * width, 0.0);
        self.turn_queries(&piece, &mut room.queries);
        self.score(&piece, width, room);
        for (index, scores) in room.scores.chunks_exact_mut(width).take(count).enumerate() {
            let seen = self.seen(&piece, index);
            softmax(&mut scores[seen]);
        }
        self.gather(&piece, width, &room.scores);
    }

    /// The position of a query, and the tokens it sees.
    fn seen(&self, piece: &Piece, index: usize) -> Range<usize> {
        let position = self.tokens.past[piece.sequence] + piece.tokens.start + index / piece.heads.len();
        let start = self.shape.window.map_or(0, |window| (position + 1).saturating_sub(window));
        start..position + 1
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn turn_queries(&self, piece: &Piece, queries: &mut [f32]) {
        let head_dim = self.shape.head_dim;
        let mut out = queries.chunks_exact_mut(head_dim);
        for token in piece.tokens.clone() {
            let row = self.tokens.queries.row(piece.sequence * self.tokens.each + token);
            let position = self.tokens.past[piece.sequence] + token;
            for (head, out) in piece.heads.clone().zip(&mut out) {
                turn(&row[head * head_dim..][..head_dim], self.tokens.rotary, position, out);
            }
        }
    }

    /// The rows of a sequence's keys or values for one head.
    fn rows<'h>(&self, held: &'h [f32], piece: &Piece) -> &'h [f32] {
        let size = self.held.capacity * self.shape.head_dim;
        &held[(piece.sequence * self.shape.kv_heads + piece.kv_head) * size..][..size]
    }

    /// Scores of every query with every token that any of them sees.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn score(&self, piece: &Piece, width: usize, room: &mut Room) {
        let head_dim = self.shape.head_dim;
        let keys = self.rows(self.held.keys, piece);
        let (from, to) =
            (self.seen(piece, 0).start / LANES * LANES, self.tokens.past[piece.sequence] + piece.tokens.end);
        let scale = _mm512_set1_ps(self.shape.scale);
        for tile in (from..to).step_by(LANES) {
            let rows = &keys[tile * head_dim..(tile + LANES).min(to) * head_dim];
            ahead(rows.as_ptr(), size_of_val(rows));
            let queries = room.queries.chunks_exact(head_dim);
            for (query, scores) in queries.zip(room.scores.chunks_exact_mut(width)) {
                let mut sums = _mm512_mul_ps(sixteen_products(query, rows, head_dim), scale);
                if let Some(cap) = self.shape.softcap {
                    sums = bend(sums, cap);
                }
                store_some(&mut scores[tile..tile + LANES], sums);
            }
        }
    }

    /// The values of the tokens each query sees, by their weights.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn gather(&self, piece: &Piece, width: usize, scores: &[f32]) {
        let Shape { heads, head_dim, .. } = *self.shape;
        let values = self.rows(self.held.values, piece);
        let to = self.tokens.past[piece.sequence] + piece.tokens.end;
        let count = piece.tokens.len() * piece.heads.len();
        let mut start = self.seen(piece, 0).start;
        let mut is_first = true;
        while start < to {
            let block = start..(start + VALUES_AT_ONCE).min(to);
            for (index, scores) in scores.chunks_exact(width).take(count).enumerate() {
                let seen = self.seen(piece, index);
                let part = block.start.max(seen.start)..block.end.min(seen.end);
                let (token, head) = (index / piece.heads.len(), index % piece.heads.len());
                let row = piece.sequence * self.tokens.each + piece.tokens.start + token;
                let place = (row * heads + piece.heads.start + head) * head_dim;
                let out = self.output.range(place..place + head_dim);
                if is_first {
                    out.fill(0.0);
                }
                if part.start < part.end {
                    add_values(out, &scores[part.clone()], &values[part.start * head_dim..part.end * head_dim]);
                }
            }
            (start, is_first) = (block.end, false);
        }
    }
}

/// Adds rows times their weights. Sums of up to 128 numbers stay in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn add_values(out: &mut [f32], weights: &[f32], rows: &[f32]) {
    let head_dim = out.len();
    let mut start = 0;
    while start < head_dim {
        let left = (head_dim - start) / LANES;
        let lanes = if left >= 8 {
            8
        } else if left >= 4 {
            4
        } else {
            1
        };
        let out = &mut out[start..start + lanes * LANES];
        match lanes {
            8 => add_part::<8>(out, weights, rows, head_dim, start),
            4 => add_part::<4>(out, weights, rows, head_dim, start),
            _ => add_part::<1>(out, weights, rows, head_dim, start),
        }
        start += lanes * LANES;
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn add_part<const N: usize>(out: &mut [f32], weights: &[f32], rows: &[f32], head_dim: usize, start: usize) {
    let mut sums = [_mm512_setzero_ps(); N];
    for (sum, out) in sums.iter_mut().zip(out.as_chunks::<LANES>().0) {
        *sum = load(out);
    }
    for (weight, row) in weights.iter().zip(rows.chunks_exact(head_dim)) {
        let weight = _mm512_set1_ps(*weight);
        for (sum, numbers) in sums.iter_mut().zip(row[start..].as_chunks::<LANES>().0) {
            *sum = _mm512_fmadd_ps(weight, load(numbers), *sum);
        }
    }
    for (sum, out) in sums.iter().zip(out.as_chunks_mut::<LANES>().0) {
        store(out, *sum);
    }
}

/// The products of a query with up to sixteen keys, one to a lane; what is behind the last is not said.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn sixteen_products(query: &[f32], rows: &[f32], head_dim: usize) -> __m512 {
    let mut sums = [_mm512_setzero_ps(); LANES];
    for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(head_dim)) {
        for (query, key) in query.as_chunks::<LANES>().0.iter().zip(row.as_chunks::<LANES>().0) {
            *sum = _mm512_fmadd_ps(load(query), load(key), *sum);
        }
    }
    // Halves the registers four times; the order of lanes comes out as that of keys.
    let mut by_four = [_mm512_setzero_ps(); 4];
    for (out, four) in by_four.iter_mut().zip(sums.as_chunks::<4>().0) {
        let [a, b, c, d] = *four;
        let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
        let (low, high) = (_mm512_unpacklo_pd(ab, cd), _mm512_unpackhi_pd(ab, cd));
        *out = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    }
    let [a, b, c, d] = by_four;
    let ab = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
    let cd = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
    _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(ab, cd), _mm512_shuffle_f32x4::<0xdd>(ab, cd))
}

/// `cap * tanh(x / cap)`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn bend(x: __m512, cap: f32) -> __m512 {
    // tanh(y) = 1 - 2 / (e^2y + 1)
    let one = _mm512_set1_ps(1.0);
    let power = exp(_mm512_mul_ps(x, _mm512_set1_ps(2.0 / cap)));
    let fraction = _mm512_div_ps(_mm512_set1_ps(2.0), _mm512_add_ps(power, one));
    _mm512_mul_ps(_mm512_set1_ps(cap), _mm512_sub_ps(one, fraction))
}

/// Turns scores into weights that add up to one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn softmax(scores: &mut [f32]) {
    let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
    let (whole, rest) = scores.as_chunks::<LANES>();
    let last = _mm512_mask_blend_ps(first(rest.len()), lowest, load_some(rest));
    let mut largest = last;
    for scores in whole {
        largest = _mm512_max_ps(largest, load(scores));
    }
    let largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
    let mut sum = _mm512_setzero_ps();
    let (whole, rest) = scores.as_chunks_mut::<LANES>();
    for scores in whole.iter_mut() {
        let weight = exp(_mm512_sub_ps(load(scores), largest));
        sum = _mm512_add_ps(sum, weight);
        store(scores, weight);
    }
    let weight = exp(_mm512_sub_ps(load_some(rest), largest));
    let weight = _mm512_mask_blend_ps(first(rest.len()), _mm512_setzero_ps(), weight);
    store_some(rest, weight);
    let share = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(_mm512_add_ps(sum, weight)));
    for scores in whole {
        store(scores, _mm512_mul_ps(load(scores), share));
    }
    store_some(rest, _mm512_mul_ps(weight, share));
}
