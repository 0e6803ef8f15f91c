//! How memory is kept, librdkafka's and ours: fast to have again, and given back.
//!
//! It owns: the program's allocator, what glibc is told, and when memory goes back to the system.
//! It does not own: how much memory may be in use (`daemon::budget`).
//!
//! Our own large blocks are mappings (`blocks`), so that what is freed is gone and not kept between
//! blocks of all ages: with everything in glibc's arenas the daemon had 423 MiB under a limit of
//! 256. librdkafka's responses are in the arenas, because a mapping each is paid for at every page
//! of every response: 0.5 CPU-seconds per GB, an eighth of all. What the arenas do not need is given
//! back each second.
//!
//! Why not another allocator for all of it: jemalloc 5.3 and mimalloc 2.0 had half as much again
//! resident, and took more time (`benches/pipeline`).

mod blocks;

pub use blocks::LargeBlocks;

use std::ffi::c_int;

/// The most that glibc takes as the size from which blocks are mappings (`HEAP_MAX_SIZE / 2`), and
/// more than a fetch response has.
const MAPPED_FROM_BYTES: c_int = 32 << 20;
/// What is free at an arena's end stays there until it is given back each second.
const KEPT_AT_END_BYTES: c_int = 64 << 20;
/// Arenas keep what each once needed, and a response is freed by another thread than took it.
const ARENAS: c_int = 2;

/// Tells glibc how to keep memory. To be called before there is a second thread.
pub fn set_up_memory() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES),
        (libc::M_TRIM_THRESHOLD, KEPT_AT_END_BYTES),
        (libc::M_ARENA_MAX, ARENAS),
    ] {
        // A refusal would be 0 and leave things as they were: more memory, no fault.
        // SAFETY: it takes two numbers; no other thread allocates meanwhile, by contract.
        let _accepted = unsafe { libc::mallopt(parameter, value) };
    }
}

/// Keeps large blocks that were freed for those to come, up to this sum.
pub fn keep_blocks(bytes_max: u64) {
    blocks::keep(usize::try_from(bytes_max).unwrap_or(usize::MAX));
}

/// Gives the system all blocks that are kept: others need the memory.
pub fn give_blocks_back() {
    blocks::give_all_back();
}

/// Gives the system what has not been needed since the last call. To be called each second or so.
pub fn give_memory_back() {
    blocks::give_back();
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number and may be called from every thread.
    let _was_any = unsafe { libc::malloc_trim(0) };
}
