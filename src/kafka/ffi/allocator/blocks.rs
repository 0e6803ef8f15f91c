//! The program's allocator: large blocks are mappings of their own, and a few of them are kept.
//!
//! It owns: blocks of 128 KiB and more, from the system and back. What is smaller is glibc's.
//!
//! A fresh mapping costs a fault at each page, which is dearer than copying into pages that are
//! there: so blocks that are freed are kept for the next object, up to a sum, and what was not needed
//! for a second goes back. Sizes are rounded up, so that blocks fit again; what
//! nobody touches of it is not in memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// From here on a block is a mapping, as glibc begins with.
const MAPPED_FROM: usize = 128 << 10;
const PAGE_BYTES: usize = 4096;
const KEPT_MAX: usize = 32;

/// The allocator of the program (`#[global_allocator]` in `main.rs`).
#[derive(Clone, Copy, Debug)]
pub struct LargeBlocks;

/// Freed blocks with their sizes, the latest last.
struct Kept {
    blocks: [(usize, usize); KEPT_MAX],
    count: usize,
    bytes: usize,
    bytes_max: usize,
    /// The fewest there have been since the last call of `give_back`.
    least: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept::NOTHING);

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    const NOTHING: Self =
        Self { blocks: [(0, 0); KEPT_MAX], count: 0, bytes: 0, bytes_max: 0, least: 0 };

    /// Takes the latest block of exactly this size.
    fn take(&mut self, bytes: usize) -> Option<*mut u8> {
        let index = self.blocks[..self.count].iter().rposition(|(_, size)| *size == bytes)?;
        Some(self.remove(index).0)
    }

    fn remove(&mut self, index: usize) -> (*mut u8, usize) {
        let (address, bytes) = self.blocks[index];
        self.blocks.copy_within(index + 1..self.count, index);
        self.count -= 1;
        self.bytes -= bytes;
        self.least = self.least.min(self.count);
        (ptr::with_exposed_provenance_mut(address), bytes)
    }

    /// Keeps a block if there is room for it.
    fn put(&mut self, block: *mut u8, bytes: usize) -> bool {
        let has_room = self.count < KEPT_MAX && self.bytes + bytes <= self.bytes_max;
        if has_room {
            self.blocks[self.count] = (block.expose_provenance(), bytes);
            self.count += 1;
            self.bytes += bytes;
        }
        has_room
    }

    /// Takes the oldest of those that nobody has needed since the last call of `give_back`.
    fn take_idle(&mut self) -> Option<(*mut u8, usize)> {
        (self.least > 0).then(|| {
            let least = self.least;
            let idle = self.remove(0);
            self.least = least - 1;
            idle
        })
    }

    fn take_any(&mut self) -> Option<(*mut u8, usize)> {
        (self.count > 0).then(|| self.remove(0))
    }
}

/// Keeps freed blocks up to this sum; none before the first call.
pub(super) fn keep(bytes_max: usize) {
    kept().bytes_max = bytes_max;
}

/// Returns blocks to the system that nobody has needed since the last call.
pub(super) fn give_back() {
    give_back_while(Kept::take_idle);
    let mut kept = kept();
    kept.least = kept.count;
}

/// Returns all kept blocks to the system.
pub(super) fn give_all_back() {
    give_back_while(Kept::take_any);
}

fn give_back_while(mut take: impl FnMut(&mut Kept) -> Option<(*mut u8, usize)>) {
    loop {
        let taken = take(&mut kept());
        let Some((block, bytes)) = taken else { return };
        // SAFETY: it is a mapping of ours of this size, and nobody has it any more.
        unsafe { unmap(block, bytes) };
    }
}

/// Returns the size of the mapping for a block, or none if it is glibc's. The same for the same
/// layout, always: nothing else says where a block came from.
fn mapping_bytes(layout: Layout) -> Option<usize> {
    let size = layout.size();
    if size < MAPPED_FROM || size > isize::MAX as usize / 2 || layout.align() > PAGE_BYTES {
        return None;
    }
    // Eight sizes a doubling, so that blocks fit again.
    let step = 1 << (size.ilog2() - 3);
    Some(size.next_multiple_of(step))
}

