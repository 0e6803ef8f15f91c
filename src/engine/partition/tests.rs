//! The machine against a tiny world: a log, a coordinator that keeps one commit, a bucket that
//! keeps first writers. Whatever the order of events and crashes, each record is there once.

mod asked;
mod ends;
mod halt;
mod ledger;
mod passes;
mod replay;
mod rig;
mod rules;
mod setting;
mod world;

use proptest::prelude::*;

use world::{Step, World};

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (1_u8..5).prop_map(Step::Read),
        6 => Just(Step::EndOfLog),
        8 => (1_u8..9).prop_map(Step::Produce),
        1 => Just(Step::Day),
        10 => Just(Step::AnswerCommit),
        10 => Just(Step::AnswerClaim),
        10 => (0_u8..4).prop_map(Step::AnswerPublish),
        3 => (1_u16..400).prop_map(Step::Wait),
        2 => Just(Step::Seal),
        2 => Just(Step::Relieve),
        4 => proptest::option::of(0_u16..300).prop_map(Step::ReplayAgain),
        2 => Just(Step::Crash),
        1 => Just(Step::CrashWithCommitTaken),
        1 => Just(Step::CrashWithObjectStored),
        1 => (0_u8..12).prop_map(Step::Reconfigure),
        2 => (0_u8..12).prop_map(Step::Reload),
        1 => Just(Step::Drain),
    ]
}

/// As above, in a Kafka that deletes what was not read yet.
fn any_lossy_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        80 => any_step(),
        1 => (1_u8..12).prop_map(Step::Retain),
        2 => (-8_i8..3).prop_map(Step::Compact),
    ]
}

fn run(seed: u64, records: usize, steps: Vec<Step>) -> World {
    let mut world = World::new(seed, records);
    for step in steps {
        world.step(step);
    }
    world.finish();
    world.assert_exactly_once();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn each_record_is_there_once_whatever_happens(
        seed in any::<u64>(),
        records in 1_usize..60,
        steps in proptest::collection::vec(any_step(), 1..300),
    ) {
        let world = run(seed, records, steps);
        prop_assert!(world.lost.is_empty(), "nothing was lost and nothing is excused");
    }

    #[test]
    fn only_what_kafka_lost_is_missing_and_nothing_is_there_twice(
        seed in any::<u64>(),
        records in 1_usize..60,
        steps in proptest::collection::vec(any_lossy_step(), 1..300),
    ) {
        run(seed, records, steps);
    }
}
