//! The keys and values of a ready-made graph, which hands them back longer after every pass.
//!
//! What a pass returned is a slot's past as it is, in the type the graph has, and goes into the next pass uncopied. Where
//! a slot forgot its last tokens, the first ones are copied out before it is used again. Slots are computed one after the
//! other. Knows nothing about requests, and of the graph only its ports.

use std::borrow::Cow;

use finch_model::ports::{
    ATTENTION_MASK, Floats, INPUT_IDS, LOGITS, LogitRows, POSITION_IDS, Ports, Whole, past, present,
};
use half::f16;
use ort::{
    session::{NoSelectedOutputs, RunOptions, Session, SessionInputValue},
    value::{DynValue, PrimitiveTensorElementType, Tensor},
};

use super::as_i64;
use crate::limits;

pub(super) struct Export {
    ports: Ports,
    vocab: usize,
    /// The past and the present of keys and values of each layer in turn.
    names: Vec<(String, String)>,
    pasts: Vec<Past>,
}

/// The past of a slot; no parts if nothing was computed.
#[derive(Default)]
struct Past {
    tokens: usize,
    parts: Vec<DynValue>,
}

/// One pass: tokens of a slot and how many logits of theirs are wanted.
pub(super) struct Pass<'t> {
    pub(super) row: usize,
    /// Tokens before these.
    pub(super) before: usize,
    pub(super) tokens: &'t [u32],
    pub(super) kept: usize,
}

impl Export {
    pub(super) fn new(ports: Ports, vocab: usize) -> Self {
        let names = (0..ports.layers)
            .flat_map(|layer| ["key", "value"].into_iter().map(move |part| (past(layer, part), present(layer, part))));
        Self { ports, vocab, names: names.collect(), pasts: Vec::new() }
    }

    /// Makes slots and returns the number of the first.
    pub(super) fn add(&mut self, count: usize) -> usize {
        let first = self.pasts.len();
        self.pasts.resize_with(first + count, Past::default);
        first
    }

    /// Computes tokens and returns the logits of the last `kept` of them, row after row. If it fails, a prefix of the
    /// tokens may be computed and is not used.
    pub(super) fn forward(
        &mut self,
        session: &mut Session,
        options: &RunOptions<NoSelectedOutputs>,
        pass: &Pass<'_>,
    ) -> ort::Result<Vec<f32>> {
        self.keep_first(pass.row, pass.before)?;
        let mut logits = Vec::with_capacity(pass.kept * self.vocab);
        let first_kept = pass.tokens.len() - pass.kept;
        let mut done = 0;
        while done < pass.tokens.len() {
            let left = pass.tokens.len() - done;
            let count = match self.ports.rows {
                LogitRows::Every => left.min(limits::EXPORT_LOGITS_MAX / self.vocab).max(1),
                LogitRows::Last if pass.kept == 0 => left,
                // The last of these is the first that is wanted; from then on each is a pass of its own.
                LogitRows::Last => (first_kept + 1).saturating_sub(done).max(1),
            };
            let wanted = (done + count).saturating_sub(first_kept.max(done));
            self.run(session, options, pass.row, &pass.tokens[done..done + count], wanted, &mut logits)?;
            done += count;
        }
        Ok(logits)
    }

    fn run(
        &mut self,
        session: &mut Session,
        options: &RunOptions<NoSelectedOutputs>,
        row: usize,
        tokens: &[u32],
        wanted: usize,
        logits: &mut Vec<f32>,
    ) -> ort::Result<()> {
        let before = self.pasts[row].tokens;
        let total = before + tokens.len();
        if self.pasts[row].parts.is_empty() {
            self.pasts[row].parts = (0..self.names.len()).map(|_| self.empty()).collect::<ort::Result<_>>()?;
        }
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(self.names.len() + 3);
        inputs.push((INPUT_IDS.into(), whole(self.ports.ids, tokens.iter().map(|&token| i64::from(token)))?.into()));
        if let Some(kind) = self.ports.mask {
            inputs.push((ATTENTION_MASK.into(), whole(kind, std::iter::repeat_n(1, total))?.into()));
        }
        if let Some(kind) = self.ports.positions {
            inputs.push((POSITION_IDS.into(), whole(kind, (before..total).map(as_i64))?.into()));
        }
        let parts = self.names.iter().zip(&self.pasts[row].parts);
        inputs.extend(parts.map(|((past, _), part)| (past.as_str().into(), part.into())));
        let mut outputs = session.run_with_options(inputs, options)?;
        let all = outputs.remove(LOGITS).ok_or_else(|| ort::Error::new("the graph returned no logits"))?;
        append(&all, self.ports.logits, self.vocab, tokens.len(), wanted, logits)?;
        let mut parts = Vec::with_capacity(self.names.len());
        for (_, present) in &self.names {
            let part = outputs.remove(present).filter(|part| part.shape().get(2) == Some(&as_i64(total)));
            parts.push(part.ok_or_else(|| ort::Error::new(format!("{present} is not as long as the text")))?);
        }
        drop(outputs);
        self.pasts[row] = Past { tokens: total, parts };
        Ok(())
    }

