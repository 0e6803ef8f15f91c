//! The bucket read by programs that users read it with: pyarrow and polars.
//!
//! It owns: the few lines of Python that list a prefix and read each object as JSON lines.
//! It does not own: their installation (`install.rs`).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::{S3Server, install, s3};

/// A reader that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Pyarrow,
    Polars,
}

/// Both read through their own S3 client; each prints one JSON object, from keys to rows.
const PYARROW: &str = r#"
import json, sys
import pyarrow.fs, pyarrow.json
endpoint, region, access, secret, bucket, prefix = sys.argv[1:]
store = pyarrow.fs.S3FileSystem(
    endpoint_override=endpoint, region=region, access_key=access, secret_key=secret)
selector = pyarrow.fs.FileSelector(f"{bucket}/{prefix}", recursive=True)
rows = {}
for info in store.get_file_info(selector):
    if info.type == pyarrow.fs.FileType.File:
        with store.open_input_stream(info.path) as stream:
            key = info.path.removeprefix(f"{bucket}/")
            rows[key] = pyarrow.json.read_json(stream).to_pylist()
json.dump(rows, sys.stdout)
"#;

/// The keys come as an argument: polars lists nothing by itself.
const POLARS: &str = r#"
import json, sys
import polars
endpoint, region, access, secret, bucket, keys = sys.argv[1:]
options = {"aws_endpoint_url": endpoint, "aws_region": region, "aws_access_key_id": access,
           "aws_secret_access_key": secret, "aws_allow_http": "true"}
rows = {}
for key in json.loads(keys):
    frame = polars.scan_ndjson(f"s3://{bucket}/{key}", storage_options=options)
    rows[key] = frame.collect().to_dicts()
json.dump(rows, sys.stdout)
"#;

/// Reads every object below a prefix as JSON lines: by key, its rows.
pub fn read(
    reader: Reader,
    s3: &S3Server,
    bucket: &str,
    prefix: &str,
) -> BTreeMap<String, Vec<Value>> {
    let (script, last) = match reader {
        Reader::Pyarrow => (PYARROW, prefix.to_owned()),
        Reader::Polars => (POLARS, serde_json::to_string(&s3.list(bucket, prefix)).unwrap()),
    };
    let mut command = Command::new(install::python());
    command.args(["-c", script, &s3.endpoint(), s3::REGION, s3::ACCESS_KEY, s3::SECRET_KEY]);
    let output = command.args([bucket, &last]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{reader:?} cannot read `{bucket}/{prefix}`:\n{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}
