//! The program under test as a process: `sluice run` with a file of its own.
//!
//! It owns: the generated `connector.toml`, the process with its log, signals, what the daemon
//! says on its own HTTP pages, and waiting with the log's tail in the failure.
//! It does not own: Kafka and S3; it is told where they are.

use std::process::{Command, ExitStatus};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toml_edit::DocumentMut;

use super::process::{self, Process, Signal};
use super::{Kafka, S3Server, s3, scratch, wait};

/// A loaded machine, a cold start, and a first rebalance.
const READY_IN: Duration = Duration::from_secs(60);
/// A page of the daemon that takes longer than this does not answer.
const PAGE_IN: Duration = Duration::from_secs(10);
/// The message that carries the bound address in its field `address`.
const LISTENING: &str = "http listening";

/// What a daemon is to be, before it runs. The same settings can be started again and again.
#[derive(Debug, Clone)]
pub struct Settings {
    document: DocumentMut,
    overrides: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    program: String,
}

impl Settings {
    /// A daemon between these two, with a group and a bucket; topics come with [`Self::topics`].
    pub fn new(bootstrap: &str, endpoint: &str, group: &str, bucket: &str) -> Self {
        let settings = Self {
            document: DocumentMut::new(),
            overrides: String::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            program: env!("CARGO_BIN_EXE_sluice").to_owned(),
        };
        settings
            .set("kafka.bootstrap_servers", &list(&bootstrap.split(',').collect::<Vec<_>>()))
            .set("kafka.group_id", &text(group))
            .set("s3.bucket", &text(bucket))
            .set("s3.endpoint", &text(endpoint))
            .set("s3.region", &text(s3::REGION))
            .set("s3.path_style", "true")
            .set("http.listen", &text("127.0.0.1:0"))
            .set("log.format", &text("json"))
            .env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY)
            // Never ask a network that is not there for keys.
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// A daemon between the two servers, without proxies.
    pub fn between(kafka: &Kafka, s3: &S3Server, group: &str, bucket: &str) -> Self {
        Self::new(&kafka.bootstrap(), &s3.endpoint(), group, bucket)
    }

    #[must_use]
    pub fn topics(self, topics: &[&str]) -> Self {
        self.set("kafka.topics", &list(topics))
    }

    /// Sets a key, its value written as TOML: `set("seal.age", "\"5 s\"")`. Parts of a key with
    /// dots in their name are quoted: `set("kafka.properties.\"fetch.max.bytes\"", "1")`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let parts = toml_edit::Key::parse(key).unwrap();
        let (last, tables) = parts.split_last().unwrap();
        let mut table = self.document.as_table_mut();
        for part in tables {
            let below = table.entry(part.get()).or_insert_with(toml_edit::table);
            table = below.as_table_mut().unwrap_or_else(|| panic!("`{key}`: no table above it"));
        }
        let value: toml_edit::Value = value.parse().unwrap_or_else(|error| {
            panic!("`{value}` is no TOML value for `{key}`: {error}");
        });
        table.insert(last.get(), toml_edit::value(value));
        self
    }

    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        let (table, key) = key.rsplit_once('.').expect("a key below a table");
        let table = self.document.get_mut(table).and_then(|item| item.as_table_mut());
        table.unwrap_or_else(|| panic!("there is no table above `{key}`")).remove(key);
        self
    }

    /// Adds an argument behind `run --config FILE`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Another build of the program than the tests' own.
    #[must_use]
    pub fn program(mut self, program: &std::path::Path) -> Self {
        self.program = program.to_str().unwrap().to_owned();
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes away a variable that every daemon of the tests has.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(one, _)| one != name);
        self
    }

    /// Adds an `[[override]]` for topics that match, with its keys as lines of TOML.
    #[must_use]
    pub fn override_for(mut self, topics: &str, lines: &str) -> Self {
        self.overrides.push_str(&format!("[[override]]\ntopics = {}\n{lines}\n", text(topics)));
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        format!("{}{}", self.document, self.overrides)
    }

    /// Starts the daemon and waits until it is ready (`/readyz`).
    pub fn start(&self) -> Daemon {
        let daemon = self.launch();
        daemon.wait_until_ready();
        daemon
    }

    /// Starts the daemon and waits for nothing: it may be meant to fail.
    pub fn launch(&self) -> Daemon {
        let folder = scratch::folder("daemon");
        std::fs::write(folder.path().join("connector.toml"), self.text()).unwrap();
        let mut command = process::guarded(&self.program);
        command.args(["run", "--config"]).arg(folder.path().join("connector.toml"));
        command.args(&self.arguments).current_dir(folder.path());
        clean_environment(&mut command);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let process = Process::start("sluice", command, &folder.path().join("log"));
        Daemon { process: Mutex::new(process), address: OnceLock::new(), folder }
    }

    /// Runs another subcommand to its end with this file: `command("check", &["--offline"])`.
    pub fn command(&self, subcommand: &str, arguments: &[&str]) -> std::process::Output {
        let folder = scratch::folder("command");
        let file = folder.path().join("connector.toml");
        std::fs::write(&file, self.text()).unwrap();
        let mut command = Command::new(&self.program);
        command.arg(subcommand).arg("--config").arg(&file).args(arguments);
        clean_environment(&mut command);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        for said in [&output.stdout, &output.stderr] {
            check_unsaid(subcommand, &String::from_utf8_lossy(said));
        }
        output
    }
}

/// A running daemon, killed on drop.
pub struct Daemon {
    process: Mutex<Process>,
    /// Where its pages are, once it said so.
    address: OnceLock<String>,
    /// With its file and its log, gone with it.
    folder: TempDir,
}

