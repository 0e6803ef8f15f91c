//! The packages: the .deb installed, upgraded, removed and purged on a booted systemd, the .rpm
//! listed, the example of cloud-init checked.
//!
//! It owns: what a package brings and what it leaves behind.
//! It does not own: how the units behave (`booted.rs`). The program inside is the tests' own build,
//! not the release: that would take minutes more and show nothing of the packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::booted::{CREDENTIALS, MAIN_FILE, SERVICE, SOON, Scene, drop_in, edit, start};
use crate::support::s3::{ACCESS_KEY, SECRET_KEY};
use crate::support::systemd::Machine;
use crate::support::{full_set, install, report, scratch, wait};

/// What both packages bring, wherever they put the completions of zsh.
const BROUGHT: [&str; 14] = [
    "/etc/sluice/connector.toml",
    "/usr/bin/sluice",
    "/usr/lib/systemd/system/sluice.service",
    "/usr/lib/systemd/system/sluice@.service",
    "/usr/share/bash-completion/completions/sluice",
    "/usr/share/doc/sluice/GUARANTEE.md",
    "/usr/share/doc/sluice/MSK-CONNECT.md",
    "/usr/share/doc/sluice/README.md",
    "/usr/share/doc/sluice/READING.md",
    "/usr/share/doc/sluice/sluice.cdx.json",
    "/usr/share/fish/vendor_completions.d/sluice.fish",
    "/usr/share/man/man1/sluice-verify.1.gz",
    "/usr/share/man/man1/sluice.1.gz",
    "/usr/share/sluice/cloud-init.yaml",
];

struct Packages {
    deb: PathBuf,
    rpm: PathBuf,
}

/// Built once for all tests here.
fn packages() -> &'static Packages {
    static BUILT: LazyLock<Packages> = LazyLock::new(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_sluice"));
        let target = program.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(root().join("packaging/build"));
        build.arg(program).env("CARGO_TARGET_DIR", target);
        let said = said(build.env("SLUICE_TEST_CACHE", install::cache()));
        let path = |end: &str| said.lines().find(|line| line.ends_with(end)).unwrap().into();
        Packages { deb: path(".deb"), rpm: path(".rpm") }
    });
    &BUILT
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (text, error) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{command:?}:\n{text}\n{error}");
    text
}

/// The next version: another number, and a file of ours that changed too.
fn next_version(deb: &Path) -> Vec<u8> {
    let folder = scratch::folder("next-version");
    let [tree, next] = ["tree", "next.deb"].map(|name| folder.path().join(name));
    said(Command::new("dpkg-deb").arg("-R").args([deb, &tree]));
    let change = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(tree.join(name)).unwrap();
        assert!(text.contains(from), "{name}: {text}");
        std::fs::write(tree.join(name), text.replacen(from, to, 1)).unwrap();
    };
    change("DEBIAN/control", "Version: 0.", "Version: 1.");
    change("etc/sluice/connector.toml", "# Sluice:", "# The next Sluice:");
    said(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "-z1", "--root-owner-group", "-b"])
            .args([&tree, &next]),
    );
    std::fs::read(next).unwrap()
}

#[test]
fn the_deb_is_installed_upgraded_removed_and_purged() {
    if !full_set("the_deb_is_installed_upgraded_removed_and_purged") {
        return;
    }
    let machine = Machine::boot();
    machine.write("/root/sluice.deb", "0644", &std::fs::read(&packages().deb).unwrap());
    machine.write("/root/next.deb", "0644", &next_version(&packages().deb));
    let installed = machine.run(&["dpkg", "-i", "/root/sluice.deb"]);
    report(&format!("dpkg -i: {}", last_lines(&installed)));
    // Nothing runs before a person has edited the file.
    assert_eq!(machine.property(SERVICE, "ActiveState"), "inactive");
    assert_eq!(machine.property(SERVICE, "UnitFileState"), "disabled");
    machine.run(&["sluice", "check", "--offline", "--config", MAIN_FILE]);

    for (name, text) in [("access_key_id", ACCESS_KEY), ("secret_access_key", SECRET_KEY)] {
        machine.write(&format!("/etc/sluice/secrets/{name}"), "0600", text.as_bytes());
    }
    drop_in(&machine, SERVICE, "credentials", CREDENTIALS);
    let scene = Scene::new("packaged").hasty();
    edit(&machine, MAIN_FILE, &scene);
    start(&machine, SERVICE);
    scene.until_written(&machine);
    let status = machine.status(SERVICE);
    report(&format!("systemctl status:\n{status}"));

    let (before, edited) = (machine.property(SERVICE, "MainPID"), machine.run(&["cat", MAIN_FILE]));
    scene.produce(30..60);
    let upgraded = machine.run(&["dpkg", "--force-confold", "-i", "/root/next.deb"]);
    report(&format!("upgrade: {}", last_lines(&upgraded)));
    assert_eq!(machine.run(&["cat", MAIN_FILE]), edited, "an edited file is kept");
    let beside = machine.run(&["cat", &format!("{MAIN_FILE}.dpkg-dist")]);
    assert!(beside.starts_with("# The next Sluice:"), "{beside}");
    wait::until("the restart by the upgrade", SOON, || {
        let now = machine.property(SERVICE, "MainPID");
        (now != before && now != "0").then_some(())
    });
    machine.until_property(SERVICE, "ActiveState", "active", SOON);
    scene.produce(60..90);
    scene.until_written(&machine);

    let removed = machine.run(&["dpkg", "--remove", "sluice"]);
    report(&format!("removal: {}", last_lines(&removed)));
    scene.check();
    assert_ne!(machine.property(SERVICE, "ActiveState"), "active");
    assert!(!machine.output(&["test", "-e", "/usr/bin/sluice"]).status.success());
    assert_eq!(machine.run(&["cat", MAIN_FILE]), edited, "a removal keeps the file");
    let purged = machine.run(&["dpkg", "--purge", "sluice"]);
    report(&format!("purge: {}", last_lines(&purged)));
    let left = machine.run(&["find", "/etc/sluice", "-type", "f"]);
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    let secrets = ["access_key_id", "secret_access_key"];
    assert_eq!(left, secrets.map(|name| format!("/etc/sluice/secrets/{name}")));
}

