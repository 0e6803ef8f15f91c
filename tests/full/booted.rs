//! The shipped units under a real systemd, with the real Kafka and S3 on loopback.
//!
//! It owns: that what the README installs starts, is watched, is restarted or not, and stops with
//! everything committed.
//! It does not own: what the units say (`shipped_files.rs`), nor packages (`packages.rs`).

use std::time::Duration;

use serde_json::Value;

use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::kafka::topics::numbered;
use crate::support::proxy::s3::{Canned, Operation, on};
use crate::support::s3::{ACCESS_KEY, SECRET_KEY};
use crate::support::systemd::Machine;
use crate::support::{full_set, kafka, ports, report, s3, unique, verify, wait};

/// A debug build on a loaded machine, a session that ends, a restart.
pub(super) const SOON: Duration = Duration::from_secs(120);
const PARTITIONS: usize = 3;
pub(super) const SERVICE: &str = "sluice.service";
pub(super) const MAIN_FILE: &str = "/etc/sluice/connector.toml";
/// A person's settings for one unit: keys that root alone can read.
pub(super) const CREDENTIALS: &str = "\
[Service]
Environment=AWS_EC2_METADATA_DISABLED=true
LoadCredential=s3.credentials.access_key_id:/etc/sluice/secrets/access_key_id
LoadCredential=s3.credentials.secret_access_key:/etc/sluice/secrets/secret_access_key
";

/// One topic for one unit, with a group and a bucket.
pub(super) struct Scene {
    topic: String,
    group: String,
    bucket: String,
    /// Where its pages are: the machine's network is the host's.
    pages: String,
    settings: Settings,
}

impl Scene {
    pub(super) fn new(name: &str) -> Self {
        Self::at(name, &s3().endpoint())
    }

    /// A topic with records already in it, and an age that never closes a file.
    fn at(name: &str, endpoint: &str) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), s3().bucket(name));
        let pages = format!("127.0.0.1:{}", ports::free());
        kafka().create_topic(&topic, PARTITIONS);
        let settings = Settings::new(&kafka().bootstrap(), endpoint, &group, &bucket)
            .topics(&[&topic])
            .set("kafka.properties.\"session.timeout.ms\"", "6000")
            .set("kafka.properties.\"heartbeat.interval.ms\"", "1000")
            .set("http.listen", &format!("{pages:?}"))
            .set("log.format", "\"auto\"")
            .set("seal.age", "\"1 h\"");
        let scene = Self { topic, group, bucket, pages, settings };
        scene.produce(0..30);
        scene
    }

    /// Files are closed every second.
    pub(super) fn hasty(self) -> Self {
        self.set("seal.age", "\"1 s\"")
    }

    fn set(self, key: &str, value: &str) -> Self {
        Self { settings: self.settings.set(key, value), ..self }
    }

    pub(super) fn produce(&self, numbers: std::ops::Range<usize>) {
        kafka().produce(&self.topic, &numbered(numbers, PARTITIONS));
    }

    fn lag(&self) -> i64 {
        kafka().lag(&self.group, &self.topic)
    }

    /// Waits until this process has read so many records, written or not.
    #[track_caller]
    pub(super) fn until_read(&self, machine: &Machine, records: usize) {
        let wanted = format!("sluice_read_records_total {records}");
        let is_read = wait::until_or(SOON, || {
            let mut page = ureq::get(format!("http://{}/metrics", self.pages)).call().ok()?;
            let text = page.body_mut().read_to_string().ok()?;
            text.lines().any(|line| line == wanted).then_some(())
        });
        assert!(is_read.is_some(), "no `{wanted}`:\n{}", machine.status(SERVICE));
    }

    #[track_caller]
    pub(super) fn until_written(&self, machine: &Machine) {
        let is_done = wait::until_or(SOON, || (self.lag() == 0).then_some(()));
        assert!(is_done.is_some(), "a lag of {}:\n{}", self.lag(), machine.status(SERVICE));
    }

    #[track_caller]
    pub(super) fn check(&self) {
        assert_eq!(self.lag(), 0);
        verify::check_default_layout(kafka(), &self.topic, s3(), &self.bucket);
    }
}

