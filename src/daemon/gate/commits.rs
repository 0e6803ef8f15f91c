//! The commit thread: hands requests to librdkafka and takes its answers.
//!
//! It owns: the queue of the answers of one client, how its codes are read.
//! It does not own: what is sent and when (`engine::Committer`, behind the gate).

use std::time::Duration;

use tracing::warn;

use super::{Gate, NotSent};
use crate::engine::{CommitAnswer, CommitRequest, FaultCode};
use crate::kafka::commit_fault;
use crate::kafka::ffi::{self, CommitQueue};
use crate::model::Uptime;

/// How long the commit thread waits for an answer before it looks around.
const POLL: Duration = Duration::from_millis(200);

/// The commit thread's own: the queue of one client.
#[derive(Debug)]
pub(in crate::daemon) struct CommitLoop {
    queue: CommitQueue,
    /// The request on its way, as librdkafka and as the committer call it.
    request: Option<(ffi::RequestId, u64)>,
}

impl CommitLoop {
    pub(super) fn new(queue: CommitQueue) -> Self {
        Self { queue, request: None }
    }

    /// Sends and receives until the gate is closed. `beat` is called at least every `POLL`.
    pub(in crate::daemon) fn run(mut self, gate: &Gate, beat: impl Fn(Uptime)) {
        loop {
            let now = gate.clock.uptime();
            beat(now);
            if gate.is_closed() {
                return;
            }
            let deadline = gate.send_next(now, |request| self.send(request));
            let wait = deadline.map_or(POLL, |at| at.since(now).min(POLL));
            let wait = wait.max(Duration::from_millis(1));
            if let Some(answer) = self.queue.poll(wait) {
                self.answered(gate, answer);
            }
        }
    }

    /// Hands a request to librdkafka.
    fn send(&mut self, request: CommitRequest) -> Result<(), NotSent> {
        let entries: Vec<_> = request
            .entries
            .into_iter()
            .map(|entry| ffi::CommitEntry {
                partition: entry.partition,
                offset: entry.offset,
                metadata: entry.metadata,
            })
            .collect();
        match self.queue.send(&entries) {
            Ok(sent) => self.request = Some((sent, request.id)),
            Err(error) => {
                warn!(%error, "a commit could not be sent, it is repeated");
                return Err(NotSent);
            }
        }
        Ok(())
    }

    fn answered(&mut self, gate: &Gate, answer: ffi::CommitAnswer) {
        let Some((_, id)) = self.request.take_if(|(sent, _)| *sent == answer.request) else {
            return;
        };
        let codes = answer.partitions.iter().filter_map(|(_, code)| *code).chain(answer.error);
        let faults: Vec<_> = codes
            .map(|code| FaultCode { fault: commit_fault(code, gate.protocol), code: code.name() })
            .collect();
        gate.take_answer(gate.clock.uptime(), &CommitAnswer { id, faults });
    }
}
