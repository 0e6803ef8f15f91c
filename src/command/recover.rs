//! `sluice recover`: what was lost of a stopped partition, and a person's decision about it.
//!
//! It owns: the order of the work, which partitions are meant.
//! It does not own: the asking (`verify`'s survey), what was found (`evidence`), what can be decided
//! (`choice`), the words (`shown`), the claims (`claims`).
//!
//! It never commits and joins no group: it writes a decision into the claim of a partition, and the
//! daemon that owns the partition takes it (protocol rule 11). So it works while the group lives,
//! when brokers refuse commits of strangers, and while it does not.

mod choice;
mod claims;
mod evidence;
mod shown;

use serde_json::{Value, json};

use crate::command::progress::{Display, Progress};
use crate::command::settings::{Common, print, say};
use crate::command::verdict::{Verdict, exit_code};
use crate::command::verify::bucket::{Scope, look};
use crate::command::verify::connect;
use crate::command::verify::finding::{Finding, Kind, Report, Shown};
use crate::command::verify::inventory::{Holdings, Inventory};
use crate::command::verify::survey::Survey;
use crate::config::Settings;
use crate::engine::{CommittedOffset, Metadata, Places, Source};
use crate::kafka::ffi::Committed;
use crate::model::{Offset, Topic, TopicId, TopicPartition};
use crate::s3::{Claims, StoreError};

use choice::{Choice, propose, propose_at};
use claims::ClaimStore;
use evidence::{Evidence, FoundClaim, Standing};
use shown::{Came, document, lines};

/// Shows what was found of stopped partitions, and writes down what a person decides
///
/// For offsets that expired or were reset, a deleted group, a topic that was created anew, a plan
/// that cannot be finished: reads commits, claims and the newest objects, and shows for each
/// partition what each decision would do. It changes nothing unless `--decide` (or `--at`) and
/// `--yes` are given; then it writes the decision into the partition's claim. The daemon that owns
/// the partition reads it within a minute, or when it starts, and goes on from there. It never
/// commits to Kafka, and works while the group runs and while it is stopped.
///
/// A decision is about the commit that stood when it was made, and is taken only while exactly that
/// stands. Where it would write records again (an offset below what was written, a topic created
/// anew) it demands a `layout.prefix` that the partition was never written below: set it, decide
/// with that configuration, start the daemon with it.
///
/// Exit codes: 0 nothing waits for a decision, 1 something does, 69 Kafka or S3 is unreachable, 78
/// the configuration has faults.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sluice recover                                          # what stopped, what was found, what can be decided\n  \
    sluice recover --decide continue                        # what would be written, for all that need it\n  \
    sluice recover --decide continue --yes                  # writes it\n  \
    sluice recover --partition pin/0 --decide give-up --yes # also one that does not look stopped from here")]
pub struct Arguments {
    /// What is decided
    #[arg(long, value_enum, value_name = "DECISION")]
    decide: Option<Choice>,
    /// Read from this offset on, whatever was found; with one `--partition`
    #[arg(long, value_name = "OFFSET", value_parser = parse_offset, conflicts_with = "decide",
        requires = "partition")]
    at: Option<Offset>,
    /// Write the decision; without it only what would be written is shown
    #[arg(long)]
    yes: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
    /// Only this topic; may be repeated
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    topic: Vec<Topic>,
    /// Only this partition, as TOPIC/NUMBER, and also if it needs no decision; may be repeated
    #[arg(long, value_name = "PARTITION", value_parser = parse_partition)]
    partition: Vec<TopicPartition>,
    /// Look for objects below this prefix too, where a former layout wrote; may be repeated
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<String>,
}

fn parse_offset(text: &str) -> Result<Offset, String> {
    let value = text.parse().map_err(|_| format!("`{text}` is no offset"))?;
    Offset::new(value).map_err(|error| error.to_string())
}

fn parse_topic(text: &str) -> Result<Topic, String> {
    Topic::new(text).map_err(|error| error.to_string())
}

