//! What people query objects with: Spark from versitygw, DuckDB from MinIO.
//!
//! It owns: the objects (plain and gzip, in folders by a value that Hive escapes) and the counts
//! and sums that each reader must come to.
//! It does not own: pyarrow and polars, which every run asks (`harness.rs`, `features`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::s3::{ACCESS_KEY, REGION, SECRET_KEY};
use crate::support::{S3Server, full_set, install, kafka, minio, report, s3, unique};

const DONE_IN: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 2;
const RECORDS: usize = 600;
/// Values of a field of the path: plain, and with everything that paths and Hive mind.
const CATEGORIES: [&str; 3] = ["art", "food & drink/50% off: a+b=c", "Öl 日本 🎨"];

/// Count and sum of `n`, by category.
type Sums = BTreeMap<String, (u64, u64)>;

const SPARK: &str = r#"
import json, sys
from pyspark.sql import SparkSession
endpoint, region, access, secret, path, jars = sys.argv[1:]
settings = {
    "spark.driver.extraClassPath": jars,
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.hadoop.fs.s3a.endpoint": endpoint,
    "spark.hadoop.fs.s3a.endpoint.region": region,
    "spark.hadoop.fs.s3a.access.key": access,
    "spark.hadoop.fs.s3a.secret.key": secret,
    "spark.hadoop.fs.s3a.path.style.access": "true",
    # The other one wants the AWS client of C.
    "spark.hadoop.fs.s3a.input.stream.type": "classic",
}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
rows = spark.read.json(f"s3a://{path}").groupBy("category").agg({"*": "count", "n": "sum"})
rows = rows.select("category", "count(1)", "sum(n)").collect()
print(json.dumps({category: [count, total] for category, count, total in rows}))
spark.stop()
"#;

const DUCKDB: &str = r#"
import importlib.util, json, pathlib, sys
import duckdb
endpoint, region, access, secret, path, pattern = sys.argv[1:]
folder = pathlib.Path(importlib.util.find_spec("duckdb_extension_httpfs").origin).parent
extension = next(folder.rglob("httpfs.duckdb_extension"))
connection = duckdb.connect()
connection.execute(f"LOAD '{extension}'")
host = endpoint.removeprefix("http://")
connection.execute(f"""CREATE SECRET (TYPE s3, KEY_ID '{access}', SECRET '{secret}',
    REGION '{region}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)""")
rows = connection.execute(f"""
    SELECT category, count(*), sum(n)::BIGINT
    FROM read_json('s3://{path}/{pattern}', format = 'newline_delimited', hive_partitioning = true)
    GROUP BY category""").fetchall()
print(json.dumps({category: [count, total] for category, count, total in rows}))
"#;

/// Writes the records with the daemon, and returns the folder of its objects in the bucket.
fn write(server: &S3Server, compression: &str) -> String {
    let (topic, group, bucket) = (unique("read"), unique("group"), server.bucket("read"));
    kafka().create_topic(&topic, PARTITIONS);
    let records: Vec<NewRecord> = (0..RECORDS).map(record).collect();
    kafka().produce(&topic, &records);
    let settings = Settings::between(kafka(), server, &group, &bucket)
        .topics(&[&topic])
        .set("layout.path", "\"{topic}/category={field:/kind}/partition={partition}\"")
        .set("layout.compression", &format!("{compression:?}"))
        .set("seal.records", "100")
        .set("seal.age", "\"1 s\"");
    let daemon = settings.start();
    daemon.wait_until("a lag of 0", DONE_IN, || (kafka().lag(&group, &topic) == 0).then_some(()));
    daemon.stop_cleanly();
    format!("{bucket}/topics/{topic}")
}

fn record(number: usize) -> NewRecord {
    let kind = CATEGORIES[number % CATEGORIES.len()];
    NewRecord::of(serde_json::json!({ "n": number, "kind": kind }).to_string())
        .on_partition(i32::try_from(number % PARTITIONS).unwrap())
}

fn expected() -> Sums {
    let mut sums = Sums::new();
    for number in 0..RECORDS {
        let sum = sums.entry(CATEGORIES[number % CATEGORIES.len()].to_owned()).or_default();
        *sum = (sum.0 + 1, sum.1 + number as u64);
    }
    sums
}

/// Runs a script with a server's address and keys, a folder, and something of its own.
fn read(python: &Path, script: &str, server: &S3Server, path: &str, last: &str) -> Sums {
    let mut command = Command::new(python);
    command.args(["-c", script, &server.endpoint(), REGION, ACCESS_KEY, SECRET_KEY, path, last]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path} cannot be read:\n{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{fault}:\n{error}"))
}

#[test]
fn spark_reads_what_was_written() {
    if !full_set("spark_reads_what_was_written") {
        return;
    }
    let spark = install::full::spark();
    for compression in ["none", "gzip"] {
        let path = write(s3(), compression);
        let sums = read(&spark.python, SPARK, s3(), &path, &spark.jars);
        assert_eq!(sums, expected(), "{compression}");
    }
    report(&format!("Spark: {RECORDS} records each in plain and gzip, counts and sums as sent"));
}

#[test]
fn duckdb_reads_what_was_written() {
    if !full_set("duckdb_reads_what_was_written") {
        return;
    }
    let python = install::full::duckdb();
    for (compression, pattern) in [("none", "**/*.json"), ("gzip", "**/*.json.gz")] {
        let path = write(minio(), compression);
        assert_eq!(read(&python, DUCKDB, minio(), &path, pattern), expected(), "{compression}");
    }
    report(&format!("DuckDB: {RECORDS} records each in plain and gzip, counts and sums as sent"));
}
