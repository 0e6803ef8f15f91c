//! What is shipped beside the program agrees with it: the units with the file's defaults and the
//! exit codes, and the units with each other.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const UNITS: [&str; 2] = ["systemd/sluice.service", "systemd/sluice@.service"];

/// Exit codes that a restart would only repeat: 78 (the file) and 65 (a record).
const FINAL_CODES: [&str; 2] = ["78", "65"];

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns the value of the one line that sets `key`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let set = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then_some(value.trim())
    });
    let values: Vec<&str> = set.collect();
    assert_eq!(values.len(), 1, "`{key}` is set by {} lines", values.len());
    values[0]
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text.split('#').next().unwrap().trim().trim_matches('"')).unwrap()
}

#[test]
fn a_stop_may_take_longer_than_the_drain() {
    let drain = duration(value(&shipped("connector.toml"), "drain"));
    for unit in UNITS {
        let stop = duration(value(&shipped(unit), "TimeoutStopSec"));
        assert!(stop > drain, "{unit}: {stop:?} is not above `limits.drain`, {drain:?}");
    }
}

#[test]
fn the_watchdog_waits_longer_than_a_loop_may_be_silent() {
    for unit in UNITS {
        let watchdog = duration(value(&shipped(unit), "WatchdogSec"));
        assert!(watchdog > sluice::daemon::status::PROGRESS_WITHIN, "{unit}: {watchdog:?}");
    }
}

#[test]
fn what_a_restart_cannot_heal_is_not_restarted_and_all_else_is_for_ever() {
    for unit in UNITS {
        let text = shipped(unit);
        let codes: Vec<&str> = value(&text, "RestartPreventExitStatus").split(' ').collect();
        assert_eq!(codes, FINAL_CODES, "{unit}");
        assert_eq!(value(&text, "Restart"), "on-failure", "{unit}");
        assert_eq!(value(&text, "StartLimitIntervalSec"), "0", "{unit}");
    }
}

/// A unit that checks the file first in `ExecStartPre=` is restarted for ever when the file is
/// wrong: systemd 252 compares `RestartPreventExitStatus=` with the main process's code only
/// (tried: 11 restarts in 3 s).
#[test]
fn nothing_runs_before_the_main_process() {
    for unit in UNITS {
        let text = shipped(unit);
        assert!(!text.lines().any(|line| line.starts_with("ExecStartPre=")), "{unit}");
        assert_eq!(value(&text, "Type"), "notify", "{unit}");
    }
}

#[test]
fn both_units_differ_in_their_file_only() {
    let settings = |unit| {
        let text = shipped(unit);
        let is_setting = |line: &&str| !line.starts_with('#') && !line.starts_with("Description=");
        text.lines().filter(is_setting).map(str::to_owned).collect::<Vec<_>>()
    };
    let single = settings(UNITS[0]);
    let several = settings(UNITS[1]);
    let differing: Vec<_> =
        single.iter().zip(&several).filter(|(one, other)| one != other).collect();
    assert_eq!(single.len(), several.len());
    let run = "ExecStart=/usr/bin/sluice run --config /etc/sluice/";
    let expected = (&format!("{run}connector.toml"), &format!("{run}%i.toml"));
    assert_eq!(differing, [expected]);
}

