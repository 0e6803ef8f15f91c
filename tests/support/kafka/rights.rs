//! Rights on topics, taken away and given back. Requests go by hand.
//!
//! It owns: denying every client (all of them are nameless here) a topic.
//! It does not own: the authorizer, which a cluster must be started with ([`AUTHORIZER`]).

use kafka_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use kafka_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use kafka_protocol::messages::{ApiKey, CreateAclsResponse, DeleteAclsResponse};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::Kafka;

/// Properties of a cluster whose rights can be changed; whatever is not denied is allowed.
pub const AUTHORIZER: [(&str, &str); 2] = [
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];

/// The last version without compact fields.
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
        let mut answer = self.ask(ApiKey::CreateAcls, VERSION, &request);
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
        let mut answer = self.ask(ApiKey::DeleteAcls, VERSION, &request);
        let answer = DeleteAclsResponse::decode(&mut answer, VERSION).unwrap();
        let deleted = answer.filter_results.iter().map(|one| one.matching_acls.len());
        assert_eq!(deleted.sum::<usize>(), 1, "{answer:?}");
    }
}
