//! Two proxies of ours that hold, drop, delay and forge single steps: one before S3, one before
//! Kafka.
//!
//! A rule says which requests it means ([`On`]) and what happens to them:
//!
//! ```ignore
//! let hold = proxy.hold(on(Operation::PutObject).key("pin+0"), When::Before);
//! hold.reached();                  // the daemon's request is here and nowhere else
//! daemon.kill_9();
//! hold.deliver_and_drop_answer();  // ... and now it reaches the store after all
//! ```
//!
//! It owns: the rules and holds that both share (`rules.rs`) and their open connections.
//! It does not own: the servers behind.

pub mod connections;
pub mod http;
pub mod kafka;
pub mod rules;
pub mod s3;

pub use rules::{Hold, On, When};
