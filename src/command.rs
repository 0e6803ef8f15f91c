//! One file per subcommand, and the parts that only subcommands need.
//!
//! It owns: what a person types and reads: arguments, progress, reports, exit codes.
//! It does not own: any work of the daemon; subcommands start that and look at it from outside.

pub mod demo;
pub mod emulate;
pub mod posts;
pub mod progress;
