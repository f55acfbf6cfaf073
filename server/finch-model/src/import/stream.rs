//! Streams the weights of a plan from the source into the data file, a few rows at a time on several threads.
//!
//! Holds one chunk of codes or floats, and the scales of one matrix; never a tensor. Knows rows and layouts, not what a
//! weight is for. Called by `import`.

use std::io::{self, Write};
use std::thread;

use super::journal::Done;
use super::{Interrupted, Progress};
use crate::checkpoint::Checkpoint;
use crate::gguf::Tensor;
use crate::graph::{Content, Part, Piece, Plan, Rounding, Weight};
use crate::limits;
use crate::manifest::WEIGHTS_FILE;
use crate::onnx::proto::TensorProto;
use crate::onnx::{self, DataWriter, Extent};
use crate::quant::{self, Layout, QuantRow, RowQuantizer};

/// How many bytes of tensors a plan reads.
pub(super) fn source_bytes(plan: &Plan, checkpoint: &Checkpoint) -> u64 {
    let parts = plan.weights.iter().flat_map(|weight| parts(&weight.content));
    parts.filter_map(|part| Some(stored_bytes(checkpoint.tensor(&part.tensor)?, part.rows))).sum()
}

fn parts(content: &Content) -> &[Part] {
    match content {
        Content::Floats { parts, .. }
        | Content::Halves { parts }
        | Content::Blocks { parts, .. }
        | Content::Vector { parts } => parts,
        Content::Computed(_) => &[],
    }
}

pub(super) struct Stream<'a, W> {
    checkpoint: &'a Checkpoint,
    out: DataWriter<W>,
    threads: usize,
}

/// Where the pieces of one weight ended up.
type Placed = Vec<(Piece, Extent)>;

impl<'a, W: Write> Stream<'a, W> {
    pub(super) fn new(checkpoint: &'a Checkpoint, out: W) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(limits::IMPORT_THREADS_MAX);
        Self { checkpoint, out: DataWriter::new(out), threads }
    }

    /// Writes all weights but those that are `done` and returns the initialisers that show all of them. `settle` makes
    /// what is written so far durable; it is called now and then, and when the import is broken off.
    pub(super) fn write_all(
        &mut self,
        weights: &[Weight],
        done: usize,
        progress: &mut Progress<'_>,
        settle: &mut dyn FnMut(Done) -> io::Result<()>,
    ) -> Result<Vec<TensorProto>, Interrupted> {
        let mut initialisers = Vec::new();
        let mut settled = 0;
        for (index, weight) in weights.iter().enumerate() {
            let before = Done { weights: index, bytes: self.out.at() };
            let placed = if index < done {
                settled = self.out.at();
                self.pass(&weight.content, progress)
            } else {
                if before.bytes - settled >= limits::IMPORT_STEP_BYTES {
                    self.out.flush()?;
                    settle(before)?;
                    settled = before.bytes;
                }
                self.write(&weight.content, progress)
            };
            if index >= done && matches!(placed, Err(Interrupted::Cancelled)) {
                self.out.flush()?;
                settle(before)?;
            }
            let placed = placed?;
            for (tensor, _) in self.tensors(parts(&weight.content))? {
                self.checkpoint.release(tensor.bytes());
            }
            for view in &weight.views {
                let extent = placed.iter().find(|(piece, _)| *piece == view.piece).map(|(_, extent)| *extent);
                let extent = extent.ok_or_else(|| io::Error::other(format!("{} has nowhere to be", view.name)))?;
                let element = view.piece.element();
                initialisers.push(onnx::external(&view.name, element, &view.dims, WEIGHTS_FILE, extent));
            }
        }
        Ok(initialisers)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.out.finish().map(|_| ())
    }

    /// Where the pieces of a weight lie that is written already.
    fn pass(&mut self, content: &Content, progress: &mut Progress<'_>) -> Result<Placed, Interrupted> {
        let parts = parts(content);
        let tensors = self.tensors(parts)?;
        let row_len = tensors.first().map_or(1, |(tensor, _)| tensor.row_len());
        let rows: usize = parts.iter().map(|part| part.rows).sum();
        let sizes = match content {
            Content::Computed(numbers) => vec![(Piece::Floats, size_of_val(numbers.as_slice()))],
            Content::Vector { .. } => vec![(Piece::Floats, rows * 4)],
            Content::Floats { .. } => vec![(Piece::Floats, rows * row_len * 4)],
            Content::Halves { .. } => vec![(Piece::Halves, rows * row_len * 2)],
            Content::Blocks { layout, .. } => {
                let sizes = RowSizes::of(*layout, row_len);
                vec![
                    (Piece::Codes, rows * sizes.codes),
                    (Piece::Scales, rows * sizes.scales * 4),
                    (Piece::Zeros, rows * sizes.zeros),
                ]
            }
        };
        let placed = sizes.into_iter().map(|(piece, len)| (piece, self.out.pass(len as u64))).collect();
        let source = tensors.iter().map(|(tensor, part)| stored_bytes(*tensor, part.rows)).sum();
        progress.advance(source)?;
        Ok(placed)
    }

