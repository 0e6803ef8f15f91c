//! One refused commit at a time while the daemon lives, with and without effect.
//!
//! It owns: which error is answered to which commit.
//! It does not own: refusals that stop a partition (`stopped.rs`).

use rdkafka::error::RDKafkaErrorCode as Code;

use super::case::{Case, Data, all_at_once};
use crate::support::proxy::On;
use crate::support::proxy::kafka::{KafkaRequest, Kind, on};

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

fn rule(at: At) -> On<KafkaRequest> {
    on(Kind::OffsetCommit).with_commit(move |commit| {
        let is_first = commit.offset == 0;
        commit.partition == 0
            && commit.metadata.starts_with("sluice/1 plan ")
            && matches!((at, is_first), (At::FirstPlan, true) | (At::NextPlan, false))
    })
}

fn refused_once(code: Code) {
    let cases = [
        (At::FirstPlan, Effect::None),
        (At::FirstPlan, Effect::Taken),
        (At::NextPlan, Effect::None),
        (At::NextPlan, Effect::Taken),
    ];
    all_at_once(&cases, |(at, effect)| {
        let case = Case::behind_both("refused", Data::Small);
        let proxy = case.kafka_proxy();
        match effect {
            Effect::None => proxy.refuse_commits(rule(at), code as i16),
            Effect::Taken => proxy.deliver_then_refuse_commits(rule(at), code as i16),
        }
        let daemon = case.settings.launch();
        case.finish(&daemon);
    });
}

#[test]
fn illegal_generation() {
    refused_once(Code::IllegalGeneration);
}

#[test]
fn rebalance_in_progress() {
    refused_once(Code::RebalanceInProgress);
}

#[test]
fn not_coordinator() {
    refused_once(Code::NotCoordinator);
}

#[test]
fn request_timed_out() {
    refused_once(Code::RequestTimedOut);
}

#[test]
fn unknown_member() {
    refused_once(Code::UnknownMemberId);
}
