//! What only the full set needs (`SLUICE_TESTS=full`), fetched when a test of it asks first.
//!
//! It owns: the versions. It does not own: the cache and its locks (`install.rs`).

use std::path::PathBuf;

use super::{cache, fetch_go_program, fetch_wheels, once};

/// MinIO, the second S3 server: other code than versitygw, as exact. Compiling takes 7 minutes.
const MINIO_VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";
/// Clients of Kafka and S3 that the program does not use.
const PYTHON_CLIENTS: [&str; 2] = ["confluent-kafka==2.16.1", "pyarrow==26.0.1"];

/// Makes sure that MinIO is installed and returns its path.
pub fn minio() -> PathBuf {
    let folder = cache().join(format!("minio-{MINIO_VERSION}"));
    let package = format!("github.com/minio/minio@{MINIO_VERSION}");
    once(&folder, "MinIO", |folder| fetch_go_program(folder, &package));
    folder.join("minio")
}

/// Makes sure that Python's clients of Kafka and S3 are installed and returns that Python.
pub fn python_clients() -> PathBuf {
    let folder = cache().join("python-clients");
    once(&folder, "confluent-kafka and pyarrow", |folder| fetch_wheels(folder, &PYTHON_CLIENTS));
    folder.join("bin").join("python")
}