fn parse_partition(text: &str) -> Result<TopicPartition, String> {
    let wrong = || format!("`{text}` is not like `pin/0`");
    let (topic, index) = text.rsplit_once('/').ok_or_else(wrong)?;
    let index = index.parse().map_err(|_| wrong())?;
    TopicPartition::new(topic, index).map_err(|error| error.to_string())
}

pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    let mut report = Report::new(Shown::Json);
    let told = match common.try_load() {
        Ok(loaded) => recover(&loaded.settings, arguments, &mut report),
        Err(faults) => {
            for fault in faults.list() {
                report.add(Finding::new(Kind::Configuration, "file", fault.to_string()));
            }
            None
        }
    };
    close(arguments, &report, told.unwrap_or_default())
}

/// One partition, as it is told.
struct Told {
    lines: Vec<String>,
    document: Value,
    is_open: bool,
}

fn recover(settings: &Settings, arguments: &Arguments, report: &mut Report) -> Option<Vec<Told>> {
    let mut topics = arguments.topic.clone();
    topics.extend(arguments.partition.iter().map(|partition| partition.topic.clone()));
    topics.sort();
    topics.dedup();
    let survey = Survey::make(settings, &topics, report)?;
    let (runtime, store) = connect(settings, report)?;
    let s3 = &settings.s3;
    let claims = Claims::new(&s3.claims_prefix, &survey.cluster, &settings.kafka.group_id);
    let claims = match claims {
        Ok(claims) => ClaimStore { runtime: &runtime, store, claims },
        Err(error) => {
            report.add(Finding::new(Kind::Configuration, "s3.claims_prefix", error.to_string()));
            return None;
        }
    };
    let mut all = gather(settings, arguments, (&survey, &claims), report)?;
    let group = &settings.kafka.group_id;
    let mut inventory = Inventory::new(group, survey.topics.clone(), survey.logs.keys().cloned());
    let scope = scope(settings, arguments, &all);
    let mut progress = Progress::start(Display::of_stderr(), "looking", "objects", None);
    let looked = look(&claims.store, &scope, &mut inventory, (report, &mut progress));
    if let Err(error) = runtime.block_on(looked) {
        report.add(unreachable("bucket", &error));
        return None;
    }
    drop(progress);
    let mut told = Vec::new();
    for found in &mut all {
        let partition = found.source.partition.clone();
        found.former = inventory.former.remove(&partition).unwrap_or_default();
        if let FoundClaim::Whole { claim, .. } = &found.claim
            && let Some(plan) = &claim.plan
        {
            inventory.add_claimed(&partition, plan);
        }
        let nothing = Holdings::default();
        found.sort(inventory.partitions.get(&partition).unwrap_or(&nothing));
        let standing = found.standing();
        let is_meant = arguments.partition.contains(&partition);
        let came = if is_meant || matches!(standing, Standing::Needs(_)) {
            decide(found, arguments, &claims)
        } else if standing == Standing::Goes {
            continue;
        } else {
            Came::Shown
        };
        told.push(Told {
            lines: lines(found, &standing, &came),
            document: document(found, &standing, &came),
            is_open: came.is_open(&standing),
        });
    }
    Some(told)
}

fn unreachable(place: &str, error: &StoreError) -> Finding {
    Finding::new(Kind::Unreachable, place, error.to_string())
}

