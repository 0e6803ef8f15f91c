//! What is asked of Kafka for all partitions that wait: topic ids, and who else is in the group.

use std::collections::BTreeMap;

use tracing::warn;

use super::{SettlerLoop, not_allowed, refuse};
use crate::daemon::gate::Order;
use crate::daemon::run::Brokers;
use crate::kafka::CLIENT_ID_PREFIX;
use crate::kafka::admin::{Admin, AdminError, TopicDescription};
use crate::kafka::ffi::ErrorCode;
use crate::model::{Topic, TopicId};

impl SettlerLoop {
    /// Asks what concerns all partitions: topic ids, and who else is in the group.
    #[expect(clippy::type_complexity, reason = "one answer of one call, taken apart at once")]
    pub(super) fn ask(
        &mut self,
        admin: &Admin,
    ) -> Result<(BTreeMap<Topic, Result<TopicDescription, ErrorCode>>, Option<String>), AdminError>
    {
        let mut names: Vec<_> =
            self.waiting.iter().map(|request| request.partition.topic.clone()).collect();
        names.sort();
        names.dedup();
        if self.options.brokers == Brokers::Mock {
            let unknown =
                || TopicDescription { id: TopicId::UNKNOWN, partitions: 0, leaderless: Vec::new() };
            return Ok((names.into_iter().map(|name| (name, Ok(unknown()))).collect(), None));
        }
        let topics = admin.topics(&names)?;
        let members = admin.members(&self.options.group);
        match &members {
            Ok(_) => self.silence.answered(),
            Err(error) if error.denied().is_some() => {}
            // Seen after a rebalance in which every connection was cut: the group was there, and
            // librdkafka (2.12) sent no such question any more. A new client does.
            Err(error) if self.silence.unanswered(self.clock.uptime()) => {
                warn!(%error, "the group's coordinator is silent: the client is made anew");
                self.gate.order(Order::NewClient);
            }
            Err(_) => {}
        }
        let members = members?;
        let is_foreign = |id: &String| !id.starts_with(CLIENT_ID_PREFIX);
        Ok((topics, members.into_iter().map(|member| member.client_id).find(is_foreign)))
    }

    /// What passes is asked again; what a person has to grant stops whoever waits for it.
    pub(super) fn unanswered(&mut self, error: &AdminError) {
        match error.denied() {
            Some(code) => {
                for request in std::mem::take(&mut self.waiting) {
                    let reason = not_allowed(&request, code);
                    refuse(request, reason);
                }
            }
            None if self.said.may_say("description") => {
                warn!(%error, "topics and the group could not be described, it is tried again");
            }
            None => {}
        }
    }
}
