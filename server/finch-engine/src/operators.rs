//! finch's own operators inside ONNX Runtime: they take tensors apart and call the kernels.
//!
//! One domain serves one session. Pieces of work run on the session's threads. Knows no model; `network` registers it where
//! the processor has kernels.

mod attention;
mod linear;
mod matrices;
mod tensors;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use finch_kernels::{Processor, Tasks};
use finch_model::kernels::DOMAIN;
use ort::operator::{ComputeContext, OperatorDomain};

pub(crate) use matrices::Matrices;

/// The domain to register with a session of so many threads that multiplies with these matrices.
pub(crate) fn domain(processor: Processor, threads: usize, matrices: Matrices) -> ort::Result<OperatorDomain> {
    let machine = Machine { processor, threads, matrices: Arc::new(matrices), room: Arc::default() };
    OperatorDomain::new(DOMAIN)?
        .add(linear::Linear(machine.clone()))?
        .add(linear::GatedLinear(machine.clone()))?
        .add(attention::Attention(machine))
}

/// What all kernels of a session share.
#[derive(Clone)]
struct Machine {
    processor: Processor,
    threads: usize,
    matrices: Arc<Matrices>,
    /// Nodes run one after the other, so nobody ever waits for it.
    room: Arc<Mutex<finch_kernels::linear::Room>>,
}

/// The threads of the session that runs a node.
struct Threads<'c> {
    context: &'c ComputeContext,
    width: usize,
}

impl Tasks for Threads<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        // Threads take the next piece when they are done with one, so a thread that is late does less.
        let work = |_| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    break;
                }
                task(index);
            }
        };
        let width = self.width.min(count);
        if width <= 1 || self.context.par_for(width, width, work).is_err() {
            work(0);
        }
    }
}