/// Credentials of other names would lie there unread.
#[test]
fn the_credentials_that_are_described_are_found() {
    const SECRETS: [&str; 2] = ["kafka.auth.password", "s3.credentials.secret_access_key"];
    let described = |name: &str, mark: &str| {
        let text = shipped(name);
        let names = text.lines().filter_map(|line| line.strip_prefix(mark)?.split(':').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(described("README.md", "LoadCredential="), SECRETS);
    for unit in UNITS {
        assert_eq!(described(unit, "#LoadCredential="), SECRETS[..1], "{unit}");
    }
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_sluice"));
        check.env_clear().env("CREDENTIALS_DIRECTORY", folder.path());
        check.args(["check", "--offline", "--config"]);
        check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("connector.toml"));
        check.args(["--set", "kafka.auth.method=plain", "--set", "kafka.auth.username=user"]);
        check.args(["--set", "s3.credentials.access_key_id=id"]);
        let output = check.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = check();
    assert_eq!(code, Some(78), "{said}");
    for name in SECRETS {
        assert!(said.contains(&format!("`{name}`")), "{name}: {said}");
        fs::write(folder.path().join(name), "secret\n").unwrap();
    }
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
}

/// A metric that is named in the README and nowhere else would be looked for in vain.
#[test]
fn every_metric_of_the_readme_is_one_of_the_program() {
    let readme = shipped("README.md");
    let tables: String = ["metrics.rs", "metrics/partitions.rs", "metrics/workers.rs"]
        .map(|file| shipped(&format!("src/daemon/{file}")))
        .concat();
    let is_of_name = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_';
    let words = readme.split(|symbol: char| !is_of_name(symbol));
    let names: Vec<&str> = words.filter_map(|word| word.strip_prefix("sluice_")).collect();
    assert!(names.len() > 5, "the README names metrics: {names:?}");
    for name in names {
        let is_there = tables.contains(&format!("\"{name}\""))
            || tables.contains(&format!("\"sluice_{name}\""));
        assert!(is_there, "the README names `sluice_{name}`, which is no metric");
    }
}

/// Prometheus's own tool, and its own tests of rules: what fires on what.
#[test]
fn the_alerts_fire_on_what_they_are_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus");
    let checks: [&[&str]; 2] = [
        &["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"],
        &["test", "rules", "alerts.test.yml"],
    ];
    for arguments in checks {
        let mut promtool = Command::new("promtool");
        let output = promtool.args(arguments).current_dir(&folder).output();
        let output = output.unwrap_or_else(|error| {
            panic!("promtool cannot be run ({error}): `.ci/set-up` installs it");
        });
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn each_alert_is_tested_and_has_a_section_of_the_runbook_and_no_section_is_left_over() {
    let rules = shipped("packaging/prometheus/alerts.yml");
    let after = |text: &str, mark: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(mark));
        lines.map(|rest| rest.trim().to_owned()).collect()
    };
    let alerts = after(&rules, "- alert: ");
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(after(&shipped("packaging/prometheus/RUNBOOK.md"), "## "), alerts);
    let anchors = alerts.iter().map(|alert| format!("RUNBOOK.md#{}", alert.to_lowercase()));
    assert_eq!(after(&rules, "runbook: "), anchors.collect::<Vec<_>>());
    let cases = shipped("packaging/prometheus/alerts.test.yml");
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(cases.contains(&fires), "no case in which {alert} fires");
    }
}

/// SIGHUP ends a process that does not know it.
#[test]
fn a_reload_sends_the_signal_that_tries_again() {
    for unit in UNITS {
        assert_eq!(value(&shipped(unit), "ExecReload"), "/bin/kill -HUP $MAINPID", "{unit}");
    }
}

/// Every key that the page for migrants names is one, and its file has no fault.
#[test]
fn the_page_for_migrants_names_keys_that_there_are() {
    let page = shipped("packaging/MSK-CONNECT.md");
    let mut table = String::new();
    let mut known = Vec::new();
    for line in shipped("connector.toml").lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.to_owned();
            known.push(table.clone());
        } else if let Some((key, _value)) = line.split_once(" = ") {
            known.push(format!("{table}.{key}"));
        }
    }
    let code = page.split('`').skip(1).step_by(2);
    let of_ours = |text: &&str| {
        let table = text.split('.').next().unwrap_or_default();
        text.contains('.') && known.iter().any(|key| key == table) && !text.contains("s3.elastic")
    };
    let theirs: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let named: Vec<&str> = code.filter(of_ours).filter(|text| !theirs.contains(text)).collect();
    assert!(named.len() > 20, "{named:?}");
    for text in named {
        let key = text.split(" = ").next().unwrap_or_default();
        assert!(known.iter().any(|known| known == key), "`{key}` is no key of connector.toml");
    }
    let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connector.toml");
    fs::write(&file, block).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let output = check.env_clear().args(["check", "--offline", "--config"]).arg(file).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    let mut write = Command::new(env!("CARGO_BIN_EXE_sluice"));
    assert!(write.arg("package-files").arg(folder.path()).status().unwrap().success());
    let help = Command::new(env!("CARGO_BIN_EXE_sluice")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names: Vec<&str> = commands
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(names.len() >= 6, "{names:?}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let shells =
        ["sluice.bash", "_sluice", "sluice.fish"].map(|file| read(&format!("completions/{file}")));
    for name in names {
        assert!(read(&format!("man/sluice-{name}.1")).contains(".SH OPTIONS"), "{name}");
        assert!(read("man/sluice.1").contains(&format!("sluice\\-{name}(1)")), "{name}");
        assert!(shells.iter().all(|shell| shell.contains(name)), "{name}");
    }
    assert!(shells.iter().all(|shell| !shell.contains("package-files")), "it is hidden");
}

/// The packages are built by the compiler that Cargo.toml names, or a newer one.
#[test]
fn the_oldest_compiler_is_the_one_that_is_said() {
    let manifest = shipped("Cargo.toml");
    let oldest = value(&manifest, "rust-version").trim_matches('"');
    for (file, said) in [("README.md", "Rust {} or newer"), (".ci/set-up", "Rust {} or newer")] {
        let said = said.replace("{}", oldest);
        assert!(shipped(file).contains(&said), "{file} does not say `{said}`");
    }
}