/// A machine with Sluice as the README installs it, and the credentials of these units.
fn install(units: &[&str]) -> Machine {
    let machine = Machine::boot();
    let shipped = |path: &str| {
        std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    };
    let program = std::fs::read(env!("CARGO_BIN_EXE_sluice")).unwrap();
    machine.write("/root/target/release/sluice", "0755", &program);
    for path in ["connector.toml", "systemd/sluice.service", "systemd/sluice@.service"] {
        machine.write(&format!("/root/{path}"), "0644", &shipped(path));
    }
    let readme = String::from_utf8(shipped("README.md")).unwrap();
    let steps: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("sudo install ")).collect();
    assert_eq!(steps.len(), 3, "the README installs program, file and units");
    for step in steps {
        machine.run(&["sh", "-c", &format!("cd /root && install {step}")]);
    }
    machine.write("/etc/sluice/secrets/access_key_id", "0600", ACCESS_KEY.as_bytes());
    machine.write("/etc/sluice/secrets/secret_access_key", "0600", SECRET_KEY.as_bytes());
    for unit in units {
        drop_in(&machine, unit, "credentials", CREDENTIALS);
    }
    machine
}

/// As `systemctl edit` would.
pub(super) fn drop_in(machine: &Machine, unit: &str, name: &str, text: &str) {
    let path = format!("/etc/systemd/system/{unit}.d/{name}.conf");
    machine.write(&path, "0644", text.as_bytes());
    machine.run(&["systemctl", "daemon-reload"]);
}