/// Returns null if the system has no more.
fn map(bytes: usize) -> *mut u8 {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new anonymous mapping touches nothing that is there.
    let block = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if block == libc::MAP_FAILED { ptr::null_mut() } else { block.cast() }
}

/// # Safety
/// The block is a mapping of this size that nobody uses any more.
unsafe fn unmap(block: *mut u8, bytes: usize) {
    // SAFETY: by contract. It fails for wrong arguments only, and would leave the block mapped.
    let _failed = unsafe { libc::munmap(block.cast(), bytes) };
}

/// # Safety
/// The block is a mapping of this size that nobody uses any more.
unsafe fn free(block: *mut u8, bytes: usize) {
    if !kept().put(block, bytes) {
        // SAFETY: by contract.
        unsafe { unmap(block, bytes) };
    }
}

/// Returns the block, or null, and whether all of it is zero.
fn take(bytes: usize) -> (*mut u8, bool) {
    let block = kept().take(bytes);
    block.map_or_else(|| (map(bytes), true), |block| (block, false))
}

/// Gives a mapping another size. Returns null, and leaves it, if the system has no more.
///
/// # Safety
/// The block is a mapping of `from` bytes, in use; after it only what is returned is.
unsafe fn resize(block: *mut u8, from: usize, to: usize, used: usize) -> *mut u8 {
    let other = if to < from { None } else { kept().take(to) };
    if let Some(other) = other {
        // SAFETY: both are mappings of at least `used` bytes, and not the same one.
        unsafe { ptr::copy_nonoverlapping(block, other, used) };
        // SAFETY: by contract nobody has it any more.
        unsafe { free(block, from) };
        return other;
    }
    // SAFETY: by contract it is a mapping of this size; the pages move, not the bytes.
    let moved = unsafe { libc::mremap(block.cast(), from, to, libc::MREMAP_MAYMOVE) };
    if moved == libc::MAP_FAILED { ptr::null_mut() } else { moved.cast() }
}

