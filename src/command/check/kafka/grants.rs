//! What rights are called where a person grants them.
//!
//! It owns: the names of Kafka's ACLs, and of the actions in an IAM policy that equal them on MSK.
//! It does not own: when one is missing (`judge`, `offsets`).

use crate::config::{KafkaAuth, Settings};

/// Who grants rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grants {
    Acls,
    /// A policy of IAM: "Semantics of IAM authorization policy actions and resources" in Amazon's
    /// developer guide to MSK says which ACL each action equals.
    Iam,
}

/// What Sluice needs, or can do without (`DescribeConfigs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    DescribeTopic,
    ReadTopic,
    DescribeGroup,
    ReadGroup,
    DescribeConfigs,
}

impl Grants {
    pub(super) fn of(settings: &Settings) -> Self {
        match &settings.kafka.auth {
            Some(KafkaAuth::MskIam(_)) => Self::Iam,
            Some(_) | None => Self::Acls,
        }
    }

    pub(super) fn name(self, right: Right) -> &'static str {
        match (self, right) {
            (Self::Acls, Right::DescribeTopic | Right::DescribeGroup) => "`Describe`",
            (Self::Acls, Right::ReadTopic | Right::ReadGroup) => "`Read`",
            (Self::Acls, Right::DescribeConfigs) => "`DescribeConfigs`",
            (Self::Iam, Right::DescribeTopic) => "`kafka-cluster:DescribeTopic`",
            (Self::Iam, Right::ReadTopic) => "`kafka-cluster:ReadData`",
            (Self::Iam, Right::DescribeGroup) => "`kafka-cluster:DescribeGroup`",
            (Self::Iam, Right::ReadGroup) => "`kafka-cluster:AlterGroup`",
            (Self::Iam, Right::DescribeConfigs) => {
                "`kafka-cluster:DescribeClusterDynamicConfiguration`"
            }
        }
    }

    /// Returns the two that each topic takes.
    pub(super) fn of_topic(self) -> String {
        format!("{} and {}", self.name(Right::DescribeTopic), self.name(Right::ReadTopic))
    }

    /// Returns the two that the group takes.
    pub(super) fn of_group(self) -> String {
        format!("{} and {}", self.name(Right::DescribeGroup), self.name(Right::ReadGroup))
    }

    /// Returns what to do where a setting of the brokers cannot be read.
    pub(super) fn to_read_settings(self) -> String {
        let right = self.name(Right::DescribeConfigs);
        format!("grant {right} on the cluster to this user, or look it up there")
    }
}
