//! What the shell asks of a machine, beside what it is told to do.

use super::rig::{Rig, options, sealing_at};
use crate::engine::ObjectId;
use crate::engine::partition::Input;
use crate::model::SealReason;

/// Whoever is short of memory or asked to seal looks first; a replay ends where its plan says.
#[test]
fn only_what_is_open_and_no_replay_may_be_sealed() {
    let mut rig = Rig::new(sealing_at(9));
    assert!(!rig.machine.may_seal(), "nothing is open");
    rig.read(0, "a");
    assert!(rig.machine.may_seal());
    rig.say(Input::Seal(SealReason::Request));
    rig.committed();
    rig.read(1, "a");
    assert!(rig.machine.may_seal(), "beside one that is being published");
    rig.say(Input::Seal(SealReason::Request));
    assert!(!rig.machine.may_seal(), "one is sealed already");
    let mut rig = Rig::replaying(sealing_at(9), &[(0, "a"), (1, "b")]);
    rig.read(0, "a");
    assert!(!rig.machine.may_seal());
}

#[test]
fn an_object_on_its_way_is_known_by_its_id() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "b");
    rig.committed();
    let key = |id| rig.machine.description(ObjectId(id)).map(|about| about.key.as_str().to_owned());
    assert_eq!(key(1).as_deref(), Some("t/k=b/1.json"));
    assert_eq!(key(2), None);
}

#[test]
fn objects_of_every_batch_are_counted() {
    let mut rig = Rig::new(options());
    let mut counts = Vec::new();
    for (offset, value) in [(0, "a"), (1, "b"), (2, "a"), (3, "a")] {
        rig.read(offset, value);
        counts.push(rig.machine.objects());
    }
    assert_eq!(counts, [1, 2, 3, 3], "the last two records are one object of the next batch");
}

#[test]
fn a_stop_says_how_long_the_log_was_waited_for() {
    let mut rig = Rig::replaying(options(), &[(0, "a"), (1, "b")]);
    rig.end_of_log(1);
    rig.wait(300);
    let said = rig.reasons.concat();
    assert!(said.contains("for longer than 5 minutes"), "{said}");
}
