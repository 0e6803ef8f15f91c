//! Where the logs of many partitions begin and end, asked at once: one question to each leader
//! instead of one a partition, each of which would wait behind the leader's open fetch.
//!
//! It owns: when all are asked at once, and when one by one. It does not own: what an answer means.

use std::collections::BTreeMap;

use tracing::{debug, warn};

use super::{SettlerLoop, WATCH};
use crate::daemon::mailbox::Mail;
use crate::kafka::admin::{Admin, AdminError};
use crate::model::{Offset, TopicPartition};

impl SettlerLoop {
    /// Returns where the logs begin of what waits and was never committed, as far as it was answered.
    pub(super) fn log_starts(&mut self, admin: &Admin) -> BTreeMap<TopicPartition, Offset> {
        let never = self.waiting.iter().filter(|request| {
            request.committed.as_ref().is_some_and(|committed| committed.offset.is_none())
        });
        let partitions: Vec<_> = never.map(|request| request.partition.clone()).collect();
        self.all_at_once(&partitions, |partitions| admin.log_starts(partitions))
    }

    /// Answers how far the logs reach for those who are out of range or not fetched; the others wait.
    pub(super) fn tell_watermarks(&mut self) {
        let Some(admin) = self.admin() else { return };
        let gate = self.gate.clone();
        self.out_of_range.retain(|(address, ..)| gate.is_alive(*address));
        let partitions: Vec<_> = self.out_of_range.iter().map(|(_, at, _)| at.clone()).collect();
        let known = self.all_at_once(&partitions, |partitions| admin.watermarks_of(partitions));
        let (said, mut is_answered) = (&self.said, true);
        self.out_of_range.retain(|(address, partition, mailbox)| {
            if !is_answered {
                return true; // each question waits for long, and settling waits behind them
            }
            let found = known.get(partition).map_or_else(|| admin.watermarks(partition), |at| Ok(*at));
            match found {
                Ok(found) => {
                    let (address, low, high) = (*address, found.low, found.high);
                    mailbox.send(Mail::Watermarks { address, low, high });
                    false
                }
                Err(error) => {
                    if said.may_say("log ends") {
                        warn!(%partition, %error, "the log's ends could not be asked, it is tried again");
                    }
                    is_answered = false;
                    true
                }
            }
        });
    }

    /// Asks for all of them, or for none: for one partition there is nothing to gain, and one without
    /// a leader holds up the question for all, which is therefore not repeated for a while.
    fn all_at_once<T>(
        &mut self,
        partitions: &[TopicPartition],
        ask: impl FnOnce(&[TopicPartition]) -> Result<BTreeMap<TopicPartition, T>, AdminError>,
    ) -> BTreeMap<TopicPartition, T> {
        if partitions.len() < 2 || self.clock.uptime() < self.one_by_one_until {
            return BTreeMap::new();
        }
        ask(partitions).unwrap_or_else(|error| {
            debug!(%error, "partitions are asked about one by one");
            self.one_by_one_until = self.clock.uptime().after(WATCH);
            BTreeMap::new()
        })
    }
}
