//! Objects that S3 does not take.

use super::*;
use crate::engine::{ObjectDescription, Part};
use crate::model::{BatchId, ObjectKey};
use crate::s3::{Answer, Operation, StoreError, StoreErrorKind};

fn description(rig: &Rig) -> ObjectDescription {
    ObjectDescription {
        id: ObjectId(0),
        key: ObjectKey::new("topics/pin/0").unwrap(),
        content_type: "application/x-ndjson",
        partition: pin(),
        batch: BatchId::new(7),
        batch_start: at(0),
        first: at(0),
        layout: rig.worker.around.settings.get().for_topic(&pin().topic).layout,
    }
}

fn reason(rig: &mut Rig) -> &'static str {
    rig.slot().stopped.as_ref().map_or("goes on", |(reason, _)| reason.label())
}

#[test]
fn a_part_behind_the_last_that_s3_takes_stops_the_partition() {
    let mut rig = Rig::new(at(0));
    for (number, expected) in [(10_000, "goes on"), (10_001, "too_many_parts")] {
        let part = Part { object: Arc::new(description(&rig)), number, body: "x".into() };
        rig.worker.upload_part(rig.address, part);
        assert_eq!(reason(&mut rig), expected, "{number}");
    }
}

#[test]
fn an_object_that_the_store_refuses_stops_the_partition_with_the_stores_words() {
    let mut rig = Rig::new(at(0));
    let error = StoreError {
        operation: Operation::Put,
        bucket: rig.worker.around.settings.get().s3.bucket.clone(),
        key: None,
        kind: StoreErrorKind::TooLarge,
        code: Some("EntityTooLarge".into()),
        status: Some(400),
        request_id: None,
        cause: None,
    };
    let (address, object, answer) = (rig.address, ObjectId(0), Answer::Failed(error));
    rig.worker.serve(Mail::Upload { address, object, answer });
    assert_eq!(reason(&mut rig), "object_refused");
    let text = rig.slot().stopped.as_ref().unwrap().0.to_string();
    assert!(text.contains("code `EntityTooLarge`, status 400"), "{text}");
}
