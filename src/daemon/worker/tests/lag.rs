//! The end of a log is known although no read reaches it.

use super::*;
use crate::daemon::worker::log_end::ASK_EVERY;

#[test]
fn a_fetch_says_where_the_log_ends() {
    let mut rig = Rig::reading(at(0));
    rig.slot().is_paused = false;
    rig.until("the log's end", |rig| {
        rig.worker.report(Uptime::ZERO);
        rig.slot().log_end == Some(at(0))
    });
    assert_eq!(rig.worker.around.status.snapshot(Uptime::ZERO, 1).partitions.lag, 0);
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
    let snapshot = rig.worker.around.status.snapshot(Uptime::ZERO, 1);
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
    assert_eq!(rig.worker.around.status.snapshot(Uptime::ZERO, 1).partitions.lag, 7);
}
