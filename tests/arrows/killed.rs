//! The daemon is killed while a request is held, or lives on while the request is lost.
//!
//! It owns: the arrows by name, and the six fates of a request on its way.

use std::time::Duration;

use super::case::{Case, Data, Protocol, all_at_once};
use crate::support::proxy::kafka::{Commit, KafkaProxy, KafkaRequest, Kind, on as on_kind};
use crate::support::proxy::s3::{Operation, S3Request, on};
use crate::support::proxy::{Hold, On, When};
use crate::support::{Daemon, kafka, s3, verify};

const REACHED_IN: Duration = Duration::from_secs(90);

/// What becomes of the held request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The daemon is killed; the request never arrives.
    KilledDropped,
    /// The daemon is killed; the request arrives all the same, before the next daemon starts.
    KilledDelivered,
    /// The daemon is killed; the request arrives when the next daemon has the partition already.
    KilledDeliveredLate,
    /// The server has acted, the answer is on its way, and the daemon is killed before it comes.
    KilledAnswerHeld,
    /// The daemon lives; the connection breaks before the server sees the request.
    Dropped,
    /// The daemon lives; the server acts and its answer is lost.
    AnswerDropped,
}

const FATES: [Fate; 6] = [
    Fate::KilledDropped,
    Fate::KilledDelivered,
    Fate::KilledDeliveredLate,
    Fate::KilledAnswerHeld,
    Fate::Dropped,
    Fate::AnswerDropped,
];

pub(super) const KILLED: [Fate; 4] =
    [Fate::KilledDropped, Fate::KilledDelivered, Fate::KilledDeliveredLate, Fate::KilledAnswerHeld];

impl Fate {
    /// On which side of the server the request, or its answer, is held.
    pub(super) const fn held(self) -> When {
        match self {
            Self::KilledAnswerHeld => When::After,
            Self::KilledDropped
            | Self::KilledDelivered
            | Self::KilledDeliveredLate
            | Self::Dropped
            | Self::AnswerDropped => When::Before,
        }
    }
}

/// A request that was held, and whether it can be seen at its server.
pub(super) trait Arrived {
    fn has_arrived(&self, case: &Case) -> bool;
}

impl Arrived for KafkaRequest {
    fn has_arrived(&self, case: &Case) -> bool {
        let found = kafka().committed(&case.group, &case.topic);
        self.commits().iter().all(|commit| {
            let partition = usize::try_from(commit.partition).unwrap();
            let found = &found[partition];
            found.offset == Some(commit.offset) && found.metadata == commit.metadata
        })
    }
}

impl Arrived for S3Request {
    /// Parts and uploads are not looked for, and a claim that is changed is there before.
    fn has_arrived(&self, case: &Case) -> bool {
        s3().find(&case.bucket, &self.key).is_some()
    }
}

pub(super) fn run<R: Arrived>(case: &Case, hold: Hold<R>, fate: Fate, shows: bool) {
    let first = case.settings.launch();
    first.wait_until("the request to be held", REACHED_IN, || hold.is_reached().then_some(()));
    let held = hold.reached();
    let last = match fate {
        Fate::KilledDropped => {
            first.kill_9();
            hold.drop_it();
            assert!(!shows || !held.has_arrived(case), "{}: it has no effect", case.topic);
            case.start_successor()
        }
        Fate::KilledDelivered => {
            first.kill_9();
            hold.deliver();
            assert!(!shows || held.has_arrived(case), "{}: it has taken effect", case.topic);
            case.start_successor()
        }
        Fate::KilledDeliveredLate => {
            first.kill_9();
            let second = case.start_successor();
            hold.deliver();
            second
        }
        Fate::KilledAnswerHeld => {
            assert!(!shows || held.has_arrived(case), "{}: it has taken effect", case.topic);
            first.kill_9();
            hold.drop_it();
            case.start_successor()
        }
        Fate::Dropped => {
            hold.drop_it();
            first
        }
        Fate::AnswerDropped => {
            hold.deliver_and_drop_answer();
            first
        }
    };
    case.finish(&last);
    assert_all_commits_are_ours(case, &last);
}

/// No commit that was sent would wipe a plan, and none that was accepted leads back.
fn assert_all_commits_are_ours(case: &Case, daemon: &Daemon) {
    let sent = case.kafka.iter().flat_map(KafkaProxy::seen);
    for commit in sent.flat_map(|request| request.commits()) {
        let is_ours = commit.metadata.starts_with("sluice/1 ");
        assert!(is_ours, "{commit:?} without our metadata:\n{}", daemon.log_tail());
    }
    verify::check_commits(kafka(), &case.group, &case.topic);
}

fn at_commits(
    name: &str,
    protocol: Protocol,
    wanted: impl Fn(&Commit) -> bool + Copy + Send + Sync + 'static,
) {
    all_at_once(&FATES, |fate| {
        let case = Case::behind_both(name, Data::Small, protocol);
        let rule = on_kind(Kind::OffsetCommit)
            .with_commit(move |commit| commit.partition == 0 && wanted(commit));
        let hold = case.kafka_proxy().hold(rule, fate.held());
        run(&case, hold, fate, true);
    });
}

