//! The configurations that daemons of one group have side by side, and change between at a restart.
//!
//! It owns: layout, compression, seals and part size of each. It does not own: who has which.

use crate::support::daemon::Settings;

/// How many there are.
pub const COUNT: usize = 4;

/// Keys with their values as TOML.
const VARIANTS: [&[(&str, &str)]; COUNT] = [
    &[("seal.age", "\"2 s\""), ("s3.part_size", "\"5 MiB\"")],
    &[
        ("layout.path", "\"{topic}/kind={field:/kind}/partition={partition}\""),
        ("layout.compression", "\"gzip\""),
        ("seal.age", "\"3 s\""),
        ("seal.records", "200"),
        ("s3.part_size", "\"6 MiB\""),
    ],
    &[
        ("layout.name", "\"{topic}+{partition}+{start:010}+{last:010}\""),
        ("layout.compression", "\"zstd\""),
        ("seal.age", "\"1500 ms\""),
        ("seal.bytes", "\"3 MiB\""),
    ],
    &[
        ("layout.path", "\"{topic}/opened={time:%Y-%m-%d-%H-%M-%S}/partition={partition}\""),
        ("layout.time", "\"opened\""),
        ("seal.age", "\"2 s\""),
        ("seal.object_bytes", "\"12 MiB\""),
        ("s3.part_size", "\"8 MiB\""),
    ],
];

pub fn apply(variant: usize, settings: Settings) -> Settings {
    let keys = VARIANTS[variant].iter();
    keys.fold(settings, |settings, (key, value)| settings.set(key, value))
}
