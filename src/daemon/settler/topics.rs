//! Looking each minute at the topics of everything that runs: are they the same, who leads them.
//!
//! It owns: the comparison, and who was told of a missing leader.
//! It does not own: what a worker does about it.

use std::time::Duration;

use tracing::{info, warn};

use super::{ASK, SettlerLoop, WATCH};
use crate::daemon::mailbox::Mail;
use crate::daemon::run::Brokers;
use crate::kafka::admin::Admin;

/// While a leader is missing it is looked more often.
const WATCH_LEADERLESS: Duration = Duration::from_secs(10);

impl SettlerLoop {
    /// Compares the topic ids of everything that runs, and looks for leaders.
    pub(super) fn look_at_topics(&mut self) {
        self.look_at = self.clock.uptime().after(WATCH);
        self.look_at_topics_within(ASK);
    }

    /// The same, for one answer that may come late no more than this.
    pub(super) fn look_at_topics_within(&mut self, wait: Duration) {
        self.watched.retain(|_, watched| self.gate.is_alive(watched.address));
        if self.options.brokers == Brokers::Mock {
            return;
        }
        let Some(client) = &self.client else { return };
        let admin = Admin::new(client, wait);
        let mut names: Vec<_> = self.watched.keys().map(|at| at.topic.clone()).collect();
        names.dedup();
        let Ok(topics) = admin.topics(&names) else { return };
        for (partition, watched) in &self.watched {
            let Some(Ok(found)) = topics.get(&partition.topic) else { continue };
            let is_other =
                found.id.is_known() && watched.topic_id.is_known() && found.id != watched.topic_id;
            if is_other {
                info!(%partition, "the topic was created anew");
                let (partition, found) = (partition.clone(), found.id);
                watched.mailbox.send(Mail::TopicIs { partition, found });
            }
            let (address, is_there) = (watched.address, !found.is_leaderless(partition.partition));
            let was_there = if is_there {
                !self.leaderless.remove(partition)
            } else {
                self.leaderless.insert(partition.clone())
            };
            if is_there && !was_there {
                info!(%partition, "the partition has a leader again");
            } else if !is_there && was_there {
                warn!(%partition, "the partition has no leader: nobody can read or write it until \
                    a broker that holds it is back");
            }
            if !is_there || !was_there {
                watched.mailbox.send(Mail::HasLeader { address, is_there });
            }
        }
        self.leaderless.retain(|partition| self.watched.contains_key(partition));
        if !self.leaderless.is_empty() {
            self.look_at = self.clock.uptime().after(WATCH_LEADERLESS);
        }
    }
}
