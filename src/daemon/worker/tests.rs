//! One worker with one partition, driven by hand, against the broker inside librdkafka: what it
//! does with what Kafka says while its machine takes no records.

mod claims;
mod errors;
mod lag;
mod objects;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::slot::{Slot, State};
use super::*;
use crate::config::{FileText, Settings, Sources, load};
use crate::daemon::budget::BudgetOptions;
use crate::daemon::connect::s3_options;
use crate::daemon::live::Live;
use crate::daemon::mailbox::Mail;
use crate::daemon::metrics::PartitionSeries;
use crate::daemon::observe::StoreObserver;
use crate::daemon::run::Brokers;
use crate::daemon::settler::{SettlerLoop, SettlerOptions};
use crate::daemon::status::LoopName;
use crate::engine::{
    ObjectId, ObjectSizes, OnLostRecords, Partition, PartitionOptions, Random, Source, Start,
};
use crate::format::Compressors;
use crate::kafka::ffi::{Client, WorkerQueue};
use crate::kafka::login::Login;
use crate::kafka::seat::ClientFetcher;
use crate::kafka::{ConsumerOptions, Group, GroupConsumer, Protocol};
use crate::layout::RouteCache;
use crate::model::{ClusterId, GroupId, Offset, TopicId};
use crate::s3::{AwsStores, REQUESTS_MAX, Retry, UploadObserver, cancellation};

