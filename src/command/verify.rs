//! `sluice verify`: do the bucket and the topics agree?
//!
//! It owns: the order of the work, between which offsets a partition is compared.
//! It does not own: what Kafka (`survey`) and the bucket (`bucket`, `inventory`) say, the
//! comparison (`walk`, `compare`), what is printed (`finding`).
//!
//! It writes nothing, to neither of them, and never joins the group. Daemons may run: commits are
//! read before the bucket is listed, and what lies behind them is left out.

pub(super) mod bucket;
mod compare;
pub(super) mod content;
mod expected;
pub(super) mod finding;
pub(super) mod inventory;
mod judge;
mod name;
mod pinpoint;
mod resume;
#[cfg(test)]
pub(super) mod sample;
pub(super) mod survey;
mod walk;

use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::command::progress::{Display, Progress};
use crate::command::settings::{Common, say};
use crate::config::{Settings, Start};
use crate::daemon::connect::{consumer_options, s3_options};
use crate::kafka::RangeReader;
use crate::kafka::admin::Watermarks;
use crate::model::{Offset, Topic, TopicPartition};
use crate::s3::{AwsStores, CLAIM_BYTES_MAX, Claim, Claims, Store, StoreErrorKind};
use bucket::{Scope, look};
use compare::{Comparer, Depth, Ended, Facts};
use content::{ask, is_store_away};
use finding::{Finding, Kind, Report, Shown};
use inventory::{Holdings, Inventory};
use resume::{Resume, Subject};
use survey::{Commits, Survey, client_name};
use walk::Bounds;

/// Proves that the bucket and the topics agree, up to what the group has committed
///
/// Lists the objects below the prefixes of the configuration, asks each one what it says of itself,
/// and compares that with the topics: every record must be in one object, every object must be of
/// one plan. Objects that were written in parts do not say how many records they hold, so these are
/// read and compared with Kafka; with `--deep` all of them are, byte by byte. Objects of the
/// Confluent sink are known by their names, and their lines are counted.
///
/// Prints a line for each finding, with the partition, the offsets, the key, what it means and what
/// to do, then one for each partition. It needs permission to read only (`s3:ListBucket`,
/// `s3:GetObject`; `Read` and `Describe` on topics and group), never joins the group, and may run
/// beside daemons: what they write meanwhile is left out.
///
/// Exit codes: 0 all agrees, 1 something does not, 69 Kafka or S3 is unreachable, 78 the
/// configuration has faults.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sluice verify --config /etc/sluice/connector.toml\n  \
    sluice verify --deep --resume /var/tmp/verify.state     # hours of work may be cut short\n  \
    sluice verify --topic pin --json | jq '.findings[].key'")]
pub struct Arguments {
    /// Compare every record's bytes, not only what objects say of themselves
    #[arg(long)]
    pub deep: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
    /// Only this topic, in place of those of the configuration; may be repeated
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub topic: Vec<Topic>,
    /// Look below this prefix too, where a former layout wrote; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Vec<String>,
    /// Write down here what is done, and go on from there if the file exists
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
}

fn parse_topic(text: &str) -> Result<Topic, String> {
    Topic::new(text).map_err(|error| error.to_string())
}

pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    let mut report = Report::new(if arguments.json { Shown::Json } else { Shown::Text });
    match common.try_load() {
        Ok(loaded) => verify(&loaded.settings, arguments, &mut report),
        Err(faults) => {
            for fault in faults.list() {
                let finding = Finding::new(Kind::Configuration, "file", fault.to_string());
                report.add(finding);
            }
        }
    }
    report.close()
}

