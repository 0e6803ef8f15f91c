//! One file per subcommand, and the parts that only subcommands need.
//!
//! It owns: what a person types and reads: arguments, progress, reports, exit codes.
//! It does not own: any work of the daemon; subcommands start that and look at it from outside.

pub mod check;
pub mod demo;
pub mod emulate;
pub mod explain;
pub mod package_files;
pub mod posts;
pub mod progress;
pub mod recover;
pub mod run;
pub mod settings;
pub mod verdict;
pub mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Moves Kafka topics into S3, each record exactly once.
///
/// Exit codes: 0 all is well, 1 findings, 65 stopped by a record or lost records, 69 a service is
/// unreachable, 70 a bug, 78 the configuration has faults.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    common: settings::Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Verify(verify::Arguments),
    Recover(recover::Arguments),
    Explain(explain::Arguments),
    Demo(demo::Arguments),
    Emulate(emulate::Arguments),
    #[command(hide = true)]
    PackageFiles(package_files::Arguments),
}

/// Runs what the command line asks for. To be called first in the process, before any thread.
pub fn main() -> ExitCode {
    crate::kafka::ffi::set_up_memory();
    let Arguments { common, command } = Arguments::parse();
    let code = match command {
        Command::Run(arguments) => run::main(&common, &arguments),
        Command::Check(arguments) => check::main(&common, &arguments),
        Command::Verify(arguments) => verify::main(&common, &arguments),
        Command::Recover(arguments) => recover::main(&common, &arguments),
        Command::Explain(arguments) => explain::main(&common, &arguments),
        Command::Demo(arguments) => demo::main(&common, &arguments),
        Command::Emulate(arguments) => emulate::main(&common, &arguments),
        Command::PackageFiles(arguments) => package_files::main(&arguments),
    };
    ExitCode::from(code)
}
