//! Requests to a broker that rdkafka has no call for, sent by hand.
//!
//! It owns: one request on a connection of its own. It does not own: what is asked
//! (`leaders.rs`, `rights.rs`).

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::Kafka;

impl Kafka {
    /// The body of the answer of the first broker that can be reached.
    pub(super) fn ask(&self, api_key: ApiKey, version: i16, request: &impl Encodable) -> Bytes {
        let header = RequestHeader::default()
            .with_request_api_key(api_key as i16)
            .with_request_api_version(version)
            .with_correlation_id(1)
            .with_client_id(Some(StrBytes::from_static_str("tests")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, api_key.request_header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let mut brokers = self.brokers.iter();
        let reached = brokers.find_map(|broker| TcpStream::connect(broker.address).ok());
        let mut broker = reached.expect("a broker can be reached");
        let length = u32::try_from(frame.len()).unwrap();
        broker.write_all(&[&length.to_be_bytes(), frame.as_ref()].concat()).unwrap();
        let mut length = [0; 4];
        broker.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        broker.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, api_key.response_header_version(version)).unwrap();
        assert!(answer.has_remaining());
        answer
    }
}