const LONG: Duration = Duration::from_secs(20);
const FILE: &str = "[kafka]
bootstrap_servers = [\"localhost:9092\"]
topics = [\"pin\"]
[s3]
bucket = \"bucket\"
endpoint = \"http://127.0.0.1:1\"
credentials = { access_key_id = \"a\", secret_access_key = \"b\" }
";

fn at(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

fn pin() -> TopicPartition {
    TopicPartition::new("pin", 0).unwrap()
}

/// Nobody joins a group here.
struct NoGroup;

impl Group for NoGroup {
    fn assigned(&self, _client: Client<'_>, _partitions: &[TopicPartition]) {}
    fn revoked(&self, _client: Client<'_>, _partitions: &[TopicPartition], _lost: bool) {}
}

/// Dropped from the top: the worker lets go of the client before the runtime ends.
struct Rig {
    worker: Worker,
    address: Address,
    consumer: Option<GroupConsumer>,
    _settler: SettlerLoop,
    _runtime: Runtime,
}

fn settings() -> Settings {
    let path = Path::new("connector.toml").into();
    let file = FileText { path, text: FILE.to_owned(), mode: Some(0o600) };
    let (variables, cores) = (BTreeMap::new(), NonZeroUsize::MIN);
    let sources = Sources { file: Some(&file), variables: &variables, arguments: &[], cores };
    load(&sources).unwrap().settings
}

impl Rig {
    /// A worker whose machine stands at `start`, without a client.
    fn new(start: Offset) -> Self {
        let (runtime, clock) = (Runtime::new().unwrap(), Clock::start());
        let (settings, status) = (Arc::new(settings()), Status::new());
        let metrics = Metrics::new(PartitionSeries::Shown).unwrap();
        let observer = StoreObserver { metrics: metrics.clone(), status: status.clone(), clock };
        let observer: Arc<dyn UploadObserver> = Arc::new(observer);
        let retry = Retry::new(Arc::clone(&observer), cancellation().1);
        let aws = runtime.block_on(AwsStores::connect(&s3_options(&settings.s3))).unwrap();
        let (handle, endpoint) = (runtime.handle().clone(), settings.s3.endpoint.clone());
        let told = (retry, Arc::clone(&observer));
        let stores =
            Arc::new(Stores::new(handle, Box::new(aws), &settings.s3.bucket, endpoint, told));
        let (uploads, _task) =
            Uploads::start(runtime.handle(), observer, stores.retry(), REQUESTS_MAX);
        let gate = Gate::new(Protocol::Classic, clock, metrics.clone());
        let options = SettlerOptions {
            group: settings.kafka.group_id.clone(),
            claims_prefix: settings.s3.claims_prefix.clone(),
            starts_at_end: false,
            brokers: Brokers::Mock,
            settings: Live::new(Arc::clone(&settings)),
        };
        let (settler, settling) =
            SettlerLoop::new(options, Arc::clone(&gate), Arc::clone(&stores), clock);
        let mailbox = Mailbox::default();
        let address = gate.assign(&pin(), &mailbox);
        let told =
            (metrics.worker_started(0), status.loop_started(LoopName::Worker(0), clock.uptime()));
        let budget = Budget::new(BudgetOptions {
            limit_bytes: 1 << 30,
            prefetch_bytes: 0,
            upload_bytes: 0,
            objects_max: 1_000,
        });
        let around = Surroundings {
            settings: Live::new(settings),
            clock,
            gate,
            settler,
            uploads,
            stores,
            budget,
            metrics,
            status,
            frame_bytes: 1 << 20,
        };
        let workshop = Workshop {
            compressors: Compressors::new(),
            routes: RouteCache::default(),
            random: Random(Box::new(|| 7)),
        };
        let mut worker = Worker::new(around, mailbox, workshop, told);
        let mut slot = Slot::new(pin(), worker.around.metrics.partition_assigned(&pin()));
        slot.state = State::Running(Box::new(machine(&worker, start)));
        worker.by_partition.insert(pin(), address);
        worker.slots.insert(address, slot);
        Self { worker, address, consumer: None, _settler: settling, _runtime: runtime }
    }

    /// The same with a client that reads an empty log from `start` on.
    fn reading(start: Offset) -> Self {
        let mut rig = Self::new(start);
        let properties = [
            ("test.mock.num.brokers", "1"),
            ("bootstrap.servers", "replaced:1"),
            ("allow.auto.create.topics", "true"),
        ];
        let options = ConsumerOptions {
            group: GroupId::new("sluice").unwrap(),
            protocol: Protocol::Classic,
            client_name: "worker".to_owned(),
            properties: properties.map(|(name, value)| (name.into(), value.into())).into(),
            login: Login::default(),
            prefetch_bytes: 1 << 20,
        };
        let consumer = GroupConsumer::new(&options, Arc::new(NoGroup)).unwrap();
        let client = consumer.handle();
        let queue = WorkerQueue::new(&client).unwrap();
        queue.handle().forward(&pin()).unwrap();
        client.client().assign(&[(pin(), start)]).unwrap();
        rig.worker.fetcher = Some(Box::new(ClientFetcher { queue, client }));
        rig.consumer = Some(consumer);
        rig
    }

    fn slot(&mut self) -> &mut Slot {
        self.worker.slots.get_mut(&self.address).unwrap()
    }

    /// Goes round until what is awaited has come.
    #[track_caller]
    fn until(&mut self, what: &str, mut step: impl FnMut(&mut Self) -> bool) {
        let started = Instant::now();
        while !step(self) {
            assert!(started.elapsed() < LONG, "{what} did not come");
        }
    }
}

fn machine(worker: &Worker, start: Offset) -> Partition {
    let topic = worker.around.settings.get().for_topic(&pin().topic);
    let options = PartitionOptions {
        layout: topic.layout,
        seal: topic.seal,
        sizes: ObjectSizes { frame_bytes: 1 << 20, part_bytes: 8 << 20 },
        on_lost_records: OnLostRecords::Stop,
    };
    let (metadata, pending, first_object) = (String::new(), None, ObjectId(0));
    let source = Source {
        cluster: ClusterId::new("cluster").unwrap(),
        partition: pin(),
        topic_id: TopicId::from_u128(7),
    };
    let start = Start { offset: start, metadata, pending, first_object };
    Partition::new(source, options, start, worker.around.clock.now())
}
