//! What becomes of those who wait when the brokers do not answer as they should.

use std::num::NonZeroUsize;
use std::path::Path;

use tokio::runtime::Runtime;

use super::edges::Together;
use super::*;
use crate::config::{FileText, Settings, Sources, load};
use crate::daemon::live::Live;
use crate::daemon::metrics::{Metrics, PartitionSeries};
use crate::daemon::observe::StoreObserver;
use crate::daemon::status::Status;
use crate::kafka::Protocol;
use crate::kafka::admin::{AdminError, Watermarks};
use crate::model::Bucket;
use crate::s3::{
    AwsStores, ObjectOptions, Retry, S3Options, StaticCredentials, UploadObserver, Way,
    cancellation,
};

fn stores(runtime: &Runtime, metrics: &Metrics, clock: Clock) -> Stores {
    let observer = StoreObserver { metrics: metrics.clone(), status: Status::new(), clock };
    let observer: Arc<dyn UploadObserver> = Arc::new(observer);
    let retry = Retry::new(Arc::clone(&observer), cancellation().1);
    let endpoint = Some("http://127.0.0.1:1".to_owned());
    let credentials = StaticCredentials {
        access_key_id: "a".to_owned(),
        secret_access_key: "b".to_owned(),
        session_token: None,
    };
    let options = S3Options {
        region: None,
        endpoint: endpoint.clone(),
        path_style: true,
        conditional_writes: true,
        sign_bodies: false,
        credentials: Some(credentials),
        role: None,
        way: Way::default(),
        objects: ObjectOptions::default(),
    };
    let aws = runtime.block_on(AwsStores::connect(&options)).unwrap();
    let bucket = Bucket::new("bucket").unwrap();
    Stores::new(runtime.handle().clone(), Box::new(aws), &bucket, endpoint, (retry, observer))
}

fn settings() -> Settings {
    let text =
        "kafka.bootstrap_servers = [\"h:1\"]\nkafka.topics = [\"pin\"]\ns3.bucket = \"bucket\"";
    let path = Path::new("connector.toml").into();
    let file = FileText { path, text: text.to_owned(), mode: Some(0o600) };
    let (variables, cores) = (BTreeMap::new(), NonZeroUsize::MIN);
    let sources = Sources { file: Some(&file), variables: &variables, arguments: &[], cores };
    load(&sources).unwrap().settings
}

/// A thread's own with one partition that waits, and where it is answered.
fn waiting(runtime: &Runtime) -> (SettlerLoop, Mailbox) {
    let (clock, mailbox) = (Clock::start(), Mailbox::default());
    let metrics = Metrics::new(PartitionSeries::Shown).unwrap();
    let gate = Gate::new(Protocol::Classic, clock, metrics.clone());
    let stores = Arc::new(stores(runtime, &metrics, clock));
    let partition = TopicPartition::new("pin", 0).unwrap();
    let address = gate.assign(&partition, &mailbox);
    let options = SettlerOptions {
        group: GroupId::new("sluice").unwrap(),
        claims_prefix: "_sluice/".to_owned(),
        starts_at_end: false,
        brokers: Brokers::Real,
        settings: Live::new(Arc::new(settings())),
    };
    let (_settler, mut settling) = SettlerLoop::new(options, gate, stores, clock);
    let request = Request { address, partition, committed: None, mailbox: mailbox.clone() };
    settling.waiting.push(request);
    (settling, mailbox)
}

fn refused(number: i32) -> AdminError {
    AdminError::Refused(ErrorCode::new(number).unwrap())
}

#[test]
fn what_a_person_has_to_grant_stops_whoever_waits_and_the_rest_is_asked_again() {
    let runtime = Runtime::new().unwrap();
    let (mut settling, mailbox) = waiting(&runtime);
    settling.unanswered(&refused(7)); // REQUEST_TIMED_OUT
    assert!(settling.waiting.len() == 1 && !mailbox.has_mail());
    settling.unanswered(&refused(30)); // GROUP_AUTHORIZATION_FAILED
    assert!(settling.waiting.is_empty());
    let Some(Mail::Settled { result, .. }) = mailbox.take().pop_front() else {
        panic!("nothing was told");
    };
    assert_eq!(result.unwrap_err().label(), "not_allowed");
}

#[test]
fn each_client_is_asked_for_its_own_cluster() {
    let runtime = Runtime::new().unwrap();
    let (mut settling, _mailbox) = waiting(&runtime);
    settling.cluster = ClusterId::new("old").ok();
    let (done, _gone) = sync_channel(1);
    assert!(settling.take(Order::ClientGone { done }));
    assert_eq!(settling.cluster, None);
}

/// Each question waits for long: the others have their turn before it is asked again.
#[test]
fn a_partition_that_is_not_answered_holds_back_no_other() {
    let runtime = Runtime::new().unwrap();
    let (mut settling, mailbox) = waiting(&runtime);
    let partitions = [0, 1, 2].map(|index| TopicPartition::new("pin", index).unwrap());
    for partition in &partitions {
        let address = settling.gate.assign(partition, &mailbox);
        settling.out_of_range.push((address, partition.clone(), mailbox.clone()));
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        settling.tell_watermarks_of(&Together::NotAsked, |partition| {
            asked.push(partition.partition.value());
            match partition.partition.value() {
                0 => Err(refused(7)), // REQUEST_TIMED_OUT
                _ => Ok(Watermarks { low: Offset::ZERO, high: Offset::ZERO }),
            }
        });
    }
    assert_eq!(asked, [0, 1, 2, 0, 0, 0]);
    let told = mailbox.take().into_iter().filter(|mail| matches!(mail, Mail::Watermarks { .. }));
    assert_eq!(told.count(), 2);
}
