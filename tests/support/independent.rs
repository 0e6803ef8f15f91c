//! Topic and bucket compared by a script that shares neither code nor clients with the program.
//!
//! It owns: running the script and reading its report. It does not own: the comparison
//! (`independent/compare.py`), the installation of its clients (`install/full.rs`).

use std::process::Command;

use super::{Kafka, S3Server, install, s3};

/// What the script found.
#[derive(Debug)]
pub struct Report {
    pub records: u64,
    pub objects: u64,
    pub lag: i64,
    /// Seconds from the last record to the object that holds it, of the slowest partition.
    pub behind_s: f64,
    pub faults: Vec<String>,
}

/// Compares topics that were written in the default layout with the bucket and the group.
pub fn compare(
    kafka: &Kafka,
    s3: &S3Server,
    bucket: &str,
    group: &str,
    topics: &[String],
) -> Report {
    let mut command = Command::new(install::full::python_clients());
    command.args(["-c", include_str!("independent/compare.py")]);
    command.args([&kafka.bootstrap(), &s3.endpoint()]);
    command.args([s3::REGION, s3::ACCESS_KEY, s3::SECRET_KEY, bucket, group]).args(topics);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed:\n{error}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = report["faults"].as_array().unwrap().iter();
    Report {
        records: report["records"].as_u64().unwrap(),
        objects: report["objects"].as_u64().unwrap(),
        lag: report["lag"].as_i64().unwrap(),
        behind_s: report["behind_s"].as_f64().unwrap(),
        faults: faults.map(|fault| fault.as_str().unwrap().to_owned()).collect(),
    }
}
