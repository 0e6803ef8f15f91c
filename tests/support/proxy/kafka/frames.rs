//! Carries frames between one client and one broker.
//!
//! It owns: a thread for each direction, one more for each frame that waits aside, and which
//! answer belongs to which request.
//! It does not own: which requests wait (`rules.rs`).

use std::collections::HashMap;
use std::io::{BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::{KafkaRequest, Refusal, Tenant};
use crate::support::proxy::connections::{Registered, cut};
use crate::support::proxy::rules::{AnswerFate, Ending, Passage};

type Fate = AnswerFate<KafkaRequest, Refusal>;

/// One pair of connections.
struct Pair {
    tenant: Tenant,
    to_client: Mutex<TcpStream>,
    to_broker: Mutex<TcpStream>,
    /// By correlation id: requests that the broker has, and what becomes of their answers.
    asked: Mutex<HashMap<i32, (Arc<KafkaRequest>, Fate)>>,
    _registered: (Registered, Registered),
}

/// Starts the two threads of a new connection.
pub fn carry(client: TcpStream, broker: TcpStream, tenant: &Tenant) {
    let connections = &tenant.connections;
    let (Some(one), Some(two)) = (connections.admit(&client), connections.admit(&broker)) else {
        return;
    };
    client.set_nodelay(true).ok();
    broker.set_nodelay(true).ok();
    let (Ok(to_client), Ok(to_broker)) = (client.try_clone(), broker.try_clone()) else { return };
    let pair = Arc::new(Pair {
        tenant: tenant.clone(),
        to_client: Mutex::new(to_client),
        to_broker: Mutex::new(to_broker),
        asked: Mutex::default(),
        _registered: (one, two),
    });
    let other = Arc::clone(&pair);
    std::thread::spawn(move || {
        // An error is a connection that broke. The broker's side stays open while a request waits
        // aside: it may be delivered after its client is gone.
        other.carry_requests(client).ok();
        cut_unless_waiting(&other);
    });
    std::thread::spawn(move || {
        pair.carry_answers(broker).ok();
        cut(&pair.to_client.lock().unwrap());
        // Tickets of answers that will not come.
        pair.asked.lock().unwrap().clear();
    });
}

/// Closes the broker's side when the client is gone, unless a frame waits aside, whose thread
/// holds the pair too: the last one out drops it, and with it both connections.
fn cut_unless_waiting(pair: &Arc<Pair>) {
    // This thread and the one that carries answers.
    if Arc::strong_count(pair) <= 2 && pair.asked.lock().unwrap().is_empty() {
        cut(&pair.to_broker.lock().unwrap());
    }
}

impl Pair {
    fn carry_requests(self: &Arc<Self>, client: TcpStream) -> Result<()> {
        let mut client = BufReader::new(client);
        loop {
            let frame = read_frame(&mut client)?;
            let Some(request) = KafkaRequest::parse(&frame[4..]) else { return Ok(()) };
            let request = Arc::new(request);
            let Some(effect) = self.tenant.rules.decide(&request) else {
                self.forward(request, &frame, AnswerFate::Pass(None))?;
                continue;
            };
            if effect.waits() {
                let pair = Arc::clone(self);
                std::thread::spawn(move || {
                    let passage = effect.admit(&request);
                    pair.act(passage, request, &frame).ok();
                });
            } else {
                self.act(effect.admit(&request), request, &frame)?;
            }
        }
    }

    fn act(
        &self,
        passage: Passage<KafkaRequest, Refusal>,
        request: Arc<KafkaRequest>,
        frame: &[u8],
    ) -> Result<()> {
        match passage {
            Passage::Forward(fate) => self.forward(request, frame, fate)?,
            Passage::Reply(refusal) => self.answer(&framed(&request.refused(refusal)))?,
            Passage::Cut => self.cut_both(),
            Passage::Hang => (),
        }
        Ok(())
    }

    fn forward(&self, request: Arc<KafkaRequest>, frame: &[u8], fate: Fate) -> Result<()> {
        let id = request.correlation_id;
        self.asked.lock().unwrap().insert(id, (request, fate));
        let sent = self.to_broker.lock().unwrap().write_all(frame);
        if sent.is_err() {
            self.asked.lock().unwrap().remove(&id);
        }
        sent
    }

    fn carry_answers(self: &Arc<Self>, broker: TcpStream) -> Result<()> {
        let mut broker = BufReader::new(broker);
        loop {
            let frame = read_frame(&mut broker)?;
            let id = frame.get(4..8).map(|id| i32::from_be_bytes(id.try_into().unwrap()));
            let asked = id.and_then(|id| self.asked.lock().unwrap().remove(&id));
            let Some((request, fate)) = asked else { return Ok(()) };
            if fate.waits() {
                let pair = Arc::clone(self);
                std::thread::spawn(move || pair.settle(fate, &request, &frame));
            } else {
                self.settle(fate, &request, &frame);
            }
        }
    }

    fn settle(&self, fate: Fate, request: &KafkaRequest, frame: &[u8]) {
        let (ending, _ticket) = fate.settle();
        // A client that is gone does not matter: the broker may have more to say to a test that
        // waits for a delivered request.
        match ending {
            Ending::Pass => self.answer(frame).ok(),
            Ending::Replace(refusal) => self.answer(&framed(&request.refused(refusal))).ok(),
            Ending::Cut => {
                self.cut_both();
                None
            }
        };
    }

    fn answer(&self, frame: &[u8]) -> Result<()> {
        self.to_client.lock().unwrap().write_all(frame)
    }

    fn cut_both(&self) {
        cut(&self.to_client.lock().unwrap());
        cut(&self.to_broker.lock().unwrap());
    }
}

/// A frame with its length before it.
fn read_frame(from: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let bytes = u64::from(u32::from_be_bytes(length));
    let mut frame = length.to_vec();
    if u64::try_from(from.take(bytes).read_to_end(&mut frame)?).ok() != Some(bytes) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}

fn framed(answer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(answer.len()).expect("an answer of ours is short");
    [&length.to_be_bytes(), answer].concat()
}
