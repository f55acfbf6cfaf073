//! How the caller's threads run the pieces of one computation.

/// Runs pieces of work.
pub trait Tasks {
    /// How many pieces run at the same time.
    fn width(&self) -> usize;

    /// Runs `task(0)` to `task(count - 1)`, in any order, on any threads, and returns when all are done.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync));
}

/// Runs pieces one after the other on the calling thread.
#[derive(Debug, Clone, Copy)]
pub struct InOrder;

impl Tasks for InOrder {
    fn width(&self) -> usize {
        1
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(task);
    }
}
