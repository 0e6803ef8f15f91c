//! The dashboard shows something: each of its queries finds series in a real Prometheus that scrapes
//! a daemon at work, and Grafana is told what it needs to know of each panel.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::support::kafka::NewRecord;
use super::support::kafka::topics::numbered;
use super::support::prometheus::Prometheus;
use super::support::proxy::s3::{Canned, Operation, S3Proxy, on};
use super::support::{kafka, s3, unique};
use super::{SOON, Scene};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn dashboard() -> Value {
    let text = std::fs::read_to_string(shipped("grafana/sluice.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// All panels but the rows' headings.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row").collect()
}

fn title(panel: &Value) -> String {
    panel["title"].as_str().unwrap().to_owned()
}

/// Title and expression of each query of each panel.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let of_panel = |panel: &&Value| {
        let targets = panel["targets"].as_array().unwrap().clone();
        let name = title(panel);
        targets
            .into_iter()
            .map(move |target| (name.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels(dashboard).iter().flat_map(of_panel).collect()
}

#[test]
fn each_panel_has_what_a_reader_of_it_needs() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<_> =
        variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance", "topic"]);
    assert_eq!(variables[0]["type"], "datasource");
    let all = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = all.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), all.len(), "two panels have one id");
    for panel in panels(&dashboard) {
        let title = title(panel);
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        let place = |name: &str| panel["gridPos"][name].as_i64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is wider than the grid");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    for (title, query) in queries(&dashboard) {
        let has_window = query.contains("rate(") || query.contains("increase(");
        assert_eq!(query.contains("[$__rate_interval]"), has_window, "{title}: {query}");
        for variable in ["job", "instance"] {
            assert!(query.contains(&format!("{variable}=~\"${variable}\"")), "{title}: {query}");
        }
        let is_per_partition = query.contains("sluice_partition_");
        assert_eq!(query.contains("topic=~\"$topic\""), is_per_partition, "{title}: {query}");
    }
}

/// What a variable of the dashboard is filled from: `label_values(series, label)`.
fn variable_queries(dashboard: &Value) -> Vec<(String, String)> {
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let filled = variables.filter_map(|variable| {
        let inner = variable["query"]["query"].as_str()?.strip_prefix("label_values(")?;
        let (series, label) = inner.strip_suffix(')')?.rsplit_once(", ")?;
        let name = variable["name"].as_str()?;
        assert_eq!(name, label, "a variable and its label have one name");
        Some((format!("the variable {name}"), format!("count by ({label}) ({series})")))
    });
    filled.collect()
}

/// Good records and bad ones, tombstones, and an S3 that fails once in a while.
fn work(scene: &Scene, proxy: &S3Proxy) {
    scene.produce(&numbered(0..200, 2));
    scene.produce(&[NewRecord::of("no JSON"), NewRecord::tombstone("key")]);
    proxy.answer(on(Operation::PutObject), Canned::error(503, "SlowDown"));
}