fn last_lines(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("(Reading")).collect::<Vec<_>>().join(" | ")
}

/// Alert rules, dashboards and what belongs to them, as far as there are any.
fn for_monitoring() -> Vec<String> {
    let folders = ["prometheus", "grafana"].map(|folder| root().join("packaging").join(folder));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let below = path.strip_prefix(root().join("packaging")).unwrap();
            format!("/usr/share/sluice/{}", below.display())
        })
        .collect()
}

#[test]
fn both_packages_bring_the_same_files() {
    if !full_set("both_packages_bring_the_same_files") {
        return;
    }
    let Packages { deb, rpm } = packages();
    let listed = said(Command::new("dpkg-deb").arg("-c").arg(deb));
    let of_deb: Vec<&str> = listed.lines().filter_map(|line| line.split(" .").nth(1)).collect();
    let listed = said(Command::new("rpm").arg("-qlp").arg(rpm));
    let of_rpm: Vec<&str> = listed.lines().collect();
    let brought = BROUGHT.map(str::to_owned).into_iter().chain(for_monitoring());
    for path in brought {
        let path = path.as_str();
        assert!(of_deb.contains(&path), "the .deb lacks {path}: {of_deb:#?}");
        assert!(of_rpm.contains(&path), "the .rpm lacks {path}: {of_rpm:#?}");
    }
    let ask_rpm = |question: &str| said(Command::new("rpm").arg(question).arg(rpm));
    assert_eq!(ask_rpm("-qcp").trim(), MAIN_FILE, "the one file that an upgrade keeps");
    let conffiles = said(Command::new("dpkg-deb").args(["-I"]).arg(deb).arg("conffiles"));
    assert_eq!(conffiles.trim(), MAIN_FILE);
    let scripts = said(Command::new("rpm").args(["-qp", "--scripts"]).arg(rpm));
    assert!(scripts.contains("systemctl --no-block try-restart"), "{scripts}");
    // Every crate that is compiled in, with its version and licence.
    let files = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).output().unwrap().stdout;
    let folder = scratch::folder("bill");
    std::fs::write(folder.path().join("files.tar"), files).unwrap();
    let mut extract = Command::new("tar");
    extract.args(["-xOf", "files.tar", "./usr/share/doc/sluice/sluice.cdx.json"]);
    let bill = said(extract.current_dir(folder.path()));
    let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
    let parts = bill["components"].as_array().unwrap();
    for name in ["rdkafka-sys", "openssl-src", "aws-sdk-s3", "zstd-sys"] {
        assert!(parts.iter().any(|part| part["name"] == name), "`{name}` is in the program");
    }
    assert!(parts.iter().all(|part| part["licenses"].is_array() && part["version"].is_string()));
    report(&format!(".rpm:\n{listed}bill of materials: {} crates", parts.len()));
}

#[test]
fn the_example_for_cloud_init_is_one() {
    if !full_set("the_example_for_cloud_init_is_one") {
        return;
    }
    let example = root().join("packaging/cloud-init.yaml");
    let judged = said(Command::new("cloud-init").args(["schema", "--config-file"]).arg(example));
    assert!(judged.to_lowercase().contains("valid"), "{judged}");
}
