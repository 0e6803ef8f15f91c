//! `sluice check`: is the file right, and do Kafka and S3 do what Sluice needs of them?
//!
//! It owns: the order of the questions, what is printed, the exit code.
//! It does not own: the questions to Kafka (`kafka`) and to S3 (`store`), their judgement there.
//!
//! It changes nothing but objects of its own below `s3.claims_prefix`, and never joins the group.

pub mod effective;
pub mod finding;
mod kafka;
mod store;

use serde::Serialize;

use crate::command::settings::{Common, print};
use crate::command::verdict::Verdict;
use crate::config::{Faults, Loaded, Warning};
use crate::daemon::connect::consumer_options;
use crate::model::{NameError, Timestamp};
use effective::{Effective, effective};
use finding::{At, Finding, Question, Report, Shown};

/// Tells whether Sluice could run: reads the configuration, then asks Kafka and S3
///
/// Prints a line for each finding: `ok`, `warn` (works, and deserves a look) or `FAIL`, what it is
/// about, and what to do. It joins no group, commits nothing, and writes only a few small objects
/// below `s3.claims_prefix`, which it removes again.
///
/// Exit codes: 0 nothing failed, 1 something did, 69 Kafka or S3 is unreachable, 78 the
/// configuration has faults.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Look at the configuration only: ask neither Kafka nor S3
    #[arg(long)]
    pub offline: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
}

/// What machines read.
#[derive(Debug, Serialize)]
struct Document<'a> {
    exit_code: u8,
    findings: &'a [Finding],
    topics: &'a [Effective],
}

pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    let shown = if arguments.json { Shown::Later } else { Shown::Text };
    let mut report = Report::new(shown);
    let topics = match common.try_load() {
        Ok(loaded) => look(&mut report, &loaded, arguments),
        Err(faults) => {
            add_faults(&mut report, &faults);
            Vec::new()
        }
    };
    match shown {
        Shown::Text => print_rest(&report, &topics),
        Shown::Later => print_json(&report, &topics),
    }
    report.exit_code()
}

fn print_rest(report: &Report, topics: &[Effective]) {
    for shared in topics {
        print("");
        print(&shared.to_string());
    }
    print("");
    print(&report.summary());
}

fn print_json(report: &Report, topics: &[Effective]) {
    let (exit_code, findings) = (report.exit_code(), report.findings());
    let document = Document { exit_code, findings, topics };
    #[expect(clippy::expect_used, reason = "texts, numbers and lists of them")]
    let text = serde_json::to_string_pretty(&document).expect("maps of it have texts as keys");
    print(&text);
}

/// Asks everything of a file without a fault; returns what it comes to.
fn look(report: &mut Report, loaded: &Loaded, arguments: &Arguments) -> Vec<Effective> {
    let settings = &loaded.settings;
    let is_good = look_at_file(report, loaded);
    let mut found = None;
    if is_good && !arguments.offline {
        found = kafka::look(report, settings);
        store::look(report, settings);
    }
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    add_topics(report, effective(settings, found.as_deref(), now))
}

/// Returns whether the others can be asked with it.
fn look_at_file(report: &mut Report, loaded: &Loaded) -> bool {
    let Loaded { settings, warnings } = loaded;
    let mut at = At { report, place: "configuration".to_owned() };
    at.ok(Question::File, "no faults");
    for Warning { spot, caution } in warnings {
        let (place, what) = (spot.place.to_string(), format!("`{}` {caution}", spot.key));
        let (verdict, question) = (Verdict::Warn, Question::File);
        at.report.add(Finding { verdict, question, place, what, advice: None });
    }
    let drain = effective::duration_text(settings.limits.drain);
    let what = format!(
        "`limits.drain` = {drain}: under systemd the unit's `TimeoutStopSec` must be above it"
    );
    at.ok(Question::Drain, what);
    match consumer_options(settings, "check".to_owned()).check() {
        Ok(()) => {
            at.ok(Question::Properties, "librdkafka takes its properties");
            true
        }
        Err(error) => {
            add_config_fault(at.report, Question::Properties, error.to_string());
            false
        }
    }
}

fn add_faults(report: &mut Report, faults: &Faults) {
    for fault in faults.list() {
        let (place, whole) = (fault.spot.place.to_string(), fault.to_string());
        // The spot begins with its place, which has a column of its own here.
        let rest = whole.strip_prefix(&format!("{place}: ")).unwrap_or(&whole);
        let (what, advice) = (rest.to_owned(), None);
        let (verdict, question) = (Verdict::Config, Question::File);
        report.add(Finding { verdict, question, place, what, advice });
    }
}

fn add_config_fault(report: &mut Report, question: Question, what: String) {
    let place = "configuration".to_owned();
    report.add(Finding { verdict: Verdict::Config, question, place, what, advice: None });
}

fn add_topics(report: &mut Report, topics: Result<Vec<Effective>, NameError>) -> Vec<Effective> {
    match topics {
        Ok(topics) => topics,
        Err(error) => {
            add_config_fault(report, Question::File, error.to_string());
            Vec::new()
        }
    }
}
