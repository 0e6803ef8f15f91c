//! A real Prometheus that scrapes what a test tells it to.
//!
//! It owns: its process, its file, its folder, and asking it.
//! It does not own: the installation (`.ci/set-up`), nor what is asked.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{self, Process};
use super::{ports, scratch, wait};

/// A loaded machine; on an idle one it takes a third of a second.
const READY_IN: Duration = Duration::from_secs(60);
const ANSWER_IN: Duration = Duration::from_secs(20);
/// Other processes take ports too: how often to try again with a new one.
const STARTS_MAX: usize = 3;

/// A running server, killed on drop.
pub struct Prometheus {
    url: String,
    process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes one target each second as the job `sluice`, and evaluates the rules.
    pub fn start(target: &str, rules: &Path) -> Self {
        let started = (0..STARTS_MAX).find_map(|_| Self::try_start(target, rules));
        started.expect("Prometheus did not start; its log is above")
    }

    fn try_start(target: &str, rules: &Path) -> Option<Self> {
        let folder = scratch::folder("prometheus");
        let file = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs: [{{ job_name: sluice, static_configs: [{{ targets: [{target:?}] }}] }}]\n"
        );
        std::fs::write(&file, text).unwrap();
        let address = format!("127.0.0.1:{}", ports::free());
        let mut command = process::guarded("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let log = folder.path().join("log");
        let process = Process::start("Prometheus", command, &log);
        let url = format!("http://{address}");
        let mut server = Self { url, process, _folder: folder };
        let is_ready = wait::until_or(READY_IN, || {
            if server.process.ended().is_some() {
                return Some(false);
            }
            server.get("/-/ready", &[]).map(|_| true)
        });
        if is_ready != Some(true) {
            eprintln!("{}", server.process.log_tail());
            return None;
        }
        Some(server)
    }

    /// The series that a query finds now, each with its labels and its number.
    pub fn query(&self, query: &str) -> Result<Vec<(Value, f64)>, String> {
        let answer = self.get("/api/v1/query", &[("query", query)]).ok_or("no answer")?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let series = answer["data"]["result"].as_array().ok_or("no list of series")?;
        let numbers = series.iter().map(|series| {
            let number = series["value"][1].as_str().and_then(|number| number.parse().ok());
            Ok((series["metric"].clone(), number.ok_or("no number")?))
        });
        numbers.collect()
    }

    /// Each rule with what came of its evaluation: `ok`, `unknown` before the first, or an error.
    pub fn rules(&self) -> Vec<(String, String)> {
        let answer = self.get("/api/v1/rules", &[]).unwrap_or_default();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        rules.map(|rule| (word(&rule["name"]), word(&rule["health"]))).collect()
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let config = ureq::Agent::config_builder();
        let config = config.http_status_as_error(false).timeout_global(Some(ANSWER_IN)).build();
        let request = ureq::Agent::from(config).get(format!("{}{path}", self.url));
        let request =
            parameters.iter().fold(request, |request, (name, value)| request.query(*name, *value));
        let mut answer = request.call().ok()?;
        let is_told = path.starts_with("/api/") || answer.status().is_success();
        answer.body_mut().read_to_string().ok().filter(|_| is_told)
    }
}