#[test]
fn each_query_of_the_dashboard_finds_series_of_a_daemon_at_work() {
    let (proxy, stopped) = (s3().proxy(), unique("stopped"));
    let mut scene =
        Scene::new("dashboard", 2).hasty().set("s3.endpoint", &format!("{:?}", proxy.endpoint()));
    kafka().create_topic(&stopped, 1);
    scene.settings = scene
        .settings
        .topics(&[&scene.topic, &stopped])
        .override_for(&stopped, "records.on_bad = \"stop\"");
    let daemon = scene.settings.start();
    kafka().produce(&stopped, &[NewRecord::of("no JSON")]);
    let prometheus = Prometheus::start(daemon.address(), &shipped("prometheus/alerts.yml"));
    let dashboard = dashboard();
    let mut queries = queries(&dashboard);
    queries.extend(variable_queries(&dashboard));
    for (_, query) in &mut queries {
        let chosen = [("$__rate_interval", "30s"), ("$job", "sluice"), ("$instance", ".*")];
        for (variable, value) in chosen.into_iter().chain([("$topic", ".*")]) {
            *query = query.replace(variable, value);
        }
        assert!(!query.contains('$'), "{query} has a variable that nobody knows");
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                work(&scene, &proxy);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        let found = find(&prometheus, &queries);
        is_over.store(true, Ordering::Relaxed);
        let found = found.unwrap_or_else(|missing| {
            panic!("nothing was found by {missing:#?}\n{}", daemon.log_tail());
        });
        for line in found {
            // Also when it passes: the capture of a test's output takes macros only.
            std::io::stderr().write_all(format!("dashboard, {line}\n").as_bytes()).unwrap();
        }
    });
    let rules = daemon.wait_until("every alert to be evaluated", SOON, || {
        let rules = prometheus.rules();
        rules.iter().all(|(_, health)| health != "unknown").then_some(rules)
    });
    assert!(rules.len() > 10 && rules.iter().all(|(_, health)| health == "ok"), "{rules:?}");
    ask_whether_an_hour_is_complete(&prometheus, &scene.topic);
    let text = daemon.metrics();
    let page = std::fs::read_to_string(shipped("prometheus/METRICS.md")).unwrap();
    let strange: Vec<&str> = text.lines().filter(|line| !is_described(line, &page)).collect();
    assert!(strange.is_empty(), "METRICS.md does not tell of {strange:#?}");
    daemon.stop_cleanly();
}

/// The query as README and reference print it: of 12 partitions of `pin`, an hour of 2023.
fn ask_whether_an_hour_is_complete(prometheus: &Prometheus, topic: &str) {
    for file in ["prometheus/METRICS.md", "../README.md"] {
        let text = std::fs::read_to_string(shipped(file)).unwrap();
        let (_, rest) = text.split_once("```promql\n").unwrap();
        let printed = rest.split("```").next().unwrap().replace("\"pin\"", &format!("{topic:?}"));
        let answer = |partitions: &str, hour: &str| {
            let query = printed.replace("bool 12)", &format!("bool {partitions})"));
            let series = prometheus.query(&query.replace("1700000000", hour)).unwrap();
            assert_eq!(series.len(), 1, "{file}");
            series[0].1
        };
        assert_eq!(answer("2", "1700000000"), 1.0, "{file}: it is over and complete");
        assert_eq!(answer("2", "4000000000"), 0.0, "{file}: it is not over");
        assert_eq!(answer("3", "1700000000"), 0.0, "{file}: a partition is not told of");
    }
}

/// Whether the page names the metric of a line, and each value of a label that has a list of them.
fn is_described(line: &str, page: &str) -> bool {
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').unwrap();
        return page.contains(&format!("| `{name}` | {kind} |"));
    }
    if line.starts_with('#') || line.starts_with("sluice_partition_stopped{") {
        return true;
    }
    let values =
        ["stage", "reason", "operation", "outcome", "kind"].into_iter().filter_map(|label| {
            let (_, rest) = line.split_once(&format!("{label}=\""))?;
            rest.split('"').next()
        });
    values.into_iter().all(|value| page.contains(&format!("`{value}`")))
}

/// Asks until each query has found a number; what each found, or those that found none.
fn find(prometheus: &Prometheus, queries: &[(String, String)]) -> Result<Vec<String>, Vec<String>> {
    let started = std::time::Instant::now();
    loop {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for (title, query) in queries {
            match prometheus.query(query) {
                Ok(series) if series.iter().any(|(_, number)| number.is_finite()) => {
                    let most = series.iter().map(|(_, number)| *number).fold(f64::MIN, f64::max);
                    found.push(format!("{title}: {} series, at most {most}", series.len()));
                }
                Ok(series) => missing.push(format!("{title}: {query}: {series:?}")),
                Err(error) => missing.push(format!("{title}: {query}: {error}")),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        if started.elapsed() > 2 * SOON {
            return Err(missing);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
