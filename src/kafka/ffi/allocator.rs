//! How the C library keeps large blocks, librdkafka's and ours alike.
//!
//! glibc gives a block above a threshold a mapping of its own, which goes back to the system when
//! it is freed and grows without a copy. But the threshold follows the largest block that was ever
//! freed that way, up to 32 MiB. So the first fetch response of some megabytes that librdkafka
//! frees moves all later ones, and the buffers of objects with them, into arenas of blocks of all
//! ages, where what is freed stays resident: 423 MiB under a limit of 256, against 305 with a fixed
//! threshold, at the same cost (`benches/pipeline`, 64 partitions).
//!
//! Why not another allocator: jemalloc 5.3 took 373 MiB there and mimalloc 2.0 took 403, and more
//! time.

use std::ffi::c_int;

/// `M_MMAP_THRESHOLD` of `malloc.h`.
const MMAP_THRESHOLD: c_int = -3;
/// `M_MMAP_MAX` of `malloc.h`.
const MMAP_MAX: c_int = -4;
/// What glibc begins with.
const THRESHOLD_BYTES: c_int = 128 * 1024;
/// Half of the mappings that Linux lets a process have (65,530, `vm.max_map_count`): threads and
/// files need some too. What is beyond comes from the arenas.
const MAPPINGS_MAX: c_int = 32_768;

/// Gives every large block a mapping of its own, always. To be called before there is a second
/// thread.
pub fn map_large_blocks() {
    for (parameter, value) in [(MMAP_THRESHOLD, THRESHOLD_BYTES), (MMAP_MAX, MAPPINGS_MAX)] {
        // A refusal would be 0 and leave things as they were: more memory, no fault.
        // SAFETY: it takes two numbers; no other thread allocates meanwhile, by contract.
        let _accepted = unsafe { mallopt(parameter, value) };
    }
}

unsafe extern "C" {
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
}
