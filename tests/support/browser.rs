//! A real browser (Chromium) by WebDriver, for the status page.
//!
//! It owns: the driver's process, one session in it, the few commands that tests use.
//! It does not own: what a page should be.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{self, Process};
use super::{ports, scratch, wait};

/// A cold start of the browser on a loaded machine.
const STARTS_IN: Duration = Duration::from_secs(60);

/// A window of the browser, closed on drop with everything that was started for it.
pub struct Browser {
    session: String,
    _driver: Process,
    _folder: TempDir,
}

impl Browser {
    /// Starts a browser with a fresh profile.
    pub fn start() -> Self {
        let folder = scratch::folder("browser");
        let port = ports::free();
        let mut command = process::guarded("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = Process::start("chromedriver", command, &folder.path().join("log"));
        let at = format!("http://127.0.0.1:{port}");
        wait::until("chromedriver", STARTS_IN, || {
            let status = ask("GET", &format!("{at}/status"), None)?;
            (status["ready"] == true).then_some(())
        });
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let arguments =
            ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = ask("POST", &format!("{at}/session"), Some(wanted)).expect("a session");
        let id = session["sessionId"].as_str().unwrap().to_owned();
        Self { session: format!("{at}/session/{id}"), _driver: driver, _folder: folder }
    }

    fn command(&self, path: &str, body: Value) -> Value {
        let answer = ask("POST", &format!("{}/{path}", self.session), Some(body));
        answer.unwrap_or_else(|| panic!("the browser refused `{path}`"))
    }

    pub fn open(&self, url: &str) {
        self.command("url", json!({ "url": url }));
    }

    /// Runs JavaScript in the page and returns what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] }))
    }

    /// A phone or a desktop, by day or by night.
    pub fn looks_like(&self, (width, height): (u32, u32), colours: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let feature = json!({ "name": "prefers-color-scheme", "value": colours });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    pub fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Presses a key where the focus is: a letter, or WebDriver's code of a key.
    pub fn press(&self, key: &str) {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let source = json!([{ "type": "key", "id": "keyboard", "actions": keys }]);
        self.command("actions", json!({ "actions": source }));
    }

    /// What the page's own script and its policy complained of.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" }));
        let lines = log.as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line["message"].to_string()).collect()
    }

    /// Writes what is seen to a PNG file.
    pub fn picture(&self, file: &Path) {
        let answer = ask("GET", &format!("{}/screenshot", self.session), None).unwrap();
        std::fs::write(file, STANDARD.decode(answer.as_str().unwrap()).unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        ask("DELETE", &self.session, None);
    }
}

/// The `value` of an answer; None if it is an error.
fn ask(method: &str, url: &str, body: Option<Value>) -> Option<Value> {
    let config = ureq::Agent::config_builder().timeout_global(Some(STARTS_IN)).build();
    let agent = ureq::Agent::from(config);
    let mut answer = match (method, body) {
        ("GET", _) => agent.get(url).call(),
        ("DELETE", _) => agent.delete(url).call(),
        (_, body) => agent.post(url).send(body.unwrap_or_default().to_string()),
    }
    .ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    let mut answer: Value = serde_json::from_str(&text).ok()?;
    Some(answer["value"].take())
}