impl Daemon {
    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill_9(&self) {
        self.process.lock().unwrap().kill_9();
    }

    /// SIGTERM, then its end: the exit status after draining.
    #[track_caller]
    pub fn stop(&self, deadline: Duration) -> ExitStatus {
        self.signal(Signal::Terminate);
        self.wait_for_end(deadline)
    }

    #[track_caller]
    pub fn wait_for_end(&self, deadline: Duration) -> ExitStatus {
        let start = Instant::now();
        wait::until_or(deadline, || self.process.lock().unwrap().ended()).unwrap_or_else(|| {
            panic!("sluice did not end in {:?}:\n{}", start.elapsed(), self.log_tail())
        })
    }

    /// SIGTERM and exit code 0, or a failure with the log's tail.
    #[track_caller]
    pub fn stop_cleanly(&self) {
        let status = self.stop(Duration::from_secs(60));
        let how = process::describe(status);
        assert!(status.success(), "sluice stopped with {how}:\n{}", self.log_tail());
    }

    /// Gives it another file and tells it so (SIGHUP).
    pub fn reload(&self, settings: &Settings) {
        std::fs::write(self.folder.path().join("connector.toml"), settings.text()).unwrap();
        self.signal(Signal::Hangup);
    }

    pub fn sigstop(&self) {
        self.signal(Signal::Stop);
    }

    pub fn sigcont(&self) {
        self.signal(Signal::Continue);
    }

    pub fn signal(&self, signal: Signal) {
        self.process.lock().unwrap().signal(signal);
    }

    pub fn is_running(&self) -> bool {
        self.process.lock().unwrap().ended().is_none()
    }

    pub fn process_id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    /// Resident memory now, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process_id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes * 1024
    }

    pub fn log(&self) -> String {
        self.process.lock().unwrap().log()
    }

    pub fn log_tail(&self) -> String {
        self.process.lock().unwrap().log_tail()
    }

    /// Where its pages are; waits until the log says so.
    #[track_caller]
    pub fn address(&self) -> &str {
        self.address.get_or_init(|| {
            self.wait_until("the log line with the HTTP address", READY_IN, || {
                self.log().lines().find_map(address_in)
            })
        })
    }

    /// Status and body of one of its pages; None if nobody answers.
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        let config = ureq::Agent::config_builder();
        let config = config.http_status_as_error(false).timeout_global(Some(PAGE_IN)).build();
        let url = format!("http://{}{path}", self.address());
        let mut answer = ureq::Agent::from(config).get(url).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    }

    /// The text of `/metrics`.
    #[track_caller]
    pub fn metrics(&self) -> String {
        let (status, text) = self.page("/metrics").expect("the metrics page answers");
        assert_eq!(status, 200, "the metrics page");
        text
    }

    /// The sum of a metric over the series whose line contains every one of `labels`.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics();
        let series = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    #[track_caller]
    pub fn wait_until_ready(&self) {
        self.wait_until("`/readyz` to answer 200", READY_IN, || {
            self.page("/readyz").filter(|(status, _)| *status == 200)
        });
    }

    /// Asks until there is an answer; fails with the log's tail, at once if the daemon has ended.
    #[track_caller]
    pub fn wait_until<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut ask: impl FnMut() -> Option<T>,
    ) -> T {
        let answer = wait::until_or(deadline, || {
            if let Some(answer) = ask() {
                return Some(Ok(answer));
            }
            self.process.lock().unwrap().ended().map(Err)
        });
        match answer {
            Some(Ok(answer)) => answer,
            Some(Err(status)) => panic!(
                "sluice ended ({}) before {what}:\n{}",
                process::describe(status),
                self.log_tail()
            ),
            None => panic!("waited {deadline:?} in vain for {what}:\n{}", self.log_tail()),
        }
    }
}

/// Whatever a test is about: no log holds the secret that every daemon has.
impl Drop for Daemon {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            check_unsaid("the log", &self.log());
        }
    }
}

/// In every password and key that tests make up for a login.
pub const SECRET_MARKER: &str = "marker-of";
/// How values begin that the tests produce, plain and inside a text of JSON.
const VALUES: [&str; 2] = ["{\"n\":", "{\\\"n\\\":"];

/// What no test may see: whatever is run here ends with this look at all that was printed.
#[track_caller]
fn check_unsaid(what: &str, said: &str) {
    for unsaid in [s3::SECRET_KEY, SECRET_MARKER].into_iter().chain(VALUES) {
        let line = said.lines().find(|line| line.contains(unsaid));
        assert_eq!(line, None, "{what} holds `{unsaid}`");
    }
}

/// The field `address` of the line that announces the pages, in JSON or as text.
fn address_in(line: &str) -> Option<String> {
    if !line.contains(LISTENING) {
        return None;
    }
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(line) {
        let address = json.get("address").or_else(|| json.get("fields")?.get("address"));
        return address?.as_str().map(str::to_owned);
    }
    let (_, rest) = line.split_once("address=")?;
    Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
}

/// Takes away what the tester's own shell says about keys, proxies and about the program.
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            ["AWS_", "SLUICE_", "NOTIFY_SOCKET", "JOURNAL_STREAM", "RUST_LOG", "CREDENTIALS_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || name.to_ascii_lowercase().ends_with("_proxy")
        });
        if own {
            command.env_remove(name);
        }
    }
}

fn text(value: &str) -> String {
    toml_edit::Value::from(value).to_string()
}

fn list(values: &[&str]) -> String {
    let array: toml_edit::Array = values.iter().copied().collect();
    toml_edit::Value::from(array).to_string()
}
