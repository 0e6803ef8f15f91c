//! One fault of S3 at a time while the daemon lives: nothing lost, nothing twice, nobody asked.
//!
//! It owns: which fault is tried at which request.
//! It does not own: faults that stop a partition (`stopped.rs`).

use super::case::{Case, DONE_IN, Data, all_at_once};
use crate::support::process::Signal;
use crate::support::proxy::On;
use crate::support::proxy::s3::{Canned, Operation, S3Request, on};
use crate::support::{runtime, s3, unique};

/// What the proxy does in place of the server, or of the server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server sees nothing of so many requests.
    Answer(u16, &'static str, usize),
    /// The server acts, the answer is another.
    ActThenAnswer(u16, &'static str),
    /// 200 with an error in it; the server sees nothing.
    ErrorInside200(&'static str),
    ActThenErrorInside200(&'static str),
    ResetBefore,
    ResetAfter,
    Hang,
}

use Fault::{
    ActThenAnswer, ActThenErrorInside200, Answer, ErrorInside200, Hang, ResetAfter, ResetBefore,
};

/// Requests that have the fault: a predicate, so that it can be asked of what was seen too.
type Wanted = fn(&S3Request) -> bool;

fn apply(case: &Case, rule: On<S3Request>, fault: Fault) {
    match fault {
        Answer(status, code, times) => {
            case.s3.answer(rule.times(times), Canned::error(status, code));
        }
        ActThenAnswer(status, code) => {
            case.s3.deliver_then_answer(rule, Canned::error(status, code));
        }
        ErrorInside200(code) => case.s3.answer(rule, Canned::error_inside_200(code)),
        ActThenErrorInside200(code) => {
            case.s3.deliver_then_answer(rule, Canned::error_inside_200(code));
        }
        ResetBefore => case.s3.drop_requests(rule),
        ResetAfter => case.s3.drop_answers(rule),
        Hang => case.s3.hang(rule),
    }
}

/// Every fault heals, and leaves no upload behind.
fn heals(name: &str, data: Data, faults: &[Fault], wanted: Wanted) {
    all_at_once(faults, |fault| {
        let case = Case::new(name, data);
        apply(&case, On::matching(wanted), fault);
        let daemon = case.settings.launch();
        case.finish(&daemon);
        let times = if let Answer(_, _, times) = fault { times } else { 1 };
        let seen = case.s3.seen().iter().filter(|request| wanted(request)).count();
        assert!(seen >= times, "{name}, {fault:?}: the fault did not happen");
        let is_server_behind = matches!(fault, ActThenAnswer(..) | ResetAfter);
        // An upload whose id was lost with the answer is for the bucket's rule.
        if !(is_server_behind && name == "create") {
            assert!(s3().unfinished_uploads(&case.bucket).is_empty(), "{name}, {fault:?}");
        }
    });
}

fn is_put(request: &S3Request) -> bool {
    request.operation == Operation::PutObject && request.key.contains("/partition=0/")
}

fn is_complete(request: &S3Request) -> bool {
    request.operation == Operation::CompleteMultipartUpload
}

#[test]
fn a_put_fails_and_heals() {
    let faults = [
        Answer(500, "InternalError", 2),
        Answer(503, "SlowDown", 3),
        Answer(409, "ConditionalRequestConflict", 1),
        Answer(403, "AccessDenied", 2),
        Answer(404, "NoSuchBucket", 2),
        Answer(403, "RequestTimeTooSkewed", 1),
        Answer(301, "PermanentRedirect", 1),
        Answer(400, "AuthorizationHeaderMalformed", 1),
        Answer(400, "ExpiredToken", 1),
        Hang,
        ResetBefore,
    ];
    heals("put", Data::Small, &faults, is_put);
}

#[test]
fn a_put_that_took_effect_is_recognised() {
    let faults = [
        ActThenAnswer(500, "InternalError"),
        ActThenAnswer(503, "SlowDown"),
        ActThenAnswer(409, "ConditionalRequestConflict"),
        ActThenAnswer(412, "PreconditionFailed"),
        ActThenAnswer(403, "AccessDenied"),
        ResetAfter,
    ];
    heals("put", Data::Small, &faults, is_put);
}

#[test]
fn the_claim_is_read_and_created_in_spite_of_faults() {
    let reads = [
        Answer(503, "SlowDown", 2),
        Answer(403, "AccessDenied", 2),
        Answer(404, "NoSuchBucket", 1),
        ResetAfter,
    ];
    heals("claim", Data::Small, &reads, |request| {
        request.operation == Operation::GetObject && request.key.starts_with("_sluice/")
    });
    let writes = [
        Answer(500, "InternalError", 2),
        Answer(409, "ConditionalRequestConflict", 1),
        ActThenAnswer(500, "InternalError"),
        ActThenAnswer(412, "PreconditionFailed"),
        ResetAfter,
    ];
    heals("claim", Data::Small, &writes, |request| {
        request.operation == Operation::PutObject && request.key.starts_with("_sluice/")
    });
}

#[test]
fn the_plan_comes_into_the_claim_in_spite_of_faults() {
    let faults = [
        Answer(500, "InternalError", 2),
        Answer(409, "ConditionalRequestConflict", 1),
        ActThenAnswer(503, "SlowDown"),
        ActThenAnswer(412, "PreconditionFailed"),
        ResetAfter,
    ];
    heals("claim-plan", Data::Large, &faults, |request| {
        request.operation == Operation::PutObject
            && request.key.starts_with("_sluice/")
            && request.header("if-match").is_some()
    });
}

#[test]
fn an_upload_is_created_in_spite_of_faults() {
    let faults = [
        Answer(500, "InternalError", 2),
        Answer(403, "AccessDenied", 1),
        ActThenAnswer(503, "SlowDown"),
        ResetAfter,
    ];
    heals("create", Data::Large, &faults, |request| {
        request.operation == Operation::CreateMultipartUpload
    });
}

#[test]
fn a_part_fails_and_heals() {
    let faults = [
        Answer(503, "SlowDown", 2),
        Answer(404, "NoSuchBucket", 1),
        ActThenAnswer(500, "InternalError"),
        ResetBefore,
        ResetAfter,
    ];
    heals("part", Data::Large, &faults, |request| {
        request.operation == Operation::UploadPart
            && request.query.get("partNumber").is_some_and(|number| number == "2")
    });
}

/// The upload itself stays on the server: nobody can remove what is said to be gone.
#[test]
fn a_batch_begins_anew_when_its_upload_is_gone() {
    let operations = [Operation::UploadPart, Operation::CompleteMultipartUpload];
    all_at_once(&operations, |operation| {
        let case = Case::new("lost-upload", Data::Large);
        case.s3.answer(on(operation), Canned::error(404, "NoSuchUpload"));
        let daemon = case.settings.launch();
        case.finish(&daemon);
        assert!(case.s3.count(Operation::CreateMultipartUpload) >= 2, "{operation:?}");
    });
}

/// A job aborts every upload: the batch is begun anew three times, then a person is asked.
#[test]
fn uploads_that_are_always_lost_stop_the_partition() {
    let case = Case::new("always-lost", Data::Large);
    let lost = Canned::error(404, "NoSuchUpload");
    case.s3.answer(on(Operation::UploadPart).always(), lost);
    let daemon = case.settings.launch();
    daemon.wait_until("the partition to stop", DONE_IN, || {
        let of = ["reason=\"uploads_lost\""];
        (daemon.metric("sluice_partition_stopped", &of) == 1.0).then_some(())
    });
    assert_eq!(case.s3.count(Operation::CreateMultipartUpload), 4);
    case.s3.clear();
    daemon.signal(Signal::Hangup);
    case.finish(&daemon);
}

#[test]
fn a_complete_fails_and_heals() {
    let faults = [
        Answer(500, "InternalError", 2),
        Answer(503, "SlowDown", 1),
        ErrorInside200("InternalError"),
        ErrorInside200("SlowDown"),
        ResetBefore,
    ];
    heals("complete", Data::Large, &faults, is_complete);
}

/// The store may have thrown the upload away: it is not asked whether it did.
#[test]
fn a_complete_in_conflict_begins_anew() {
    let case = Case::new("conflict", Data::Large);
    let conflict = Canned::error(409, "ConditionalRequestConflict");
    case.s3.answer(on(Operation::CompleteMultipartUpload), conflict);
    let daemon = case.settings.launch();
    case.finish(&daemon);
}

#[test]
fn a_complete_that_took_effect_is_recognised() {
    let faults = [
        ActThenAnswer(500, "InternalError"),
        ActThenAnswer(404, "NoSuchUpload"),
        ActThenAnswer(409, "ConditionalRequestConflict"),
        ActThenAnswer(412, "PreconditionFailed"),
        ActThenErrorInside200("InternalError"),
        ResetAfter,
    ];
    heals("complete", Data::Large, &faults, is_complete);
}

/// No bucket is not "no claim" and not "no object": the daemon waits for a person.
#[test]
fn a_bucket_that_is_created_late_is_waited_for() {
    let case = Case::with_bucket("late-bucket", Data::Small, unique("late-bucket"));
    let daemon = case.settings.launch();
    daemon.wait_until("two vain questions", DONE_IN, || (case.s3.seen().len() >= 2).then_some(()));
    let create = s3().client().create_bucket().bucket(&case.bucket);
    runtime().block_on(create.send()).unwrap();
    case.finish(&daemon);
}
