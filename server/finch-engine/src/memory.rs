//! Zeroed memory that ONNX Runtime reads and writes in place, and the few calls that let it.
//!
//! The one module with `unsafe`. Pages that nobody touches are never backed by the system, so a long context costs
//! nothing until it is used. Knows nothing about models.

use std::ffi::CStr;

use memmap2::MmapMut;
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
    allocation: Allocation,
}

/// What the floats lie in.
#[derive(Debug)]
enum Allocation {
    /// Pages of their own. An allocator may hand out large blocks of memory that was used before, and write zeros to it.
    Pages(#[expect(dead_code, reason = "held until it is dropped")] MmapMut),
    Heap(*mut [f32]),
}

const ALIGNMENT_BYTES: usize = 64;
/// Smaller memory is asked of the allocator.
const PAGES_BYTES_MIN: usize = 1 << 20;
/// Pages of a system that does not tell their size.
const PAGE_BYTES_MAX: usize = 64 << 10;

#[expect(unsafe_code, reason = "the memory belongs to whoever holds the value, like a Vec's")]
// SAFETY: `allocation` is owned and reached from nowhere else; access needs `&self` or `&mut self`.
unsafe impl Send for Floats {}

impl Floats {
    pub(crate) fn zeroed(len: usize) -> Self {
        if len * size_of::<f32>() >= PAGES_BYTES_MIN
            && let Ok(mut pages) = MmapMut::map_anon(len * size_of::<f32>())
        {
            system::keep_small(&pages);
            return Self { base: pages.as_mut_ptr().cast(), len, allocation: Allocation::Pages(pages) };
        }
        let spare = ALIGNMENT_BYTES / size_of::<f32>();
        let allocation = Box::into_raw(vec![0f32; len + spare].into_boxed_slice());
        let start = allocation.cast::<f32>();
        let skip = start.align_offset(ALIGNMENT_BYTES).min(spare);
        Self { base: start.wrapping_add(skip), len, allocation: Allocation::Heap(allocation) }
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

    /// `count` floats at `offset`.
    pub(crate) fn range(&self, offset: usize, count: usize) -> &[f32] {
        &self.first(offset + count)[offset..]
    }

    /// Writes floats at `offset`.
    #[expect(unsafe_code, reason = "one owned buffer, one copy into it")]
    pub(crate) fn write(&mut self, offset: usize, floats: &[f32]) {
        assert!(offset + floats.len() <= self.len, "the range is inside the buffer");
        // SAFETY: in range by the assertion; a borrowed slice is no part of this buffer while it is borrowed mutably.
        unsafe { std::ptr::copy_nonoverlapping(floats.as_ptr(), self.base.add(offset), floats.len()) }
    }

    /// Copies `count` floats at `from` to `to`.
    #[expect(unsafe_code, reason = "one owned buffer, one copy")]
    pub(crate) fn copy_within(&mut self, from: usize, to: usize, count: usize) {
        assert!(from.max(to) + count <= self.len, "both ranges are inside the buffer");
        // SAFETY: both ranges are inside the allocation by the assertion; they may overlap.
        unsafe { std::ptr::copy(self.base.add(from), self.base.add(to), count) }
    }

    /// Gives the whole pages of a range back to the system where it can be asked to take them. What the range holds
    /// is then either what it held or zero.
    pub(crate) fn release(&mut self, offset: usize, count: usize) {
        assert!(offset + count <= self.len, "the range is inside the buffer");
        let page = system::page_bytes();
        let start = (self.base.wrapping_add(offset) as usize).next_multiple_of(page);
        let end = (self.base.wrapping_add(offset + count) as usize) / page * page;
        if start < end {
            system::release(start, end - start);
        }
    }

    /// Pages of it that the system has backed.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn backed_pages(&self) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let page = system::page_bytes();
        // Of each page of the process a word, whose last bit tells.
        let mut words = vec![0; (self.len * size_of::<f32>()).div_ceil(page) * 8];
        let map = std::fs::File::open("/proc/self/pagemap")?;
        map.read_exact_at(&mut words, (self.base as usize / page * 8) as u64)?;
        Ok(words.chunks_exact(8).filter(|word| word[7] & 0x80 != 0).count())
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
        if let Allocation::Heap(allocation) = self.allocation {
            // SAFETY: it came from `Box::into_raw` in `zeroed` and is given back once.
            drop(unsafe { Box::from_raw(allocation) });
        }
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

#[cfg(unix)]
mod system {
    use std::sync::OnceLock;

    #[cfg(target_os = "linux")]
    const ADVICE: libc::c_int = libc::MADV_DONTNEED;
    #[cfg(not(target_os = "linux"))]
    const ADVICE: libc::c_int = libc::MADV_FREE;

    /// Asks for pages of the smallest size: a larger one is backed whole as soon as a bit of it is touched.
    #[cfg(target_os = "linux")]
    pub(super) fn keep_small(pages: &memmap2::MmapMut) {
        if let Err(error) = pages.advise(memmap2::Advice::NoHugePage) {
            // A kernel without larger pages does not know them.
            tracing::debug!("pages may be larger than need be: {error}");
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn keep_small(_pages: &memmap2::MmapMut) {}

    /// The smallest piece of memory that the system takes back.
    #[expect(unsafe_code, reason = "the system's own call")]
    pub(super) fn page_bytes() -> usize {
        static PAGE_BYTES: OnceLock<usize> = OnceLock::new();
        *PAGE_BYTES.get_or_init(|| {
            // SAFETY: it reads a number that never changes.
            let told = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            usize::try_from(told).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(super::PAGE_BYTES_MAX)
        })
    }

    /// Best effort: memory that stays is only memory.
    #[expect(unsafe_code, reason = "the system's own call")]
    pub(super) fn release(start: usize, bytes: usize) {
        // SAFETY: the range is whole pages of private memory that the caller owns and nobody refers to; afterwards
        // they read as before or as zero, both of which are floats.
        if unsafe { libc::madvise(start as *mut libc::c_void, bytes, ADVICE) } != 0 {
            tracing::debug!("{bytes} bytes could not be given back: {}", std::io::Error::last_os_error());
        }
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn page_bytes() -> usize {
        super::PAGE_BYTES_MAX
    }

    pub(super) fn keep_small(_pages: &memmap2::MmapMut) {}

    /// Memory that was written to stays until the model goes.
    pub(super) fn release(_start: usize, _bytes: usize) {}
}

#[cfg(test)]
mod tests {
    use super::Floats;

    #[test]
    fn memory_begins_aligned_and_zeroed_and_is_copied_by_range() {
        let mut floats = Floats::zeroed(100);
        assert_eq!(floats.base as usize % 64, 0);
        assert_eq!((floats.first(3), floats.len()), (&[0.0, 0.0, 0.0][..], 100));
        floats.copy_within(40, 0, 60);
        assert_eq!(floats.first(1000).len(), 100);
    }

    #[test]
    fn released_memory_can_be_used_again() {
        for len in [1 << 17, 1 << 20] {
            let mut floats = Floats::zeroed(len);
            floats.write(7, &[0.0, 0.0]);
            floats.release(0, 0);
            floats.release(5, len - 5);
            assert!(floats.first(len).iter().all(|&float| float == 0.0));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_nobody_writes_to_is_not_backed() {
        let resident = || {
            let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
            pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        // What an allocator was given back is what it hands out again.
        drop(std::hint::black_box(vec![1_u8; 24 << 20]));
        let before = resident();
        let floats: Vec<Floats> = (0..16).map(|_| Floats::zeroed(4 << 20)).collect();
        assert!(resident() < before + (64 << 20), "{} of {} bytes", resident() - before, floats.len() << 24);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pieces_below_64_kib_are_given_back() {
        let page = super::system::page_bytes();
        let (pieces, apart) = (32, 64 * page);
        let mut floats = Floats::zeroed(pieces * apart / 4);
        let piece = vec![1.0; 8 * page / 4];
        (0..pieces).for_each(|at| floats.write(at * apart / 4, &piece));
        assert_eq!(floats.backed_pages().unwrap(), pieces * 8);
        (0..pieces).for_each(|at| floats.release(at * apart / 4 + 1, piece.len() - 1));
        assert_eq!(floats.backed_pages().unwrap(), pieces);
    }

    #[test]
    #[should_panic(expected = "inside the buffer")]
    fn a_copy_never_leaves_the_buffer() {
        Floats::zeroed(10).copy_within(0, 5, 6);
    }
}
