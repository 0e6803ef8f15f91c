//! Where claims lie: `<claims_prefix><cluster id>/<group>/<topic>/<partition>`.

use crate::model::{
    ClusterId, GroupId, NameError, ObjectKey, PartitionIndex, TOPIC_BYTES_MAX, TopicPartition,
};

/// Kafka allows this topic, and the group object has its name.
const TOPIC_TAKEN: &str = "_group";

/// The folder of one group's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    folder: String,
}

impl Claims {
    /// Returns the folder below `prefix` (as configured, `_sluice/`), or why the longest key in it
    /// would be none.
    pub fn new(prefix: &str, cluster: &ClusterId, group: &GroupId) -> Result<Self, NameError> {
        let prefix = prefix.trim_end_matches('/');
        let separator = if prefix.is_empty() { "" } else { "/" };
        let cluster = escape(cluster.as_str());
        let folder = format!("{prefix}{separator}{cluster}/{}", escape(group.as_str()));
        let claims = Self { folder };
        let longest = format!("{}/{}/{}", claims.folder, "t".repeat(TOPIC_BYTES_MAX), i32::MAX);
        ObjectKey::new(&longest)?;
        Ok(claims)
    }

    /// Returns the folder as the prefix of a listing.
    pub fn folder(&self) -> String {
        format!("{}/", self.folder)
    }

    pub fn partition_key(&self, partition: &TopicPartition) -> ObjectKey {
        let topic = partition.topic.as_str();
        let topic = if topic == TOPIC_TAKEN { "%5Fgroup" } else { topic };
        self.key(&format!("{}/{topic}/{}", self.folder, partition.partition))
    }

    pub fn group_key(&self) -> ObjectKey {
        self.key(&format!("{}/{TOPIC_TAKEN}", self.folder))
    }

    /// Returns the partition whose claim a listed key is, if it is one.
    pub fn parse_key(&self, key: &str) -> Option<TopicPartition> {
        let rest = key.strip_prefix(&self.folder)?.strip_prefix('/')?;
        let (topic, index) = rest.split_once('/')?;
        let topic = if topic == "%5Fgroup" { TOPIC_TAKEN } else { topic };
        let index = PartitionIndex::new(index.parse().ok()?).ok()?;
        let partition = TopicPartition::new(topic, index.value()).ok()?;
        (self.partition_key(&partition).as_str() == key).then_some(partition)
    }

    fn key(&self, text: &str) -> ObjectKey {
        #[expect(clippy::expect_used, reason = "`new` made the longest key of this folder")]
        ObjectKey::new(text).expect("a key with a longer topic was checked in `new`")
    }
}

/// Groups and clusters may be named `.` or hold `%`; a key's element may not be `.`, and two names
/// never become one.
fn escape(name: &str) -> String {
    let name = name.replace('%', "%25");
    if name.bytes().all(|byte| byte == b'.') { name.replace('.', "%2E") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(prefix: &str, group: &str) -> Result<Claims, NameError> {
        let cluster = ClusterId::new("4L6g3nShT-eMCtK--X86sw").unwrap();
        Claims::new(prefix, &cluster, &GroupId::new(group).unwrap())
    }

    #[test]
    fn each_partition_has_a_key_of_its_own() {
        let claims = claims("_sluice/", "connect-sink").unwrap();
        let folder = "_sluice/4L6g3nShT-eMCtK--X86sw/connect-sink";
        let pin = TopicPartition::new("pin", 3).unwrap();
        assert_eq!(claims.partition_key(&pin).as_str(), format!("{folder}/pin/3"));
        assert_eq!(claims.group_key().as_str(), format!("{folder}/_group"));
        assert_eq!(claims.folder(), format!("{folder}/"));
    }

    #[test]
    fn a_topic_named_as_the_group_object_keeps_apart() {
        let claims = claims("_sluice/", "g").unwrap();
        let topic = TopicPartition::new("_group", 0).unwrap();
        let key = claims.partition_key(&topic);
        assert!(!key.as_str().starts_with(claims.group_key().as_str()));
        assert_eq!(claims.parse_key(key.as_str()), Some(topic));
    }

    #[test]
    fn odd_groups_get_keys_and_never_the_same() {
        let groups = [".", "..", "%2E", "%", "%25", "a"];
        let folders: std::collections::BTreeSet<_> =
            groups.iter().map(|group| claims("", group).unwrap().folder()).collect();
        assert_eq!(folders.len(), groups.len());
    }

    #[test]
    fn a_folder_whose_keys_would_be_too_long_is_refused() {
        assert!(claims(&"p".repeat(800), "g").is_err());
        assert!(claims("_sluice/", &"%".repeat(255)).is_err());
        assert!(claims("a//b", "g").is_err());
        assert!(claims("/a", "g").is_err());
    }

    #[test]
    fn only_keys_of_claims_are_parsed() {
        let claims = claims("_sluice/", "g").unwrap();
        let folder = claims.folder();
        let good = format!("{folder}pin/0");
        assert_eq!(claims.parse_key(&good), Some(TopicPartition::new("pin", 0).unwrap()));
        for bad in ["_group", "pin", "pin/", "pin/-1", "pin/00", "pin/0/1", "p in/0", "", "/pin/0"]
        {
            assert_eq!(claims.parse_key(&format!("{folder}{bad}")), None, "{bad}");
        }
        assert_eq!(claims.parse_key("elsewhere/pin/0"), None);
    }
}
