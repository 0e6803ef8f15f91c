//! What the settling thread does between its waits.

use std::sync::Arc;

use super::{Instance, WATCH};
use crate::config;
use crate::daemon::mailbox::Mail;
use crate::daemon::run::Brokers;
use crate::daemon::settler::{KafkaFacts, Order, Request, SettlerOptions, decide_from};
use crate::daemon::simulation::client::offset;
use crate::engine::{CommittedOffset, Source};
use crate::model::ClusterId;

impl Instance {
    /// The settling thread: answers what was asked, if Kafka answers.
    pub(in crate::daemon::simulation) fn settle(&mut self) {
        let orders: Vec<Order> = self.orders.try_iter().collect();
        for order in orders {
            match order {
                Order::Settle(request) => self.requests.push(*request),
                Order::Watermarks { address, partition, mailbox } => {
                    let kafka = self.kafka.lock();
                    let Some(log) = kafka.cluster.logs.get(&partition) else { continue };
                    let (low, high) = (offset(log.start), offset(log.end()));
                    mailbox.send(Mail::Watermarks { address, low, high });
                }
                Order::LookAtTopics => self.watch_at = self.clock.uptime(),
                Order::Client(_)
                | Order::ClientGone { .. }
                | Order::LogEnd(_)
                | Order::Look(_)
                | Order::Topics(_)
                | Order::Stop => {}
            }
        }
        for request in std::mem::take(&mut self.requests) {
            if !self.gate.is_alive(request.address) {
                continue;
            }
            if let Some(unanswered) = self.settle_one(request) {
                self.requests.push(unanswered);
            }
        }
        if self.clock.uptime() >= self.watch_at {
            self.look_at_topics();
        }
    }

    pub(in crate::daemon::simulation) fn settle_one(
        &mut self,
        request: Request,
    ) -> Option<Request> {
        let facts = {
            let mut kafka = self.kafka.lock();
            let trouble = kafka.trouble;
            if kafka.dice.chance(trouble) {
                return Some(request);
            }
            let partition = request.partition.clone();
            let log = kafka.cluster.logs.get(&partition)?;
            let stored = kafka.coordinator.commits.get(&partition);
            let committed = match &request.committed {
                Some(found) => found.offset.map(|offset| (offset, found.metadata.clone())),
                None => stored.map(|stored| (stored.offset, stored.metadata.clone())),
            };
            let committed =
                committed.map(|(offset, metadata)| CommittedOffset { offset, metadata });
            let cluster = ClusterId::new("cluster").expect("this is a name");
            let topic_id = kafka.cluster.topic_id;
            let source = Source { cluster, partition, topic_id };
            KafkaFacts { source, committed, start: offset(log.start) }
        };
        let Request { address, partition, mailbox, .. } = request;
        self.watched.push((partition, facts.source.topic_id, mailbox.clone()));
        let options = SettlerOptions {
            group: self.settings.get().kafka.group_id.clone(),
            claims_prefix: self.settings.get().s3.claims_prefix.clone(),
            starts_at_end: self.settings.get().kafka.start == config::Start::Latest,
            brokers: Brokers::Real,
            settings: self.settings.clone(),
        };
        let (gate, decision) =
            (Arc::clone(&self.gate), decide_from(Arc::clone(&self.stores), facts, options));
        tokio::spawn(async move {
            if let Some(result) = decision.await.filter(|_| gate.is_alive(address)) {
                mailbox.send(Mail::Settled { address, result: Box::new(result) });
            }
        });
        None
    }

    pub(in crate::daemon::simulation) fn look_at_topics(&mut self) {
        self.watch_at = self.clock.uptime().after(WATCH);
        let found = self.kafka.lock().cluster.topic_id;
        for (partition, topic_id, mailbox) in &self.watched {
            if *topic_id != found {
                mailbox.send(Mail::TopicIs { partition: partition.clone(), found });
            }
        }
    }
}
