//! Sluice moves Kafka topics into S3, each record exactly once.
//!
//! Data goes one way, only small facts come back: `kafka` hands records to the workers of `daemon`,
//! which drive the pure machines of `engine`; those frame records with `format`, name objects with
//! `layout`, and say what to write down in Kafka and what to publish through `s3`. `config` says
//! what the file means, `command` holds one file per subcommand. `tests/layering.rs` holds the
//! arrows between the layers.

pub mod command;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod format;
pub mod kafka;
pub mod layout;
pub mod model;
pub mod mutant;
pub mod s3;
