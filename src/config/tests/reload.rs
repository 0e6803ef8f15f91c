//! A file that is read again while the daemon runs.

use std::sync::Arc;

use super::*;

fn running(text: &str) -> (Running, Arc<Settings>) {
    let settings = Arc::new(load_text(text).unwrap().settings);
    let given = Given { text, ..Given::default() };
    (with_sources(&given, |sources| Running::new(sources, Arc::clone(&settings))), settings)
}

fn reload(running: &mut Running, text: &str) -> Result<Reloaded, Faults> {
    with_sources(&Given { text, ..Given::default() }, |sources| running.reload(sources))
}

#[test]
fn what_changed_is_named_once_and_what_needs_a_restart_each_time() {
    let (mut running, before) = running(MINIMAL);
    let same = reload(&mut running, MINIMAL).unwrap();
    assert_eq!((same.changed.len(), same.left.len()), (0, 0));
    assert_eq!(same.settings, before);

    let new = MINIMAL.replace("user-12ab34-bucket", "another").replace("localhost", "other")
        + "[seal]\nage = \"3 s\"\n[limits]\nmemory = \"512 MiB\"\nworkers = 7\n";
    let Reloaded { settings, changed, left, .. } = reload(&mut running, &new).unwrap();
    assert_eq!(changed, ["seal.age", "limits.memory"]);
    assert_eq!(left, ["kafka.bootstrap_servers", "s3.bucket", "limits.workers"]);
    assert_eq!(settings.for_topic(&topic("pin")).seal.age, Some(Duration::from_secs(3)));
    assert_eq!(settings.limits.memory_bytes, 512 << 20);
    assert_eq!(settings.limits.workers, before.limits.workers);
    assert_eq!((&settings.s3, &settings.kafka), (&before.s3, &before.kafka));
    let layout = settings.for_topic(&topic("pin")).layout;
    assert_eq!(layout.bucket, before.s3.bucket, "a layout names the bucket that is written to");

    let again = reload(&mut running, &new).unwrap();
    assert_eq!(again.changed, Vec::<&str>::new());
    assert_eq!(again.left, left, "they still wait for a restart");
    let back = reload(&mut running, MINIMAL).unwrap();
    assert_eq!((back.changed, back.left.len()), (changed, 0));
    assert_eq!(back.settings, before);
}

#[test]
fn a_fault_changes_nothing() {
    let (mut running, before) = running(MINIMAL);
    let wrong = format!("{MINIMAL}[seal]\nage = \"soon\"\nrecords = 5\n");
    let faults = reload(&mut running, &wrong).unwrap_err();
    assert!(faults.to_string().contains("`seal.age`"), "{faults}");
    reload(&mut running, "not TOML").unwrap_err();
    let after = reload(&mut running, MINIMAL).unwrap();
    assert_eq!((after.changed.len(), &after.settings), (0, &before));
}

/// `limits.memory` is enough for the parts of the file, but not for those that are left as they were.
#[test]
fn what_does_not_fit_to_what_is_left_as_it_was_is_refused() {
    let parts = |size: &str, memory: &str| {
        format!("{MINIMAL}part_size = \"{size} MiB\"\n[limits]\nmemory = \"{memory} MiB\"\n")
    };
    let (mut running, _) = running(&parts("64", "512"));
    let faults = reload(&mut running, &parts("8", "64")).unwrap_err();
    assert!(faults.to_string().contains("`limits.memory`"), "{faults}");
}

#[test]
fn overrides_change_as_one() {
    let (mut running, _) = running(MINIMAL);
    let new = format!("{MINIMAL}[[override]]\ntopics = \"geo\"\nseal.records = 9\n");
    let Reloaded { settings, changed, .. } = reload(&mut running, &new).unwrap();
    assert_eq!(changed, ["override"]);
    assert_eq!(settings.for_topic(&topic("geo")).seal.records, Some(9));
    assert_eq!(settings.for_topic(&topic("pin")).seal.records, None);
}

#[test]
fn nothing_of_what_runs_is_printed() {
    let secret = "[s3.credentials]\naccess_key_id = \"abc\"\nsecret_access_key = \"marker\"\n";
    let (running, _) = running(&format!("{MINIMAL}{secret}"));
    assert!(!format!("{running:?}").contains("marker"));
}