// SAFETY: a block belongs to whoever asked for it until it is freed: it is a mapping of its own, or
// a kept one that is taken out under a lock, or glibc's. Which of them follows from its layout
// alone. Nothing here unwinds or allocates: the lock's value is in place, and the indexes are below
// `KEPT_MAX`.
unsafe impl GlobalAlloc for LargeBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match mapping_bytes(layout) {
            Some(bytes) => take(bytes).0,
            // SAFETY: the same contract.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(bytes) = mapping_bytes(layout) else {
            // SAFETY: the same contract.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let (block, is_zero) = take(bytes);
        if !is_zero {
            // SAFETY: it is a mapping of at least this size, ours alone.
            unsafe { ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match mapping_bytes(layout) {
            // SAFETY: by contract it came from this allocator with this layout, hence is a mapping
            // of this size.
            Some(bytes) => unsafe { free(block, bytes) },
            // SAFETY: likewise it is glibc's.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: by contract the new size is a valid one for this alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let used = layout.size().min(new_size);
        match (mapping_bytes(layout), mapping_bytes(new_layout)) {
            // SAFETY: by contract it is glibc's, and the new size is not zero.
            (None, None) => unsafe { System.realloc(block, layout, new_size) },
            (Some(from), Some(to)) if from == to => block,
            // SAFETY: by contract it is a mapping of this size.
            (Some(from), Some(to)) => unsafe { resize(block, from, to, used) },
            (None, Some(_)) | (Some(_), None) => {
                // SAFETY: the same contract, with a size that is not zero.
                let other = unsafe { self.alloc(new_layout) };
                if !other.is_null() {
                    // SAFETY: both have `used` bytes, and are not the same block.
                    unsafe { ptr::copy_nonoverlapping(block, other, used) };
                    // SAFETY: by contract it came from here with this layout.
                    unsafe { self.dealloc(block, layout) };
                }
                other
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 1).unwrap()
    }

    #[test]
    fn small_blocks_are_glibcs_and_large_ones_are_rounded_up() {
        for (size, mapping) in [
            (100, None),
            (MAPPED_FROM - 1, None),
            (MAPPED_FROM, Some(MAPPED_FROM)),
            (MAPPED_FROM + 1, Some(MAPPED_FROM * 9 / 8)),
            ((8 << 20) + 1, Some(9 << 20)),
            (isize::MAX as usize - 1, None),
        ] {
            assert_eq!(mapping_bytes(layout(size)), mapping, "{size}");
        }
        let aligned = Layout::from_size_align(1 << 20, 1 << 16).unwrap();
        assert_eq!(mapping_bytes(aligned), None);
    }

    #[test]
    fn a_block_that_was_freed_is_taken_again_until_it_has_been_idle() {
        let mut kept = Kept { bytes_max: 2 * MAPPED_FROM, ..Kept::NOTHING };
        let blocks = [1, 2, 3].map(|address| ptr::without_provenance_mut(address * MAPPED_FROM));
        assert!(kept.put(blocks[0], MAPPED_FROM));
        assert!(kept.put(blocks[1], MAPPED_FROM));
        assert!(!kept.put(blocks[2], MAPPED_FROM), "the sum is bounded");
        assert_eq!(kept.take(2 * MAPPED_FROM), None, "sizes must be the same");
        assert_eq!(kept.take(MAPPED_FROM), Some(blocks[1]), "the latest is the warmest");
        assert_eq!(kept.take_idle(), None, "none was there all the time");
        kept.least = kept.count;
        assert!(kept.put(blocks[1], MAPPED_FROM));
        assert_eq!(kept.take_idle(), Some((blocks[0], MAPPED_FROM)));
        assert_eq!(kept.take_idle(), None, "the other one was in use meanwhile");
        assert_eq!(kept.take_any(), Some((blocks[1], MAPPED_FROM)));
        assert_eq!((kept.take_any(), kept.count, kept.bytes), (None, 0, 0));
    }

    proptest! {
        /// Against a plain vector: a block keeps its bytes whatever becomes of others.
        #[test]
        fn blocks_keep_what_is_written(
            sizes in prop::collection::vec((0..6_usize, 1..6_000_000_usize), 1..40),
        ) {
            keep(16 << 20);
            let allocator = LargeBlocks;
            let mut blocks: Vec<Option<(*mut u8, usize, u8)>> = vec![None; 6];
            for (step, (slot, size)) in sizes.into_iter().enumerate() {
                let mark = u8::try_from(step).unwrap() + 1;
                let before = blocks[slot].take();
                let block = match before {
                    // SAFETY: it came from here with this layout.
                    Some((block, old, _)) if step % 3 != 0 => unsafe {
                        allocator.realloc(block, layout(old), size)
                    },
                    Some((block, old, _)) => {
                        // SAFETY: as above.
                        unsafe { allocator.dealloc(block, layout(old)) };
                        // SAFETY: the size is not zero.
                        let block = unsafe { allocator.alloc_zeroed(layout(size)) };
                        for at in [0, size / 2, size - 1] {
                            // SAFETY: it has this many bytes.
                            prop_assert_eq!(unsafe { block.add(at).read() }, 0);
                        }
                        block
                    }
                    // SAFETY: the size is not zero.
                    None => unsafe { allocator.alloc(layout(size)) },
                };
                if let Some((_, old, old_mark)) = before.filter(|_| step % 3 != 0) {
                    for at in [0, old.min(size) / 2, old.min(size) - 1] {
                        // SAFETY: it has this many bytes.
                        prop_assert_eq!(unsafe { block.add(at).read() }, old_mark);
                    }
                }
                // SAFETY: it has this many bytes.
                unsafe { block.write_bytes(mark, size) };
                blocks[slot] = Some((block, size, mark));
                give_back();
            }
            for (block, size, mark) in blocks.into_iter().flatten() {
                // SAFETY: it has this many bytes.
                let bytes = unsafe { std::slice::from_raw_parts(block, size) };
                prop_assert!(bytes.iter().all(|byte| *byte == mark));
                // SAFETY: it came from here with this layout.
                unsafe { allocator.dealloc(block, layout(size)) };
            }
        }
    }
}
