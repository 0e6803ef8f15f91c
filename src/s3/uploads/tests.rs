use std::sync::mpsc as answers;

use super::super::cancel::cancellation;
use super::super::error::{Operation, StoreErrorKind};
use super::super::memory::{Fault, MemoryStore, Recorder, When};
use super::super::metadata::ObjectMetadata;
use super::super::store::Writes;
use super::*;
use crate::model::{BatchId, Bucket, GroupId, Offset, TopicId, TopicPartition};

mod orders;
mod throttled;

struct Bench {
    store: Arc<MemoryStore>,
    recorder: Arc<Recorder>,
    uploads: Uploads,
    task: UploadsTask,
    sender: answers::Sender<(&'static str, Answer)>,
    receiver: answers::Receiver<(&'static str, Answer)>,
}

const PUBLISHED: Answer = Answer::Published(PublishOutcome::Published { already: false });

impl Bench {
    fn new() -> Self {
        Self::with(REQUESTS_MAX)
    }

    fn with(requests_max: usize) -> Self {
        let bucket = Bucket::new("abc").unwrap();
        let recorder = Arc::new(Recorder::default());
        let observer = Arc::<Recorder>::clone(&recorder);
        let retry = Retry::new(Arc::<Recorder>::clone(&recorder), cancellation().1);
        let (uploads, task) = Uploads::start(&Handle::current(), observer, &retry, requests_max);
        let (sender, receiver) = answers::channel();
        let store = Arc::new(MemoryStore::new(bucket, Writes::Conditional));
        Self { store, recorder, uploads, task, sender, receiver }
    }

    fn answer(&self, name: &'static str) -> AnswerTo {
        let sender = self.sender.clone();
        AnswerTo::new(move |answer| sender.send((name, answer)).unwrap())
    }

    fn object(&self, id: u64) -> Object {
        let store: Store = Arc::<MemoryStore>::clone(&self.store);
        Object { id: ObjectId(id), store, target: Arc::new(target(id)) }
    }

    fn part(&self, id: u64, number: u16, body: &'static str) {
        let (object, answer) = (self.object(id), self.answer("part"));
        let (number, body) =
            (PartNumber::new(number).unwrap(), Bytes::from_static(body.as_bytes()));
        self.uploads.submit(Job::Part { object, number, body, answer });
    }

    fn complete(&self, id: u64, last: u16) {
        let (object, answer) = (self.object(id), self.answer("complete"));
        let last = PartNumber::new(last).unwrap();
        self.uploads.submit(Job::Complete { object, last, answer });
    }

    fn put(&self, id: u64) {
        let (object, answer) = (self.object(id), self.answer("put"));
        self.uploads.submit(Job::Put { object, body: Bytes::from_static(b"put"), answer });
    }

    fn abort(&self, id: u64) {
        self.uploads.submit(Job::Abort { object: ObjectId(id), answer: self.answer("abort") });
    }

    fn write_claim(&self, text: &str, condition: Condition) {
        let (store, answer): (Store, _) = (self.object(0).store, self.answer("claim"));
        let (key, text) = (claim_key(), text.to_owned());
        self.uploads.submit(Job::WriteClaim { store, key, text, condition, answer });
    }

    fn read_claim(&self) {
        let (store, answer): (Store, _) = (self.object(0).store, self.answer("claim"));
        let (key, bytes_max) = (claim_key(), 100);
        self.uploads.submit(Job::ReadClaim { store, key, bytes_max, answer });
    }

    /// Waits for the next answer; with the clock paused that costs no time.
    async fn next(&self) -> (&'static str, Answer) {
        loop {
            match self.receiver.try_recv() {
                Ok(answer) => return answer,
                Err(_none_yet) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    fn body(&self, id: u64) -> Option<Bytes> {
        self.store.object(&target(id).key).map(|object| object.body)
    }
}

fn claim_key() -> ObjectKey {
    ObjectKey::new("_sluice/claim").unwrap()
}

fn target(id: u64) -> Target {
    Target {
        key: ObjectKey::new(&format!("topics/{id}")).unwrap(),
        content_type: "application/x-ndjson",
        metadata: ObjectMetadata {
            batch: BatchId::new(id),
            group: GroupId::new("group").unwrap(),
            partition: TopicPartition::new("pin", 3).unwrap(),
            topic_id: TopicId::from_u128(7),
            batch_start: Offset::new(100).unwrap(),
            first: Offset::new(107).unwrap(),
            count: None,
            plan: None,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn parts_become_an_object_in_the_order_of_their_numbers() {
    let bench = Bench::new();
    bench.complete(1, 3);
    for (number, body) in [(3, "c"), (1, "a"), (2, "b")] {
        bench.part(1, number, body);
    }
    for _part in 0..3 {
        assert_eq!(bench.next().await, ("part", Answer::PartStored));
    }
    assert_eq!(bench.next().await, ("complete", PUBLISHED));
    assert_eq!(bench.body(1).unwrap(), "abc");
    assert_eq!(bench.store.upload_count(), 0);
    let creates = bench.store.requests();
    let creates = creates.iter().filter(|(operation, _)| *operation == Operation::CreateUpload);
    assert_eq!(creates.count(), 1, "one upload for all parts");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_before_complete_is_asked() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.settle().await;
    assert_eq!(bench.body(1), None);
    bench.complete(1, 1);
    assert_eq!(bench.next().await, ("complete", PUBLISHED));
}

#[tokio::test(start_paused = true)]
async fn complete_waits_for_parts_that_have_not_come_yet() {
    let bench = Bench::new();
    bench.complete(1, 2);
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.settle().await;
    assert_eq!(bench.body(1), None);
    bench.part(1, 2, "b");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    assert_eq!(bench.next().await, ("complete", PUBLISHED));
    assert_eq!(bench.body(1).unwrap(), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_small_object_is_put_in_one_request() {
    let bench = Bench::new();
    bench.put(1);
    assert_eq!(bench.next().await, ("put", PUBLISHED));
    assert_eq!(bench.body(1).unwrap(), "put");
    assert_eq!(bench.store.requests().len(), 1);
    assert_eq!(bench.recorder.requested().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_step_survives_faults_that_heal() {
    let steps = [Operation::CreateUpload, Operation::UploadPart, Operation::CompleteUpload];
    let faults = [
        (Fault::answer("SlowDown", 503), StoreErrorKind::SlowDown),
        (Fault::answer_after("InternalError", 500), StoreErrorKind::Unavailable5xx),
        (Fault::Reset(When::After), StoreErrorKind::Transport),
        (Fault::Hang(When::Before), StoreErrorKind::Timeout),
        (Fault::answer("AccessDenied", 403), StoreErrorKind::AccessDenied),
        (Fault::answer("NoSuchBucket", 404), StoreErrorKind::NoSuchBucket),
    ];
    for operation in steps {
        for (fault, kind) in faults {
            let bench = Bench::new();
            bench.store.fail(operation, "1", 1, fault);
            bench.part(1, 1, "a");
            bench.complete(1, 1);
            assert_eq!(bench.next().await, ("part", Answer::PartStored));
            let (_, answer) = bench.next().await;
            assert!(matches!(answer, Answer::Published(PublishOutcome::Published { .. })));
            assert_eq!(bench.body(1).unwrap(), "a", "{operation:?} {fault:?}");
            assert_eq!(bench.recorder.retried(), [kind]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_upload_breaks_the_object_and_nothing_else() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.store.remove(&target(1).key);
    bench.part(1, 2, "b");
    assert_eq!(bench.next().await, ("part", Answer::UploadLost));
    bench.part(1, 3, "c");
    assert_eq!(bench.next().await, ("part", Answer::UploadLost));
    bench.complete(1, 3);
    assert_eq!(bench.next().await, ("complete", Answer::UploadLost));
    bench.put(2);
    assert_eq!(bench.next().await, ("put", PUBLISHED));
    assert_eq!(bench.body(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_definite_refusal_of_create_answers_every_part() {
    let bench = Bench::new();
    bench.store.fail(Operation::CreateUpload, "1", 1, Fault::answer("InvalidArgument", 400));
    bench.part(1, 1, "a");
    bench.part(1, 2, "b");
    bench.complete(1, 2);
    for name in ["part", "part", "complete"] {
        let (which, answer) = bench.next().await;
        let Answer::Failed(error) = answer else { panic!("{answer:?}") };
        assert_eq!((which, error.kind), (name, StoreErrorKind::Invalid));
    }
}

#[tokio::test(start_paused = true)]
async fn aborting_calls_off_what_hangs_and_removes_the_upload() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.store.fail(Operation::UploadPart, "1", 1, Fault::Hang(When::Before));
    bench.part(1, 2, "b");
    bench.complete(1, 2);
    bench.settle().await;
    bench.abort(1);
    let mut named = Vec::new();
    for _answer in 0..3 {
        let (name, answer) = bench.next().await;
        assert_eq!(answer, Answer::Aborted);
        named.push(name);
    }
    named.sort_unstable();
    assert_eq!(named, ["abort", "complete", "part"]);
    assert_eq!(bench.store.upload_count(), 0);
    assert_eq!(bench.body(1), None);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_being_made_is_removed_too() {
    let bench = Bench::new();
    bench.store.fail(Operation::CreateUpload, "1", 1, Fault::answer("SlowDown", 503));
    bench.part(1, 1, "a");
    tokio::task::yield_now().await;
    bench.abort(1);
    assert_eq!(bench.next().await, ("part", Answer::Aborted));
    assert_eq!(bench.next().await, ("abort", Answer::Aborted));
    assert_eq!(bench.store.upload_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn aborting_gives_up_after_a_few_attempts() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    for nth in 1..=9 {
        bench.store.fail(Operation::AbortUpload, "1", nth, Fault::answer("SlowDown", 503));
    }
    bench.abort(1);
    assert_eq!(bench.next().await, ("abort", Answer::Aborted));
    assert_eq!(bench.recorder.retried().len(), 2);
    bench.abort(7);
    assert_eq!(bench.next().await, ("abort", Answer::Aborted), "an unknown object is no fault");
}

#[tokio::test(start_paused = true)]
async fn the_upload_of_an_object_that_was_there_is_removed() {
    let bench = Bench::new();
    bench.put(1);
    assert_eq!(bench.next().await, ("put", PUBLISHED));
    bench.part(1, 1, "late");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.complete(1, 1);
    let already = Answer::Published(PublishOutcome::Published { already: true });
    assert_eq!(bench.next().await, ("complete", already));
    bench.settle().await;
    assert_eq!(bench.store.upload_count(), 0);
    assert_eq!(bench.body(1).unwrap(), "put");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_holds_no_permit() {
    let bench = Bench::with(1);
    for nth in 1..=20 {
        bench.store.fail(Operation::Put, "/1", nth, Fault::answer("AccessDenied", 403));
    }
    bench.put(1);
    bench.settle().await;
    bench.put(2);
    assert_eq!(bench.next().await, ("put", PUBLISHED));
    assert_eq!((bench.body(1), bench.body(2).is_some()), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_read_created_and_changed() {
    let bench = Bench::new();
    bench.read_claim();
    assert_eq!(bench.next().await.1, Answer::ClaimAbsent);
    bench.write_claim("one", Condition::IfNoneMatch);
    let Answer::ClaimWritten(etag) = bench.next().await.1 else { panic!("written") };
    bench.read_claim();
    let read = ClaimText { text: Bytes::from_static(b"one"), etag: etag.clone() };
    assert_eq!(bench.next().await.1, Answer::ClaimRead(read.clone()));
    bench.write_claim("other", Condition::IfNoneMatch);
    assert_eq!(bench.next().await.1, Answer::ClaimChanged(read));
    bench.write_claim("two", Condition::IfMatch(etag));
    assert!(matches!(bench.next().await.1, Answer::ClaimWritten(_)));
    bench.store.remove(&claim_key());
    bench.write_claim("three", Condition::IfMatch(Etag::new("\"old\"")));
    assert_eq!(bench.next().await.1, Answer::ClaimAbsent);
}

/// Claims are advisory then: nobody is told that another one wrote.
#[tokio::test(start_paused = true)]
async fn without_conditions_the_claim_that_was_written_last_stands() {
    let store = MemoryStore::new(Bucket::new("abc").unwrap(), Writes::HeadFirst);
    let bench = Bench { store: Arc::new(store), ..Bench::new() };
    let old = Condition::IfMatch(Etag::new("\"old\""));
    for (text, condition) in
        [("one", Condition::IfNoneMatch), ("two", Condition::IfNoneMatch), ("three", old)]
    {
        bench.write_claim(text, condition);
        assert!(matches!(bench.next().await.1, Answer::ClaimWritten(_)), "{text}");
        assert_eq!(bench.store.object(&claim_key()).unwrap().body, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_was_lost_is_written() {
    for condition in [Condition::IfNoneMatch, Condition::None] {
        let bench = Bench::new();
        bench.store.fail(Operation::Put, "claim", 1, Fault::Reset(When::After));
        bench.write_claim("one", condition);
        assert!(matches!(bench.next().await.1, Answer::ClaimWritten(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_answers_everything_and_removes_uploads() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.store.fail(Operation::Put, "2", 1, Fault::Hang(When::Before));
    bench.store.fail(Operation::Get, "claim", 1, Fault::Hang(When::Before));
    bench.put(2);
    bench.read_claim();
    bench.settle().await;
    let Bench { store, uploads, task, receiver, sender, .. } = bench;
    assert_eq!(task.close(Duration::from_secs(5)).await, Ok(()));
    assert_eq!(store.upload_count(), 0);
    let answer = AnswerTo::new(move |answer| sender.send(("late", answer)).unwrap());
    uploads.submit(Job::Abort { object: ObjectId(1), answer });
    let mut named: Vec<_> = receiver.try_iter().collect();
    named.sort_unstable_by_key(|(name, _answer)| *name);
    let aborted = ["claim", "late", "put"].map(|name| (name, Answer::Aborted));
    assert_eq!(named, aborted);
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_store_that_hangs() {
    let bench = Bench::new();
    bench.part(1, 1, "a");
    assert_eq!(bench.next().await, ("part", Answer::PartStored));
    bench.store.fail(Operation::AbortUpload, "1", 1, Fault::Hang(When::Before));
    let within = Duration::from_secs(5);
    assert_eq!(bench.task.close(within).await, Err(UploadsEnd::Deadline { within }));
}

#[test]
fn an_answer_is_always_sent() {
    let (sender, receiver) = answers::channel();
    drop(AnswerTo::new(move |answer| sender.send(answer).unwrap()));
    assert_eq!(receiver.recv(), Ok(Answer::Aborted));
}
