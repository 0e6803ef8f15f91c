//! Jobs in any order, faults anywhere: the object is what its parts say, and nothing is left.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Asked {
    Part(u16),
    Complete,
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::answer("SlowDown", 503)),
        Just(Fault::answer_after("InternalError", 500)),
        Just(Fault::answer_after("InternalError", 200)),
        Just(Fault::answer("AccessDenied", 403)),
        Just(Fault::Reset(When::Before)),
        Just(Fault::Reset(When::After)),
        Just(Fault::Hang(When::Before)),
        Just(Fault::Hang(When::After)),
        Just(Fault::NoCredentials),
    ]
}

/// Create is not among them with a lost answer: the upload that it made is left to the bucket's
/// lifecycle rule.
fn any_faults() -> impl Strategy<Value = Vec<(Operation, u32, Fault)>> {
    let operations = prop_oneof![
        Just(Operation::UploadPart),
        Just(Operation::CompleteUpload),
        Just(Operation::Head)
    ];
    proptest::collection::vec((operations, 1..6_u32, any_fault()), 0..8)
}

fn any_order() -> impl Strategy<Value = Vec<Asked>> {
    (1..8_u16).prop_flat_map(|last| {
        let parts = (1..=last).map(Asked::Part);
        Just(parts.chain([Asked::Complete]).collect::<Vec<_>>()).prop_shuffle()
    })
}

async fn publishes_exactly(order: Vec<Asked>, faults: Vec<(Operation, u32, Fault)>) {
    const BODIES: [&str; 8] = ["", "a", "b", "c", "d", "e", "f", "g"];
    let bench = Bench::with(2);
    for (operation, nth, fault) in faults {
        bench.store.fail(operation, "1", nth, fault);
    }
    let last = order.len() - 1;
    for asked in &order {
        match asked {
            Asked::Part(number) => bench.part(1, *number, BODIES[usize::from(*number)]),
            Asked::Complete => bench.complete(1, u16::try_from(last).unwrap()),
        }
    }
    for index in 0..order.len() {
        let (name, answer) = bench.next().await;
        let is_last = index == last;
        assert_eq!(name, if is_last { "complete" } else { "part" });
        match answer {
            Answer::PartStored => assert!(!is_last),
            Answer::Published(PublishOutcome::Published { .. }) => assert!(is_last),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.body(1).unwrap(), BODIES[1..=last].concat());
    bench.settle().await;
    assert!(bench.receiver.try_recv().is_err(), "each job is answered once");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.store.upload_count(), 0);
}

proptest! {
    #[test]
    fn any_order_under_any_faults_that_heal_publishes_once(
        order in any_order(),
        faults in any_faults(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(publishes_exactly(order, faults));
    }
}
