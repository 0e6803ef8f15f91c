//! The daemon's machine of a partition, driven over a sample with nothing behind it.
//!
//! It owns: the answers that Kafka and S3 would give, which record went into which object.
//! It does not own: any rule of batches, routes or names: the machine decides all of them.

use std::collections::BTreeMap;

use super::sample::Sampled;
use crate::engine::{
    Action, EmptyPlan, Input, Now, ObjectDescription, ObjectId, Partition, PartitionOptions,
    Random, Report, Source, Start, StopReason, Workshop,
};
use crate::format::{BadRecord, Compressors};
use crate::layout::{Route, RouteCache, RouteContext};
use crate::model::{Offset, OffsetRange, Record, SealReason};

/// Stands for the end of the sample; nothing else in it asks for a seal.
pub(super) const END_OF_SAMPLE: SealReason = SealReason::Request;

/// An object that would be written.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) route: String,
    pub(super) is_quarantine: bool,
    pub(super) records: u64,
    pub(super) first: Offset,
    pub(super) last: Offset,
    /// In parts, with a claim before: larger than one part.
    pub(super) is_multipart: bool,
}

/// A batch that would be sealed.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) reason: SealReason,
    pub(super) range: OffsetRange,
    pub(super) records: u64,
    pub(super) objects: Vec<Object>,
}

/// What would become of a partition's records.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) batches: Vec<Batch>,
    pub(super) quarantined: Vec<(Offset, BadRecord)>,
    pub(super) skipped: Vec<Offset>,
    pub(super) stopped: Option<StopReason>,
}

/// First and last record of a route in the open batch.
type Spans = BTreeMap<Route, (Offset, Offset)>;

struct Drive {
    source: Source,
    options: PartitionOptions,
    now: Now,
    machine: Partition,
    workshop: Workshop,
    open: Spans,
    /// Of the batch that is being published.
    sealed: Spans,
    outcome: Outcome,
}

/// Hands all records to a new machine, then seals what is open.
pub(super) fn drive(
    source: Source,
    options: PartitionOptions,
    now: Now,
    records: &[Sampled],
) -> Outcome {
    let offset = records.first().map_or(Offset::ZERO, |first| first.offset);
    let pin =
        EmptyPlan { offset, cluster: source.cluster.clone(), topic_id: source.topic_id, pin: true };
    let start = Start { offset, metadata: pin.encode(), pending: None, first_object: ObjectId(0) };
    let workshop = Workshop {
        compressors: Compressors::new(),
        routes: RouteCache::default(),
        random: Random(Box::new(|| 0)), // ids of batches stand in no key
    };
    let machine = Partition::new(source.clone(), options.clone(), start, now);
    let (open, sealed, outcome) = (Spans::new(), Spans::new(), Outcome::default());
    let mut drive = Drive { source, options, now, machine, workshop, open, sealed, outcome };
    for sampled in records {
        if !drive.machine.wants_records() {
            break;
        }
        let record = sampled.record();
        drive.machine.handle(now, Input::Record(record), &mut drive.workshop);
        drive.carry_out(Some(&record));
    }
    drive.machine.handle(now, Input::Seal(END_OF_SAMPLE), &mut drive.workshop);
    drive.carry_out(None);
    drive.outcome
}

impl Drive {
    /// Carries out what the machine asks for, until it asks for nothing. What it said of `record`
    /// is among the first actions, before a seal that the record caused.
    fn carry_out(&mut self, record: Option<&Record<'_>>) {
        let mut record = record.filter(|record| record.offset < self.machine.cursor());
        while let Some(action) = self.machine.poll_action() {
            if let Some(record) = record.take() {
                self.place(record, &action);
            }
            let answer = match action {
                Action::Commit { .. } => Some(Input::Committed),
                Action::WriteClaim { .. } => Some(Input::ClaimWritten),
                Action::Put { object, count, .. } => Some(self.published(&object, count, false)),
                Action::Complete { object, count, .. } => {
                    Some(self.published(&object, count, true))
                }
                Action::Stop(reason) => {
                    self.outcome.stopped = Some(reason);
                    None
                }
                Action::Report(report) => {
                    self.heard(report);
                    None
                }
                Action::UploadPart(_)
                | Action::Abort(_)
                | Action::Seek(_)
                | Action::Rewind
                | Action::Drained => None,
            };
            if let Some(input) = answer {
                self.machine.handle(self.now, input, &mut self.workshop);
            }
        }
        if let Some(record) = record {
            self.written(record);
        }
    }

    fn place(&mut self, record: &Record<'_>, first: &Action) {
        match first {
            Action::Report(Report::Quarantined { offset, .. }) => {
                let route = self.options.layout.quarantine_route(&self.source.partition);
                self.extend(route, *offset);
            }
            Action::Report(Report::Skipped) => self.outcome.skipped.push(record.offset),
            _ => self.written(record),
        }
    }

    fn written(&mut self, record: &Record<'_>) {
        let context = RouteContext { partition: &self.source.partition, opened: self.now.wall };
        let routes = &mut self.workshop.routes;
        if let Ok(route) = self.options.layout.route_with(&context, record, routes) {
            self.extend(route, record.offset);
        }
    }

    fn extend(&mut self, route: Route, offset: Offset) {
        self.open.entry(route).and_modify(|span| span.1 = offset).or_insert((offset, offset));
    }

    fn heard(&mut self, report: Report) {
        match report {
            Report::Quarantined { offset, reason } => {
                self.outcome.quarantined.push((offset, reason));
            }
            Report::Sealed { reason, range, records, .. } => {
                self.sealed = std::mem::take(&mut self.open);
                let objects = Vec::new();
                self.outcome.batches.push(Batch { reason, range, records, objects });
            }
            _ => {}
        }
    }

    fn published(
        &mut self,
        object: &ObjectDescription,
        records: u64,
        is_multipart: bool,
    ) -> Input<'static> {
        let found = self.sealed.iter().find(|(_, span)| span.0 == object.first);
        debug_assert!(found.is_some(), "each object begins with a record that was placed");
        if let (Some((route, span)), Some(batch)) = (found, self.outcome.batches.last_mut()) {
            batch.objects.push(Object {
                key: object.key.as_str().to_owned(),
                route: route.as_str().to_owned(),
                is_quarantine: route.is_quarantine(),
                records,
                first: object.first,
                last: span.1,
                is_multipart,
            });
        }
        Input::Published(object.id)
    }
}
