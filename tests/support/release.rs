//! The program as it is shipped: the release build, and programs of tests built in the same way.
//!
//! It owns: building it into the folder that the tests were built into (`.ci/run` does that before,
//! in a stage of its own, so that nothing is left to do here).
//! It does not own: running it (`daemon.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Builds the release if it is not there or not fresh, and returns its path.
pub fn program() -> &'static Path {
    static BUILT: LazyLock<PathBuf> =
        LazyLock::new(|| build("sluice", &["--bin", "sluice", "--features", "isa-l"]));
    &BUILT
}

/// Builds a program that belongs to tests as the release is built, and returns its path.
pub fn helper(package: &str) -> PathBuf {
    build(package, &["--package", package])
}

fn build(name: &str, what: &[&str]) -> PathBuf {
    // `<target>/debug/sluice`
    let target = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked"]).args(what).arg("--target-dir").arg(target);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // What `cargo test` tells this process is not meant for another build.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG") || name.starts_with("CARGO_MANIFEST") {
            cargo.env_remove(name.as_ref());
        }
    }
    cargo.env_remove("LD_LIBRARY_PATH");
    let output = cargo.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the release does not build:\n{error}");
    target.join("release").join(name)
}