/// Edits a file in place: its mode stays as it was installed.
pub(super) fn edit(machine: &Machine, path: &str, scene: &Scene) {
    machine.run(&["sh", "-c", r#"printf %s "$1" >"$0""#, path, &scene.settings.text()]);
}

/// Comes back when the program said that it is ready.
#[track_caller]
pub(super) fn start(machine: &Machine, unit: &str) {
    let started = machine.output(&["systemctl", "enable", "--now", unit]);
    assert!(started.status.success(), "{unit} does not start:\n{}", machine.status(unit));
    assert_eq!(machine.property(unit, "ActiveState"), "active");
}

#[test]
fn the_shipped_unit_starts_writes_and_drains() {
    if !full_set("the_shipped_unit_starts_writes_and_drains") {
        return;
    }
    let machine = install(&[SERVICE]);
    let scene = Scene::new("booted");
    edit(&machine, MAIN_FILE, &scene);
    start(&machine, SERVICE);
    let state = wait::until("the state text", SOON, || {
        let state = machine.property(SERVICE, "StatusText");
        state.starts_with("3 partitions, lag ").then_some(state)
    });
    // A user that systemd made up for it.
    assert!(machine.property(SERVICE, "UID").parse::<u32>().unwrap() > 60_000);
    scene.until_read(&machine, 30);
    machine.run(&["systemctl", "kill", "--signal=USR1", "sluice"]);
    scene.until_written(&machine);
    // What is open at the stop is written by the drain alone.
    scene.produce(30..60);
    scene.until_read(&machine, 60);
    machine.run(&["systemctl", "stop", "sluice"]);
    scene.check();
    assert_eq!(machine.property(SERVICE, "ActiveState"), "inactive");
    assert_eq!(machine.property(SERVICE, "Result"), "success");
    assert_eq!(machine.property(SERVICE, "ExecMainStatus"), "0");
    report(&format!("booted systemd: started (`{state}`), wrote, stopped with all committed"));
}

/// Stopped processes feed nothing: systemd kills this one and starts another, which finishes what
/// the dead one had begun.
#[test]
fn a_process_that_hangs_is_killed_and_replaced() {
    if !full_set("a_process_that_hangs_is_killed_and_replaced") {
        return;
    }
    let machine = install(&[SERVICE]);
    drop_in(&machine, SERVICE, "patience", "[Service]\nWatchdogSec=4s\nRestartSec=1s\n");
    let scene = Scene::new("hanging").hasty();
    edit(&machine, MAIN_FILE, &scene);
    start(&machine, SERVICE);
    scene.until_written(&machine);
    let hanging = machine.property(SERVICE, "MainPID");
    scene.produce(30..60);
    machine.run(&["systemctl", "kill", "--kill-who=main", "--signal=STOP", SERVICE]);
    scene.produce(60..90);
    machine.until_property(SERVICE, "NRestarts", "1", SOON);
    machine.until_property(SERVICE, "ActiveState", "active", SOON);
    assert_ne!(machine.property(SERVICE, "MainPID"), hanging);
    scene.until_written(&machine);
    // It was the watchdog, and once was enough.
    let said = machine.run(&["journalctl", "--no-pager", "--unit", SERVICE]);
    assert!(said.contains("Watchdog timeout"), "{said}");
    assert_eq!(machine.property(SERVICE, "NRestarts"), "1");
    machine.run(&["systemctl", "stop", SERVICE]);
    scene.check();
    report("booted systemd: the watchdog replaced a process that hung, nothing lost or doubled");
}

/// A restart would find the same file.
#[test]
fn a_faulty_file_ends_with_78_and_is_not_tried_again() {
    if !full_set("a_faulty_file_ends_with_78_and_is_not_tried_again") {
        return;
    }
    let machine = install(&[SERVICE]);
    edit(&machine, MAIN_FILE, &Scene::new("faulty").set("seal.age", "\"five minutes\""));
    let started = machine.output(&["systemctl", "start", SERVICE]);
    assert!(!started.status.success());
    assert_eq!(machine.property(SERVICE, "ActiveState"), "failed");
    // Not `auto-restart`, which a restart would wait in.
    assert_eq!(machine.property(SERVICE, "SubState"), "failed");
    assert_eq!(machine.property(SERVICE, "Result"), "exit-code");
    assert_eq!(machine.property(SERVICE, "ExecMainStatus"), "78");
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
    let said = machine.status(SERVICE);
    assert!(said.contains("`seal.age` (`\"five minutes\"`) is not a duration"), "{said}");
}

/// Nor does a record that the file says to stop at.
#[test]
fn a_record_that_stops_everything_ends_with_65_and_is_not_tried_again() {
    if !full_set("a_record_that_stops_everything_ends_with_65_and_is_not_tried_again") {
        return;
    }
    let machine = install(&[SERVICE]);
    let scene = Scene::new("stopping").hasty().set("records.on_bad", "\"stop\"");
    for partition in 0..3 {
        kafka().produce(&scene.topic, &[NewRecord::of("no json").on_partition(partition)]);
    }
    edit(&machine, MAIN_FILE, &scene);
    machine.output(&["systemctl", "start", SERVICE]);
    machine.until_property(SERVICE, "ActiveState", "failed", SOON);
    assert_eq!(machine.property(SERVICE, "SubState"), "failed");
    assert_eq!(machine.property(SERVICE, "ExecMainStatus"), "65");
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
    let errors: Vec<_> = machine.journal(SERVICE);
    let errors = errors.iter().filter(|entry| entry["PRIORITY"] == "3");
    assert!(errors.count() >= PARTITIONS, "a priority for each line of text");
}

/// Priorities and fields, by the journal's own protocol.
#[test]
fn the_journal_has_priorities_and_fields() {
    if !full_set("the_journal_has_priorities_and_fields") {
        return;
    }
    let machine = install(&[SERVICE]);
    let proxy = s3().proxy();
    proxy.answer(on(Operation::PutObject).times(2), Canned::error(503, "SlowDown"));
    let scene = Scene::at("journal", &proxy.endpoint()).hasty();
    let scene = scene.set("log.format", "\"journald\"");
    edit(&machine, MAIN_FILE, &scene);
    start(&machine, SERVICE);
    scene.until_written(&machine);
    machine.run(&["systemctl", "stop", SERVICE]);
    scene.check();
    let journal = machine.journal(SERVICE);
    let shown = format!("{journal:#?}");
    let warning = journal.iter().find(|entry| entry["PRIORITY"] == "4").expect(&shown);
    assert!(warning["SLUICE_ERROR"].as_str().is_some_and(|it| it.contains("SlowDown")), "{shown}");
    let taken = journal.iter().filter(|entry| {
        entry["MESSAGE"] == "the partition is taken from here on" && entry["SLUICE_OFFSET"] == "0"
    });
    let mut taken: Vec<&str> =
        taken.map(|entry| entry["SLUICE_PARTITION"].as_str().unwrap()).collect();
    taken.sort_unstable();
    let expected: Vec<String> =
        (0..PARTITIONS).map(|partition| format!("{}/{partition}", scene.topic)).collect();
    assert_eq!(taken, expected, "{shown}");
}

/// `sluice@NAME` beside the first, each with its file.
#[test]
fn a_second_instance_runs_beside_the_first() {
    if !full_set("a_second_instance_runs_beside_the_first") {
        return;
    }
    let second = "sluice@second.service";
    let machine = install(&[SERVICE, second]);
    let scenes = [Scene::new("first").hasty(), Scene::new("second").hasty()];
    edit(&machine, MAIN_FILE, &scenes[0]);
    edit(&machine, "/etc/sluice/second.toml", &scenes[1]);
    for unit in [SERVICE, second] {
        start(&machine, unit);
    }
    for (scene, unit) in scenes.iter().zip([SERVICE, second]) {
        scene.until_written(&machine);
        machine.run(&["systemctl", "stop", unit]);
        assert_eq!(machine.property(unit, "ExecMainStatus"), "0");
        scene.check();
    }
}

#[track_caller]
fn until_logged(machine: &Machine, words: &str) {
    let is_it = |entry: &Value| entry["MESSAGE"].as_str().is_some_and(|text| text.contains(words));
    let is_logged =
        wait::until_or(SOON, || machine.journal(SERVICE).iter().any(is_it).then_some(()));
    assert!(is_logged.is_some(), "no `{words}`:\n{:#?}", machine.journal(SERVICE));
}

/// A crash and a kill are exits that a restart heals; a reload is none at all.
#[test]
fn a_process_that_dies_is_started_again_and_a_reload_keeps_it() {
    if !full_set("a_process_that_dies_is_started_again_and_a_reload_keeps_it") {
        return;
    }
    let machine = install(&[SERVICE]);
    drop_in(&machine, SERVICE, "patience", "[Service]\nRestartSec=1s\n");
    let scene = Scene::new("dying").hasty();
    edit(&machine, MAIN_FILE, &scene);
    start(&machine, SERVICE);
    scene.until_written(&machine);
    let first = machine.property(SERVICE, "MainPID");
    let scene = scene.set("log.level", "\"debug\"");
    edit(&machine, MAIN_FILE, &scene);
    machine.run(&["systemctl", "reload", SERVICE]);
    until_logged(&machine, "the configuration was read again: batches");
    scene.produce(30..60);
    scene.until_written(&machine);
    until_logged(&machine, "DEBUG batch sealed");
    machine.run(&["sh", "-c", "echo '[nothing]' >>/etc/sluice/connector.toml"]);
    machine.run(&["systemctl", "reload", SERVICE]);
    until_logged(&machine, "`nothing`");
    until_logged(&machine, "everything goes on under the configuration of before");
    assert_eq!(machine.property(SERVICE, "MainPID"), first, "a reload is no restart");
    edit(&machine, MAIN_FILE, &scene);
    machine.run(&["systemctl", "kill", "--kill-who=main", "--signal=KILL", SERVICE]);
    machine.until_property(SERVICE, "NRestarts", "1", SOON);
    machine.until_property(SERVICE, "ActiveState", "active", SOON);
    assert_ne!(machine.property(SERVICE, "MainPID"), first);
    scene.produce(60..90);
    scene.until_written(&machine);
    machine.run(&["systemctl", "stop", SERVICE]);
    scene.check();
    report("booted systemd: reloaded in place, killed, started again, nothing lost or doubled");
}

/// The score of `systemd-analyze security`, in tenths: of the unit, and of what is loaded.
#[test]
fn the_units_expose_little() {
    if !full_set("the_units_expose_little") {
        return;
    }
    let machine = install(&[SERVICE]);
    for unit in ["sluice.service", "sluice@x.service"] {
        let judged = machine.output(&["systemd-analyze", "security", "--threshold=12", unit]);
        let said = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert!(judged.status.success(), "above 1.2:\n{said}");
        let score = said.lines().last().unwrap_or_default().trim_start_matches("→ ");
        report(&format!("booted systemd: {score}"));
    }
    assert_eq!(machine.property(SERVICE, "LimitCORE"), "0");
    assert_eq!(machine.property(SERVICE, "DynamicUser"), "yes");
}
