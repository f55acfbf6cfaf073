//! One piece of memory for the keys and values of several sequences, and what binds parts of it to a session.
//!
//! For each layer and part it is (rows, heads, capacity, width), a row being one sequence, so that a row alone and
//! any run of neighbouring rows are tensors in place. Nothing is copied between a pass over one sequence and a pass
//! over several. Knows nothing about tokens.

use ort::session::{IoBinding, Session};

use super::{LayerNames, as_i64};
use crate::{
    limits,
    memory::{Floats, InPlace},
};

/// The memory of some sequences.
pub(super) struct Buffer {
    // Invariant: before `parts`, so that nothing is bound to them when they go.
    bound: Vec<Bound>,
    /// Keys and values of each layer in turn.
    parts: Vec<Floats>,
    sizes: Sizes,
}

struct Bound {
    rows: Rows,
    binding: IoBinding,
}

/// Neighbouring rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) first: usize,
    pub(super) count: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) layers: usize,
    pub(super) rows: usize,
    pub(super) heads: usize,
    /// Tokens in a row.
    pub(super) capacity: usize,
    /// Floats of a token in a head.
    pub(super) width: usize,
}

impl Buffer {
    pub(super) fn new(sizes: Sizes) -> Self {
        let floats = sizes.rows * sizes.row();
        let parts = (0..sizes.layers * 2).map(|_| Floats::zeroed(floats)).collect();
        Self { bound: Vec::new(), parts, sizes }
    }

    /// What binds these rows; made once and kept.
    pub(super) fn binding(
        &mut self,
        session: &Session,
        names: &[LayerNames],
        rows: Rows,
    ) -> ort::Result<&mut IoBinding> {
        assert!(rows.first + rows.count <= self.sizes.rows, "the rows are in the buffer");
        if let Some(at) = self.bound.iter().position(|bound| bound.rows == rows) {
            return Ok(&mut self.bound[at].binding);
        }
        if self.bound.len() >= limits::BINDINGS_MAX {
            self.bound.retain(|bound| bound.rows.count == 1);
        }
        let mut binding = session.create_binding()?;
        let shape = [rows.count, self.sizes.heads, self.sizes.capacity, self.sizes.width].map(as_i64);
        for (layer, names) in names.iter().enumerate() {
            for (part, (past, present)) in names.past.iter().zip(&names.present).enumerate() {
                let name = InPlace { input: past, output: present };
                let offset = rows.first * self.sizes.row();
                self.parts[layer * 2 + part].bind_in_place(&mut binding, name, offset, &shape)?;
            }
        }
        let bound = self.bound.len();
        self.bound.push(Bound { rows, binding });
        Ok(&mut self.bound[bound].binding)
    }

    /// Makes the first `count` tokens of the row `to` those of the row `from`.
    pub(super) fn copy(&mut self, from: usize, to: usize, count: usize) {
        let Sizes { heads, width, .. } = self.sizes;
        for part in &mut self.parts {
            for head in 0..heads {
                part.copy_within(self.sizes.at(from, head, 0), self.sizes.at(to, head, 0), count * width);
            }
        }
    }

    /// The first `count` tokens of a row: part by part, head by head.
    pub(super) fn read(&self, row: usize, count: usize) -> Vec<f32> {
        let Sizes { heads, width, .. } = self.sizes;
        let mut floats = Vec::with_capacity(self.parts.len() * heads * count * width);
        for part in &self.parts {
            for head in 0..heads {
                floats.extend_from_slice(part.range(self.sizes.at(row, head, 0), count * width));
            }
        }
        floats
    }

    /// Writes what `read` gave.
    pub(super) fn write(&mut self, row: usize, count: usize, floats: &[f32]) {
        let Sizes { heads, width, .. } = self.sizes;
        let mut pieces = floats.chunks_exact((count * width).max(1));
        for part in &mut self.parts {
            for (head, piece) in (0..heads).zip(&mut pieces) {
                part.write(self.sizes.at(row, head, 0), piece);
            }
        }
    }

    /// Gives the memory of a row from the token `first` on back to the system where it can be. All of it: a page in which
    /// what was used ended would stay otherwise, another one each time.
    pub(super) fn release(&mut self, row: usize, first: usize) {
        let Sizes { heads, width, capacity, .. } = self.sizes;
        for part in &mut self.parts {
            for head in 0..heads {
                part.release(self.sizes.at(row, head, first), capacity.saturating_sub(first) * width);
            }
        }
    }
}

impl Sizes {
    /// Floats of a row.
    fn row(self) -> usize {
        self.heads * self.capacity * self.width
    }

    /// Where the keys or values of a token begin.
    fn at(self, row: usize, head: usize, token: usize) -> usize {
        row * self.row() + (head * self.capacity + token) * self.width
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Buffer, Sizes};

    #[test]
    fn what_was_released_leaves_nothing_however_far_it_went() {
        let sizes = Sizes { layers: 2, rows: 2, heads: 2, capacity: 8192, width: 32 };
        let mut buffer = Buffer::new(sizes);
        let backed = |buffer: &Buffer| -> usize { buffer.parts.iter().map(|part| part.backed_pages().unwrap()).sum() };
        for tokens in [8192, 1000, 37, 555, 2049, 999, 4096, 1] {
            let floats = vec![1.0; tokens * sizes.layers * 2 * sizes.heads * sizes.width];
            buffer.write(1, tokens, &floats);
            assert!(backed(&buffer) > 0);
            buffer.release(1, 0);
            assert_eq!(backed(&buffer), 0, "behind {tokens} tokens");
        }
    }
}
