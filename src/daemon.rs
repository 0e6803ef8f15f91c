//! The daemon: threads, start and stop, and what it shows of itself.
//!
//! It owns: the place where the edges meet, and the ways to look in: metrics, status, HTTP, logs,
//! systemd.
//! It does not own: any rule of the protocol, any text format but those of its own pages.
//!
//! - one polling thread: rebalances, tokens (`group`, `run`);
//! - workers: each owns partitions, their queue and their machines (`worker`);
//! - the commit thread: requests and answers, behind the gate (`gate`);
//! - the settling thread: where partitions start (`settler`);
//! - the upload runtime: S3, HTTP.

mod budget;
pub mod claimed;
mod clock;
pub mod connect;
mod gate;
mod group;
pub mod http;
pub mod live;
pub mod log;
mod mailbox;
pub mod metrics;
pub mod notify;
mod observe;
pub mod page;
pub mod run;
mod said;
mod settler;
#[cfg(any(test, feature = "mutants"))]
pub mod simulation;
pub mod status;
mod stores;
mod worker;
