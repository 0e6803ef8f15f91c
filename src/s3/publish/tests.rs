use std::sync::Arc;

use super::super::cancel::{Canceller, cancellation};
use super::super::error::{Healing, Operation};
use super::super::memory::{Fault, MemoryStore, Recorder, When};
use super::super::store::PartNumber;
use super::*;
use crate::model::{BatchId, Bucket, GroupId, ObjectKey, Offset, TopicId, TopicPartition};

struct Bench {
    store: MemoryStore,
    target: Target,
    recorder: Arc<Recorder>,
    retry: Retry,
    _canceller: Canceller,
}

impl Bench {
    fn new() -> Self {
        Self::with(Writes::Conditional)
    }

    fn with(writes: Writes) -> Self {
        let (canceller, cancellation) = cancellation();
        let recorder = Arc::new(Recorder::default());
        Self {
            store: MemoryStore::new(Bucket::new("abc").unwrap(), writes),
            target: Target {
                key: ObjectKey::new("topics/pin").unwrap(),
                content_type: "application/x-ndjson",
                metadata: metadata(1, 107, Some(5)),
            },
            retry: Retry::new(Arc::<Recorder>::clone(&recorder), cancellation),
            recorder,
            _canceller: canceller,
        }
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher { store: &self.store, retry: &self.retry, target: &self.target }
    }

    async fn put(&self) -> Result<PublishOutcome, Stopped> {
        self.publisher().publish_put(&Bytes::from_static(b"body")).await
    }

    async fn upload(&self) -> (UploadId, Vec<StoredPart>) {
        let fixed = ObjectMetadata { count: None, ..self.target.metadata.clone() };
        let target = Target { metadata: fixed, ..self.target.clone() };
        let upload = self.store.create_upload(&target).await.unwrap();
        let (number, body) = (PartNumber::new(1).unwrap(), Bytes::from_static(b"body"));
        let part = self.store.upload_part(&target.key, &upload, number, body).await.unwrap();
        (upload, vec![part])
    }

    async fn complete(&self) -> Result<PublishOutcome, Stopped> {
        let (upload, parts) = self.upload().await;
        self.publisher().publish_complete(&upload, &parts).await
    }

    fn plant(&self, metadata: &ObjectMetadata) {
        let pairs = metadata.encode();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.store.plant(&self.target.key, b"theirs", &pairs);
    }

    fn assert_published_once(&self) {
        assert_eq!(self.store.object(&self.target.key).unwrap().body, "body");
        assert_eq!(self.store.object_count(), 1);
    }
}

fn metadata(batch: u64, first: i64, count: Option<u64>) -> ObjectMetadata {
    ObjectMetadata {
        batch: BatchId::new(batch),
        group: GroupId::new("group").unwrap(),
        partition: TopicPartition::new("pin", 3).unwrap(),
        topic_id: TopicId::from_u128(7),
        batch_start: Offset::new(100).unwrap(),
        first: Offset::new(first).unwrap(),
        count,
        plan: None,
    }
}

/// Every fault that heals, by itself or by a person, and the kind that it is told as.
fn healing_faults() -> Vec<(Fault, StoreErrorKind)> {
    let mut faults = vec![
        (Fault::answer("AccessDenied", 403), StoreErrorKind::AccessDenied),
        (Fault::answer("NoSuchBucket", 404), StoreErrorKind::NoSuchBucket),
        (Fault::answer("RequestTimeTooSkewed", 403), StoreErrorKind::ClockSkew),
        (Fault::answer("PermanentRedirect", 301), StoreErrorKind::WrongRegion),
        (Fault::answer("ExpiredToken", 400), StoreErrorKind::ExpiredCredentials),
        (Fault::NoCredentials, StoreErrorKind::NoCredentials),
    ];
    for when in [When::Before, When::After] {
        let answer = |code, status| Fault::Answer { code, status, when };
        faults.extend([
            (answer("InternalError", 500), StoreErrorKind::Unavailable5xx),
            (answer("SlowDown", 503), StoreErrorKind::SlowDown),
            (answer("", 502), StoreErrorKind::Unavailable5xx),
            (answer("InternalError", 200), StoreErrorKind::Unavailable5xx),
            (Fault::Reset(when), StoreErrorKind::Transport),
            (Fault::Hang(when), StoreErrorKind::Timeout),
        ]);
    }
    faults
}

