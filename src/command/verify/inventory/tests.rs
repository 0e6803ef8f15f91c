use super::*;
use crate::command::verify::sample::{at, metadata, object, pin};
use crate::s3::Etag;

fn inventory() -> Inventory {
    let topics = BTreeMap::from([(pin().topic, TopicId::from_u128(7))]);
    Inventory::new(&GroupId::new("group").unwrap(), topics, [pin()].into_iter())
}

fn found(metadata: Result<ObjectMetadata, MetadataError>) -> Found {
    Found { etag: Etag::new("e"), size: 10, content_type: None, metadata }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

#[test]
fn a_batch_is_proven_by_what_its_objects_say() {
    let objects = [object("a", 0, Some(4)), object("b", 2, Some(6))];
    let proven = |found_of: &[(&str, i64, u64)]| {
        let mut inventory = inventory();
        for (name, first, count) in found_of {
            let said = metadata(1, *first, *count, &objects);
            assert_eq!(inventory.add(key(name), found(Ok(said))), None);
        }
        inventory.settle();
        let holdings = &inventory.partitions[&pin()];
        assert_eq!((holdings.batches.len(), holdings.objects()), (1, found_of.len()));
        let batch = &holdings.batches[&(at(0), BatchId::new(1))];
        batch.is_proven()
    };
    assert!(proven(&[("b", 2, 6), ("a", 0, 4)]));
    assert!(!proven(&[("a", 0, 4)]));
    assert!(!proven(&[("a", 0, 4), ("b", 2, 5)]));
    assert!(!proven(&[("a", 0, 4), ("b", 2, 6), ("c", 2, 6)]));
    assert!(!proven(&[("a", 0, 4), ("c", 2, 6)]));
}

#[test]
fn a_claim_has_the_plan_of_a_batch_that_was_written_in_parts() {
    let mut inventory = inventory();
    let objects = [object("a", 0, None)];
    let said = metadata(1, 0, 0, &objects);
    let text = said.plan.clone().unwrap();
    let in_parts = ObjectMetadata { count: None, plan: None, ..said };
    assert_eq!(inventory.add(key("a"), found(Ok(in_parts))), None);
    let plan = |inventory: &Inventory| {
        let batch = &inventory.partitions[&pin()].batches[&(at(0), BatchId::new(1))];
        assert!(!batch.is_proven(), "its count is not known");
        batch.plan.as_ref().map(|plan| plan.range)
    };
    assert_eq!(plan(&inventory), None);
    inventory.add_claimed(&pin(), &text);
    assert_eq!(plan(&inventory), Some(crate::command::verify::sample::range(0, 10)));
    assert_eq!(inventory.layouts().len(), 1);
}

#[test]
fn what_is_not_of_this_group_and_topic_is_said() {
    let good = metadata(1, 0, 1, &[]);
    let kind = |metadata: Result<ObjectMetadata, MetadataError>, name: &str| {
        let mut inventory = inventory();
        let finding = inventory.add(key(name), found(metadata));
        (finding.map(|finding| finding.kind), inventory.left_out)
    };
    assert_eq!(kind(Ok(good.clone()), "a"), (None, 0));
    let group = GroupId::new("another").unwrap();
    let other = ObjectMetadata { group, ..good.clone() };
    assert_eq!(kind(Ok(other), "a"), (Some(Kind::OtherGroup), 0));
    let other = ObjectMetadata { topic_id: TopicId::from_u128(8), ..good.clone() };
    assert_eq!(kind(Ok(other), "a"), (Some(Kind::OtherTopic), 0));
    let unknown = ObjectMetadata { topic_id: TopicId::UNKNOWN, ..good.clone() };
    assert_eq!(kind(Ok(unknown), "a"), (None, 0));
    let partition = TopicPartition::new("pin", 9).unwrap();
    let other = ObjectMetadata { partition, ..good.clone() };
    assert_eq!(kind(Ok(other), "a"), (Some(Kind::OtherTopic), 0));
    let partition = TopicPartition::new("geo", 0).unwrap();
    let other = ObjectMetadata { partition, ..good.clone() };
    assert_eq!(kind(Ok(other), "a"), (None, 1), "nobody asked for that topic");
    let other = ObjectMetadata { batch: BatchId::new(2), ..good };
    assert_eq!(kind(Ok(other), "a"), (Some(Kind::BadMetadata), 0), "the plan of another batch");
    let none = || Err(MetadataError::NoBatchId);
    assert_eq!(kind(none(), "topics/_SUCCESS"), (Some(Kind::NotOurs), 0));
    assert_eq!(kind(none(), "t/pin+0+0000000001.json"), (None, 0));
    assert_eq!(kind(none(), "t/pin+0+0000000001.keys.avro"), (None, 0));
    assert_eq!(kind(none(), "t/pin+9+0000000001.json"), (Some(Kind::OtherTopic), 0));
    assert_eq!(kind(none(), "t/geo+9+0000000001.json"), (None, 1));
    let version = Err(MetadataError::Version { found: "9".to_owned() });
    assert_eq!(kind(version, "a"), (Some(Kind::BadMetadata), 0));
}

#[test]
fn keys_and_headers_of_the_predecessor_are_no_records() {
    let mut inventory = inventory();
    for name in ["t/pin+0+0000000001.json", "t/pin+0+0000000001.keys.json"] {
        assert_eq!(inventory.add(key(name), found(Err(MetadataError::NoBatchId))), None);
    }
    assert_eq!(inventory.partitions[&pin()].named.len(), 1);
}
