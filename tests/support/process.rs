//! Child processes that never outlive the test binary.
//!
//! It owns: starting a program with its output in a file, signals by process id, the end of the
//! child when its handle is dropped, and when this process dies for any reason (`setpriv
//! --pdeathsig`, part of util-linux on every Debian).
//! It does not own: what the program is and when it is ready.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use super::wait;

/// Lines of a log that a failure shows.
const TAIL_LINES: usize = 40;

/// A signal that a test sends.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Terminate,
    Kill,
    Stop,
    Continue,
    Hangup,
    SealNow,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
            Self::Hangup => "HUP",
            Self::SealNow => "USR1",
        }
    }
}

/// A command whose child is killed when this process ends.
///
/// The kernel ties the signal to the *thread* that forked, so only [`Process::start`], which forks
/// from a thread that lives as long as the process, may start it.
pub fn guarded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running child, killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    what: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in a process group of its own, its output appended to `log`.
    pub fn start(what: &str, mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        command.process_group(0);
        let child = fork(command).unwrap_or_else(|error| panic!("cannot start {what}: {error}"));
        Self { child, what: what.to_owned(), log: log.to_owned() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; panics if the process has been waited for already.
    pub fn signal(&mut self, signal: Signal) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} has ended ({ended:?}):\n{}", self.what, self.log_tail());
        let script = format!("kill -{} {}", signal.name(), self.child.id());
        let sent = Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(sent.success(), "`{script}` failed for {}", self.what);
    }

    /// Kills at once (SIGKILL) and waits until the kernel has taken the process away.
    pub fn kill_9(&mut self) {
        // An error means that it has ended already, which is what was wanted.
        self.child.kill().ok();
        self.child.wait().unwrap();
    }

    /// Waits for the end; panics with the log's tail after `deadline`.
    pub fn wait_for_end(&mut self, deadline: Duration) -> ExitStatus {
        wait::until_or(deadline, || self.child.try_wait().unwrap()).unwrap_or_else(|| {
            panic!("{} did not end in {deadline:?}:\n{}", self.what, self.log_tail())
        })
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// Says an exit status as a person would.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

type Request = (Command, Sender<std::io::Result<Child>>);

/// Forks on the one thread that lives as long as this process (see [`guarded`]).
fn fork(command: Command) -> std::io::Result<Child> {
    static FORKER: LazyLock<Mutex<Sender<Request>>> = LazyLock::new(|| {
        let (sender, requests) = channel::<Request>();
        std::thread::Builder::new()
            .name("forker".to_owned())
            .spawn(move || {
                for (mut command, answer) in requests {
                    // A caller that is gone has panicked; the child goes with its handle.
                    answer.send(command.spawn()).ok();
                }
            })
            .unwrap();
        Mutex::new(sender)
    });
    let (answer, child) = channel();
    FORKER.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap()
}
