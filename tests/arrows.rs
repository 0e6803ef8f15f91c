//! Every arrow of the protocol, held by a proxy while the daemon dies there or its network fails.
//!
//! open --seal--> sealed --commit(start, plan)--> planned --publish--> published --commit(end, ..)-->
//! done: before each of them a pin and a claim. Whatever happens at an arrow, in the end every
//! record is in the bucket exactly once and the group has committed all of them.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod arrows {
    mod case;
    mod head_first;
    mod kafka_faults;
    mod killed;
    mod s3_faults;
    mod seen;
    mod stopped;
}
