//! Attention of new tokens over a key-value cache that they are appended to.
//!
//! Queries of several heads share keys and values; positions turn pairs of numbers that lie half the turned width apart.
//! The cache has room for more tokens than it holds; what is behind its length is never read.

#[cfg(target_arch = "x86_64")]
mod wide;

#[cfg(test)]
mod tests;

use crate::{Processor, Tasks};

/// The sizes and constants of a layer's attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub heads: usize,
    /// They divide `heads`.
    pub kv_heads: usize,
    /// A multiple of 16.
    pub head_dim: usize,
    pub scale: f32,
    /// Scores are bent so that they stay below this.
    pub softcap: Option<f32>,
    /// A token sees itself and what is before it, at most so many.
    pub window: Option<usize>,
}

/// Rows of one of the three inputs; they may lie inside wider rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'i> {
    pub numbers: &'i [f32],
    /// Where the first row begins, and how far it is from one to the next.
    pub start: usize,
    pub stride: usize,
}

/// How far positions turn.
#[derive(Debug, Clone, Copy)]
pub struct Rotary<'i> {
    /// A row of half the turned width for each position.
    pub cosines: &'i [f32],
    pub sines: &'i [f32],
    /// Half the turned width.
    pub half: usize,
}

/// New tokens of one or more sequences.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'i> {
    pub queries: Rows<'i>,
    pub keys: Rows<'i>,
    pub values: Rows<'i>,
    pub rotary: Option<Rotary<'i>>,
    /// How many new tokens each sequence has.
    pub each: usize,
    /// Tokens before the new ones, of each sequence.
    pub past: &'i [usize],
}

/// The keys and values of all sequences: for each, `kv_heads` times `capacity` rows of `head_dim`.
#[derive(Debug)]
pub struct Cache<'c> {
    pub keys: &'c mut [f32],
    pub values: &'c mut [f32],
    pub capacity: usize,
}

/// Sizes that do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(&'static str);

/// Appends the new tokens to the cache and writes what each attends to, a row of `heads * head_dim` a token.
pub fn attend(
    processor: Processor,
    tasks: &dyn Tasks,
    shape: &Shape,
    tokens: &Tokens<'_>,
    cache: &mut Cache<'_>,
    output: &mut [f32],
) -> Result<(), Mismatch> {
    check(shape, tokens, cache, output)?;
    match processor.0 {
        #[cfg(target_arch = "x86_64")]
        crate::processor::Kind::Avx512Vnni => wide::attend(tasks, shape, tokens, cache, output),
    }
    Ok(())
}

fn check(shape: &Shape, tokens: &Tokens<'_>, cache: &Cache<'_>, output: &[f32]) -> Result<(), Mismatch> {
    let Shape { heads, kv_heads, head_dim, .. } = *shape;
    let rows = tokens.past.len() * tokens.each;
    let require = |holds: bool, what| if holds { Ok(()) } else { Err(Mismatch(what)) };
    let sound = head_dim > 0 && head_dim.is_multiple_of(16) && kv_heads > 0 && heads.is_multiple_of(kv_heads);
    require(sound, "no kernel for these heads")?;
    let room = tokens.past.len() * kv_heads * cache.capacity * head_dim;
    require(cache.keys.len() == room && cache.values.len() == room, "the cache is not as large as its shape says")?;
    let longest = tokens.past.iter().max().map_or(0, |past| past.saturating_add(tokens.each));
    require(longest <= cache.capacity, "the cache is full")?;
    require(output.len() == rows * heads * head_dim, "the output is not a row for each token")?;
    let fits = |rows_of: &Rows<'_>, width: usize| {
        rows == 0 || rows_of.start + (rows - 1) * rows_of.stride + width <= rows_of.numbers.len()
    };
    let inputs = fits(&tokens.queries, heads * head_dim)
        && fits(&tokens.keys, kv_heads * head_dim)
        && fits(&tokens.values, kv_heads * head_dim);
    require(inputs, "the inputs are not a row for each token")?;
    let Some(rotary) = tokens.rotary else {
        return Ok(());
    };
    let long = longest * rotary.half <= rotary.cosines.len() && rotary.sines.len() == rotary.cosines.len();
    require(long && 2 * rotary.half <= head_dim, "the rotary tables do not reach so far")
}
