mod many;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::command::progress::Display;
use crate::command::verify::finding::Shown;
use crate::command::verify::sample::pin;
use crate::model::{Bucket, GroupId, TopicId};
use crate::s3::memory::{Fault, MemoryStore};
use crate::s3::{Operation, Writes};

fn inventory() -> Inventory {
    let topics = BTreeMap::from([(pin().topic, TopicId::from_u128(7))]);
    Inventory::new(&GroupId::new("group").unwrap(), topics, [pin()].into_iter())
}

async fn look_at(
    store: &Arc<MemoryStore>,
    prefixes: &[&str],
) -> (Inventory, Report, Result<(), StoreError>) {
    let (mut inventory, mut report) = (inventory(), Report::new(Shown::Json));
    let mut progress = Progress::start(Display::Hidden, "looking", "objects", None);
    let scope = Scope::new(prefixes.iter().copied(), "_sluice/");
    let store: Store = Arc::clone(store) as Store;
    let looked = look(&store, &scope, &mut inventory, (&mut report, &mut progress)).await;
    (inventory, report, looked)
}

#[test]
fn a_prefix_inside_of_another_is_listed_once() {
    let prefixes = |all: &[&str]| {
        let scope = Scope::new(all.iter().copied(), "_sluice/");
        scope.prefixes.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(prefixes(&["topics", "_quarantine", "topics/"]), ["_quarantine/", "topics/"]);
    assert_eq!(prefixes(&["topics", "topics/a", "topicsb"]), ["topics/", "topicsb/"]);
    assert_eq!(prefixes(&["topics", ""]), [""]);
}

#[tokio::test(start_paused = true)]
async fn every_object_of_many_pages_is_asked() {
    let store = Arc::new(MemoryStore::new(Bucket::new("abc").unwrap(), Writes::Conditional));
    for start in 0..3_500 {
        let key = ObjectKey::new(&format!("topics/pin/pin+0+{start:010}.json")).unwrap();
        store.plant(&key, b"", &[]);
    }
    for key in ["_sluice/cluster/group/pin/0", "elsewhere/pin+0+0000000001.json"] {
        store.plant(&ObjectKey::new(key).unwrap(), b"", &[]);
    }
    let (inventory, _, looked) = look_at(&store, &["topics"]).await;
    assert_eq!(looked, Ok(()));
    let named = &inventory.partitions[&pin()].named;
    let starts: Vec<_> = named.iter().map(|named| named.start.value()).collect();
    assert_eq!(starts, (0..3_500).collect::<Vec<_>>());
    let count = |wanted| store.requests().iter().filter(|(of, _)| *of == wanted).count();
    assert_eq!((count(Operation::List), count(Operation::Head)), (4, 3_500));
    let (inventory, _, looked) = look_at(&store, &[""]).await;
    assert_eq!(looked, Ok(()));
    assert_eq!(inventory.partitions[&pin()].named.len(), 3_501, "without the claim");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_may_not_be_asked_is_named_and_the_rest_goes_on() {
    let store = Arc::new(MemoryStore::new(Bucket::new("abc").unwrap(), Writes::Conditional));
    let key = |start: i64| ObjectKey::new(&format!("t/pin+0+{start:010}.json")).unwrap();
    for start in 0..3 {
        store.plant(&key(start), b"", &[]);
    }
    store.fail(Operation::Head, "1.json", 1, Fault::answer("AccessDenied", 403));
    store.fail(Operation::Head, "2.json", 1, Fault::answer("NoSuchKey", 404));
    let (inventory, report, looked) = look_at(&store, &["t"]).await;
    assert_eq!(looked, Ok(()));
    assert_eq!(report.counts(), &BTreeMap::from([(Kind::Unreadable, 1), (Kind::Changed, 1)]));
    assert_eq!(inventory.set_aside, BTreeSet::from([key(1)]), "the other one is gone");
    assert_eq!(inventory.partitions[&pin()].named.len(), 1);
    for nth in 1..=6 {
        store.fail(Operation::List, "", nth, Fault::answer("SlowDown", 503));
    }
    assert!(look_at(&store, &["t"]).await.2.is_err(), "the store is away");
}
