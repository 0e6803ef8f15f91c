//! `start = "latest"`: the group object says where each log ended when the group began, so that
//! every member, today or in a year, starts a partition at the same place.
//!
//! It owns: writing the group object once, before the first pin, by a member that finds no commit
//! for any partition of any subscribed topic; reading it.
//! It does not own: anything of a partition that has a commit.

use std::collections::BTreeMap;
use std::fmt::Display;

use thiserror::Error;
use tracing::{info, warn};

use super::{ASK, SettlerOptions};
use crate::daemon::said::Said;
use crate::daemon::stores::Stores;
use crate::engine::Source;
use crate::kafka::admin::Admin;
use crate::kafka::ffi::ClientHandle;
use crate::model::{ObjectKey, Offset, Topic, TopicPartition};
use crate::s3::{
    ClaimError, Claims, Condition, GROUP_OBJECT_BYTES_MAX, GroupObject, Put, Stopped,
    StoreErrorKind, TopicEnds,
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
    said: Said,
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
            let claims = Claims::new(&options.claims_prefix, &source.cluster, &options.group);
            let claims = self.said.or_say("the claims' prefix", claims)?;
            self.found = match self.said.or_say("the group object", read(ask.stores, &claims))? {
                Some(object) => Some(object),
                None => self.begin(ask, &claims),
            };
        }
        let object = self.found.as_ref()?;
        Some(object.end_of(&source.partition, source.topic_id))
    }

    /// The group object is not there: writes it if the group has no commit at all, else it began
    /// with another start and everything it does not know is read from its beginning.
    fn begin(&self, ask: Ask<'_>, claims: &Claims) -> Option<GroupObject> {
        let Ask { admin, client, stores } = ask;
        let described = self.said.or_say("topics", admin.topics(&self.topics))?;
        let mut all = Vec::new();
        let mut ids = BTreeMap::new();
        for (topic, description) in described {
            let Ok(description) = description else { continue };
            ids.insert(topic.clone(), description.id);
            for index in 0..i32::try_from(description.partitions).unwrap_or(i32::MAX) {
                all.push(TopicPartition::new(topic.as_str(), index).ok()?);
            }
        }
        let committed =
            self.said.or_say("committed offsets", client.client().committed(&all, ASK))?;
        if let Some(code) = committed.iter().find_map(|found| found.error) {
            return self.said.or_say("committed offsets", Err(code));
        }
        if committed.iter().any(|found| found.offset.is_some()) {
            warn!("the group has commits but no group object: `start = \"latest\"` does not apply");
            return Some(GroupObject { topics: BTreeMap::new() });
        }
        let mut topics: BTreeMap<Topic, TopicEnds> = BTreeMap::new();
        for partition in &all {
            let end = self.said.or_say("the logs' ends", admin.watermarks(partition))?.high;
            let topic_id = *ids.get(&partition.topic)?;
            let ends = topics
                .entry(partition.topic.clone())
                .or_insert_with(|| TopicEnds { topic_id, ends: Vec::new() });
            ends.ends.push(end);
        }
        let written = write(stores, claims, &GroupObject { topics });
        self.said.or_say("the group object", written)
    }
}

impl Said {
    /// Passes on what was found; says, now and then, why it was not: partitions wait for it.
    fn or_say<T, E: Display>(&self, what: &str, found: Result<T, E>) -> Option<T> {
        let error = match found {
            Ok(found) => return Some(found),
            Err(error) => error,
        };
        if self.may_say(what) {
            warn!(what, %error, "`start = \"latest\"` cannot be settled now, partitions wait");
        }
        None
    }
}

/// Why there is no group object to go by.
#[derive(Debug, Error)]
enum GroupObjectError {
    #[error("{0}")]
    Store(#[from] Stopped),
    #[error("`{}` cannot be read ({error}): repair or remove it", key.shown())]
    Unreadable { key: ObjectKey, error: ClaimError },
    #[error("`{}` was there and is gone", key.shown())]
    Gone { key: ObjectKey },
    #[error(
        "`{}` would be larger than {GROUP_OBJECT_BYTES_MAX} bytes: read fewer topics by this group, or start at \"earliest\"",
        key.shown()
    )]
    TooLarge { key: ObjectKey },
}

/// Reads the group object; none if there is none.
fn read(stores: &Stores, claims: &Claims) -> Result<Option<GroupObject>, GroupObjectError> {
    let key = claims.group_key();
    let got = stores.runtime().block_on(
        stores.retry().run_at_most(1, || stores.asked().get(&key, GROUP_OBJECT_BYTES_MAX)),
    );
    match got {
        Ok(got) => match GroupObject::parse(&got.body) {
            Ok(object) => Ok(Some(object)),
            Err(error) => Err(GroupObjectError::Unreadable { key, error }),
        },
        Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(stopped) => Err(stopped.into()),
    }
}

/// Writes the group object; if somebody was faster, theirs holds.
fn write(
    stores: &Stores,
    claims: &Claims,
    object: &GroupObject,
) -> Result<GroupObject, GroupObjectError> {
    let key = claims.group_key();
    let Some(text) = object.encode() else {
        return Err(GroupObjectError::TooLarge { key });
    };
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
        Ok(_) => info!(key = %key.shown(), "the group begins at the present ends of its topics"),
        Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::PreconditionFailed412 => {}
        Err(stopped) => return Err(stopped.into()),
    }
    read(stores, claims)?.ok_or(GroupObjectError::Gone { key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_latest_waits_for_is_said_once() {
        let said = Said::default();
        assert_eq!(said.or_say::<_, Stopped>("topics", Ok(7)), Some(7));
        assert!(said.may_say("topics"), "an answer is nothing to say");
        let said = Said::default();
        assert_eq!(said.or_say::<u8, _>("topics", Err(Stopped::Cancelled)), None);
        assert!(!said.may_say("topics"));
    }
}
