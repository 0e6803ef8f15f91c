//! The proxy before Kafka: knows the kind of each request, and what a commit carries.
//!
//! It owns: the slots (listeners of the brokers that only a proxy knows), naming requests, and
//! carrying frames both ways.
//! It does not own: the brokers, nor addresses in answers. Every broker has a listener per slot
//! whose *advertised* address is the proxy's, so that whatever a broker says (metadata,
//! coordinators, the new leader inside a refused fetch, whatever the next release adds) leads back
//! to the proxy. Rewriting answers here would need every such answer, in every version, decoded.
//!
//! A request that is held steps aside: those behind it on the same connection pass, so that a held
//! commit does not silence the heartbeats. librdkafka, the client in question, finds answers by
//! their correlation id; it does not need them in order.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use super::connections::Connections;
use super::rules::{Effect, Hold, On, Rules, When};

mod frames;
mod request;

pub use request::{Commit, KafkaRequest, Kind, on};

type KafkaRules = Rules<KafkaRequest, Refusal>;

/// An answer of our own to a commit: this error for every partition in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub i16);

/// What the slots of one cluster share with their proxies.
struct Inner {
    /// By slot.
    lanes: Vec<Arc<Lane>>,
    /// Indices of `lanes` that no proxy has.
    free: Mutex<Vec<usize>>,
    freed: Condvar,
    closed: AtomicBool,
}

/// One slot: an address of ours for each broker.
struct Lane {
    addresses: Vec<SocketAddr>,
    brokers: Vec<OnceLock<SocketAddr>>,
    /// The proxy that has this slot.
    tenant: Mutex<Option<Tenant>>,
}

#[derive(Clone, Default)]
struct Tenant {
    rules: Arc<KafkaRules>,
    connections: Arc<Connections>,
}

/// The places where proxies of a cluster can stand.
pub struct Slots {
    inner: Arc<Inner>,
}

impl Slots {
    /// Takes a port per slot and broker; the brokers advertise them.
    pub fn bind(slots: usize, brokers: usize) -> Self {
        let mut listeners = Vec::new();
        let lanes: Vec<Arc<Lane>> = (0..slots)
            .map(|_| {
                let bound: Vec<TcpListener> =
                    (0..brokers).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
                let addresses = bound.iter().map(|one| one.local_addr().unwrap()).collect();
                let brokers = (0..brokers).map(|_| OnceLock::new()).collect();
                let lane = Arc::new(Lane { addresses, brokers, tenant: Mutex::new(None) });
                let numbered = bound.into_iter().enumerate();
                listeners.extend(numbered.map(|(broker, one)| (Arc::clone(&lane), broker, one)));
                lane
            })
            .collect();
        let free = Mutex::new((0..slots).collect());
        let closed = AtomicBool::new(false);
        let inner = Arc::new(Inner { lanes, free, freed: Condvar::new(), closed });
        for (lane, broker, listener) in listeners {
            let inner = Arc::clone(&inner);
            std::thread::spawn(move || accept(&inner, &lane, broker, &listener));
        }
        Self { inner }
    }

    /// The port that a broker advertises for a slot.
    pub fn port(&self, slot: usize, broker: usize) -> u16 {
        self.inner.lanes[slot].addresses[broker].port()
    }

    /// Says where a broker listens for each slot.
    pub fn point(&self, broker: usize, ports: &[u16]) {
        for (lane, port) in self.inner.lanes.iter().zip(ports) {
            let address = SocketAddr::from(([127, 0, 0, 1], *port));
            lane.brokers[broker].set(address).expect("told once");
        }
    }

    /// Waits for a free slot and puts a proxy there.
    pub fn take(&self) -> KafkaProxy {
        let free = self.inner.free.lock().unwrap();
        let mut free = self.inner.freed.wait_while(free, |free| free.is_empty()).unwrap();
        let slot = free.pop().expect("waited for above");
        drop(free);
        let tenant = Tenant::default();
        *self.inner.lanes[slot].tenant.lock().unwrap() = Some(tenant.clone());
        KafkaProxy { slot, tenant, inner: Arc::clone(&self.inner) }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Relaxed);
        // Wakes the threads that accept.
        for address in self.inner.lanes.iter().flat_map(|lane| &lane.addresses) {
            TcpStream::connect(address).ok();
        }
    }
}

fn accept(inner: &Inner, lane: &Lane, broker: usize, listener: &TcpListener) {
    for client in listener.incoming().flatten() {
        if inner.closed.load(Ordering::Relaxed) {
            return;
        }
        let tenant = lane.tenant.lock().unwrap().clone();
        // Without a proxy, or without a broker, there is nobody here: the client sees a reset.
        let (Some(tenant), Some(broker)) = (tenant, lane.brokers[broker].get()) else { continue };
        let Ok(server) = TcpStream::connect(broker) else { continue };
        frames::carry(client, server, &tenant);
    }
}

/// A proxy before all brokers of a cluster; gone, with all its connections, on drop.
pub struct KafkaProxy {
    slot: usize,
    tenant: Tenant,
    inner: Arc<Inner>,
}

impl KafkaProxy {
    /// What a client is given that shall go through here.
    pub fn bootstrap(&self) -> String {
        let addresses = self.inner.lanes[self.slot].addresses.iter();
        addresses.map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
    }

    pub fn hold(&self, on: On<KafkaRequest>, when: When) -> Hold<KafkaRequest> {
        self.tenant.rules.hold(on, when)
    }

    /// The broker sees nothing, the client gets this error for every partition of its commit.
    pub fn refuse_commits(&self, on: On<KafkaRequest>, error_code: i16) {
        let commits = on.and(|request| request.kind == Kind::OffsetCommit);
        self.tenant.rules.add(commits, Effect::Answer(Refusal(error_code)));
    }

    /// The broker commits, and the client gets this error in place of the true answer.
    pub fn deliver_then_refuse_commits(&self, on: On<KafkaRequest>, error_code: i16) {
        let commits = on.and(|request| request.kind == Kind::OffsetCommit);
        self.tenant.rules.add(commits, Effect::DeliverThenAnswer(Refusal(error_code)));
    }

    pub fn drop_requests(&self, on: On<KafkaRequest>) {
        self.tenant.rules.add(on, Effect::DropRequest);
    }

    pub fn drop_answers(&self, on: On<KafkaRequest>) {
        self.tenant.rules.add(on, Effect::DropAnswer);
    }

    pub fn delay(&self, on: On<KafkaRequest>, delay: Duration) {
        self.tenant.rules.add(on, Effect::Delay(delay));
    }

    /// The request never gets there and is never answered; the connection lives.
    pub fn hang(&self, on: On<KafkaRequest>) {
        self.tenant.rules.add(on, Effect::Hang);
    }

    /// Every request from now on passes; what is held or hangs stays so.
    pub fn clear(&self) {
        self.tenant.rules.clear();
    }

    pub fn seen(&self) -> Vec<Arc<KafkaRequest>> {
        self.tenant.rules.seen()
    }

    /// How many requests of this kind came so far.
    pub fn count(&self, kind: Kind) -> usize {
        self.seen().iter().filter(|request| request.kind == kind).count()
    }

    pub fn connections(&self) -> &Connections {
        &self.tenant.connections
    }
}

impl Drop for KafkaProxy {
    fn drop(&mut self) {
        *self.inner.lanes[self.slot].tenant.lock().unwrap() = None;
        self.tenant.connections.cut_off();
        self.inner.free.lock().unwrap().push(self.slot);
        self.inner.freed.notify_one();
    }
}