    fn write(&mut self, content: &Content, progress: &mut Progress<'_>) -> Result<Placed, Interrupted> {
        match content {
            Content::Computed(numbers) => Ok(vec![(Piece::Floats, self.write_floats(numbers)?)]),
            Content::Vector { parts } => {
                let mut numbers = Vec::new();
                for part in parts {
                    let tensor = self.tensor(part)?;
                    numbers.extend(vector(tensor, part));
                    progress.advance(stored_bytes(tensor, part.rows))?;
                }
                Ok(vec![(Piece::Floats, self.write_floats(&numbers)?)])
            }
            Content::Floats { parts, rounding } => self.write_matrix(parts, Width::Whole(*rounding), progress),
            Content::Halves { parts } => self.write_matrix(parts, Width::Half, progress),
            Content::Blocks { parts, layout } => self.write_blocks(parts, *layout, progress),
        }
    }

    fn tensor(&self, part: &Part) -> io::Result<Tensor<'a>> {
        let missing = || io::Error::other(format!("tensor {} is gone", part.tensor));
        self.checkpoint.tensor(&part.tensor).ok_or_else(missing)
    }

    fn tensors<'p>(&self, parts: &'p [Part]) -> io::Result<Vec<(Tensor<'a>, &'p Part)>> {
        parts.iter().map(|part| Ok((self.tensor(part)?, part))).collect()
    }

    fn write_floats(&mut self, numbers: &[f32]) -> io::Result<Extent> {
        let extent = self.out.begin(size_of_val(numbers) as u64)?;
        self.out.write_floats(numbers)?;
        Ok(extent)
    }

    fn write_matrix(
        &mut self,
        parts: &[Part],
        width: Width,
        progress: &mut Progress<'_>,
    ) -> Result<Placed, Interrupted> {
        let tensors = self.tensors(parts)?;
        let numbers: usize = tensors.iter().map(|(tensor, part)| part.rows * tensor.row_len()).sum();
        let extent = self.out.begin(numbers as u64 * width.bytes())?;
        let rounding = match width {
            Width::Whole(rounding) => rounding,
            Width::Half => Rounding::None,
        };
        let mut floats = Vec::new();
        for (tensor, part) in tensors {
            let row_len = tensor.row_len();
            for rows in chunks(part.rows, row_len) {
                floats.resize(rows.len() * row_len, 0.0);
                let shares = rows.len().div_ceil(self.threads).max(1);
                let shares = floats.chunks_mut(shares * row_len).zip(rows.clone().step_by(shares));
                each_on_a_thread(shares, |(floats, first)| {
                    for (floats, row) in floats.chunks_exact_mut(row_len).zip(first..) {
                        read_row(tensor, part, row, floats, rounding);
                    }
                })?;
                match width {
                    Width::Whole(_) => self.out.write_floats(&floats)?,
                    Width::Half => self.out.write_halves(&floats)?,
                }
                progress.advance(stored_bytes(tensor, rows.len()))?;
            }
        }
        Ok(vec![(width.piece(), extent)])
    }

    fn write_blocks(
        &mut self,
        parts: &[Part],
        layout: Layout,
        progress: &mut Progress<'_>,
    ) -> Result<Placed, Interrupted> {
        let tensors = self.tensors(parts)?;
        let row_len = tensors.first().map_or(0, |(tensor, _)| tensor.row_len());
        let rows: usize = parts.iter().map(|part| part.rows).sum();
        let sizes = RowSizes::of(layout, row_len);
        let mut scales = vec![0.0; rows * sizes.scales];
        let mut zeros = vec![0; rows * sizes.zeros];
        let codes_at = self.out.begin((rows * sizes.codes) as u64)?;
        let mut codes = Vec::new();
        let mut done = 0;
        for (tensor, part) in tensors {
            for rows in chunks(part.rows, row_len) {
                codes.resize(rows.len() * sizes.codes, 0);
                let now = done..done + rows.len();
                let target = Target {
                    codes: &mut codes,
                    scales: &mut scales[now.start * sizes.scales..now.end * sizes.scales],
                    zeros: &mut zeros[now.start * sizes.zeros..now.end * sizes.zeros],
                };
                let shares = target.shares(sizes, rows.len().div_ceil(self.threads).max(1), rows.start);
                each_on_a_thread(shares, |share| share.quantize(tensor, part, layout))?;
                self.out.write(&codes)?;
                done = now.end;
                progress.advance(stored_bytes(tensor, rows.len()))?;
            }
        }
        let scales_at = self.write_floats(&scales)?;
        let zeros_at = self.out.begin(zeros.len() as u64)?;
        self.out.write(&zeros)?;
        Ok(vec![(Piece::Codes, codes_at), (Piece::Scales, scales_at), (Piece::Zeros, zeros_at)])
    }
}

