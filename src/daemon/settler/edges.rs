//! Where the logs of many partitions begin and end, asked at once: one question to each leader
//! instead of one a partition, each of which would wait behind the leader's open fetch.
//!
//! It owns: when all are asked at once, and when one by one. It does not own: what an answer means.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{debug, warn};

use super::{AskEnd, SettlerLoop, WATCH};
use crate::daemon::mailbox::Mail;
use crate::kafka::admin::{Admin, AdminError, Watermarks};
use crate::kafka::ffi::ErrorCode;
use crate::model::{Offset, TopicPartition};

/// Questions about many partitions that may fail in turn: a new topic's leaders are not there at once.
const UNANSWERED_MAX: u32 = 2;
/// Where idle logs end is asked often and needed by nobody who waits, so it may not hold up others.
const IDLE_ASK: Duration = Duration::from_secs(2);
const IDLE_AGAIN: Duration = Duration::from_secs(10);

type Answers<T> = BTreeMap<TopicPartition, Result<T, ErrorCode>>;

/// What one question about many partitions brought.
#[derive(Debug)]
pub(super) enum Together<T> {
    /// Each is asked about alone.
    NotAsked,
    /// All wait for the next round.
    Unanswered,
    Answered(Answers<T>),
}

impl<T: Copy> Together<T> {
    /// Returns the answer about one partition, which may be to ask about it alone; none if it waits.
    pub(super) fn of(
        &self,
        partition: &TopicPartition,
        ask: impl FnOnce() -> Result<T, AdminError>,
    ) -> Option<Result<T, AdminError>> {
        match self {
            Self::NotAsked => Some(ask()),
            Self::Unanswered => None,
            Self::Answered(answers) => Some(match answers.get(partition) {
                Some(answer) => answer.map_err(AdminError::Refused),
                None => ask(),
            }),
        }
    }

    /// Returns the answer about one partition if there is one already.
    fn of_those_asked(&self, partition: &TopicPartition) -> Option<Result<T, AdminError>> {
        match self {
            Self::NotAsked | Self::Unanswered => None,
            Self::Answered(answers) => {
                answers.get(partition).map(|answer| answer.map_err(AdminError::Refused))
            }
        }
    }
}

impl SettlerLoop {
    /// Returns where the logs begin of what waits and was never committed, as far as it was answered.
    pub(super) fn log_starts(&mut self, admin: &Admin) -> Together<Offset> {
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
        self.tell_watermarks_of(&known, |partition| admin.watermarks(partition));
    }

    /// Asks about one by one what is not known, until one is not answered: it goes behind the others.
    pub(super) fn tell_watermarks_of(
        &mut self,
        known: &Together<Watermarks>,
        mut ask: impl FnMut(&TopicPartition) -> Result<Watermarks, AdminError>,
    ) {
        let (mut is_answered, mut failed) = (true, Vec::new());
        for (address, partition, mailbox) in std::mem::take(&mut self.out_of_range) {
            let found = match is_answered {
                true => known.of(&partition, || ask(&partition)),
                // Each question waits for long, and settling waits behind them.
                false => known.of_those_asked(&partition),
            };
            match found {
                None => self.out_of_range.push((address, partition, mailbox)),
                Some(Ok(found)) => {
                    mailbox.send(Mail::Watermarks { address, low: found.low, high: found.high });
                }
                Some(Err(error)) => {
                    if self.said.may_say("log ends") {
                        warn!(%partition, %error, "the log's ends could not be asked, it is tried again");
                    }
                    is_answered = false;
                    failed.push((address, partition, mailbox));
                }
            }
        }
        self.out_of_range.append(&mut failed);
    }

    /// Answers where idle logs end, all in one question. If one leader does not answer, nobody is
    /// told, and it is looked who has no leader: what is idle asks again.
    pub(super) fn tell_idle_ends(&mut self) {
        let asks = std::mem::take(&mut self.idle).into_values();
        let gate = &self.gate;
        let asks: Vec<AskEnd> = asks
            .filter(|ask| gate.is_alive(ask.address) && !self.leaderless.contains(&ask.partition))
            .collect();
        if asks.is_empty() || self.clock.uptime() < self.no_ends_until {
            return;
        }
        let Some(client) = &self.client else { return };
        let partitions: Vec<_> = asks.iter().map(|ask| ask.partition.clone()).collect();
        match Admin::new(client, IDLE_ASK).log_ends(&partitions) {
            Ok(ends) => {
                for AskEnd { address, partition, asked, mailbox } in asks {
                    if let Some(Ok(end)) = ends.get(&partition) {
                        mailbox.send(Mail::LogEnd { address, end: *end, asked });
                    }
                }
            }
            Err(error) => {
                debug!(%error, "it is not known whether idle logs still end where they did");
                let known = self.leaderless.len();
                self.look_at_topics_within(IDLE_ASK);
                if self.leaderless.len() <= known {
                    self.no_ends_until = self.clock.uptime().after(IDLE_AGAIN);
                }
            }
        }
    }

    /// Asks for all of them, or for none: for one partition there is nothing to gain, and one without
    /// a leader holds up the question for all, which after a few is therefore not repeated for a while.
    fn all_at_once<T>(
        &mut self,
        partitions: &[TopicPartition],
        ask: impl FnOnce(&[TopicPartition]) -> Result<Answers<T>, AdminError>,
    ) -> Together<T> {
        if partitions.len() < 2 || self.clock.uptime() < self.one_by_one_until {
            return Together::NotAsked;
        }
        match ask(partitions) {
            Ok(answers) => {
                self.unanswered_together = 0;
                Together::Answered(answers)
            }
            Err(error) if self.unanswered_together < UNANSWERED_MAX => {
                debug!(%error, "partitions are asked about together again");
                self.unanswered_together += 1;
                Together::Unanswered
            }
            Err(error) => {
                debug!(%error, "partitions are asked about one by one");
                self.unanswered_together = 0;
                self.one_by_one_until = self.clock.uptime().after(WATCH);
                Together::NotAsked
            }
        }
    }
}
