//! What the settling thread is asked to do, and the end that asks.

use std::sync::mpsc::{SyncSender, sync_channel};

use crate::daemon::mailbox::Mailbox;
use crate::engine::Address;
use crate::kafka::ffi::{ClientHandle, Committed};
use crate::model::{Timestamp, Topic, TopicPartition};
use crate::s3::Etag;

/// A partition that wants to start.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Request {
    pub(in crate::daemon) address: Address,
    pub(in crate::daemon) partition: TopicPartition,
    /// As the assign callback read it; none: ask.
    pub(in crate::daemon) committed: Option<Committed>,
    pub(in crate::daemon) mailbox: Mailbox,
}

/// A stopped partition whose claim may hold a decision by now.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Look {
    pub(in crate::daemon) address: Address,
    pub(in crate::daemon) partition: TopicPartition,
    /// The claim with the decision that was seen before: it is not told again.
    pub(in crate::daemon) seen: Option<Etag>,
    pub(in crate::daemon) mailbox: Mailbox,
}

/// An idle partition that wants to know where its log ends.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct AskEnd {
    pub(in crate::daemon) address: Address,
    pub(in crate::daemon) partition: TopicPartition,
    /// When: comes back with the answer.
    pub(in crate::daemon) asked: Timestamp,
    pub(in crate::daemon) mailbox: Mailbox,
}

#[derive(Debug)]
pub(in crate::daemon) enum Order {
    Client(ClientHandle),
    ClientGone {
        done: SyncSender<()>,
    },
    Settle(Box<Request>),
    Watermarks {
        address: Address,
        partition: TopicPartition,
        mailbox: Mailbox,
    },
    LogEnd(Box<AskEnd>),
    Look(Box<Look>),
    Topics(Vec<Topic>),
    /// Compare topic ids now, not at the next minute.
    LookAtTopics,
    Stop,
}

/// The end that takes orders.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Settler(SyncSender<Order>);

impl Settler {
    pub(in crate::daemon) fn new(orders: SyncSender<Order>) -> Self {
        Self(orders)
    }

    pub(in crate::daemon) fn client(&self, client: ClientHandle) {
        self.send(Order::Client(client));
    }

    /// Waits until the client is let go of.
    pub(in crate::daemon) fn client_gone(&self) {
        let (done, gone) = sync_channel(1);
        self.send(Order::ClientGone { done });
        gone.recv().ok();
    }

    pub(in crate::daemon) fn settle(&self, request: Request) {
        self.send(Order::Settle(Box::new(request)));
    }

    pub(in crate::daemon) fn watermarks(
        &self,
        address: Address,
        of: &TopicPartition,
        mailbox: &Mailbox,
    ) {
        let (partition, mailbox) = (of.clone(), mailbox.clone());
        self.send(Order::Watermarks { address, partition, mailbox });
    }

    /// Asks where the log of an idle partition ends; what cannot be asked now has no answer.
    pub(in crate::daemon) fn log_end(&self, ask: AskEnd) {
        // A settler that is behind with thousands of orders is not to be waited for: it is asked again.
        self.0.try_send(Order::LogEnd(Box::new(ask))).ok();
    }

    /// Looks whether the claim of a stopped partition holds a decision.
    pub(in crate::daemon) fn look(&self, look: Look) {
        self.send(Order::Look(Box::new(look)));
    }

    /// What the group subscribes to.
    pub(in crate::daemon) fn topics(&self, topics: Vec<Topic>) {
        self.send(Order::Topics(topics));
    }

    pub(in crate::daemon) fn look_at_topics(&self) {
        self.send(Order::LookAtTopics);
    }

    pub(in crate::daemon) fn stop(&self) {
        self.send(Order::Stop);
    }

    fn send(&self, order: Order) {
        // the thread outlives its senders; after its end nothing needs an answer
        drop(self.0.send(order));
    }
}