/// How floats are written.
#[derive(Clone, Copy)]
enum Width {
    Whole(Rounding),
    Half,
}

impl Width {
    fn bytes(self) -> u64 {
        match self {
            Width::Whole(_) => 4,
            Width::Half => 2,
        }
    }

    fn piece(self) -> Piece {
        match self {
            Width::Whole(_) => Piece::Floats,
            Width::Half => Piece::Halves,
        }
    }
}

/// Bytes and numbers of one quantised row.
#[derive(Clone, Copy)]
struct RowSizes {
    codes: usize,
    scales: usize,
    zeros: usize,
}

impl RowSizes {
    fn of(layout: Layout, row_len: usize) -> Self {
        Self { codes: layout.code_bytes(row_len), scales: layout.scales(row_len), zeros: layout.zero_bytes(row_len) }
    }
}

/// Room for a run of quantised rows.
struct Target<'a> {
    codes: &'a mut [u8],
    scales: &'a mut [f32],
    zeros: &'a mut [u8],
}

/// What one thread quantises.
struct Share<'a> {
    first: usize,
    sizes: RowSizes,
    target: Target<'a>,
}

impl<'a> Target<'a> {
    /// Cuts the room into shares of `rows` rows, counted from row `first`.
    fn shares(self, sizes: RowSizes, rows: usize, first: usize) -> Vec<Share<'a>> {
        let mut shares = Vec::new();
        let Target { mut codes, mut scales, mut zeros } = self;
        while !codes.is_empty() {
            let count = rows.min(codes.len() / sizes.codes);
            let target = Target {
                codes: cut(&mut codes, count * sizes.codes),
                scales: cut(&mut scales, count * sizes.scales),
                zeros: cut(&mut zeros, count * sizes.zeros),
            };
            shares.push(Share { first: first + shares.len() * rows, sizes, target });
        }
        shares
    }
}

impl Share<'_> {
    fn quantize(self, tensor: Tensor<'_>, part: &Part, layout: Layout) {
        let mut quantizer = RowQuantizer::new(layout, tensor.row_len());
        let Target { codes, mut scales, mut zeros } = self.target;
        for (codes, row) in codes.chunks_exact_mut(self.sizes.codes).zip(self.first..) {
            let (scales, zeros) = (cut(&mut scales, self.sizes.scales), cut(&mut zeros, self.sizes.zeros));
            match stored_row(tensor, part, row) {
                Some(stored) => quantizer.quantize(tensor.kind(), stored, QuantRow { codes, scales, zeros }),
                // Scales of zero make zeros of any codes.
                None => codes.fill(0),
            }
        }
    }
}

/// Takes the first `len` items off a slice.
fn cut<'a, T>(slice: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    let (head, tail) = std::mem::take(slice).split_at_mut(len);
    *slice = tail;
    head
}

fn vector(tensor: Tensor<'_>, part: &Part) -> Vec<f32> {
    let stored = tensor.numbers();
    let number = |row| part.stored_row(row).and_then(|row| stored.get(row)).copied();
    (0..part.rows).map(|row| number(row).unwrap_or_default()).collect()
}

fn stored_row<'a>(tensor: Tensor<'a>, part: &Part, row: usize) -> Option<&'a [u8]> {
    part.stored_row(row).and_then(|row| tensor.row_bytes(row))
}

fn read_row(tensor: Tensor<'_>, part: &Part, row: usize, floats: &mut [f32], rounding: Rounding) {
    match part.stored_row(row) {
        Some(row) => tensor.read_row(row, floats),
        None => floats.fill(0.0),
    }
    match rounding {
        Rounding::None => {}
        Rounding::Q4Zero => quant::round_like_q4_zero(floats),
        Rounding::Q8Zero => quant::round_like_q8_zero(floats),
    }
}

/// Runs of rows of bounded size.
fn chunks(rows: usize, row_len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let step = (limits::IMPORT_CHUNK_NUMBERS / row_len.max(1)).max(1);
    (0..rows).step_by(step).map(move |start| start..rows.min(start + step))
}

fn stored_bytes(tensor: Tensor<'_>, rows: usize) -> u64 {
    // A vector counts its numbers as rows.
    let all = if tensor.dims().len() == 1 { tensor.row_len() } else { tensor.rows() };
    (tensor.bytes().len() * rows / all) as u64
}

fn each_on_a_thread<T: Send>(shares: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) -> io::Result<()> {
    thread::scope(|scope| {
        for share in shares {
            thread::Builder::new().name("finch-import".to_owned()).spawn_scoped(scope, || work(share))?;
        }
        Ok(())
    })
}
