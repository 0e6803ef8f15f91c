//! What readers see of a batch while it is published, and what becomes of it if somebody moves its
//! objects away meanwhile.

use super::case::{Case, DONE_IN, Data};
use crate::support::proxy::When;
use crate::support::proxy::s3::{Operation, on};
use crate::support::{s3, verify};

/// Three objects a batch: the plan names all of them, and they come in the order of their first
/// records.
#[test]
fn the_objects_of_a_batch_appear_one_after_another_and_each_is_whole() {
    let case = Case::new("seen", Data::Routes);
    let second = on(Operation::PutObject).key("/partition=0/b/");
    let hold = case.s3.hold(second, When::Before);
    let daemon = case.settings.launch();
    daemon.wait_until("the second object", DONE_IN, || hold.is_reached().then_some(()));
    let keys = s3().list(&case.bucket, "topics/");
    let first = format!("topics/{0}/partition=0/a/{0}+0+0000000000.json", case.topic);
    assert!(keys.contains(&first), "{keys:?}");
    assert!(!keys.iter().any(|key| key.contains("/b/")), "{keys:?}");
    assert_eq!(verify::lines(&first, &s3().get(&case.bucket, &first)).len(), 4);
    // The next batch waits for this one.
    assert!(keys.iter().all(|key| !key.contains("+0000000012.")), "{keys:?}");
    hold.deliver();
    case.finish(&daemon);
}

/// The plan is pending until its end is committed: whoever finishes it finds no object there.
#[test]
fn an_object_that_is_moved_away_before_its_batch_is_done_is_written_again_after_a_crash() {
    let case = Case::new("moved", Data::Routes);
    let hold = case.s3.hold(on(Operation::PutObject).key("/partition=0/b/"), When::Before);
    let daemon = case.settings.launch();
    daemon.wait_until("the second object", DONE_IN, || hold.is_reached().then_some(()));
    let first = format!("topics/{0}/partition=0/a/{0}+0+0000000000.json", case.topic);
    let body = s3().get(&case.bucket, &first);
    s3().delete(&case.bucket, &first);
    daemon.kill_9();
    hold.drop_it();
    let daemon = case.start_successor();
    case.finish(&daemon);
    assert_eq!(s3().get(&case.bucket, &first), body, "a job that moved it now has it twice");
}
