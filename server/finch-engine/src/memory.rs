//! Zeroed memory that ONNX Runtime reads and writes in place, and the few calls that let it.
//!
//! The one module with `unsafe`. Pages that nobody touches are never backed by the system, so a long context costs
//! nothing until it is used. Knows nothing about models.

use std::ffi::CStr;

use ort::{
    AsPointer,
    memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType},
    session::IoBinding,
    value::{Shape, TensorRefMut},
};

/// Floats at a fixed address, 64-byte aligned, zero at first.
///
/// Invariant: they are reached through `base` alone, never through a reference that lives while a session runs.
#[derive(Debug)]
pub(crate) struct Floats {
    base: *mut f32,
    len: usize,
    allocation: *mut [f32],
}

const ALIGNMENT_BYTES: usize = 64;

#[expect(unsafe_code, reason = "the memory belongs to whoever holds the value, like a Vec's")]
// SAFETY: `allocation` is owned and reached from nowhere else; access needs `&self` or `&mut self`.
unsafe impl Send for Floats {}

impl Floats {
    pub(crate) fn zeroed(len: usize) -> Self {
        let spare = ALIGNMENT_BYTES / size_of::<f32>();
        // A zeroed Vec is asked of the system as zeroed memory, so large ones are not written to.
        let allocation = Box::into_raw(vec![0f32; len + spare].into_boxed_slice());
        let start = allocation.cast::<f32>();
        let skip = start.align_offset(ALIGNMENT_BYTES).min(spare);
        Self { base: start.wrapping_add(skip), len, allocation }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first `count` floats.
    #[expect(unsafe_code, reason = "a view of owned memory")]
    pub(crate) fn first(&self, count: usize) -> &[f32] {
        let count = count.min(self.len);
        // SAFETY: `base..base + len` is inside the allocation and initialised; `&self` excludes writers of ours, and
        // a session writes only inside `Session::run_binding`, which this borrow does not span.
        unsafe { std::slice::from_raw_parts(self.base, count) }
    }

    /// Copies `count` floats at `offset` from the same place in `source`.
    #[expect(unsafe_code, reason = "two owned buffers, one copy")]
    pub(crate) fn copy_from(&mut self, source: &Self, offset: usize, count: usize) {
        assert!(offset + count <= self.len.min(source.len), "the copied range is inside both buffers");
        // SAFETY: in range by the assertion; the buffers are different values, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(source.base.add(offset), self.base.add(offset), count) }
    }

    /// Binds the floats at `offset` as an input and as an output, both in place.
    ///
    /// The caller keeps `self` alive as long as `binding` is used.
    pub(crate) fn bind_in_place(
        &mut self,
        binding: &mut IoBinding,
        name: InPlace<'_>,
        offset: usize,
        shape: &[i64],
    ) -> ort::Result<()> {
        let value = self.tensor(offset, shape)?;
        bind(binding, Side::Input(name.input), &value)?;
        bind(binding, Side::Output(name.output), &value)
    }

    /// Binds the floats from the start as an output.
    ///
    /// The caller keeps `self` alive as long as `binding` is used.
    pub(crate) fn bind_output(&mut self, binding: &mut IoBinding, name: &CStr, shape: &[i64]) -> ort::Result<()> {
        let value = self.tensor(0, shape)?;
        bind(binding, Side::Output(name), &value)
    }

    #[expect(unsafe_code, reason = "a tensor over owned memory")]
    fn tensor(&mut self, offset: usize, shape: &[i64]) -> ort::Result<TensorRefMut<'_, f32>> {
        let count: usize = shape.iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX)).product();
        assert!(offset.saturating_add(count) <= self.len, "the tensor is inside the buffer");
        let place = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::Default)?;
        // SAFETY: the assertion keeps the whole tensor inside the allocation, which the CPU device can reach.
        unsafe {
            TensorRefMut::from_raw(place, self.base.wrapping_add(offset).cast(), Shape::new(shape.iter().copied()))
        }
    }
}

impl Drop for Floats {
    #[expect(unsafe_code, reason = "gives the allocation back")]
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw` in `zeroed` and is given back once.
        drop(unsafe { Box::from_raw(self.allocation) });
    }
}

/// The names of an input and an output that are the same memory.
#[derive(Clone, Copy)]
pub(crate) struct InPlace<'n> {
    pub(crate) input: &'n CStr,
    pub(crate) output: &'n CStr,
}

enum Side<'n> {
    Input(&'n CStr),
    Output(&'n CStr),
}

/// The binding's own methods copy a borrowed input once and for all, which would break the sharing.
#[expect(unsafe_code, reason = "ONNX Runtime's own binding calls")]
fn bind(binding: &mut IoBinding, side: Side<'_>, value: &TensorRefMut<'_, f32>) -> ort::Result<()> {
    let api = ort::api();
    // SAFETY: all three pointers are valid for the call; ONNX Runtime copies its reference-counted value handle, and
    // who calls us keeps the memory behind it alive as long as the binding.
    unsafe {
        let status = match side {
            Side::Input(name) => (api.BindInput)(binding.ptr_mut(), name.as_ptr(), value.ptr()),
            Side::Output(name) => (api.BindOutput)(binding.ptr_mut(), name.as_ptr(), value.ptr()),
        };
        ort::Error::result_from_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::Floats;

    #[test]
    fn memory_begins_aligned_and_zeroed_and_is_copied_by_range() {
        let mut target = Floats::zeroed(100);
        let source = Floats::zeroed(100);
        assert_eq!(target.base as usize % 64, 0);
        assert_eq!((target.first(3), target.len()), (&[0.0, 0.0, 0.0][..], 100));
        target.copy_from(&source, 40, 60);
        assert_eq!(target.first(1000).len(), 100);
    }

    #[test]
    #[should_panic(expected = "inside both buffers")]
    fn a_copy_never_leaves_the_buffers() {
        Floats::zeroed(10).copy_from(&Floats::zeroed(10), 5, 6);
    }
}
