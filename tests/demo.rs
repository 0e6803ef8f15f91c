//! `sluice demo` as a person starts it, and what it says when something is wrong.

// Functions beside the tests expect too.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use sluice::command::demo::{Demo, DemoError, Outcome, run};
use sluice::command::progress::Display;

const FIRST_OBJECT: &str = "topics/pin/partition=0/pin+0+0000000000.json";

fn sluice_demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("demo").args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn run_in(
    folder: &Path,
    set: &[&str],
    before_check: impl FnOnce(&Path),
) -> Result<Outcome, DemoError> {
    let set = set.iter().map(|&argument| argument.to_owned()).collect();
    let demo = Demo { records: 301, folder: folder.to_owned(), set };
    run(&demo, &AtomicBool::new(false), Display::Hidden, before_check)
}

#[test]
fn a_demo_writes_each_record_once_and_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let output = sluice_demo(&["--records", "3000", "--data", path]);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}{told}");
    let object = folder.path().join("sluice-demo").join(FIRST_OBJECT);
    assert!(object.is_file(), "{said}");
    for part in [
        object.to_str().expect("UTF-8"),
        "geo: 1000 records, 1000 lines in ",
        "pin: 1000 records, 1000 lines in ",
        "user: 1000 records, 1000 lines in ",
        "each record is there exactly once: 3000 of them",
        "the status page was at http://127.0.0.1:",
        "no proof",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    for word in ["WARN", "ERROR"] {
        assert!(!told.contains(word), "{told}");
    }
    let again = sluice_demo(&["--records", "30", "--data", path]);
    assert_eq!(again.status.code(), Some(1));
    let told = text(&again.stderr);
    assert!(told.contains("sluice-demo` is not empty: objects of an earlier run"), "{told}");
}

#[test]
fn a_line_that_is_taken_out_of_a_file_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = run_in(folder.path(), &[], |bucket| {
        let object = bucket.join(FIRST_OBJECT);
        let lines = std::fs::read_to_string(&object).expect("the object is there");
        let (_, rest) = lines.split_once('\n').expect("it has a line");
        std::fs::write(&object, rest).expect("the object can be written");
    })
    .expect("the demo runs");
    assert_eq!(outcome.exit_code(), 1);
    let said = outcome.to_string();
    assert!(
        said.contains("WRONG pin/0: 1 records are in no file, the first at offset 0"),
        "{said}"
    );
    assert!(said.contains("not every record is there exactly once"), "{said}");
}

/// Runs beside the tests above, which want the usual port too.
#[test]
fn a_demo_whose_usual_port_is_taken_shows_its_page_elsewhere() {
    // Whether the port is ours or somebody else's: it is taken.
    let _taken = std::net::TcpListener::bind("127.0.0.1:9464");
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = run_in(folder.path(), &[], |_| {}).expect("the demo runs");
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[test]
fn settings_that_leave_the_layout_alone_can_be_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = ["seal.records=7", "http.listen=\"127.0.0.1:0\"", "kafka.protocol=\"consumer\""];
    let outcome = run_in(folder.path(), &set, |_| {}).expect("the demo runs");
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    // 301 records: 101 of pin, over three partitions, of which each has 33 or 34.
    let objects: Vec<_> = outcome
        .report
        .partitions
        .iter()
        .filter(|of| of.partition.topic.as_str() == "pin")
        .map(|of| of.objects)
        .collect();
    assert!(objects.iter().all(|&count| count >= 5), "{objects:?}");
}

#[test]
fn one_record_is_enough_for_a_demo() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = vec!["http.listen=\"127.0.0.1:0\"".to_owned()];
    let demo = Demo { records: 1, folder: folder.path().to_owned(), set };
    let outcome = run(&demo, &AtomicBool::new(false), Display::Hidden, |_| {});
    let outcome = outcome.expect("the demo runs");
    assert_eq!((outcome.exit_code(), outcome.report.records()), (0, 1), "{outcome}");
}

#[test]
fn whoever_stops_a_demo_gets_what_was_sent_until_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = vec!["http.listen=\"127.0.0.1:0\"".to_owned()];
    let demo = Demo { records: 300_000, folder: folder.path().to_owned(), set };
    let outcome = run(&demo, &AtomicBool::new(true), Display::Hidden, |_| {});
    let outcome = outcome.expect("the demo runs");
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(outcome.to_string().starts_with("stopped early: "), "{outcome}");
}

#[test]
fn what_cannot_work_is_said_clearly() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a file");
    std::fs::write(&file, "").expect("it can be written");
    let error = run_in(&file, &[], |_| {}).expect_err("no folder");
    assert!(error.to_string().starts_with("cannot create `"), "{error}");
    assert_eq!(error.exit_code(), 1);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let set = format!("http.listen=\"{address}\"");
    let error = run_in(folder.path(), &[&set], |_| {}).expect_err("a taken port");
    let expected = format!("`http.listen` = `{address}` cannot be listened on: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(error.exit_code(), 1);

    let error = run_in(folder.path(), &["s3.bucket=\"other\""], |_| {}).expect_err("another");
    assert!(error.to_string().contains("is not for the demo"), "{error}");
    let error = run_in(folder.path(), &["seal.age=\"five\""], |_| {}).expect_err("no duration");
    assert!(error.to_string().contains("seal.age"), "{error}");
    assert_eq!(error.exit_code(), 78);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let none = sluice_demo(&["--records", "0"]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none.stderr));
    let file = sluice_demo(&["--config", "connector.toml"]);
    assert_eq!(file.status.code(), Some(78));
    assert!(text(&file.stderr).contains("leave out `--config`"), "{}", text(&file.stderr));
}
