//! The machine against a tiny world: a log, a coordinator that keeps one commit, a bucket that
//! keeps first writers. Whatever the order of events and crashes, each record is there once.

mod rules;
mod world;

use proptest::prelude::*;

use world::{Step, World};

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (1_u8..5).prop_map(Step::Read),
        3 => Just(Step::EndOfLog),
        10 => Just(Step::AnswerCommit),
        10 => Just(Step::AnswerClaim),
        10 => (0_u8..4).prop_map(Step::AnswerPublish),
        3 => (1_u16..400).prop_map(Step::Wait),
        2 => Just(Step::Seal),
        2 => Just(Step::Relieve),
        2 => Just(Step::Crash),
        1 => Just(Step::CrashWithCommitTaken),
        1 => Just(Step::CrashWithObjectStored),
        1 => (0_u8..4).prop_map(Step::Reconfigure),
        1 => Just(Step::Drain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn each_record_is_there_once_whatever_happens(
        seed in any::<u64>(),
        records in 1_usize..60,
        steps in proptest::collection::vec(any_step(), 1..300),
    ) {
        let mut world = World::new(seed, records);
        for step in steps {
            world.step(step);
        }
        world.finish();
        world.assert_exactly_once();
    }
}
