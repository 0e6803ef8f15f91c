//! Rights, given and taken away. Requests go by hand.
//!
//! It owns: denying every nameless client a topic, the rights of one that has a name.
//! It does not own: the authorizer, which a cluster must be started with ([`AUTHORIZER`]).

use std::time::Duration;

use kafka_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use kafka_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use kafka_protocol::messages::{
    ApiKey, CreateAclsResponse, DeleteAclsResponse, DescribeAclsRequest, DescribeAclsResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::Kafka;
use crate::support::wait;

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

/// What a right is on, by Kafka's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    Topic = 2,
    Group = 3,
    Cluster = 4,
}

/// By Kafka's numbers; to read implies to describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    All = 2,
    Read = 3,
    Describe = 8,
}

/// One entry of an access control list.
#[derive(Debug, Clone)]
pub struct Acl {
    pub resource_type: ResourceType,
    /// Of the resource; `*` at its end means all names that begin so.
    pub name: String,
    pub operation: Operation,
    /// Else it denies, which goes before what is allowed.
    pub is_allowed: bool,
}

/// From the controller to the broker.
const KNOWN_IN: Duration = Duration::from_secs(20);
const PREFIXED: i8 = 4;
const ALLOW: i8 = 3;

impl Acl {
    fn creation(&self, principal: &str) -> AclCreation {
        // `*` alone is Kafka's own name for all.
        let prefix = self.name.strip_suffix('*').filter(|prefix| !prefix.is_empty());
        let (name, pattern) = match prefix {
            Some(prefix) => (prefix, PREFIXED),
            None => (self.name.as_str(), LITERAL),
        };
        AclCreation::default()
            .with_resource_type(self.resource_type as i8)
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_resource_pattern_type(pattern)
            .with_principal(StrBytes::from_string(format!("User:{principal}")))
            .with_host(StrBytes::from_static_str("*"))
            .with_operation(self.operation as i8)
            .with_permission_type(if self.is_allowed { ALLOW } else { DENY })
    }
}

impl Kafka {
    /// Gives a user these rights; they hold when this returns.
    pub fn grant(&self, principal: &str, acls: &[Acl]) {
        let creations: Vec<_> = acls.iter().map(|acl| acl.creation(principal)).collect();
        let request = CreateAclsRequest::default().with_creations(creations);
        let mut answer = self.ask(ApiKey::CreateAcls, VERSION, &request);
        let answer = CreateAclsResponse::decode(&mut answer, VERSION).unwrap();
        assert!(answer.results.iter().all(|one| one.error_code == 0), "{answer:?}");
        // The broker learns them from the controller.
        wait::until("the broker to know the rights", KNOWN_IN, || {
            (self.count_acls(principal) >= acls.len()).then_some(())
        });
    }

    /// Of the first broker.
    fn count_acls(&self, principal: &str) -> usize {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_host_filter(None)
            .with_principal_filter(Some(StrBytes::from_string(format!("User:{principal}"))))
            .with_operation(ANY)
            .with_permission_type(ANY);
        let mut answer = self.ask(ApiKey::DescribeAcls, VERSION, &request);
        let answer = DescribeAclsResponse::decode(&mut answer, VERSION).unwrap();
        assert_eq!(answer.error_code, 0, "{answer:?}");
        answer.resources.iter().map(|resource| resource.acls.len()).sum()
    }

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
