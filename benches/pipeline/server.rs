//! A server of the benchmark as its parent sees it: this program in another role.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{Process, guarded};
use crate::support::{scratch, wait};

const READY_IN: Duration = Duration::from_secs(30);

/// Killed on drop.
pub struct Server {
    _process: Process,
    _folder: TempDir,
    pub address: String,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start(role: &str) -> Self {
        let folder = scratch::folder(role);
        let log = folder.path().join("log");
        let mut command: Command = guarded(std::env::current_exe().unwrap());
        command.args(["--role", role]);
        let process = Process::start(role, command, &log);
        let address = wait::until_or(READY_IN, || {
            let line = process.log().lines().next().map(str::to_owned)?;
            line.strip_prefix("listening ").map(str::to_owned)
        });
        let address = address.unwrap_or_else(|| panic!("no {role}:\n{}", process.log_tail()));
        Self { _process: process, _folder: folder, address }
    }
}