    fn empty(&self) -> ort::Result<DynValue> {
        let shape = [1, self.ports.kv_heads, 0, self.ports.head_dim];
        match self.ports.cache {
            Floats::F32 => Ok(Tensor::from_array((shape, Vec::<f32>::new()))?.into_dyn()),
            Floats::F16 => Ok(Tensor::from_array((shape, Vec::<f16>::new()))?.into_dyn()),
        }
    }

    /// Forgets all but the first tokens of a slot.
    pub(super) fn keep_first(&mut self, row: usize, count: usize) -> ort::Result<()> {
        if count < self.pasts[row].tokens {
            self.pasts[row] = self.first(row, count)?;
        }
        Ok(())
    }

    /// Makes a slot hold the first tokens of another.
    pub(super) fn copy(&mut self, from: usize, to: usize, count: usize) -> ort::Result<()> {
        self.pasts[to] = Past::default();
        self.pasts[to] = self.first(from, count)?;
        Ok(())
    }

    fn first(&self, row: usize, count: usize) -> ort::Result<Past> {
        let past = &self.pasts[row];
        if count == 0 {
            return Ok(Past::default());
        }
        let (before, after) = (past.tokens * self.ports.head_dim, count * self.ports.head_dim);
        let shape = [1, self.ports.kv_heads, count, self.ports.head_dim];
        let parts = past.parts.iter().map(|part| match self.ports.cache {
            Floats::F32 => front::<f32>(part, before, after, shape),
            Floats::F16 => front::<f16>(part, before, after, shape),
        });
        Ok(Past { tokens: count, parts: parts.collect::<ort::Result<_>>()? })
    }

    /// The first tokens of a slot: part by part, head by head.
    pub(super) fn read(&self, row: usize, count: usize) -> ort::Result<Vec<f32>> {
        let mut floats = Vec::new();
        for part in self.first(row, count)?.parts {
            match self.ports.cache {
                Floats::F32 => floats.extend_from_slice(part.try_extract_tensor::<f32>()?.1),
                Floats::F16 => floats.extend(part.try_extract_tensor::<f16>()?.1.iter().map(|half| half.to_f32())),
            }
        }
        Ok(floats)
    }

    /// Writes what `read` gave.
    pub(super) fn write(&mut self, row: usize, count: usize, floats: &[f32]) -> ort::Result<()> {
        let shape = [1, self.ports.kv_heads, count, self.ports.head_dim];
        let parts = floats.chunks_exact(shape.iter().product::<usize>().max(1)).map(|part| match self.ports.cache {
            Floats::F32 => Ok(Tensor::from_array((shape, part.to_vec()))?.into_dyn()),
            Floats::F16 => {
                let halves: Vec<f16> = part.iter().map(|&float| f16::from_f32(float)).collect();
                Ok(Tensor::from_array((shape, halves))?.into_dyn())
            }
        });
        self.pasts[row] = Past { tokens: count, parts: parts.collect::<ort::Result<_>>()? };
        Ok(())
    }
}

/// The first `after` numbers of every head that has `before`.
fn front<T: PrimitiveTensorElementType + Copy + std::fmt::Debug + 'static>(
    part: &DynValue,
    before: usize,
    after: usize,
    shape: [usize; 4],
) -> ort::Result<DynValue> {
    let (_, numbers) = part.try_extract_tensor::<T>()?;
    let kept: Vec<T> = numbers.chunks_exact(before).flat_map(|head| &head[..after]).copied().collect();
    Ok(Tensor::from_array((shape, kept))?.into_dyn())
}

/// A row of whole numbers.
fn whole(kind: Whole, numbers: impl ExactSizeIterator<Item = i64>) -> ort::Result<DynValue> {
    let shape = [1, numbers.len()];
    match kind {
        Whole::I64 => Ok(Tensor::from_array((shape, numbers.collect::<Vec<_>>()))?.into_dyn()),
        Whole::I32 => {
            let numbers: Vec<i32> = numbers.map(|number| i32::try_from(number).unwrap_or(i32::MAX)).collect();
            Ok(Tensor::from_array((shape, numbers))?.into_dyn())
        }
    }
}

/// Appends the last `wanted` rows of the logits of a pass over so many tokens.
fn append(
    all: &DynValue,
    kind: Floats,
    vocab: usize,
    tokens: usize,
    wanted: usize,
    logits: &mut Vec<f32>,
) -> ort::Result<()> {
    let dims: Vec<i64> = all.shape().to_vec();
    let rows = usize::try_from(dims.get(1).copied().unwrap_or(0)).unwrap_or(0);
    if dims.last() != Some(&as_i64(vocab)) || rows < wanted || rows > tokens {
        return Err(ort::Error::new(format!("the graph returned logits of shape {dims:?} for {tokens} tokens")));
    }
    let from = (rows - wanted) * vocab;
    match kind {
        Floats::F32 => logits.extend_from_slice(&all.try_extract_tensor::<f32>()?.1[from..]),
        Floats::F16 => logits.extend(all.try_extract_tensor::<f16>()?.1[from..].iter().map(|half| half.to_f32())),
    }
    Ok(())
}