fn at_requests(name: &str, data: Data, shows: bool, rule: impl Fn() -> On<S3Request> + Sync) {
    all_at_once(&FATES, |fate| {
        let case = Case::new(name, data);
        let hold = case.s3.hold(rule(), fate.held());
        run(&case, hold, fate, shows);
    });
}

/// Requests to S3 that are lost are the same under either protocol; who comes next is not.
fn killed_at_requests_under_kip_848(
    name: &str,
    data: Data,
    shows: bool,
    rule: impl Fn() -> On<S3Request> + Sync,
) {
    all_at_once(&KILLED, |fate| {
        let case = Case::under(Protocol::Consumer, name, data);
        let hold = case.s3.hold(rule(), fate.held());
        run(&case, hold, fate, shows);
    });
}

fn is_plan(commit: &Commit) -> bool {
    commit.metadata.starts_with("sluice/1 plan ")
}

fn is_empty(commit: &Commit) -> bool {
    commit.metadata.starts_with("sluice/1 none ")
}

fn is_pin(commit: &Commit) -> bool {
    is_empty(commit) && commit.metadata.ends_with(" p=1")
}

fn is_first_plan(commit: &Commit) -> bool {
    is_plan(commit) && commit.offset == 0
}

fn is_next_plan(commit: &Commit) -> bool {
    is_plan(commit) && commit.offset > 0
}

fn is_last_end(commit: &Commit) -> bool {
    is_empty(commit) && commit.offset > 0
}

#[test]
fn the_commit_that_pins_the_start() {
    at_commits("pin", Protocol::Classic, is_pin);
}

#[test]
fn the_commit_of_the_first_plan() {
    at_commits("plan", Protocol::Classic, is_first_plan);
}

#[test]
fn the_commit_of_an_end_with_the_next_plan() {
    at_commits("end-and-plan", Protocol::Classic, is_next_plan);
}

#[test]
fn the_commit_of_an_end_with_nothing_behind_it() {
    at_commits("end", Protocol::Classic, is_last_end);
}

#[test]
fn the_commit_that_pins_the_start_under_kip_848() {
    at_commits("pin", Protocol::Consumer, is_pin);
}

#[test]
fn the_commit_of_the_first_plan_under_kip_848() {
    at_commits("plan", Protocol::Consumer, is_first_plan);
}

#[test]
fn the_commit_of_an_end_with_the_next_plan_under_kip_848() {
    at_commits("end-and-plan", Protocol::Consumer, is_next_plan);
}

#[test]
fn the_commit_of_an_end_with_nothing_behind_it_under_kip_848() {
    at_commits("end", Protocol::Consumer, is_last_end);
}

fn first_put() -> On<S3Request> {
    on(Operation::PutObject).key("/partition=0/")
}

fn second_part() -> On<S3Request> {
    on(Operation::UploadPart).skip(1)
}

fn claim_with_a_plan() -> On<S3Request> {
    on(Operation::PutObject).key("_sluice/").and(|request| request.header("if-match").is_some())
}

fn completion() -> On<S3Request> {
    on(Operation::CompleteMultipartUpload)
}

#[test]
fn the_creation_of_the_claim() {
    at_requests("claim", Data::Small, true, || {
        on(Operation::PutObject).key("_sluice/").and(|request| request.key.ends_with("/0"))
    });
}

#[test]
fn the_put_of_the_first_object() {
    at_requests("put", Data::Small, true, first_put);
}

#[test]
fn the_put_of_a_later_object() {
    at_requests("later-put", Data::Small, true, || first_put().skip(2));
}

#[test]
fn the_put_of_the_second_object_of_a_batch() {
    at_requests("second-put", Data::Routes, true, || first_put().skip(1));
}

#[test]
fn the_creation_of_an_upload() {
    at_requests("upload", Data::Large, false, || on(Operation::CreateMultipartUpload));
}

#[test]
fn the_second_part_of_an_upload() {
    at_requests("part", Data::Large, false, second_part);
}

#[test]
fn the_plan_that_is_written_into_the_claim() {
    at_requests("claim-plan", Data::Large, false, claim_with_a_plan);
}

#[test]
fn the_completion_of_an_upload() {
    at_requests("complete", Data::Large, true, completion);
}

#[test]
fn the_put_of_the_first_object_under_kip_848() {
    killed_at_requests_under_kip_848("put", Data::Small, true, first_put);
}

#[test]
fn the_second_part_of_an_upload_under_kip_848() {
    killed_at_requests_under_kip_848("part", Data::Large, false, second_part);
}

#[test]
fn the_completion_of_an_upload_under_kip_848() {
    killed_at_requests_under_kip_848("complete", Data::Large, true, completion);
}
