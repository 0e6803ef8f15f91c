//! What the broker says of topics: metadata, offsets, records.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::log::Log;

/// The setting of a topic that says how many records each of its partitions gives.
pub const RECORDS: &str = "replay.records";
/// The setting of topics whose partitions all come to their ends together, as if each was written to
/// all the time, some more than others.
pub const IN_STEP: &str = "replay.in.step";
/// How far one of them may be ahead of the slowest, as a part of each.
const AHEAD_MAX: f64 = 0.02;
/// The only broker.
pub const BROKER: BrokerId = BrokerId(1);
const EMPTY_FETCH: Duration = Duration::from_millis(10);
const UNKNOWN_TOPIC: i16 = 3;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// Every topic, by name.
pub struct Topics {
    port: u16,
    topics: BTreeMap<TopicName, Vec<Log>>,
}

impl Topics {
    pub fn new(port: u16) -> Self {
        Self { port, topics: BTreeMap::new() }
    }

    pub fn create(&mut self, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let results = request.topics.iter().map(|topic| {
            let setting = |name: &str| {
                let found = topic.configs.iter().find(|config| config.name.as_str() == name);
                found.and_then(|config| config.value.as_ref())
            };
            let wanted = setting(RECORDS).map_or(0, |records| records.as_str().parse().unwrap());
            let is_in_step = setting(IN_STEP).is_some();
            let partitions = (0..topic.num_partitions).map(|_| Log::new(wanted, is_in_step));
            self.topics.insert(topic.name.clone(), partitions.collect());
            CreatableTopicResult::default().with_name(topic.name.clone())
        });
        CreateTopicsResponse::default().with_topics(results.collect())
    }

    pub fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let asked: Vec<TopicName> = match &request.topics {
            Some(topics) => topics.iter().filter_map(|topic| topic.name.clone()).collect(),
            None => self.topics.keys().cloned().collect(),
        };
        let broker = MetadataResponseBroker::default()
            .with_node_id(BROKER)
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(self.port.into());
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(StrBytes::from_static_str("replay")))
            .with_controller_id(BROKER)
            .with_topics(asked.into_iter().map(|name| self.describe(name)).collect())
    }

    fn describe(&self, name: TopicName) -> MetadataResponseTopic {
        let Some(at) = self.topics.keys().position(|known| *known == name) else {
            return MetadataResponseTopic::default()
                .with_name(Some(name))
                .with_error_code(UNKNOWN_TOPIC);
        };
        let partitions = (0..self.topics[&name].len()).map(|index| {
            MetadataResponsePartition::default()
                .with_partition_index(i32::try_from(index).unwrap())
                .with_leader_id(BROKER)
                .with_replica_nodes(vec![BROKER])
                .with_isr_nodes(vec![BROKER])
        });
        MetadataResponseTopic::default()
            .with_name(Some(name))
            .with_topic_id(format!("{:032x}", at + 1).parse().unwrap())
            .with_partitions(partitions.collect())
    }

    pub fn offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let log = self.log(&topic.name, asked.partition_index);
                let offset = match asked.timestamp {
                    EARLIEST => 0,
                    LATEST => log.end(),
                    other => panic!("nobody asks for the offset at {other}"),
                };
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_offset(offset)
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    pub fn produce(&mut self, request: &ProduceRequest) -> ProduceResponse {
        let topics = request.topic_data.iter().map(|topic| {
            let partitions = topic.partition_data.iter().map(|sent| {
                let logs = self.topics.get_mut(&topic.name).unwrap();
                let log = &mut logs[usize::try_from(sent.index).unwrap()];
                let first = log.append(sent.records.clone().unwrap_or_default());
                PartitionProduceResponse::default().with_index(sent.index).with_base_offset(first)
            });
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_partition_responses(partitions.collect())
        });
        ProduceResponse::default().with_responses(topics.collect())
    }

    fn fetch(&mut self, request: &FetchRequest) -> (FetchResponse, usize) {
        for topic in &request.topics {
            let logs = self.topics.get_mut(&topic.topic).unwrap();
            for asked in &topic.partitions {
                logs[usize::try_from(asked.partition).unwrap()].is_asked_at(asked.fetch_offset);
            }
        }
        let done = self.topics.values().flatten().filter_map(Log::done);
        let share = done.fold(1.0, f64::min) + AHEAD_MAX;
        let mut bytes = 0;
        let bytes_max = usize::try_from(request.max_bytes).unwrap();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let log = self.log(&topic.topic, asked.partition);
                let partition_max = usize::try_from(asked.partition_max_bytes).unwrap();
                let mut records = BytesMut::new();
                if bytes < bytes_max {
                    let max = partition_max.min(bytes_max - bytes);
                    log.read(asked.fetch_offset, (max, share), &mut records);
                }
                bytes += records.len();
                PartitionData::default()
                    .with_partition_index(asked.partition)
                    .with_high_watermark(log.end())
                    .with_last_stable_offset(log.end())
                    .with_log_start_offset(0)
                    .with_aborted_transactions(Some(Vec::new()))
                    .with_records(Some(records.freeze()))
            });
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_partitions(partitions.collect())
        });
        (FetchResponse::default().with_responses(topics.collect()), bytes)
    }

    fn log(&self, topic: &TopicName, partition: i32) -> &Log {
        &self.topics[topic][usize::try_from(partition).unwrap()]
    }
}

/// Where nothing is to be had, nothing will come. But whatever else the client asks comes over the
/// same connection and waits behind this, such as where each of 2,000 partitions begins.
pub fn fetch(topics: &Mutex<Topics>, request: &FetchRequest) -> FetchResponse {
    let (answer, bytes) = topics.lock().unwrap().fetch(request);
    if bytes == 0 {
        std::thread::sleep(EMPTY_FETCH);
    }
    answer
}

/// The one setting that the daemon asks a broker for.
pub fn configs(request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let setting = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str("offset.metadata.max.bytes"))
            .with_value(Some(StrBytes::from_static_str("4096")));
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(vec![setting])
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}
