//! One refused commit at a time while the daemon lives, with and without effect.
//!
//! It owns: which error is answered to which commit.
//! It does not own: refusals that stop a partition (`stopped.rs`).

use super::case::{Case, Data, Protocol, all_at_once};
use crate::support::proxy::kafka::{Commit, Kind, on};

/// Which commit of partition 0 is answered wrongly.
#[derive(Debug, Clone, Copy)]
enum At {
    FirstPlan,
    NextPlan,
}

/// Whether the broker has seen the commit.
#[derive(Debug, Clone, Copy)]
enum Effect {
    None,
    Taken,
}

fn is_at(at: At, commit: &Commit) -> bool {
    let is_first = commit.offset == 0;
    commit.partition == 0
        && commit.metadata.starts_with("sluice/1 plan ")
        && matches!((at, is_first), (At::FirstPlan, true) | (At::NextPlan, false))
}

/// An error by its number in Kafka's protocol.
#[derive(Debug, Clone, Copy)]
struct Code(i16);

const REQUEST_TIMED_OUT: Code = Code(7);
const COORDINATOR_LOAD_IN_PROGRESS: Code = Code(14);
const NOT_COORDINATOR: Code = Code(16);
const ILLEGAL_GENERATION: Code = Code(22);
const UNKNOWN_MEMBER_ID: Code = Code(25);
const REBALANCE_IN_PROGRESS: Code = Code(27);
const GROUP_ID_NOT_FOUND: Code = Code(69);
const FENCED_MEMBER_EPOCH: Code = Code(110);
const STALE_MEMBER_EPOCH: Code = Code(113);

fn refused_once(protocol: Protocol, code: Code) {
    let cases = [
        (At::FirstPlan, Effect::None),
        (At::FirstPlan, Effect::Taken),
        (At::NextPlan, Effect::None),
        (At::NextPlan, Effect::Taken),
    ];
    all_at_once(&cases, |(at, effect)| {
        let case = Case::behind_both("refused", Data::Small, protocol);
        let proxy = case.kafka_proxy();
        match effect {
            Effect::None => proxy.refuse_commits(
                on(Kind::OffsetCommit).with_commit(move |commit| is_at(at, commit)),
                code.0,
            ),
            Effect::Taken => proxy.deliver_then_refuse_commits(
                on(Kind::OffsetCommit).with_commit(move |commit| is_at(at, commit)),
                code.0,
            ),
        }
        let daemon = case.settings.launch();
        case.finish(&daemon);
        let seen = proxy.seen();
        let commits = seen.iter().flat_map(|request| request.commits());
        assert!(commits.filter(|commit| is_at(at, commit)).count() >= 1, "{at:?} was not refused");
    });
}

#[test]
fn illegal_generation() {
    refused_once(Protocol::Classic, ILLEGAL_GENERATION);
}

#[test]
fn rebalance_in_progress() {
    refused_once(Protocol::Classic, REBALANCE_IN_PROGRESS);
}

#[test]
fn not_coordinator() {
    refused_once(Protocol::Classic, NOT_COORDINATOR);
}

#[test]
fn coordinator_load_in_progress() {
    refused_once(Protocol::Classic, COORDINATOR_LOAD_IN_PROGRESS);
}

#[test]
fn request_timed_out() {
    refused_once(Protocol::Classic, REQUEST_TIMED_OUT);
}

#[test]
fn unknown_member() {
    refused_once(Protocol::Classic, UNKNOWN_MEMBER_ID);
}

#[test]
fn stale_epoch_under_kip_848() {
    refused_once(Protocol::Consumer, STALE_MEMBER_EPOCH);
}

#[test]
fn unknown_member_under_kip_848() {
    refused_once(Protocol::Consumer, UNKNOWN_MEMBER_ID);
}

#[test]
fn fenced_epoch_under_kip_848() {
    refused_once(Protocol::Consumer, FENCED_MEMBER_EPOCH);
}

#[test]
fn no_such_group_under_kip_848() {
    refused_once(Protocol::Consumer, GROUP_ID_NOT_FOUND);
}
