//! The broker itself: one process, one thread for each connection.
//!
//! It owns: frames, headers, which versions are spoken, and who answers what.
//! It does not own: the answers (`group`, `topics`).

use std::io::{BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupResponse,
    ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest,
    RequestHeader, ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::group::Groups;
use super::topics::Topics;

/// What is spoken: key, lowest and highest version. Fetch knows topics by name up to 12.
const SPOKEN: [(ApiKey, i16, i16); 15] = [
    (ApiKey::Produce, 3, 7),
    (ApiKey::Fetch, 4, 11),
    (ApiKey::ListOffsets, 1, 5),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 7),
    (ApiKey::OffsetFetch, 1, 7),
    (ApiKey::FindCoordinator, 0, 2),
    (ApiKey::JoinGroup, 0, 5),
    (ApiKey::Heartbeat, 0, 3),
    (ApiKey::LeaveGroup, 0, 1),
    (ApiKey::SyncGroup, 0, 3),
    (ApiKey::DescribeGroups, 0, 4),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 4),
    (ApiKey::DescribeConfigs, 1, 1),
];
const UNSUPPORTED_VERSION: i16 = 35;

/// All that the broker knows.
struct Broker {
    topics: Mutex<Topics>,
    groups: Mutex<Groups>,
}

/// Runs until it is killed.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    println!("listening {address}");
    let broker = Arc::new(Broker {
        topics: Mutex::new(Topics::new(address.port())),
        groups: Mutex::new(Groups::new(address.port())),
    });
    for connection in listener.incoming() {
        let broker = Arc::clone(&broker);
        // An error is a client that went away.
        std::thread::spawn(move || broker.serve(connection.unwrap()).ok());
    }
}

impl Broker {
    fn serve(&self, connection: TcpStream) -> Result<()> {
        connection.set_nodelay(true)?;
        let mut writer = connection.try_clone()?;
        let mut reader = BufReader::new(connection);
        loop {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
            reader.read_exact(&mut frame)?;
            if let Some(answer) = self.answer(frame.into()) {
                writer.write_all(&answer)?;
            }
        }
    }

    /// The answer with its length before it; none to a producer that wants none.
    fn answer(&self, mut frame: Bytes) -> Option<BytesMut> {
        let key = i16::from_be_bytes(frame[..2].try_into().unwrap());
        let version = i16::from_be_bytes(frame[2..4].try_into().unwrap());
        let key = ApiKey::try_from(key).unwrap_or_else(|()| panic!("unknown request {key}"));
        let header = RequestHeader::decode(&mut frame, key.request_header_version(version));
        let header = header.unwrap();
        let spoken = SPOKEN.iter().find(|(spoken, ..)| *spoken == key);
        let (_, low, high) = spoken.unwrap_or_else(|| panic!("{key:?} is not spoken"));
        let is_known = (*low..=*high).contains(&version);
        assert!(is_known || key == ApiKey::ApiVersions, "{key:?} {version} is not spoken");
        let mut answer = BytesMut::from(&[0; 4][..]);
        ResponseHeader::default()
            .with_correlation_id(header.correlation_id)
            .encode(&mut answer, key.response_header_version(version))
            .unwrap();
        let mut asked = Asked { version, body: frame, answer: &mut answer };
        match key {
            ApiKey::ApiVersions => asked.versions(is_known),
            ApiKey::Produce => asked.say(|request: &ProduceRequest| self.topics().produce(request)),
            ApiKey::Fetch => {
                asked.say(|request: &FetchRequest| super::topics::fetch(&self.topics, request));
            }
            ApiKey::ListOffsets => {
                asked.say(|request: &ListOffsetsRequest| self.topics().offsets(request));
            }
            ApiKey::Metadata => {
                asked.say(|request: &MetadataRequest| self.topics().metadata(request));
            }
            ApiKey::CreateTopics => {
                asked.say(|request: &CreateTopicsRequest| self.topics().create(request));
            }
            ApiKey::DescribeConfigs => {
                asked.say(|request: &DescribeConfigsRequest| super::topics::configs(request));
            }
            _ => self.answer_member(key, &header, &mut asked),
        }
        let length = u32::try_from(answer.len() - 4).unwrap();
        answer[..4].copy_from_slice(&length.to_be_bytes());
        Some(answer)
    }

    fn answer_member(&self, key: ApiKey, header: &RequestHeader, asked: &mut Asked<'_>) {
        let mut groups = self.groups.lock().unwrap();
        let client = header.client_id.clone().unwrap_or_default();
        match key {
            ApiKey::FindCoordinator => {
                asked.say(|_: &FindCoordinatorRequest| groups.coordinator());
            }
            ApiKey::JoinGroup => {
                asked.say(|request: &JoinGroupRequest| groups.join(request, client));
            }
            ApiKey::SyncGroup => asked.say(|request: &SyncGroupRequest| groups.sync(request)),
            ApiKey::Heartbeat => asked.encode(&HeartbeatResponse::default()),
            ApiKey::LeaveGroup => {
                asked.say(|request: &kafka_protocol::messages::LeaveGroupRequest| {
                    groups.leave(&request.group_id);
                    LeaveGroupResponse::default()
                });
            }
            ApiKey::OffsetCommit => {
                asked.say(|request: &OffsetCommitRequest| groups.commit(request));
            }
            ApiKey::OffsetFetch => {
                asked.say(|request: &OffsetFetchRequest| groups.committed(request));
            }
            ApiKey::DescribeGroups => {
                asked.say(|request: &DescribeGroupsRequest| groups.describe(request));
            }
            other => panic!("nobody answers {other:?}"),
        }
    }

    fn topics(&self) -> std::sync::MutexGuard<'_, Topics> {
        self.topics.lock().unwrap()
    }
}

/// A request without its header, and its answer in the making.
struct Asked<'a> {
    version: i16,
    body: Bytes,
    answer: &'a mut BytesMut,
}

impl Asked<'_> {
    fn say<Q: Decodable, A: Encodable>(&mut self, with: impl FnOnce(&Q) -> A) {
        let request = Q::decode(&mut self.body, self.version).unwrap();
        self.encode(&with(&request));
    }

    fn encode<A: Encodable>(&mut self, answer: &A) {
        answer.encode(self.answer, self.version).unwrap();
    }

    /// Whoever asks in a version of later is told so in the first one.
    fn versions(&mut self, is_known: bool) {
        let keys = SPOKEN.iter().map(|(key, low, high)| {
            ApiVersion::default()
                .with_api_key(*key as i16)
                .with_min_version(*low)
                .with_max_version(*high)
        });
        let error = if is_known { 0 } else { UNSUPPORTED_VERSION };
        let answer =
            ApiVersionsResponse::default().with_api_keys(keys.collect()).with_error_code(error);
        answer.encode(self.answer, if is_known { self.version } else { 0 }).unwrap();
    }
}
