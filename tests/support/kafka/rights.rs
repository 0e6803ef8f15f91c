//! Rights on topics, taken away and given back. rdkafka cannot ask for that, so requests go by hand.
//!
//! It owns: denying every client (all of them are nameless here) a topic.
//! It does not own: the authorizer, which a cluster must be started with ([`AUTHORIZER`]).

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use kafka_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use kafka_protocol::messages::{
    ApiKey, CreateAclsResponse, DeleteAclsResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::Kafka;

/// Properties of a cluster whose rights can be changed; whatever is not denied is allowed.
pub const AUTHORIZER: [(&str, &str); 2] = [
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];

/// The last version without compact fields, whose header is of version 1 and is answered by 0.
const VERSION: i16 = 1;
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const ALL: i8 = 2;
const DENY: i8 = 2;
const ANY: i8 = 1;

impl Kafka {
    /// Nobody may see, read or write the topic any more.
    pub fn deny(&self, topic: &str) {
        let creation = AclCreation::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(topic.to_owned()))
            .with_resource_pattern_type(LITERAL)
            .with_principal(StrBytes::from_static_str("User:ANONYMOUS"))
            .with_host(StrBytes::from_static_str("*"))
            .with_operation(ALL)
            .with_permission_type(DENY);
        let request = CreateAclsRequest::default().with_creations(vec![creation]);
        let mut answer = self.ask(ApiKey::CreateAcls, &request);
        let answer = CreateAclsResponse::decode(&mut answer, VERSION).unwrap();
        assert!(answer.results.iter().all(|one| one.error_code == 0), "{answer:?}");
    }

    /// Everybody may do everything with the topic again.
    pub fn allow(&self, topic: &str) {
        let filter = DeleteAclsFilter::default()
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(Some(StrBytes::from_string(topic.to_owned())))
            .with_pattern_type_filter(LITERAL)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let filter = filter.with_principal_filter(None).with_host_filter(None);
        let request = DeleteAclsRequest::default().with_filters(vec![filter]);
        let mut answer = self.ask(ApiKey::DeleteAcls, &request);
        let answer = DeleteAclsResponse::decode(&mut answer, VERSION).unwrap();
        let deleted = answer.filter_results.iter().map(|one| one.matching_acls.len());
        assert_eq!(deleted.sum::<usize>(), 1, "{answer:?}");
    }

    /// The body of a broker's answer.
    fn ask(&self, api_key: ApiKey, request: &impl Encodable) -> Bytes {
        let header = RequestHeader::default()
            .with_request_api_key(api_key as i16)
            .with_request_api_version(VERSION)
            .with_correlation_id(1)
            .with_client_id(Some(StrBytes::from_static_str("tests")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, 1).unwrap();
        request.encode(&mut frame, VERSION).unwrap();
        let mut broker = TcpStream::connect(self.bootstrap()).unwrap();
        let length = u32::try_from(frame.len()).unwrap();
        broker.write_all(&[&length.to_be_bytes(), frame.as_ref()].concat()).unwrap();
        let mut length = [0; 4];
        broker.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        broker.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, 0).unwrap();
        assert!(answer.has_remaining());
        answer
    }
}