fn verify(settings: &Settings, arguments: &Arguments, report: &mut Report) {
    let Some(survey) = Survey::make(settings, &arguments.topic, report) else { return };
    let Some((runtime, store)) = connect(settings, report) else { return };
    let resume = match open(settings, arguments, &survey) {
        Ok(resume) => resume,
        Err(error) => {
            report.add(Finding::new(Kind::Configuration, "--resume", error.to_string()));
            return;
        }
    };
    let Some(before) = survey.commits(report) else { return };
    let partitions = survey.logs.keys().cloned();
    let group = &settings.kafka.group_id;
    let mut inventory = Inventory::new(group, survey.topics.clone(), partitions);
    let scope = scope(settings, arguments);
    let mut progress = Progress::start(Display::of_stderr(), "looking", "objects", None);
    let looked = look(&store, &scope, &mut inventory, (report, &mut progress));
    if let Err(error) = runtime.block_on(looked) {
        report.add(Finding::new(Kind::Unreachable, "bucket", error.to_string()));
        return;
    }
    drop(progress);
    let Some(after) = survey.commits(report) else { return };
    let around = Around { settings, survey: &survey, runtime: &runtime, store };
    let all = around.facts(&mut inventory, (&before, &after), report);
    let depth = if arguments.deep { Depth::Records } else { Depth::Metadata };
    let Ok(all) = all.map_err(|error| end(report, &error)) else { return };
    if let Err(error) = around.compare(&all, inventory, (depth, resume), report) {
        end(report, &error);
    }
}

fn end(report: &mut Report, error: &Ended) {
    let kind = match error {
        Ended::Store(_) | Ended::Kafka { .. } => Kind::Unreachable,
        Ended::Resume(_) => Kind::Configuration,
    };
    report.add(Finding::new(kind, "comparison", error.to_string()));
}

pub(super) fn connect(settings: &Settings, report: &mut Report) -> Option<(Runtime, Store)> {
    let s3 = &settings.s3;
    say(&match &s3.endpoint {
        Some(endpoint) => format!("asking S3 at {endpoint} ..."),
        None => "asking Amazon S3 ...".to_owned(),
    });
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("no runtime for its requests: {error}");
            report.add(Finding::new(Kind::Unreachable, "bucket", what));
            return None;
        }
    };
    match runtime.block_on(AwsStores::connect(&s3_options(s3))) {
        Ok(stores) => Some((runtime, stores.bucket(&s3.bucket))),
        Err(error) => {
            report.add(Finding::new(Kind::Configuration, "bucket", error.to_string()));
            None
        }
    }
}

fn open(
    settings: &Settings,
    arguments: &Arguments,
    survey: &Survey,
) -> Result<Option<Resume>, resume::ResumeError> {
    let Some(path) = &arguments.resume else { return Ok(None) };
    let subject = Subject {
        sluice_verify: resume::VERSION,
        cluster: survey.cluster.to_string(),
        group: settings.kafka.group_id.to_string(),
        bucket: settings.s3.bucket.to_string(),
        deep: arguments.deep,
    };
    Resume::open(path, &subject).map(Some)
}

fn scope(settings: &Settings, arguments: &Arguments) -> Scope {
    let layouts = settings.scopes().map(|(_, topics)| &topics.layout);
    let of_layouts = layouts.flat_map(|layout| [&layout.prefix, &layout.quarantine_prefix]);
    let all = of_layouts.chain(&arguments.prefix).map(String::as_str);
    Scope::new(all, &settings.s3.claims_prefix)
}

/// What the last steps are done with.
struct Around<'a> {
    settings: &'a Settings,
    survey: &'a Survey,
    runtime: &'a Runtime,
    store: Store,
}

