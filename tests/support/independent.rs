//! Topic and bucket compared by a script that shares neither code nor clients with the program.
//!
//! It owns: running the script and reading its report. It does not own: the comparison
//! (`independent/compare.py`), the installation of its clients (`install.rs`).

use std::process::Command;

use super::{Kafka, S3Server, install, s3};

/// What the script found.
#[derive(Debug)]
pub struct Report {
    pub records: u64,
    pub objects: u64,
    pub lag: i64,
    /// Records that are in no object.
    pub missing: u64,
    /// Lines that say again what another line said.
    pub doubles: u64,
    /// Lines that are no record, or none that is to be seen.
    pub strange: u64,
    /// Records of Kafka that say again what another record says.
    pub repeats: u64,
    /// Seconds from the last record to the object that holds it, of the slowest partition.
    pub behind_s: f64,
    pub faults: Vec<String>,
}

/// Compares topics with the bucket and the group: JSON lines in any layout whose names begin with
/// topic, partition and start. Every value is there as often as in Kafka.
pub fn compare(
    kafka: &Kafka,
    s3: &S3Server,
    bucket: &str,
    group: &str,
    topics: &[String],
) -> Report {
    let mut command = Command::new(install::python_clients());
    command.args(["-c", include_str!("independent/compare.py")]);
    command.args([&kafka.bootstrap(), &s3.endpoint()]);
    command.args([s3::REGION, s3::ACCESS_KEY, s3::SECRET_KEY, bucket, group]).args(topics);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed:\n{error}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = report["faults"].as_array().unwrap().iter();
    let count = |name: &str| report[name].as_u64().unwrap();
    Report {
        records: count("records"),
        objects: count("objects"),
        missing: count("missing"),
        doubles: count("doubles"),
        strange: count("strange"),
        repeats: count("repeats"),
        lag: report["lag"].as_i64().unwrap(),
        behind_s: report["behind_s"].as_f64().unwrap(),
        faults: faults.map(|fault| fault.as_str().unwrap().to_owned()).collect(),
    }
}
