//! One machine, driven by hand: what it wants is shown in a line each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::partition::{
    Action, Input, Now, OnLostRecords, Partition, PartitionOptions, Report,
};
use crate::engine::sample::{record, short_layout, source, workshop};
use crate::engine::{EmptyPlan, Metadata, ObjectId, ObjectSizes, Plan, Start, Workshop};
use crate::model::{Offset, SealPolicy, Timestamp, Uptime};

pub(super) struct Rig {
    pub(super) machine: Partition,
    pub(super) options: PartitionOptions,
    pub(super) reports: Vec<Report>,
    /// Why it stopped, in words.
    pub(super) reasons: Vec<String>,
    /// What Kafka has; the machine's commit is on its way until `committed` is called.
    pub(super) in_kafka: (Offset, String),
    pub(super) commit: Option<(Offset, String)>,
    pub(super) now: Duration,
    workshop: Workshop,
    publishing: VecDeque<ObjectId>,
    lives: u64,
}

/// Seals every two records; parts are far away.
pub(super) fn options() -> PartitionOptions {
    PartitionOptions {
        layout: Arc::new(short_layout()),
        seal: SealPolicy { records: Some(2), bytes: None, object_bytes: None, age: None },
        sizes: ObjectSizes { frame_bytes: 64, part_bytes: 1_000_000 },
        on_lost_records: OnLostRecords::Stop,
    }
}

/// As `options`, but every record of route `a` fills a part.
pub(super) fn with_parts() -> PartitionOptions {
    PartitionOptions { sizes: ObjectSizes { frame_bytes: 1, part_bytes: 1 }, ..options() }
}

pub(super) fn sealing_at(records: u64) -> PartitionOptions {
    let seal = SealPolicy { records: Some(records), ..options().seal };
    PartitionOptions { seal, ..options() }
}

impl Rig {
    pub(super) fn new(options: PartitionOptions) -> Self {
        let (cluster, topic_id) = (source().cluster, source().topic_id);
        let pin = EmptyPlan { offset: Offset::ZERO, cluster, topic_id, pin: true };
        Self::starting(options, (Offset::ZERO, pin.encode()), 0)
    }

    fn starting(options: PartitionOptions, in_kafka: (Offset, String), lives: u64) -> Self {
        let pending = match Metadata::parse(in_kafka.1.as_bytes()).unwrap() {
            Metadata::Plan(plan) => Some(plan),
            Metadata::Empty(_) | Metadata::Foreign => None,
        };
        let start = Start {
            offset: in_kafka.0,
            metadata: in_kafka.1.clone(),
            pending,
            first_object: ObjectId(lives * 100),
        };
        let now = Now { uptime: Uptime::ZERO, wall: Timestamp::from_millis(0) };
        let machine = Partition::new(source(), options.clone(), start, now);
        let (workshop, now) = (workshop(lives), Duration::ZERO);
        let (reports, reasons, publishing) = (Vec::new(), Vec::new(), VecDeque::new());
        Self {
            machine,
            options,
            reports,
            reasons,
            in_kafka,
            commit: None,
            now,
            workshop,
            publishing,
            lives,
        }
    }

    /// A rig at the start of a replay of the records that `plan_of` reads and seals.
    pub(super) fn replaying(options: PartitionOptions, values: &[(i64, &str)]) -> Self {
        let mut rig = Self::new(options);
        for (offset, value) in values {
            rig.read(*offset, value);
        }
        rig.say(Input::Seal(crate::model::SealReason::Request));
        rig.committed();
        assert!(rig.plan().is_some(), "a plan is pending");
        rig.restarted()
    }

    /// Another process starts at what Kafka has.
    pub(super) fn restarted(self) -> Self {
        Self::starting(self.options, self.in_kafka, self.lives + 1)
    }

    pub(super) fn plan(&self) -> Option<Plan> {
        match Metadata::parse(self.in_kafka.1.as_bytes()).unwrap() {
            Metadata::Plan(plan) => Some(*plan),
            Metadata::Empty(_) | Metadata::Foreign => None,
        }
    }

