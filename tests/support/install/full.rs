//! What only the full set needs (`SLUICE_TESTS=full`), fetched when a test of it asks first.
//!
//! It owns: the versions. It does not own: the cache and its locks (`install.rs`).

use std::path::PathBuf;

use super::{cache, fetch_go_program, once};

/// MinIO, the second S3 server: other code than versitygw, as exact. Compiling takes 7 minutes.
const MINIO_VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";

/// Makes sure that MinIO is installed and returns its path.
pub fn minio() -> PathBuf {
    let folder = cache().join(format!("minio-{MINIO_VERSION}"));
    let package = format!("github.com/minio/minio@{MINIO_VERSION}");
    once(&folder, "MinIO", |folder| fetch_go_program(folder, &package));
    folder.join("minio")
}
