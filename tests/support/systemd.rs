//! A real systemd, booted in namespaces of its own beside the tests' servers.
//!
//! It owns: the machine's life, commands inside, files, properties of units, the journal.
//! It does not own: what is installed there. The script `systemd/boot.sh` makes the machine; it
//! needs root, and leaves the host's files, kernel settings and units alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{self, Process};
use super::{scratch, wait};

const BOOTED_IN: Duration = Duration::from_secs(60);
/// Before the names of our groups of processes.
const GROUP: &str = "sluice-tests-";

/// A running machine; all its processes are killed and its files gone on drop.
pub struct Machine {
    process: Process,
    /// The process id of its systemd, as the host counts.
    init: u32,
    group: PathBuf,
    _folder: TempDir,
}

impl Machine {
    /// Boots; panics without root.
    pub fn boot() -> Self {
        let folder = scratch::folder("systemd");
        let group = make_group(folder.path());
        let script = folder.path().join("boot.sh");
        std::fs::write(&script, include_str!("systemd/boot.sh")).unwrap();
        let files = folder.path().join("files");
        std::fs::create_dir(&files).unwrap();
        // The cgroup namespace begins at the group that its first process is in.
        let enter = format!(
            "echo $$ >{}/cgroup.procs && exec unshare --fork --kill-child --pid --mount --cgroup \
             --uts --ipc --propagation private bash \"$0\" \"$1\"",
            group.display()
        );
        let mut command = process::guarded("bash");
        command.args(["-c", &enter]).arg(&script).arg(&files);
        let mut process = Process::start("systemd", command, &folder.path().join("console.log"));
        let init = wait::until_or(BOOTED_IN, || {
            let ended = process.ended().map(process::describe);
            assert_eq!(ended, None, "there is no systemd:\n{}", process.log_tail());
            child_that_is_systemd(process.id())
        });
        let init = init.unwrap_or_else(|| panic!("no systemd:\n{}", process.log_tail()));
        let machine = Self { process, init, group, _folder: folder };
        wait::until("the end of the boot", BOOTED_IN, || {
            // `degraded`: a unit of the host that has nothing to do here failed.
            let said = machine.output(&["systemctl", "is-system-running"]);
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            ["running", "degraded"].contains(&said.trim()).then_some(())
        });
        machine
    }

    /// Runs a command to its end.
    pub fn output(&self, command: &[&str]) -> Output {
        self.enter(command).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it says.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> String {
        said(command, &self.output(command))
    }

    /// Writes a file, with its folders.
    #[track_caller]
    pub fn write(&self, path: &str, mode: &str, bytes: &[u8]) {
        let script = r#"mkdir -p "$(dirname "$0")" && cat >"$0" && chmod "$1" "$0""#;
        let command = ["sh", "-c", script, path, mode];
        let mut child = self.enter(&command).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        said(&command, &child.wait_with_output().unwrap());
    }

    /// One property of a unit, as `systemctl show` says it.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", name, unit]).trim().to_owned()
    }

    /// Waits until a property of a unit is this.
    #[track_caller]
    pub fn until_property(&self, unit: &str, name: &str, wanted: &str, deadline: Duration) {
        let is_so =
            wait::until_or(deadline, || (self.property(unit, name) == wanted).then_some(()));
        let last = self.property(unit, name);
        assert!(
            is_so.is_some(),
            "`{name}` of {unit} is `{last}`, not `{wanted}`:\n{}",
            self.status(unit)
        );
    }

    /// Every entry of a unit's processes in the journal, with its fields.
    #[track_caller]
    pub fn journal(&self, unit: &str) -> Vec<Value> {
        let own = format!("_SYSTEMD_UNIT={unit}");
        let said = self.run(&["journalctl", "--no-pager", "--output", "json", &own]);
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a person would ask for when a test failed.
    pub fn status(&self, unit: &str) -> String {
        let said = self.output(&["systemctl", "status", "--no-pager", "--lines=40", "-l", unit]);
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    fn enter(&self, command: &[&str]) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["--all", "--wdns=/", "--target", &self.init.to_string()]);
        enter.args(["env", "-u", "NOTIFY_SOCKET"]).args(command);
        enter.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        enter
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the namespace's first process the kernel kills all others.
        self.process.kill_9();
        wait::until_or(BOOTED_IN, || remove_groups(&self.group).then_some(()));
    }
}

#[track_caller]
fn said(command: &[&str], output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{error}", process::describe(output.status));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The forked child of `unshare`, once it has become systemd.
fn child_that_is_systemd(parent: u32) -> Option<u32> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let child = std::fs::read_to_string(children).ok()?.trim().parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
    (name.trim() == "systemd").then_some(child)
}

/// A group of processes of its own below the host's. Removes what killed tests left.
fn make_group(folder: &Path) -> PathBuf {
    let unified = Path::new("/sys/fs/cgroup/unified");
    let pure = Path::new("/sys/fs/cgroup");
    let root = if unified.join("cgroup.controllers").exists() { unified } else { pure };
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        // The folder's name carries the process id of its test (`scratch.rs`).
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(GROUP).and_then(|folder| folder.split('-').nth(1));
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove_groups(&entry.path());
        }
    }
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let group = root.join(format!("{GROUP}{name}"));
    std::fs::create_dir(&group).unwrap_or_else(|error| {
        panic!("booting systemd needs root and cgroup v2: {}: {error}", group.display())
    });
    group
}

/// Removes groups without processes from below; whether none is left.
fn remove_groups(group: &Path) -> bool {
    let below = std::fs::read_dir(group).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_groups(&entry.path());
    }
    std::fs::remove_dir(group).is_ok() || !group.exists()
}
