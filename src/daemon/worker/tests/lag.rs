//! The end of a log is known although no read reaches it.

use crate::daemon::clock::wall;
use std::rc::Rc;

use super::*;
use crate::daemon::worker::log_end::{ASK_EVERY, ASK_IDLE_EVERY};
use crate::daemon::worker::slot::Kept;
use crate::kafka::ffi::{Content, Place};
use crate::kafka::seat::{Messages, Read};
use crate::model::{NoHeaders, Record, Timestamp};

/// One record at this offset.
#[derive(Debug)]
struct One(i64);

impl Messages for One {
    fn get(&self, index: usize) -> Option<&dyn Read> {
        (index == 0).then_some(self)
    }
}

impl Read for One {
    fn place(&self) -> Place<'_> {
        Place::of(0, 0)
    }

    fn topic(&self) -> &[u8] {
        b"pin"
    }

    fn partition(&self) -> i32 {
        0
    }

    fn content(&self) -> Content<'_> {
        let headers = &NoHeaders;
        Content::Record(Record {
            offset: at(self.0),
            timestamp: None,
            key: None,
            value: None,
            headers,
        })
    }
}

#[test]
fn what_is_kept_aside_was_consumed_and_is_not_buffered() {
    let mut rig = Rig::new(at(3));
    rig.slot().aside.push_back(Kept { batch: Rc::new(One(9)), index: 0 });
    rig.worker.report(Uptime::ZERO);
    let text = String::from_utf8(rig.worker.around.metrics.text().unwrap()).unwrap();
    for line in ["stage=\"consumed\"} 10", "stage=\"buffered\"} 3"] {
        assert!(text.contains(&format!("partition=\"0\",{line}\n")), "{line}:\n{text}");
    }
}

#[test]
fn a_fetch_says_where_the_log_ends() {
    let mut rig = Rig::reading(at(0));
    rig.slot().is_paused = false;
    rig.until("the log's end", |rig| {
        rig.worker.report(Uptime::ZERO);
        rig.slot().log_end == Some(at(0))
    });
    assert_eq!(rig.worker.around.status.snapshot((Uptime::ZERO, wall()), 1).partitions.lag, 0);
}

/// Stopped, it is not fetched; what is answered says how far it lags, and judges nothing.
#[test]
fn the_end_of_a_log_that_is_not_fetched_is_asked_for() {
    let mut rig = Rig::new(at(3));
    let reason = crate::engine::StopReason::UploadsLost { times: 4 };
    rig.worker.drive(rig.address, Input::CannotGoOn(reason));
    rig.worker.report(Uptime::ZERO);
    assert!(!rig.slot().asks_log_end, "a short pause asks nobody");
    rig.worker.report(Uptime::ZERO.after(ASK_EVERY));
    assert!(rig.slot().asks_log_end);
    let (address, low, high) = (rig.address, at(5), at(10));
    rig.worker.serve(Mail::Watermarks { address, low, high });
    rig.worker.report(Uptime::ZERO.after(ASK_EVERY));
    let snapshot = rig.worker.around.status.snapshot((Uptime::ZERO, wall()), 1);
    assert_eq!(snapshot.partitions.lag, 7);
    assert_eq!(snapshot.rows[0].1.stopped.as_ref().unwrap().reason, "uploads_lost");
}

/// Its machine is still to come; where the group stands is known.
#[test]
fn a_partition_that_starts_lags_from_what_is_committed() {
    let mut rig = Rig::new(at(3));
    rig.slot().state = State::Settling;
    rig.slot().committed_is(at(3));
    rig.worker.report(Uptime::ZERO);
    let text = String::from_utf8(rig.worker.around.metrics.text().unwrap()).unwrap();
    assert!(text.contains("\nsluice_starting_partitions 1\n"), "{text}");
    let (address, low, high) = (rig.address, at(0), at(10));
    rig.worker.serve(Mail::Watermarks { address, low, high });
    rig.worker.report(Uptime::ZERO);
    assert_eq!(rig.worker.around.status.snapshot((Uptime::ZERO, wall()), 1).partitions.lag, 7);
}

/// That nothing is fetched may also mean that the leader does not answer.
#[test]
fn an_idle_partition_says_a_time_only_when_the_end_of_its_log_was_answered() {
    let mut rig = Rig::new(at(3));
    rig.slot().is_paused = false;
    rig.slot().log_end_is(at(3));
    let said = |rig: &mut Rig, now| {
        rig.worker.report(now);
        let text = String::from_utf8(rig.worker.around.metrics.text().unwrap()).unwrap();
        let line = text.lines().find(|line| line.starts_with("sluice_partition_published_time"));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    assert_eq!(said(&mut rig, Uptime::ZERO), None);
    assert_eq!(rig.slot().ask_idle_at, Uptime::ZERO.after(ASK_IDLE_EVERY), "it was asked");
    let (address, asked) = (rig.address, Timestamp::from_millis(1_700_000_000_000));
    rig.worker.serve(Mail::LogEnd { address, end: at(4), asked });
    assert_eq!(said(&mut rig, Uptime::ZERO), None, "there is a record that was not read");
    assert!(!rig.slot().is_idle());
    let mut rig = Rig::new(at(3));
    rig.worker.serve(Mail::LogEnd { address: rig.address, end: at(3), asked });
    assert_eq!(said(&mut rig, Uptime::ZERO).as_deref(), Some("1700000000"));
}

#[test]
fn a_missing_leader_is_shown_until_there_is_one() {
    let mut rig = Rig::new(at(3));
    for (is_there, count) in [(false, 1), (true, 0)] {
        rig.worker.serve(Mail::HasLeader { address: rig.address, is_there });
        let text = String::from_utf8(rig.worker.around.metrics.text().unwrap()).unwrap();
        assert!(text.contains(&format!("\nsluice_leaderless_partitions {count}\n")), "{text}");
    }
}
