//! `start = "latest"`: the group object says where each log ended when the group began, so that
//! every member, today or in a year, starts a partition at the same place.
//!
//! It owns: writing the group object once, before the first pin, by a member that finds no commit
//! for any partition of any subscribed topic; reading it.
//! It does not own: anything of a partition that has a commit.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::{ASK, SettlerOptions};
use crate::daemon::stores::Stores;
use crate::engine::Source;
use crate::kafka::admin::Admin;
use crate::kafka::ffi::ClientHandle;
use crate::model::{Offset, Topic, TopicPartition};
use crate::s3::{
    Claims, Condition, GROUP_OBJECT_BYTES_MAX, GroupObject, Put, Stopped, StoreErrorKind, TopicEnds,
};

/// Who can be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) admin: &'a Admin,
    pub(super) client: &'a ClientHandle,
    pub(super) stores: &'a Stores,
}

/// What is known of the group object.
#[derive(Debug, Default)]
pub(super) struct Latest {
    found: Option<GroupObject>,
    topics: Vec<Topic>,
}

impl Latest {
    /// The topics that the group subscribes to, as far as they are known.
    pub(super) fn topics_are(&mut self, topics: Vec<Topic>) {
        self.topics = topics;
    }

    /// Returns where the partition ended when the group began: the inner none means that it was
    /// not there yet. The outer none: it cannot be known now.
    pub(super) fn end_of(
        &mut self,
        options: &SettlerOptions,
        ask: Ask<'_>,
        source: &Source,
    ) -> Option<Option<Offset>> {
        if self.found.is_none() {
            let claims =
                Claims::new(&options.claims_prefix, &source.cluster, &options.group).ok()?;
            self.found = match read(ask.stores, &claims) {
                Read::Found(object) => Some(object),
                Read::Absent => self.begin(ask, &claims),
                Read::Unknown => None,
            };
        }
        let object = self.found.as_ref()?;
        Some(object.end_of(&source.partition, source.topic_id))
    }

    /// The group object is not there: writes it if the group has no commit at all, else it began
    /// with another start and everything it does not know is read from its beginning.
    fn begin(&self, ask: Ask<'_>, claims: &Claims) -> Option<GroupObject> {
        let Ask { admin, client, stores } = ask;
        let described = admin.topics(&self.topics).ok()?;
        let mut all = Vec::new();
        let mut ids = BTreeMap::new();
        for (topic, description) in described {
            let Ok(description) = description else { continue };
            ids.insert(topic.clone(), description.id);
            for index in 0..i32::try_from(description.partitions).unwrap_or(i32::MAX) {
                all.push(TopicPartition::new(topic.as_str(), index).ok()?);
            }
        }
        let committed = client.client().committed(&all, ASK).ok()?;
        if committed.iter().any(|found| found.error.is_some()) {
            return None;
        }
        if committed.iter().any(|found| found.offset.is_some()) {
            warn!("the group has commits but no group object: `start = \"latest\"` does not apply");
            return Some(GroupObject { topics: BTreeMap::new() });
        }
        let mut topics: BTreeMap<Topic, TopicEnds> = BTreeMap::new();
        for partition in &all {
            let end = admin.watermarks(partition).ok()?.high;
            let topic_id = *ids.get(&partition.topic)?;
            let ends = topics
                .entry(partition.topic.clone())
                .or_insert_with(|| TopicEnds { topic_id, ends: Vec::new() });
            ends.ends.push(end);
        }
        write(stores, claims, &GroupObject { topics })
    }
}

enum Read {
    Found(GroupObject),
    Absent,
    Unknown,
}

fn read(stores: &Stores, claims: &Claims) -> Read {
    let key = claims.group_key();
    let got = stores.runtime().block_on(
        stores.retry().run_at_most(1, || stores.asked().get(&key, GROUP_OBJECT_BYTES_MAX)),
    );
    match got {
        Ok(got) => match GroupObject::parse(&got.body) {
            Ok(object) => Read::Found(object),
            Err(error) => {
                warn!(%key, %error, "the group object cannot be read: repair or remove it");
                Read::Unknown
            }
        },
        Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NotFound => Read::Absent,
        Err(_) => Read::Unknown,
    }
}

/// Writes the group object; if somebody was faster, theirs holds.
fn write(stores: &Stores, claims: &Claims, object: &GroupObject) -> Option<GroupObject> {
    let key = claims.group_key();
    let text = object.encode()?;
    let put = || Put {
        key: &key,
        body: text.clone().into(),
        content_type: "text/plain",
        metadata: None,
        condition: Condition::IfNoneMatch,
    };
    let written =
        stores.runtime().block_on(stores.retry().run_at_most(1, || stores.asked().put(put())));
    match written {
        Ok(_) => info!(%key, "the group begins at the present ends of its topics"),
        Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::PreconditionFailed412 => {}
        Err(_) => return None,
    }
    match read(stores, claims) {
        Read::Found(object) => Some(object),
        Read::Absent | Read::Unknown => None,
    }
}
