//! `sluice demo`: the parts that the demo puts around the daemon.
//!
//! It owns: a Kafka ([`cluster`]) and an S3 ([`s3_server`]) of its own on loopback, the posts that
//! go in ([`feed`]), and the check of what came out ([`check`]). It does not own: the daemon.
//!
//! It shows wiring, not proof: neither of its servers is the real one.

pub mod check;
pub mod cluster;
pub mod feed;
pub mod s3_server;

#[cfg(test)]
mod tests;
