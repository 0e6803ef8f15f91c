//! A store without conditional writes (`s3.conditional_writes` = false): no request carries a
//! condition, whoever finds its own object leaves it alone, and another's is a stop.

use super::case::{Case, Data, all_at_once};
use super::killed::{Fate, KILLED, run};
use super::stopped::wait_until_only_the_first_is_stopped;
use crate::support::proxy::s3::{Operation, on};
use crate::support::s3;

fn case(name: &str, data: Data) -> Case {
    Case::new(name, data).set("s3.conditional_writes", "false")
}

/// The proxy stands before the real server, so what it has seen is what a store without conditions
/// would have to answer.
#[track_caller]
fn assert_no_conditions(case: &Case) {
    for request in case.s3.seen() {
        for name in ["if-none-match", "if-match"] {
            assert_eq!(request.header(name), None, "{:?} {}", request.operation, request.key);
        }
    }
}

/// Killed at the first object of a plan. Delivered late, it comes over the successor's own: equal
/// bytes under the same name.
#[test]
fn a_plan_is_finished_by_a_successor_that_looks_first() {
    all_at_once(&KILLED, |fate| {
        let case = case("unconditional", Data::Small);
        let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", case.topic);
        let hold = case.s3.hold(on(Operation::PutObject).key(&key), fate.held());
        run(&case, hold, fate, true);
        assert_no_conditions(&case);
        let of_key: Vec<_> = case.s3.seen().into_iter().filter(|seen| seen.key == key).collect();
        let count = |wanted| of_key.iter().filter(|seen| seen.operation == wanted).count();
        let puts = match fate {
            Fate::KilledDelivered | Fate::KilledAnswerHeld => 1..=1, // found and left alone
            Fate::KilledDropped => 2..=2,
            _ => 1..=2, // whichever of the two came first
        };
        assert!(puts.contains(&count(Operation::PutObject)), "{fate:?}: {of_key:#?}");
        assert!(count(Operation::HeadObject) >= 2, "{fate:?}: each looked first: {of_key:#?}");
    });
}

#[test]
fn an_upload_is_completed_by_a_successor_that_looks_first() {
    all_at_once(&KILLED, |fate| {
        let case = case("unconditional-parts", Data::Large);
        let hold = case.s3.hold(on(Operation::CompleteMultipartUpload), fate.held());
        run(&case, hold, fate, false);
        assert_no_conditions(&case);
    });
}

#[test]
fn an_object_of_another_program_is_never_written_over() {
    let case = case("unconditional-foreign", Data::Small);
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", case.topic);
    s3().put(&case.bucket, &key, b"of another program\n");
    let daemon = case.settings.launch();
    wait_until_only_the_first_is_stopped(&case, &daemon, "unknown_object");
    assert_eq!(s3().get(&case.bucket, &key), b"of another program\n");
    assert_no_conditions(&case);
    daemon.stop_cleanly();
    s3().delete(&case.bucket, &key);
    let daemon = case.settings.start();
    case.finish(&daemon);
}
