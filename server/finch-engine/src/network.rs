//! The model as a function: tokens in, logits out, keys and values kept in a [`Slot`].
//!
//! Owns the ONNX Runtime session. A slot's memory is both the past and the present of the attention, so a step
//! writes its rows in place. Rows behind a slot's length are stale and never read: the graph is told the length.
//! Slots that were made together lie side by side, and neighbours can take a token each in one pass.
//! Knows nothing about requests, text or who asks.

mod export;
mod slots;

use std::{
    ffi::{CStr, CString},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use finch_model::{
    manifest::{GRAPH_FILE, Layout, Manifest, Shape},
    outline::Outline,
    ports::Ports,
};
use ort::{
    session::{NoSelectedOutputs, RunOptions, Session},
    value::{Tensor, ValueType},
};

use crate::{
    EngineError, Kernels, Runtime,
    device::Placement,
    error::one_line,
    graph,
    memory::Floats,
    session::{self, Opened, SessionOptions},
};
use export::{Export, Pass};
use slots::{Buffer, Rows, Sizes};

/// A loaded session and the buffers it shares between steps.
pub(crate) struct Network {
    buffers: Vec<Buffer>,
    session: Session,
    shape: Shape,
    capacity: usize,
    names: Vec<LayerNames>,
    placement: Placement,
    logits: Floats,
    interrupter: Interrupter,
    /// The memory of a graph that finch did not write, in place of `buffers`.
    export: Option<Export>,
}

/// Ends a running pass from another thread. The pass fails and its slot keeps its length.
#[derive(Clone)]
pub(crate) struct Interrupter {
    options: Arc<RunOptions<NoSelectedOutputs>>,
    interrupted: Arc<AtomicBool>,
}

struct LayerNames {
    past: [CString; 2],
    present: [CString; 2],
}

/// The keys and values of one sequence, and the tokens they belong to.
#[derive(Debug)]
pub(crate) struct Slot {
    buffer: usize,
    row: usize,
    tokens: Vec<u32>,
    /// Tokens whose memory was written to since it was released last.
    touched: usize,
}

/// A slot's part in a pass over neighbours.
pub(crate) enum Place<'s> {
    /// The slot takes a token.
    Takes(&'s mut Slot, u32),
    /// The slot only lies between others. What is written behind its end is never read.
    Between(&'s mut Slot),
}

impl Network {
    pub(crate) fn load(
        runtime: &Runtime,
        dir: &Path,
        manifest: &Manifest,
        options: SessionOptions,
    ) -> Result<Self, EngineError> {
        let path = dir.join(GRAPH_FILE);
        let outline = graph::check(dir, manifest)?;
        let shape = manifest.shape;
        let positions = outline.positions.unwrap_or(usize::MAX).min(shape.context_tokens_max);
        let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
        let export = match manifest.layout {
            Layout::Finch => None,
            Layout::Optimum | Layout::Genai => Some(export(&outline, &shape).map_err(problem)?),
        };
        // Only the operators of our own graphs are replaced.
        let kernels = if export.is_some() { Kernels::OnnxRuntime } else { options.kernels };
        let options = SessionOptions { kernels, ..options };
        let Opened { session, placement } =
            session::open(runtime, &path, options).map_err(|error| problem(one_line(&error.to_string())))?;
        if export.is_none() {
            check_inputs(&session, &shape).map_err(problem)?;
        }
        for complaint in placement.complaints() {
            tracing::warn!("{complaint}");
        }
        let names = (0..shape.layers).map(layer_names).collect::<Result<_, _>>();
        Ok(Self {
            buffers: Vec::new(),
            session,
            shape,
            capacity: options.capacity.min(positions),
            names: names.map_err(|_| problem("a name holds a zero byte".to_owned()))?,
            placement,
            logits: Floats::zeroed(shape.vocab),
            interrupter: Interrupter::new()?,
            export,
        })
    }

    /// Tokens a slot holds.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where it computes.
    pub(crate) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What ends a pass of this network.
    pub(crate) fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// An empty slot.
    pub(crate) fn slot(&mut self) -> Slot {
        self.slots(1).remove(0)
    }

    /// Empty slots that are neighbours in this order. Their memory is backed as it is written to, and lives as long
    /// as the network.
    pub(crate) fn slots(&mut self, count: usize) -> Vec<Slot> {
        if let Some(export) = &mut self.export {
            let first = export.add(count);
            let slot = |row| Slot { buffer: 0, row, tokens: Vec::new(), touched: 0 };
            return (first..first + count).map(slot).collect();
        }
        let Shape { kv_heads, head_dim, layers, .. } = self.shape;
        let sizes = Sizes { layers, rows: count, heads: kv_heads, capacity: self.capacity, width: head_dim };
        self.buffers.push(Buffer::new(sizes));
        let buffer = self.buffers.len() - 1;
        (0..count).map(|row| Slot { buffer, row, tokens: Vec::new(), touched: 0 }).collect()
    }

    /// What the keys and values of a token take.
    pub(crate) fn token_bytes(&self) -> usize {
        self.shape.layers * 2 * self.shape.kv_heads * self.shape.head_dim * size_of::<f32>()
    }

    /// Appends `tokens` to the slot and returns the logits of the last `rows` of them, row after row.
    ///
    /// The slot keeps its length if this fails.
    pub(crate) fn forward(&mut self, slot: &mut Slot, tokens: &[u32], rows: usize) -> Result<&[f32], EngineError> {
        let total = slot.tokens.len() + tokens.len();
        assert!(!tokens.is_empty() && total <= self.capacity, "the tokens fit into the slot");
        assert!(rows <= tokens.len(), "no more rows than tokens");
        let place = (slot.buffer, Rows { first: slot.row, count: 1 });
        slot.touched = slot.touched.max(total);
        if let Some(export) = &mut self.export {
            let pass = Pass { row: slot.row, before: slot.tokens.len(), tokens, kept: rows };
            let logits = export.forward(&mut self.session, &self.interrupter.options, &pass)?;
            self.keep_logits(&logits);
            slot.tokens.extend_from_slice(tokens);
            return Ok(self.logits.first(rows * self.shape.vocab));
        }
        let ids = tokens.iter().map(|&token| i64::from(token)).collect();
        self.run(place, ids, vec![as_i32(total - 1)], rows)?;
        slot.tokens.extend_from_slice(tokens);
        Ok(self.logits.first(rows * self.shape.vocab))
    }

    /// Appends one token to each of several neighbours. The logits of each are a row, those between included.
    ///
    /// All slots keep their length if this fails.
    pub(crate) fn forward_each(&mut self, places: &mut [Place<'_>]) -> Result<(), EngineError> {
        if self.export.is_some() {
            return self.forward_in_turn(places);
        }
        let Some(first) = places.first().map(|place| place.slot()) else { return Ok(()) };
        let (buffer, rows) = (first.buffer, Rows { first: first.row, count: places.len() });
        let mut ids = Vec::with_capacity(places.len());
        let mut lasts = Vec::with_capacity(places.len());
        for (at, place) in places.iter_mut().enumerate() {
            let id = if let Place::Takes(_, token) = place { *token } else { 0 };
            let slot = place.slot_mut();
            assert!((slot.buffer, slot.row) == (buffer, rows.first + at), "the slots are neighbours");
            assert!(slot.tokens.len() < self.capacity, "the token fits into the slot");
            slot.touched = slot.touched.max(slot.tokens.len() + 1);
            ids.push(i64::from(id));
            lasts.push(as_i32(slot.tokens.len()));
        }
        self.run((buffer, rows), ids, lasts, 1)?;
        for place in places {
            if let Place::Takes(slot, token) = place {
                slot.tokens.push(*token);
            }
        }
        Ok(())
    }

    /// What `forward_each` does, where only one sequence is computed at a time.
    fn forward_in_turn(&mut self, places: &mut [Place<'_>]) -> Result<(), EngineError> {
        let vocab = self.shape.vocab;
        let mut logits = vec![0.0; places.len() * vocab];
        for at in 0..places.len() {
            let Place::Takes(slot, token) = &mut places[at] else { continue };
            match self.forward(slot, &[*token], 1) {
                Ok(row) => logits[at * vocab..][..vocab].copy_from_slice(row),
                Err(error) => {
                    for place in &mut places[..at] {
                        if let Place::Takes(slot, _) = place {
                            slot.tokens.pop();
                        }
                    }
                    return Err(error);
                }
            }
        }
        self.keep_logits(&logits);
        Ok(())
    }

    fn keep_logits(&mut self, logits: &[f32]) {
        if self.logits.len() < logits.len() {
            self.logits = Floats::zeroed(logits.len());
        }
        self.logits.write(0, logits);
    }

    /// A pass over rows of a buffer. `lasts` holds the position of the last token of each.
    fn run(
        &mut self,
        (buffer, rows): (usize, Rows),
        ids: Vec<i64>,
        lasts: Vec<i32>,
        kept: usize,
    ) -> Result<(), EngineError> {
        let wanted = rows.count * kept * self.shape.vocab;
        if self.logits.len() < wanted {
            self.logits = Floats::zeroed(wanted);
        }
        let each = ids.len() / rows.count;
        let total = lasts.iter().max().map_or(0, |last| last + 1);
        let binding = self.buffers[buffer].binding(&self.session, &self.names, rows)?;
        binding.bind_input("input_ids", &Tensor::from_array(([rows.count, each], ids))?)?;
        binding.bind_input("seqlens_k", &Tensor::from_array(([rows.count], lasts))?)?;
        let scalar: [usize; 0] = [];
        binding.bind_input("total_len", &Tensor::from_array((scalar, vec![total]))?)?;
        binding.bind_input("logits_from", &Tensor::from_array(([1usize], vec![as_i64(each - kept)]))?)?;
        let shape = [rows.count, kept, self.shape.vocab].map(as_i64);
        self.logits.bind_output(binding, LOGITS, &shape)?;
        self.session.run_binding_with_options(binding, &self.interrupter.options)?;
        Ok(())
    }

    /// A row of logits of the last pass.
    pub(crate) fn logits(&self, row: usize) -> &[f32] {
        let vocab = self.shape.vocab;
        &self.logits.first((row + 1) * vocab)[row * vocab..]
    }

    /// Makes `target` hold the first `count` tokens of its neighbour `source`, without computing them.
    pub(crate) fn copy_prefix(&mut self, target: &mut Slot, source: &Slot, count: usize) {
        assert!(target.buffer == source.buffer, "the slots were made together");
        let count = count.min(source.tokens.len());
        let copied = match &mut self.export {
            Some(export) => export.copy(source.row, target.row, count),
            None => {
                self.buffers[target.buffer].copy(source.row, target.row, count);
                Ok(())
            }
        };
        // What could not be copied is computed.
        let count = if is_done(copied) { count } else { 0 };
        target.touched = target.touched.max(count);
        target.tokens.clear();
        target.tokens.extend_from_slice(&source.tokens[..count]);
    }

    /// The keys and values of the first `count` tokens of a slot, in an order that `restore` knows.
    pub(crate) fn state(&self, slot: &Slot, count: usize) -> Vec<f32> {
        let count = count.min(slot.tokens.len());
        match &self.export {
            Some(export) => export.read(slot.row, count).unwrap_or_default(),
            None => self.buffers[slot.buffer].read(slot.row, count),
        }
    }

    /// Makes a slot hold tokens and what was computed from them. False, and nothing is changed, if they do not fit.
    pub(crate) fn restore(&mut self, slot: &mut Slot, tokens: Vec<u32>, state: &[f32]) -> bool {
        let is_known = |&token: &u32| (token as usize) < self.shape.vocab;
        let floats = tokens.len() * self.token_bytes() / size_of::<f32>();
        if tokens.len() > self.capacity || state.len() != floats || !tokens.iter().all(is_known) {
            return false;
        }
        if let Some(export) = &mut self.export {
            if !is_done(export.write(slot.row, tokens.len(), state)) {
                return false;
            }
        } else {
            self.buffers[slot.buffer].write(slot.row, tokens.len(), state);
        }
        slot.touched = slot.touched.max(tokens.len());
        slot.tokens = tokens;
        true
    }

    /// Gives back the memory of a slot behind its end.
    pub(crate) fn release(&mut self, slot: &mut Slot) {
        if slot.touched > slot.tokens.len() {
            if let Some(export) = &mut self.export {
                if !is_done(export.keep_first(slot.row, slot.tokens.len())) {
                    return;
                }
            } else {
                self.buffers[slot.buffer].release(slot.row, slot.tokens.len());
            }
            slot.touched = slot.tokens.len();
        }
    }
}

impl Interrupter {
    pub(crate) fn new() -> ort::Result<Self> {
        Ok(Self { options: Arc::new(RunOptions::new()?), interrupted: Arc::default() })
    }

    /// The running pass, or else the next one, stops behind the kernel it is in.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        if let Err(error) = self.options.terminate() {
            tracing::debug!("a pass could not be interrupted: {error}");
        }
    }

    /// Lets passes run again.
    pub(crate) fn clear(&self) {
        if self.is_interrupted() {
            self.interrupted.store(false, Ordering::Release);
            if let Err(error) = self.options.unterminate() {
                tracing::error!("no pass can run any more: {error}");
            }
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }
}

impl Slot {
    /// The tokens whose keys and values are here.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens whose memory is held, those forgotten since included.
    pub(crate) fn touched(&self) -> usize {
        self.touched
    }

    /// Takes what the memory holds for the keys and values of these tokens.
    pub(crate) fn pretend(&mut self, tokens: &[u32]) {
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        self.touched = self.touched.max(tokens.len());
    }

    /// Forgets all but the first `count` tokens.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.tokens.truncate(count);
    }
}

impl Place<'_> {
    fn slot(&self) -> &Slot {
        match self {
            Self::Takes(slot, _) | Self::Between(slot) => slot,
        }
    }

    fn slot_mut(&mut self) -> &mut Slot {
        match self {
            Self::Takes(slot, _) | Self::Between(slot) => slot,
        }
    }
}

/// Whether ONNX Runtime did what can be left undone.
fn is_done(result: ort::Result<()>) -> bool {
    if let Err(error) = &result {
        tracing::debug!("keys and values could not be copied: {error}");
    }
    result.is_ok()
}

/// The memory for a graph of somebody else's, if it is the one the manifest speaks of.
fn export(outline: &Outline, shape: &Shape) -> Result<Export, String> {
    let ports = Ports::of(outline).map_err(|error| error.to_string())?;
    let found = (ports.layers, ports.kv_heads, ports.head_dim, ports.vocab.unwrap_or(shape.vocab));
    if found != (shape.layers, shape.kv_heads, shape.head_dim, shape.vocab) {
        return Err("is not of the shape in the manifest".to_owned());
    }
    Ok(Export::new(ports, shape.vocab))
}

const LOGITS: &CStr = c"logits";

fn layer_names(layer: usize) -> Result<LayerNames, std::ffi::NulError> {
    let name = |side: &str, part: &str| CString::new(format!("{side}.{layer}.{part}"));
    Ok(LayerNames {
        past: [name("past_key_values", "key")?, name("past_key_values", "value")?],
        present: [name("present", "key")?, name("present", "value")?],
    })
}

/// The graph must be the one the manifest speaks of, or memory would be shared in the wrong shape.
fn check_inputs(session: &Session, shape: &Shape) -> Result<(), String> {
    let dims = |value: &ValueType| -> Vec<i64> { value.tensor_shape().map_or(Vec::new(), |dims| dims.to_vec()) };
    let input = |name: &str| session.inputs().iter().find(|input| input.name() == name);
    for name in ["input_ids", "seqlens_k", "total_len", "logits_from"] {
        input(name).ok_or(format!("the graph has no input {name}"))?;
    }
    for layer in 0..shape.layers {
        for part in ["key", "value"] {
            let name = format!("past_key_values.{layer}.{part}");
            let found = dims(input(&name).ok_or(format!("the graph has no input {name}"))?.dtype());
            if found.len() != 4 || found[1] != as_i64(shape.kv_heads) || found[3] != as_i64(shape.head_dim) {
                return Err(format!("the graph's {name} is {found:?}, which is not the shape in the manifest"));
            }
        }
    }
    if input(&format!("past_key_values.{}.key", shape.layers)).is_some() {
        return Err(format!("the graph has more layers than the {} in the manifest", shape.layers));
    }
    let logits = session.outputs().iter().find(|output| output.name() == "logits").ok_or("the graph has no logits")?;
    match dims(logits.dtype()).last() {
        Some(&vocab) if vocab == as_i64(shape.vocab) => Ok(()),
        _ => Err(format!("the graph's logits are not over the {} tokens of the manifest", shape.vocab)),
    }
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn as_i32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