#[tokio::test(start_paused = true)]
async fn a_put_survives_every_fault_that_heals_and_writes_once() {
    let conflict = Fault::answer("ConditionalRequestConflict", 409);
    for (fault, kind) in
        healing_faults().into_iter().chain([(conflict, StoreErrorKind::Conflict409)])
    {
        for writes in [Writes::Conditional, Writes::HeadFirst] {
            let bench = Bench::with(writes);
            bench.store.fail(Operation::Put, "pin", 1, fault);
            let outcome = bench.put().await;
            assert!(matches!(outcome, Ok(PublishOutcome::Published { .. })), "{fault:?}");
            assert_eq!(bench.recorder.retried(), [kind], "{fault:?}");
            bench.assert_published_once();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_complete_survives_every_fault_that_heals_and_writes_once() {
    for (fault, kind) in healing_faults() {
        for writes in [Writes::Conditional, Writes::HeadFirst] {
            let bench = Bench::with(writes);
            bench.store.fail(Operation::CompleteUpload, "pin", 1, fault);
            let outcome = bench.complete().await;
            assert!(matches!(outcome, Ok(PublishOutcome::Published { .. })), "{fault:?}");
            assert_eq!(bench.recorder.retried(), [kind], "{fault:?}");
            bench.assert_published_once();
            assert_eq!(bench.store.upload_count(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_survives_every_fault_that_heals() {
    for (fault, kind) in healing_faults() {
        if matches!(fault, Fault::Answer { status: 404, .. }) {
            continue; // HEAD has no code: 404 means absent
        }
        let bench = Bench::new();
        bench.plant(&bench.target.metadata);
        bench.store.fail(Operation::Head, "pin", 1, fault);
        assert_eq!(bench.put().await, Ok(PublishOutcome::Published { already: true }));
        assert_eq!(bench.recorder.retried().len(), 1, "{fault:?} {kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_writer_wins_and_is_told_apart() {
    let mine = metadata(1, 107, Some(5));
    let published = PublishOutcome::Published { already: true };
    let boxed = |metadata: &ObjectMetadata| Box::new(metadata.clone());
    let foreign = metadata(2, 107, Some(5));
    let other_first = metadata(1, 108, Some(5));
    let other_count = metadata(1, 107, Some(6));
    let without_count = metadata(1, 107, None);
    let cases = [
        (&mine, published.clone()),
        (&without_count, published),
        (&foreign, PublishOutcome::Foreign { found: boxed(&foreign) }),
        (&other_first, PublishOutcome::Mismatch { found: boxed(&other_first) }),
        (&other_count, PublishOutcome::Mismatch { found: boxed(&other_count) }),
    ];
    for writes in [Writes::Conditional, Writes::HeadFirst] {
        for (found, outcome) in &cases {
            let bench = Bench::with(writes);
            bench.plant(found);
            assert_eq!(bench.put().await.as_ref(), Ok(outcome));
            assert_eq!(bench.complete().await.as_ref(), Ok(outcome));
            assert_eq!(bench.store.object(&bench.target.key).unwrap().body, "theirs");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_predecessors_object_has_no_batch_id_and_a_strange_one_is_unreadable() {
    for writes in [Writes::Conditional, Writes::HeadFirst] {
        let bench = Bench::with(writes);
        bench.store.plant(&bench.target.key, b"theirs", &[("mtime", "1")]);
        assert_eq!(bench.put().await, Ok(PublishOutcome::NoBatchId));
        bench.store.plant(&bench.target.key, b"theirs", &[("sluice-version", "9")]);
        let error = MetadataError::Version { found: "9".to_owned() };
        assert_eq!(bench.put().await, Ok(PublishOutcome::Unreadable { error }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_upload_is_lost_only_if_nothing_is_there() {
    let refusals = [
        Fault::answer("NoSuchUpload", 404),
        Fault::answer("", 404),
        Fault::answer("ConditionalRequestConflict", 409),
        Fault::answer("InvalidPart", 400),
    ];
    for refusal in refusals {
        let bench = Bench::new();
        bench.store.fail(Operation::CompleteUpload, "pin", 1, refusal);
        assert_eq!(bench.complete().await, Ok(PublishOutcome::UploadLost), "{refusal:?}");
        bench.plant(&bench.target.metadata);
        bench.store.fail(Operation::CompleteUpload, "pin", 1, refusal);
        let outcome = bench.complete().await;
        assert_eq!(outcome, Ok(PublishOutcome::Published { already: true }), "{refusal:?}");
        assert_eq!(bench.recorder.retried(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_head_after_a_lost_upload_is_not_taken_for_absence() {
    let bench = Bench::new();
    bench.plant(&bench.target.metadata);
    bench.store.fail(Operation::CompleteUpload, "pin", 1, Fault::answer("NoSuchUpload", 404));
    bench.store.fail(Operation::Head, "pin", 1, Fault::answer("AccessDenied", 403));
    assert_eq!(bench.complete().await, Ok(PublishOutcome::Published { already: true }));
    assert_eq!(bench.recorder.retried(), [StoreErrorKind::AccessDenied]);
}

#[tokio::test(start_paused = true)]
async fn completing_a_completed_upload_is_success() {
    let bench = Bench::new();
    let (upload, parts) = bench.upload().await;
    let publish = || bench.publisher();
    let first = publish().publish_complete(&upload, &parts).await;
    assert_eq!(first, Ok(PublishOutcome::Published { already: false }));
    let answers = [Fault::answer("NoSuchUpload", 404), Fault::answer("PreconditionFailed", 412)];
    for answer in answers {
        bench.store.fail(Operation::CompleteUpload, "pin", 1, answer);
        let again = publish().publish_complete(&upload, &parts).await;
        assert_eq!(again, Ok(PublishOutcome::Published { already: true }));
    }
    bench.assert_published_once();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_vanishes_is_written_again() {
    let bench = Bench::new();
    bench.store.fail(Operation::Put, "pin", 1, Fault::answer("PreconditionFailed", 412));
    assert_eq!(bench.put().await, Ok(PublishOutcome::Published { already: false }));
    assert_eq!(bench.recorder.retried(), [StoreErrorKind::Vanished]);
    bench.assert_published_once();
}

#[tokio::test(start_paused = true)]
async fn a_definite_refusal_is_given_back() {
    let bench = Bench::new();
    bench.store.fail(Operation::Put, "pin", 1, Fault::answer("InvalidArgument", 400));
    let Err(Stopped::Definite(error)) = bench.put().await else { panic!("refused") };
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    assert_eq!(error.kind.healing(), Healing::Never);
    assert_eq!(error.code.as_deref(), Some("InvalidArgument"));
    assert_eq!(bench.store.object_count(), 0);
}

/// Two publishers whose requests alternate, so that both have looked before either writes.
async fn at_one_moment(
    writes: Writes,
    metadata: [ObjectMetadata; 2],
    bodies: [&'static str; 2],
) -> ([PublishOutcome; 2], Bench) {
    let bench = Bench::with(writes);
    let [one, other] = metadata.map(|metadata| Target { metadata, ..bench.target.clone() });
    let publish = |target, body: &'static str| {
        let (store, retry) = (&bench.store, &bench.retry);
        let body = Bytes::from_static(body.as_bytes());
        async move { Publisher { store, retry, target }.publish_put(&body).await.unwrap() }
    };
    let (one, other) = tokio::join!(biased; publish(&one, bodies[0]), publish(&other, bodies[1]));
    ([one, other], bench)
}

/// A zombie and its successor finish one plan: whoever comes last writes the same once more.
#[tokio::test(start_paused = true)]
async fn two_writers_of_one_plan_leave_one_object_with_or_without_conditions() {
    let mine = || metadata(1, 107, Some(5));
    for (writes, second) in [(Writes::Conditional, true), (Writes::HeadFirst, false)] {
        let (outcomes, bench) = at_one_moment(writes, [mine(), mine()], ["body", "body"]).await;
        let published = |already| PublishOutcome::Published { already };
        assert_eq!(outcomes, [published(false), published(second)], "{writes:?}");
        bench.assert_published_once();
    }
}

/// What conditions are for. Without them nobody of the two is told.
#[tokio::test(start_paused = true)]
async fn of_two_pipelines_at_one_moment_only_conditions_stop_the_second() {
    let batches = || [metadata(1, 107, Some(5)), metadata(2, 107, Some(5))];
    let published = PublishOutcome::Published { already: false };
    let (outcomes, bench) = at_one_moment(Writes::Conditional, batches(), ["one", "two"]).await;
    let found = Box::new(metadata(1, 107, Some(5)));
    assert_eq!(outcomes, [published.clone(), PublishOutcome::Foreign { found }]);
    assert_eq!(bench.store.object(&bench.target.key).unwrap().body, "one");
    let (outcomes, bench) = at_one_moment(Writes::HeadFirst, batches(), ["one", "two"]).await;
    assert_eq!(outcomes, [published.clone(), published]);
    assert_eq!(bench.store.object(&bench.target.key).unwrap().body, "two", "written over");
}

/// Without conditions each try looks again: what came meanwhile is not written over.
#[tokio::test(start_paused = true)]
async fn without_conditions_each_try_looks_again() {
    let bench = Bench::with(Writes::HeadFirst);
    bench.store.fail(Operation::Put, "pin", 1, Fault::answer("SlowDown", 503));
    let foreign = metadata(2, 107, Some(5));
    let plant = async {
        while bench.recorder.retried().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.plant(&foreign);
    };
    let (outcome, ()) = tokio::join!(bench.put(), plant);
    assert_eq!(outcome, Ok(PublishOutcome::Foreign { found: Box::new(foreign.clone()) }));
    assert_eq!(bench.store.object(&bench.target.key).unwrap().body, "theirs");
}

/// A server that answers 412 to a large body before it has read it, and closes: the answer is lost.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_there_is_found_though_each_put_ends_with_its_connection() {
    for (theirs, expected) in [
        (metadata(1, 107, Some(5)), PublishOutcome::Published { already: true }),
        (
            metadata(2, 107, Some(5)),
            PublishOutcome::Foreign { found: Box::new(metadata(2, 107, Some(5))) },
        ),
    ] {
        let bench = Bench::new();
        bench.plant(&theirs);
        for attempt in 1..=20 {
            bench.store.fail(Operation::Put, "pin", attempt, Fault::Reset(When::Before));
        }
        assert_eq!(bench.put().await, Ok(expected));
        assert_eq!(bench.recorder.retried(), [StoreErrorKind::Transport]);
    }
}
