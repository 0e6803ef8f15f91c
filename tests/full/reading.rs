//! The page for readers: each of its snippets as it stands, on objects that the daemon wrote.
//!
//! It owns: taking the snippets out of the page, the objects that they speak of, what each prints.
//! It does not own: readers on keys that Hive escapes (`readers.rs`).

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::s3::{ACCESS_KEY, REGION, SECRET_KEY};
use crate::support::{S3Server, full_set, install, kafka, minio, report, runtime, s3, unique};

const PAGE: &str = include_str!("../../packaging/READING.md");
/// What the page calls them.
const BUCKET: &str = "user-12ab34-bucket";
const PIN: &str = "12ab34.pin";
const GEO: &str = "12ab34.geo";
const PARTITIONS: usize = 2;
const RECORDS: usize = 400;
const COUNTRIES: [&str; 4] = ["Albania", "Côte d'Ivoire", "Niue", "Peru"];
const DONE_IN: Duration = Duration::from_secs(60);

/// What a notebook, or its page, has done before.
const SPARK: &str = r#"
import os
from pyspark.sql import SparkSession
settings = {
    "spark.driver.extraClassPath": os.environ["JARS"],
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.hadoop.fs.s3a.endpoint": os.environ["AWS_ENDPOINT_URL"],
    "spark.hadoop.fs.s3a.endpoint.region": os.environ["AWS_REGION"],
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.input.stream.type": "classic",
}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
"#;
/// The others take the server's address from the environment.
const PYARROW: &str = r#"
import functools, os
import pyarrow.fs
pyarrow.fs.S3FileSystem = functools.partial(
    pyarrow.fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"])
"#;
const DUCKDB: &str = r#"
import importlib.util, os, pathlib
import duckdb
folder = pathlib.Path(importlib.util.find_spec("duckdb_extension_httpfs").origin).parent
connection = duckdb.connect()
connection.execute(f"LOAD '{next(folder.rglob('httpfs.duckdb_extension'))}'")
of = os.environ
connection.execute(f"""CREATE SECRET (TYPE s3, KEY_ID '{of["AWS_ACCESS_KEY_ID"]}',
    SECRET '{of["AWS_SECRET_ACCESS_KEY"]}', REGION '{of["AWS_REGION"]}',
    ENDPOINT '{of["AWS_ENDPOINT_URL"].removeprefix("http://")}', URL_STYLE 'path', USE_SSL false)""")
def run(query):
    for row in connection.execute(query).fetchall():
        print(*row)
"#;

/// The snippets of one reader, in the order of the page.
fn snippets(reader: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = PAGE;
    while let Some((_before, fenced)) = rest.split_once("\n```") {
        let (snippet, behind) = fenced.split_once("\n```\n").expect("every fence ends");
        let (language, code) = snippet.split_once('\n').expect("a line of its own");
        if language.split(' ').nth(1) == Some(reader) {
            found.push(code.to_owned());
        }
        rest = behind;
    }
    found
}

/// Has the daemon write both topics into the bucket of the page: `pin` plain, `geo` compressed, by country.
fn write(server: &S3Server) {
    let create = server.client().create_bucket().bucket(BUCKET).send();
    runtime().block_on(create).unwrap();
    let group = unique("group");
    let settings = Settings::between(kafka(), server, &group, BUCKET)
        .topics(&[PIN, GEO])
        .set("seal.records", "60")
        .set("seal.age", "\"1 s\"")
        .override_for(
            r".*\.geo",
            "layout.path = \"{topic}/country={field:/country}/partition={partition}\"\n\
             layout.compression = \"gzip\"",
        );
    let daemon = settings.start();
    daemon.wait_until("a lag of 0", DONE_IN, || {
        [PIN, GEO].iter().all(|topic| kafka().lag(&group, topic) == 0).then_some(())
    });
    daemon.stop_cleanly();
}

fn record(number: usize) -> NewRecord {
    let country = COUNTRIES[number % COUNTRIES.len()];
    NewRecord::of(serde_json::json!({ "ind": number, "country": country }).to_string())
        .on_partition(i32::try_from(number / COUNTRIES.len() % PARTITIONS).unwrap())
}

/// Runs each snippet of a reader behind a prelude, and compares what they print.
fn run(reader: &str, python: PathBuf, server: &S3Server, jars: &str, expected: &[&str]) {
    let prelude = match reader {
        "spark" => SPARK,
        "duckdb" => DUCKDB,
        "pyarrow" => PYARROW,
        _ => "",
    };
    let snippets = snippets(reader);
    assert_eq!(snippets.len(), expected.len(), "snippets of {reader}");
    for (snippet, expected) in snippets.iter().zip(expected) {
        let script = match reader {
            "duckdb" => format!("{prelude}\nrun('''{snippet}''')\n"),
            _ => format!("{prelude}\n{snippet}\n"),
        };
        let mut command = Command::new(&python);
        command.args(["-c", &script]).env("JARS", jars);
        command.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_REGION", REGION).env("AWS_DEFAULT_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
        let (printed, error) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(printed).unwrap();
        assert!(output.status.success(), "{snippet}\nfails:\n{error}");
        assert_eq!(printed.trim(), *expected, "{snippet}\n{error}");
    }
    report(&format!("reading: {} snippets of {reader} print what was sent", snippets.len()));
}

#[test]
fn every_snippet_of_the_page_runs_as_it_stands() {
    if !full_set("every_snippet_of_the_page_runs_as_it_stands") {
        return;
    }
    for topic in [PIN, GEO] {
        kafka().create_topic(topic, PARTITIONS);
        kafka().produce(topic, &(0..RECORDS).map(record).collect::<Vec<_>>());
    }
    write(s3());
    let (half, quarter) = ((RECORDS / 2).to_string(), (RECORDS / 4).to_string());
    let (all, both) = (RECORDS.to_string(), format!("0 {half}\n1 {half}"));
    run("pyarrow", install::python(), s3(), "", &[&all, &all]);
    run("polars", install::python(), s3(), "", &[&all]);
    let spark = install::full::spark();
    run("spark", spark.python, s3(), &spark.jars, &[&half, &both, &quarter]);
    // DuckDB's client takes no key with a `+` from versitygw's listing.
    write(minio());
    run("duckdb", install::full::duckdb(), minio(), "", &[&both, &quarter]);
    assert_eq!(snippets("athena").len(), 1, "what is not run is named in the page");
    let fences = PAGE.matches("\n```python").count() + PAGE.matches("\n```sql").count();
    assert_eq!(fences, 2 + 1 + 3 + 2 + 1, "a snippet of a reader that no test knows");
}
