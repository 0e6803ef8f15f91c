//! What only the full set needs (`SLUICE_TESTS=full`), fetched when a test of it asks first.
//!
//! It owns: the versions. It does not own: the cache and its locks (`install.rs`).

use std::path::PathBuf;

use super::{Jar, cache, fetch_go_program, fetch_jars, fetch_packages, fetch_wheels, once};

/// MinIO, the second S3 server: other code than versitygw, as exact. Compiling takes 7 minutes.
const MINIO_VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";
/// The extension brings DuckDB's S3 client, which DuckDB itself would fetch from its own site.
const DUCKDB: [&str; 2] = ["duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5"];
/// No wheel: the archive holds Spark's jars, 400 MB, and nothing to compile.
const PYSPARK: &str = "pyspark==4.3.0";
/// Spark's S3 client. The modules of the AWS SDK that it needs, in place of the bundle of 658 MB,
/// and without what Spark brings itself.
const SPARK_BRINGS: &[&str] = &["io.netty", "org.slf4j", "commons-codec", "commons-logging"];
const AWS_SDK: &str = "software.amazon.awssdk";
const AWS_SDK_VERSION: &str = "2.35.4";
const S3A: [Jar; 5] = [
    Jar::new("org.apache.hadoop", "hadoop-aws", "3.5.0").without(&["*"]),
    Jar::new(AWS_SDK, "s3", AWS_SDK_VERSION).without(SPARK_BRINGS),
    Jar::new(AWS_SDK, "s3-transfer-manager", AWS_SDK_VERSION).without(SPARK_BRINGS),
    Jar::new(AWS_SDK, "sts", AWS_SDK_VERSION).without(SPARK_BRINGS),
    Jar::new("software.amazon.s3.analyticsaccelerator", "analyticsaccelerator-s3", "1.3.1")
        .without(&["*"]),
];

/// Makes sure that MinIO is installed and returns its path.
pub fn minio() -> PathBuf {
    let folder = cache().join(format!("minio-{MINIO_VERSION}"));
    let package = format!("github.com/minio/minio@{MINIO_VERSION}");
    once(&folder, "MinIO", |folder| fetch_go_program(folder, &package));
    folder.join("minio")
}

/// Makes sure that DuckDB is installed and returns its Python.
pub fn duckdb() -> PathBuf {
    let folder = cache().join("duckdb");
    once(&folder, "DuckDB", |folder| fetch_wheels(folder, &DUCKDB));
    folder.join("bin").join("python")
}

/// Spark as Python sees it.
pub struct Spark {
    pub python: PathBuf,
    /// The class path of its S3 client.
    pub jars: String,
}

/// Makes sure that Spark and its S3 client are installed.
pub fn spark() -> Spark {
    let (folder, jars) = (cache().join("spark"), cache().join("spark-s3a"));
    once(&folder, "Spark", |folder| fetch_packages(folder, &[PYSPARK]));
    once(&jars, "Spark's S3 client", |folder| fetch_jars(folder, &S3A));
    let jars = jars.join("libs").join("*").to_str().unwrap().to_owned();
    Spark { python: folder.join("bin").join("python"), jars }
}
