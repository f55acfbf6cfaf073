//! The matrices of a model in the layout of the kernels, read from its files once.
//!
//! They live in memory of their own, on large pages where the system has them; what of the files they were read from is
//! cached by the system is not counted as ours.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    vec,
};

use finch_kernels::linear::{Bits, Matrix, PANEL_ROWS, Shape, turn};
use finch_model::kernels::{Place, Stored};
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
    row_bytes: usize,
    rows: usize,
    /// Bytes of a row that stay together.
    item: Item,
    memory: &'m mut [u8],
}

#[derive(Clone, Copy)]
enum Item {
    One,
    Four,
}

impl Matrices {
    /// Reads matrices from the files of a model's directory, on so many threads.
    pub(crate) fn read(folder: &Path, stored: &[Stored], threads: usize) -> Result<Self, MatricesError> {
        let mut end = 0;
        let matrices = stored.iter().map(|stored| extent(stored, &mut end)).collect::<Result<Vec<_>, _>>()?;
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

/// The place of the next matrix.
fn extent(stored: &Stored, end: &mut usize) -> Result<Extent, MatricesError> {
    let unfit = || MatricesError::Unfit(Box::new(stored.clone()));
    let bits = match stored.bits {
        4 => Bits::Four,
        8 => Bits::Eight,
        _ => return Err(unfit()),
    };
    let shape = Shape { rows: stored.rows, columns: stored.columns, bits, block: stored.block };
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
        cut(&stored.codes, shape.code_bytes(), shape.rows, Item::Four, take(extent.codes), &mut pieces);
        cut(&stored.scales, shape.scale_bytes(), shape.rows, Item::Four, take(extent.scales), &mut pieces);
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
    for (index, memory) in memory.chunks_mut(panels * PANEL_ROWS * row_bytes).enumerate() {
        let first = index * panels * PANEL_ROWS;
        let rows = (rows - first).min(panels * PANEL_ROWS);
        pieces.push(Piece { place, first, row_bytes, rows, item, memory });
    }
}

/// What each thread does until nothing is left.
fn read_all(folder: &Path, pieces: &Mutex<vec::IntoIter<Piece<'_>>>) -> Result<(), MatricesError> {
    let mut rows = Vec::new();
    loop {
        let next = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(piece) = next else { return Ok(()) };
        let (start, length) = (piece.first * piece.row_bytes, piece.rows * piece.row_bytes);
        let rows = match piece.place {
            Place::File { name, offset, .. } => {
                let path = folder.join(name);
                rows.resize(length, 0);
                let read = File::open(&path).and_then(|mut file| {
                    file.seek(SeekFrom::Start(offset + start as u64))?;
                    file.read_exact(&mut rows)
                });
                read.map_err(|error| MatricesError::Read { file: path, error })?;
                rows.as_slice()
            }
            Place::Graph(bytes) => bytes.get(start..start + length).unwrap_or_default(),
        };
        if rows.len() != length {
            return Err(MatricesError::Short);
        }
        match piece.item {
            Item::One => turn::<1>(piece.row_bytes, rows, piece.memory),
            Item::Four => turn::<4>(piece.row_bytes, rows, piece.memory),
        }
    }
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
        let matrices = Matrices::read(folder.path(), &[stored.clone(), stored.clone()], 2).unwrap();
        assert!(matrices.get(0).is_some() && matrices.get(1).is_some() && matrices.get(2).is_none());
        let other = Stored { bits: 3, ..stored };
        assert!(matches!(Matrices::read(folder.path(), &[other], 2), Err(MatricesError::Unfit(_))));
    }
}
