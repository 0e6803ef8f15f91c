//! A claim that another member has written further.

use super::*;
use crate::daemon::clock::wall;
use crate::engine::Action;
use crate::model::{NoHeaders, Record, SealReason};
use crate::s3::{Answer, Claim, ClaimText, Claims, Etag, PlanText};

use super::super::slot::HeldClaim;

/// The plan of a batch that a machine seals behind its first record.
fn plan_from(rig: &mut Rig, start: Offset) -> PlanText {
    let mut other = machine(&rig.worker, start);
    let record = Record {
        offset: start,
        timestamp: None,
        key: None,
        value: Some(b"{}"),
        headers: &NoHeaders,
    };
    let now = rig.worker.around.clock.now();
    for input in [Input::Record(record), Input::Seal(SealReason::Request)] {
        other.handle(now, input, &mut rig.worker.workshop);
    }
    let mut actions = std::iter::from_fn(|| other.poll_action());
    let plan = actions.find_map(|action| match action {
        Action::Commit { metadata, .. } => Some(metadata),
        _ => None,
    });
    PlanText::new(&plan.unwrap()).unwrap()
}

#[test]
fn a_partition_that_another_member_has_taken_further_is_not_shown_any_more() {
    let mut rig = Rig::new(at(0));
    let (cluster, group) = (ClusterId::new("cluster").unwrap(), GroupId::new("sluice").unwrap());
    let claims = Claims::new("_sluice/", &cluster, &group).unwrap();
    let ours =
        Claim { topic_id: TopicId::from_u128(7), first_start: at(0), plan: None, recovery: None };
    let theirs = Claim { plan: Some(plan_from(&mut rig, at(5))), ..ours.clone() };
    rig.slot().claim = Some(HeldClaim { claims, claim: ours, etag: None });
    rig.worker.report(Uptime::ZERO);
    assert_eq!(rig.worker.around.status.snapshot((Uptime::ZERO, wall()), 1).partitions.held, 1);
    let text = ClaimText { text: theirs.encode().into(), etag: Etag::new("2") };
    let (address, answer) = (rig.address, Answer::ClaimChanged(text));
    rig.worker.serve(Mail::Claim { address, answer });
    assert!(!rig.worker.around.gate.is_alive(rig.address));
    rig.worker.report(Uptime::ZERO);
    assert_eq!(rig.worker.around.status.snapshot((Uptime::ZERO, wall()), 1).partitions.held, 0);
    let text = String::from_utf8(rig.worker.around.metrics.text().unwrap()).unwrap();
    assert!(text.contains("\nsluice_assigned_partitions 0\n"), "{text}");
}