/// Asks for everything but the objects.
fn gather(
    settings: &Settings,
    arguments: &Arguments,
    (survey, claims): (&Survey, &ClaimStore<'_>),
    report: &mut Report,
) -> Option<Vec<Evidence>> {
    let mut all = Vec::new();
    for Committed { partition, offset, metadata, error } in survey.committed(report)? {
        let is_meant = arguments.partition.is_empty() || arguments.partition.contains(&partition);
        let Some(log) = survey.logs.get(&partition).filter(|_| is_meant) else { continue };
        if let Some(code) = error {
            let what = format!("its commit cannot be read: {code}");
            report.add(Finding::new(Kind::Unreachable, &partition, what));
            continue;
        }
        let claim = match claims.read(&partition) {
            Ok(claim) => claim,
            Err(error) => {
                report.add(unreachable(claims.key(&partition).as_str(), &error));
                return None;
            }
        };
        let layout = settings.for_topic(&partition.topic).layout;
        let topic_id = survey.topics.get(&partition.topic).copied().unwrap_or(TopicId::UNKNOWN);
        all.push(Evidence {
            source: Source { cluster: survey.cluster.clone(), partition, topic_id },
            log: *log,
            committed: offset.map(|offset| CommittedOffset { offset, metadata }),
            claim,
            newest: None,
            oldest: None,
            reaches: Vec::new(),
            former: Vec::new(),
            places: Places {
                prefix: layout.prefix.clone(),
                quarantine_prefix: layout.quarantine_prefix.clone(),
            },
        });
    }
    Some(all)
}

/// Returns where objects may lie: by the configuration, by what was asked for, and by the layouts of
/// all plans that are known without looking.
fn scope(settings: &Settings, arguments: &Arguments, all: &[Evidence]) -> Scope {
    let mut prefixes = arguments.prefix.clone();
    for (_, topics) in settings.scopes() {
        prefixes
            .extend([&topics.layout.prefix, &topics.layout.quarantine_prefix].map(Clone::clone));
    }
    for found in all {
        let claimed = found.claim.whole().and_then(|claim| claim.plan.as_ref());
        let claimed = claimed.and_then(|text| Metadata::parse(text.as_str().as_bytes()).ok());
        for metadata in [claimed, found.ours()].into_iter().flatten() {
            if let Metadata::Plan(plan) = metadata {
                prefixes.extend([plan.layout.prefix, plan.layout.quarantine_prefix]);
            }
        }
    }
    Scope::new(prefixes.iter().map(String::as_str), &settings.s3.claims_prefix)
}

fn decide(found: &Evidence, arguments: &Arguments, claims: &ClaimStore<'_>) -> Came {
    let proposed = match (arguments.decide, arguments.at) {
        (Some(choice), _) => propose(found, choice),
        (None, Some(start)) => propose_at(found, start),
        (None, None) => return Came::Shown,
    };
    let proposal = match proposed {
        Ok(proposal) => Box::new(proposal),
        Err(refused) => return Came::Refused(refused),
    };
    if !arguments.yes {
        return Came::Dry(proposal);
    }
    match claims.write(&found.source.partition, &found.claim, &proposal.claim) {
        Ok(()) => Came::Written(proposal),
        Err(error) => Came::Failed(error.to_string()),
    }
}

/// Prints everything and returns the exit code.
fn close(arguments: &Arguments, report: &Report, told: Vec<Told>) -> u8 {
    // What is no answer stands in the way; strangers in the bucket are `verify`'s business.
    let faults: Vec<&Finding> = report
        .findings()
        .iter()
        .filter(|finding| {
            matches!(finding.kind, Kind::Configuration | Kind::Unreachable | Kind::Topic)
        })
        .collect();
    let open = told.iter().filter(|told| told.is_open).count();
    let opened = (open > 0).then_some(Verdict::Fail);
    let code = exit_code(faults.iter().map(|finding| finding.kind.verdict()).chain(opened));
    if arguments.json {
        let partitions: Vec<Value> = told.into_iter().map(|told| told.document).collect();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let document = json!({"exit_code": code, "faults": faults, "partitions": partitions});
        print(&format!("{document:#}"));
        return code;
    }
    for line in told.iter().flat_map(|told| &told.lines) {
        print(line);
    }
    for fault in faults {
        say(&fault.to_string());
    }
    match (code, open) {
        (0, _) => print("nothing waits for a decision"),
        (1, 1) => print("1 partition waits for a decision"),
        (_, open) => print(&format!("{open} partitions wait for a decision")),
    }
    code
}
