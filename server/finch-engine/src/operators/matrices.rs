//! The matrices of a model in the layout of the kernels, read from its files once.
//!
//! They live in memory of their own, on large pages where the system has them; what of the files they were read from is
//! cached by the system is not counted as ours.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    vec,
};

use finch_kernels::linear::{Bits, Matrix, PANEL_ROWS, Scales, Shape, turn};
use finch_model::kernels::{Place, Stored};
use half::f16;
use memmap2::MmapMut;

use crate::limits;

/// All matrices of a model.
#[derive(Debug)]
pub(crate) struct Matrices {
    memory: MmapMut,
    matrices: Vec<Extent>,
}

/// Where the parts of a matrix are in memory, one behind the other.
#[derive(Debug, Clone, Copy)]
struct Extent {
    shape: Shape,
    start: usize,
    codes: usize,
    scales: usize,
    zeros: usize,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MatricesError {
    #[error("{}: {error}", file.display())]
    Read { file: PathBuf, error: io::Error },
    #[error("no memory for the matrices: {0}")]
    Memory(io::Error),
    #[error("no kernel for a matrix of {} rows and {} columns with {} bits", .0.rows, .0.columns, .0.bits)]
    Unfit(Box<Stored>),
    #[error("a matrix in the graph is shorter than its shape")]
    Short,
}

/// Rows of one part of a matrix to read and to turn.
struct Piece<'m> {
    place: &'m Place,
    /// The first of them in the part.
    first: usize,
    /// Bytes of a row where it is stored.
    row_bytes: usize,
    rows: usize,
    item: Item,
    memory: &'m mut [u8],
}

/// What stays together when rows are turned.
#[derive(Clone, Copy)]
enum Item {
    /// Four bytes of codes, or a scale.
    Four,
    /// A scale that is held in half its bytes.
    Halved,
    /// A byte of zeros.
    One,
}

impl Item {
    /// Bytes of a row in memory that has so many where it is stored.
    fn in_memory(self, stored: usize) -> usize {
        match self {
            Self::Halved => stored / 2,
            Self::Four | Self::One => stored,
        }
    }
}

impl Matrices {
    /// Reads matrices from the files of a model's directory, on so many threads.
    pub(crate) fn read(folder: &Path, stored: &[Stored], threads: usize) -> Result<Self, MatricesError> {
        let mut end = 0;
        let scales = all_scales(folder, stored, threads)?;
        let extents = stored.iter().zip(scales).map(|(stored, scales)| extent(stored, scales, &mut end));
        let matrices = extents.collect::<Result<Vec<_>, _>>()?;
        let mut memory = MmapMut::map_anon(end.max(1)).map_err(MatricesError::Memory)?;
        #[cfg(target_os = "linux")]
        if let Err(error) = memory.advise(memmap2::Advice::HugePage) {
            tracing::debug!("large pages are not to be had: {error}");
        }
        let pieces = Mutex::new(pieces(stored, &matrices, &mut memory).into_iter());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(|| read_all(folder, &pieces))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Ok(())))
        })?;
        Ok(Self { memory, matrices })
    }

    /// A matrix by its number.
    pub(crate) fn get(&self, number: usize) -> Option<Matrix<'_>> {
        let extent = self.matrices.get(number)?;
        let memory = self.memory.get(extent.start..)?;
        let (codes, rest) = memory.split_at_checked(extent.codes)?;
        let (scales, rest) = rest.split_at_checked(extent.scales)?;
        let zeros = rest.get(..extent.zeros)?;
        Matrix::new(extent.shape, codes, scales, (extent.zeros > 0).then_some(zeros)).ok()
    }
}

/// How the scales of each matrix are held: in half their bytes where that loses nothing.
fn all_scales(folder: &Path, stored: &[Stored], threads: usize) -> Result<Vec<Scales>, MatricesError> {
    let scales = |stored: &Stored| {
        // One buffer for all pieces, and a small one: large blocks that come and go make the allocator keep more.
        let mut buffer = Vec::new();
        let length = usize::try_from(stored.scales.bytes()).map_err(|_| MatricesError::Short)?;
        for start in (0..length).step_by(limits::MATRIX_PIECE_BYTES) {
            let range = start..(start + limits::MATRIX_PIECE_BYTES).min(length);
            if !are_halves(read(folder, &stored.scales, range, &mut buffer)?) {
                return Ok(Scales::Single);
            }
        }
        Ok(Scales::Half)
    };
    let share = stored.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let of_share = |share: &[Stored]| share.iter().map(scales).collect::<Result<Vec<_>, _>>();
        let workers: Vec<_> = stored.chunks(share).map(|share| scope.spawn(move || of_share(share))).collect();
        let joined = workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(Vec::new())));
        Ok(joined.collect::<Result<Vec<_>, _>>()?.concat())
    })
}

/// Whether 16 bits hold each of these scales exactly.
fn are_halves(scales: &[u8]) -> bool {
    scales.as_chunks::<4>().0.iter().all(|scale| {
        let scale = f32::from_le_bytes(*scale);
        f16::from_f32(scale).to_f32().to_bits() == scale.to_bits()
    })
}

