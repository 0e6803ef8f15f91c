//! Objects that S3 does not take.

use super::*;
use crate::engine::{ObjectDescription, Part};
use crate::model::{BatchId, ObjectKey};

fn description(rig: &Rig) -> ObjectDescription {
    ObjectDescription {
        id: ObjectId(0),
        key: ObjectKey::new("topics/pin/0").unwrap(),
        content_type: "application/x-ndjson",
        partition: pin(),
        batch: BatchId::new(7),
        batch_start: at(0),
        first: at(0),
        layout: rig.worker.around.settings.for_topic(&pin().topic).layout,
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