    pub(super) fn say(&mut self, input: Input<'_>) -> Vec<String> {
        let wall = 1_700_000_000_000 + i64::try_from(self.now.as_millis()).unwrap();
        let now = Now { uptime: Uptime::new(self.now), wall: Timestamp::from_millis(wall) };
        self.machine.handle(now, input, &mut self.workshop);
        std::iter::from_fn(|| self.machine.poll_action())
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|action| self.show(action))
            .collect()
    }

    fn show(&mut self, action: Action) -> Option<String> {
        Some(match action {
            Action::Commit { offset, metadata } => {
                assert!(self.commit.is_none(), "one commit on its way");
                let text = format!("commit {offset} {}", shown(&metadata));
                self.commit = Some((offset, metadata));
                text
            }
            Action::UploadPart(part) => {
                format!("part {} of {}", part.number, part.object.key.as_str())
            }
            Action::WriteClaim { plan, start } => format!("claim {start} {}", shown(&plan)),
            Action::Put { object, plan, .. } => {
                assert_eq!(*plan, *self.in_kafka.1, "the plan in Kafka travels along");
                self.publishing.push_back(object.id);
                format!("put {}", object.key.as_str())
            }
            Action::Complete { object, .. } => {
                self.publishing.push_back(object.id);
                format!("complete {}", object.key.as_str())
            }
            Action::Abort(object) => format!("abort {}", object.0),
            Action::Seek(offset) => format!("seek {offset}"),
            Action::Stop(reason) => {
                self.reasons.push(reason.to_string());
                format!("stop {}", reason.label())
            }
            Action::Rewind => format!("rewind to {}", self.machine.cursor()),
            Action::Drained => "drained".to_owned(),
            Action::Report(report) => {
                self.reports.push(report);
                return None;
            }
        })
    }

    /// Hands in a record of route `value`; `-` is a tombstone, `!` a bad record.
    pub(super) fn read(&mut self, offset: i64, value: &str) -> Vec<String> {
        let body = match value {
            "-" => None,
            "!" => Some("bad".to_owned()),
            route => Some(format!(r#"{{"k":"{route}"}}"#)),
        };
        self.say(Input::Record(record(offset, body.as_ref().map(String::as_bytes))))
    }

    pub(super) fn end_of_log(&mut self, end: i64) -> Vec<String> {
        self.say(Input::EndOfLog(Offset::new(end).unwrap()))
    }

    pub(super) fn out_of_range(&mut self, log_start: i64, log_end: i64) -> Vec<String> {
        let (log_start, log_end) = (Offset::new(log_start).unwrap(), Offset::new(log_end).unwrap());
        self.say(Input::OutOfRange { log_start, log_end })
    }

    /// Kafka takes the commit on its way and says so.
    pub(super) fn committed(&mut self) -> Vec<String> {
        self.in_kafka = self.commit.take().expect("a commit is on its way");
        self.say(Input::Committed)
    }

    pub(super) fn claimed(&mut self) -> Vec<String> {
        self.say(Input::ClaimWritten)
    }

    /// S3 takes the object that was handed out first.
    pub(super) fn published(&mut self) -> Vec<String> {
        let object = self.publishing.pop_front().expect("an object is on its way");
        self.say(Input::Published(object))
    }

    /// Lets everything that is on its way arrive, until nothing is.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..50 {
            all.extend(if self.commit.is_some() {
                self.committed()
            } else if self.publishing.is_empty() {
                self.claimed()
            } else {
                self.published()
            });
        }
        all
    }

    pub(super) fn wait(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        self.say(Input::Tick)
    }

    pub(super) fn has_reported(&self, is_it: impl Fn(&Report) -> bool) -> bool {
        self.reports.iter().any(is_it)
    }
}

fn shown(metadata: &str) -> String {
    match Metadata::parse(metadata.as_bytes()).unwrap() {
        Metadata::Plan(plan) => format!("plan {}", plan.range),
        Metadata::Empty(empty) if empty.pin => "pin".to_owned(),
        Metadata::Empty(_) => "none".to_owned(),
        Metadata::Foreign => "foreign".to_owned(),
    }
}