/// The place of the next matrix.
fn extent(stored: &Stored, scales: Scales, end: &mut usize) -> Result<Extent, MatricesError> {
    let unfit = || MatricesError::Unfit(Box::new(stored.clone()));
    let bits = match stored.bits {
        4 => Bits::Four,
        8 => Bits::Eight,
        _ => return Err(unfit()),
    };
    let shape = Shape { rows: stored.rows, columns: stored.columns, bits, block: stored.block, scales };
    if !shape.is_supported() {
        return Err(unfit());
    }
    let whole = |row_bytes: usize| (shape.panels() * PANEL_ROWS).checked_mul(row_bytes);
    let codes = whole(shape.code_bytes()).ok_or_else(unfit)?;
    let scales = whole(shape.scale_bytes()).ok_or_else(unfit)?;
    let zeros = stored.zeros.as_ref().map_or(Some(0), |_| whole(shape.zero_bytes())).ok_or_else(unfit)?;
    let start = *end;
    let size = codes.checked_add(scales).and_then(|size| size.checked_add(zeros)).ok_or_else(unfit)?;
    *end = start.checked_add(size.next_multiple_of(limits::CACHE_LINE_BYTES)).ok_or_else(unfit)?;
    Ok(Extent { shape, start, codes, scales, zeros })
}

/// All parts of all matrices, cut into pieces of whole panels.
fn pieces<'m>(stored: &'m [Stored], extents: &[Extent], mut memory: &'m mut [u8]) -> Vec<Piece<'m>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (stored, extent) in stored.iter().zip(extents) {
        let shape = extent.shape;
        let mut take = |count: usize| memory.split_off_mut(..count).unwrap_or_default();
        take(extent.start - at);
        at = extent.start + extent.codes + extent.scales + extent.zeros;
        let (scale_bytes, scale) = match shape.scales {
            Scales::Half => (shape.scale_bytes() * 2, Item::Halved),
            Scales::Single => (shape.scale_bytes(), Item::Four),
        };
        cut(&stored.codes, shape.code_bytes(), shape.rows, Item::Four, take(extent.codes), &mut pieces);
        cut(&stored.scales, scale_bytes, shape.rows, scale, take(extent.scales), &mut pieces);
        if let Some(zeros) = &stored.zeros {
            cut(zeros, shape.zero_bytes(), shape.rows, Item::One, take(extent.zeros), &mut pieces);
        }
    }
    pieces
}

fn cut<'m>(
    place: &'m Place,
    row_bytes: usize,
    rows: usize,
    item: Item,
    memory: &'m mut [u8],
    pieces: &mut Vec<Piece<'m>>,
) {
    let panels = (limits::MATRIX_PIECE_BYTES / (row_bytes * PANEL_ROWS)).max(1);
    for (index, memory) in memory.chunks_mut(panels * PANEL_ROWS * item.in_memory(row_bytes)).enumerate() {
        let first = index * panels * PANEL_ROWS;
        let rows = (rows - first).min(panels * PANEL_ROWS);
        pieces.push(Piece { place, first, row_bytes, rows, item, memory });
    }
}

/// What each thread does until nothing is left.
fn read_all(folder: &Path, pieces: &Mutex<vec::IntoIter<Piece<'_>>>) -> Result<(), MatricesError> {
    let mut buffer = Vec::new();
    loop {
        let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(piece) = next else { return Ok(()) };
        let start = piece.first * piece.row_bytes;
        let rows = read(folder, piece.place, start..start + piece.rows * piece.row_bytes, &mut buffer)?;
        match piece.item {
            Item::One => turn::<1>(piece.row_bytes, rows, piece.memory),
            Item::Four => turn::<4>(piece.row_bytes, rows, piece.memory),
            Item::Halved => turn::<2>(piece.row_bytes / 2, &halved(rows), piece.memory),
        }
    }
}

/// Bytes of a part, through the buffer if they are in a file.
fn read<'b>(
    folder: &Path,
    place: &'b Place,
    range: Range<usize>,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8], MatricesError> {
    match place {
        Place::File { name, offset, .. } => {
            let path = folder.join(name);
            buffer.resize(range.len(), 0);
            let read = File::open(&path).and_then(|mut file| {
                file.seek(SeekFrom::Start(offset + range.start as u64))?;
                file.read_exact(buffer)
            });
            read.map_err(|error| MatricesError::Read { file: path, error })?;
            Ok(buffer)
        }
        Place::Graph(bytes) => bytes.get(range).ok_or(MatricesError::Short),
    }
}

/// Scales in half their bytes.
fn halved(scales: &[u8]) -> Vec<u8> {
    let half = |scale: &[u8; 4]| f16::from_f32(f32::from_le_bytes(*scale)).to_le_bytes();
    scales.as_chunks::<4>().0.iter().flat_map(half).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_short_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w"), [0; 600]).unwrap();
        let place = |offset: u64, bytes: u64| Place::File { name: "w".to_owned(), offset, bytes };
        let (codes, scales) = (place(0, 512), place(512, 128));
        let stored = Stored { bits: 4, rows: 16, columns: 64, block: 32, codes, scales, zeros: None };
        let error = Matrices::read(folder.path(), std::slice::from_ref(&stored), 2).unwrap_err();
        assert!(error.to_string().contains("w: failed to fill whole buffer"), "{error}");
        std::fs::write(folder.path().join("w"), [1; 640]).unwrap();
        // The scales are 16 times two numbers that have more digits than 16 bits hold.
        let matrices = Matrices::read(folder.path(), &[stored.clone(), stored.clone()], 2).unwrap();
        assert!(matrices.get(0).is_some() && matrices.get(1).is_some() && matrices.get(2).is_none());
        assert_eq!(matrices.get(0).unwrap().shape().scales, Scales::Single);
        let halves: Vec<u8> = [[1; 512].as_slice(), &[0.375_f32.to_le_bytes(); 32].concat()].concat();
        std::fs::write(folder.path().join("w"), halves).unwrap();
        let matrices = Matrices::read(folder.path(), std::slice::from_ref(&stored), 2).unwrap();
        assert_eq!(matrices.get(0).unwrap().shape().scales, Scales::Half);
        let other = Stored { bits: 3, ..stored };
        assert!(matches!(Matrices::read(folder.path(), &[other], 2), Err(MatricesError::Unfit(_))));
    }
}
