//! A slice that several tasks write to, each its own places.

use std::{marker::PhantomData, ops::Range};

/// Writes of several threads into one slice.
///
/// Invariant: callers give every task its own ranges, so that no two [`Shared::range`] that live at the same time overlap.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'s, T> {
    base: *mut T,
    len: usize,
    owner: PhantomData<&'s mut [T]>,
}

#[expect(unsafe_code, reason = "tasks of one computation write disjoint ranges")]
// SAFETY: like `&mut [T]` sent to several threads in disjoint pieces, which the invariant demands.
unsafe impl<T: Send> Send for Shared<'_, T> {}
#[expect(unsafe_code, reason = "tasks of one computation write disjoint ranges")]
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'s, T> Shared<'s, T> {
    pub(crate) fn new(slice: &'s mut [T]) -> Self {
        Self { base: slice.as_mut_ptr(), len: slice.len(), owner: PhantomData }
    }

    /// The places of one task.
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "tasks of one computation write disjoint ranges")]
    pub(crate) fn range(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "the range is inside the slice");
        // SAFETY: in bounds by the assertion; disjoint from all others by the type's invariant.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(range.start), range.len()) }
    }
}