impl Around<'_> {
    /// Returns between which offsets each partition is compared.
    fn facts(
        &self,
        inventory: &mut Inventory,
        (before, after): (&Commits, &Commits),
        report: &mut Report,
    ) -> Result<Vec<Facts>, Ended> {
        let mut all = Vec::new();
        for (partition, log) in &self.survey.logs {
            let claim = self.claim(partition, report)?;
            if let Some(plan) = claim.as_ref().and_then(|claim| claim.plan.as_ref()) {
                inventory.add_claimed(partition, plan);
            }
            let Some(holdings) = inventory.partitions.get(partition) else { continue };
            let Some(commit) = before.get(partition) else {
                if !holdings.is_empty() || claim.is_some() {
                    let what = format!(
                        "the group has no commit, and the bucket has {} of its objects",
                        holdings.objects()
                    );
                    report.add(Finding::new(Kind::Commit, partition, what));
                }
                continue;
            };
            if commit.offset > log.high {
                let what =
                    format!("{} is committed, and the log ends at {}", commit.offset, log.high);
                report.add(Finding::new(Kind::Commit, partition, what));
            }
            let end = commit.offset.min(log.high);
            let begin = self.begin(holdings, claim.as_ref(), log).min(end);
            let last = after.get(partition).unwrap_or(commit);
            let (end_after, pending) = (last.offset, last.pending);
            let first_start = claim.as_ref().map(|claim| claim.first_start);
            let topic_id = self.survey.topics.get(&partition.topic);
            all.push(Facts {
                partition: partition.clone(),
                topic_id: topic_id.map(ToString::to_string).unwrap_or_default(),
                log_start: log.low,
                bounds: Bounds { begin, end, end_after, pending, first_start },
                layout: self.settings.for_topic(&partition.topic).layout,
            });
        }
        Ok(all)
    }

    /// Returns from where on the bucket should be complete: where the group began to read, or the
    /// predecessor before it; without a claim what `kafka.start` says.
    fn begin(&self, holdings: &Holdings, claim: Option<&Claim>, log: &Watermarks) -> Offset {
        let named = holdings.named.first().map(|named| named.start);
        let first = holdings.batches.keys().next().map(|(start, _)| *start).into_iter();
        let first = first.chain(named).min();
        match (claim, first, self.settings.kafka.start) {
            (Some(claim), first, _) => {
                first.map_or(claim.first_start, |first| first.min(claim.first_start))
            }
            (None, Some(first), _) if named == Some(first) => first,
            (None, Some(first), Start::Latest) => first,
            (None, first, _) => first.map_or(log.low, |first| first.min(log.low)),
        }
    }

    fn claim(
        &self,
        partition: &TopicPartition,
        report: &mut Report,
    ) -> Result<Option<Claim>, Ended> {
        let s3 = &self.settings.s3;
        let group = &self.settings.kafka.group_id;
        let Ok(claims) = Claims::new(&s3.claims_prefix, &self.survey.cluster, group) else {
            return Ok(None);
        };
        let key = claims.partition_key(partition);
        let got = self.runtime.block_on(ask(|| self.store.get(&key, CLAIM_BYTES_MAX)));
        let (kind, what) = match got {
            Ok(got) => match Claim::parse(&got.body) {
                Ok(claim) => return Ok(Some(claim)),
                Err(error) => (Kind::BadMetadata, format!("the claim is none: {error}")),
            },
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) if is_store_away(&error) => return Err(Ended::Store(error)),
            Err(error) => (Kind::Unreadable, error.to_string()),
        };
        report.add(Finding::new(kind, partition, what).key(key));
        Ok(None)
    }

    fn compare(
        &self,
        all: &[Facts],
        mut inventory: Inventory,
        (depth, resume): (Depth, Option<Resume>),
        report: &mut Report,
    ) -> Result<(), Ended> {
        let offsets = |facts: &Facts| facts.bounds.end.distance_from(facts.bounds.begin);
        let total = all.iter().map(offsets).sum();
        let mut comparer = Comparer {
            runtime: self.runtime,
            store: Store::clone(&self.store),
            kafka: RangeReader::new(&consumer_options(self.settings, client_name())),
            depth,
            layouts: inventory.layouts().to_vec(),
            set_aside: std::mem::take(&mut inventory.set_aside),
            report,
            progress: Progress::start(Display::of_stderr(), "comparing", "offsets", Some(total)),
            offsets_before: 0,
            resume,
            pinpointed: 0,
        };
        for facts in all {
            let holdings = inventory.partitions.remove(&facts.partition).unwrap_or_default();
            comparer.partition(facts, &holdings)?;
        }
        comparer.progress.finish(total, "");
        if inventory.left_out > 0 {
            say(&format!("{} objects of other topics were left out", inventory.left_out));
        }
        Ok(())
    }
}
