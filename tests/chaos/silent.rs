//! What a chaos run found, smaller: a coordinator that comes back after a question was given up.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use sluice::kafka::admin::Admin;
use sluice::kafka::ffi::ClientHandle;
use sluice::model::GroupId;

use crate::support::Kafka;
use crate::support::kafka::Options;
use crate::support::wait;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

/// librdkafka (2.12) frees such a question at its own timeout and sends it all the same when the
/// coordinator is there again: an assertion on freed memory ended the process.
#[test]
fn a_question_given_up_does_no_harm_when_the_coordinator_is_back() {
    let own = Kafka::start(Options::default());
    let client = || -> Arc<BaseConsumer> {
        Arc::new(own.client().set("group.id", "group").create().unwrap())
    };
    let (consumer, other) = (client(), client());
    let group = GroupId::new("group").unwrap();
    let ask = |timeout| Admin::new(&ClientHandle::new(&consumer), timeout).members(&group);
    // The coordinator makes its topic first.
    wait::until("the first answer", LONG, || ask(LONG).ok());
    own.kill_9();
    wait::until("the connection to break", LONG, || ask(SHORT).is_err().then_some(()));
    assert!(ask(SHORT).is_err());
    // A client that is closed with such a question open.
    assert!(Admin::new(&ClientHandle::new(&other), SHORT).members(&group).is_err());
    drop(other);
    own.restart();
    wait::until("an answer", LONG, || ask(LONG).is_ok().then_some(()));
}
