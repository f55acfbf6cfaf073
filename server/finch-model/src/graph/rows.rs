//! Which stored rows become which rows of the graph.
//!
//! A part is a run of rows of one tensor, so a tensor that holds several matrices below each other is several parts. Heads
//! are put into the order and the width that attention wants; rows that no tensor has are zeros. Knows no names of
//! tensors. Called by `graph`, and by the importer for every row it writes.

/// Rows of a tensor and the order they are taken in.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) tensor: String,
    /// The stored row that the order counts from.
    pub(crate) first: usize,
    /// How many rows the graph has of it.
    pub(crate) rows: usize,
    pub(crate) order: RowOrder,
}

impl Part {
    /// The first `rows` rows of a tensor as they are stored.
    pub(crate) fn plain(tensor: String, rows: usize) -> Part {
        Part { tensor, first: 0, rows, order: RowOrder::AsStored }
    }

    /// The stored row that becomes row `row`; none for a row of zeros.
    pub(crate) fn stored_row(&self, row: usize) -> Option<usize> {
        match self.order {
            RowOrder::AsStored => Some(self.first + row),
            RowOrder::Heads(head) => {
                let place = head.stored_place(row % head.built())?;
                Some(self.first + row / head.built() * head.dim + place)
            }
        }
    }
}

/// Which stored row becomes which row of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// The same.
    AsStored,
    /// Head by head.
    Heads(Head),
}

/// How the rows of one head are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Rows in the file.
    pub(crate) dim: usize,
    /// Pairs of rows that rotate into each other; the rest of the head is left alone.
    pub(crate) pairs: usize,
    pub(crate) stored: Pairs,
    /// Pairs in the graph: as many or more.
    pub(crate) built_pairs: usize,
    /// Rows behind the pairs in the graph: as many or more.
    pub(crate) built_rest: usize,
}

/// Where the second row of a pair lies in the file. In the graph it always lies behind all first rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Behind all first rows.
    Apart,
    /// Behind its first row.
    Together,
}

impl Head {
    /// Rows in the graph.
    pub(crate) fn built(self) -> usize {
        2 * self.built_pairs + self.built_rest
    }

    pub(crate) fn order(self) -> RowOrder {
        let same = self.built() == self.dim && self.built_pairs == self.pairs;
        match self.stored {
            Pairs::Together if self.pairs > 0 => RowOrder::Heads(self),
            Pairs::Together | Pairs::Apart if same => RowOrder::AsStored,
            Pairs::Together | Pairs::Apart => RowOrder::Heads(self),
        }
    }

    fn stored_place(self, place: usize) -> Option<usize> {
        let Some(rest) = place.checked_sub(2 * self.built_pairs) else {
            let (side, pair) = (place / self.built_pairs, place % self.built_pairs);
            let stored = match self.stored {
                Pairs::Apart => side * self.pairs + pair,
                Pairs::Together => pair * 2 + side,
            };
            return Some(stored).filter(|_| pair < self.pairs);
        };
        Some(2 * self.pairs + rest).filter(|stored| *stored < self.dim)
    }
}
