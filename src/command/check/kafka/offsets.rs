//! What the group's commits mean for Sluice: protocol, rules 8 and 9.
//!
//! It owns: the verdict about each topic's commits. It does not own: reading them.

use std::collections::BTreeMap;

use super::finding::{At, Question};
use super::grants::Grants;
use super::judge::{SHOWN_MAX, count_of, group_failed};
use crate::config::Start;
use crate::engine::{EmptyPlan, Metadata};
use crate::kafka::admin::TopicDescription;
use crate::kafka::ffi::{CallError, Committed, ErrorCode};
use crate::model::{ClusterId, Topic, TopicId};

/// What the commits of the group are compared with.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) grants: Grants,
    pub(super) cluster: ClusterId,
    pub(super) topics: BTreeMap<Topic, TopicDescription>,
    pub(super) start: Start,
}

/// What the commits of one topic are.
#[derive(Debug, Default)]
struct Tally {
    none: usize,
    settled: usize,
    planned: usize,
    foreign: usize,
    refused: Option<ErrorCode>,
    /// What rule 9 of the protocol stops at.
    broken: Vec<String>,
}

pub(super) fn offsets(at: &mut At<'_>, known: &Known, answer: &Result<Vec<Committed>, CallError>) {
    let question = Question::Offsets;
    let committed = match answer {
        Ok(committed) => committed,
        Err(error) => {
            let (CallError::Call(code) | CallError::Partition { code, .. }) = error;
            return group_failed(at, known.grants, question, (error.to_string(), Some(*code)));
        }
    };
    let mut tallies: BTreeMap<&Topic, Tally> = BTreeMap::new();
    for one in committed {
        let tally = tallies.entry(&one.partition.topic).or_default();
        count(tally, known, one);
    }
    for (topic, tally) in tallies {
        let place = format!("{}, topic `{topic}`", at.place);
        tell(&mut At { report: &mut *at.report, place }, known, &tally);
    }
}

fn count(tally: &mut Tally, known: &Known, one: &Committed) {
    if let Some(code) = one.error {
        tally.refused = Some(code);
        return;
    }
    let Some(offset) = one.offset else {
        tally.none += 1;
        return;
    };
    let topic_id = known.topics.get(&one.partition.topic).map(|described| described.id);
    let fault = match Metadata::parse(&one.metadata) {
        Ok(Metadata::Foreign) => {
            tally.foreign += 1;
            return;
        }
        Ok(Metadata::Empty(EmptyPlan { offset: start, cluster, topic_id: id, .. })) => {
            tally.settled += 1;
            differs(known, (start == offset, &cluster), (topic_id, id))
        }
        Ok(Metadata::Plan(plan)) => {
            tally.planned += 1;
            let is_start = plan.range.start() == offset;
            differs(known, (is_start, &plan.cluster), (topic_id, plan.topic_id))
        }
        Err(error) => Some(error.to_string()),
    };
    if let Some(fault) = fault {
        tally.broken.push(format!("partition {} at {offset}: {fault}", one.partition.partition));
    }
}

fn differs(
    known: &Known,
    (is_start, cluster): (bool, &ClusterId),
    (expected, found): (Option<TopicId>, TopicId),
) -> Option<String> {
    let is_known = |id: &TopicId| id.is_known();
    if *cluster != known.cluster {
        return Some(format!("written for cluster `{cluster}`, this is `{}`", known.cluster));
    }
    match expected.filter(is_known).filter(|_| found.is_known()) {
        Some(expected) if expected != found => {
            Some(format!("written for topic id {found}, the topic was created anew"))
        }
        Some(_) | None if !is_start => Some("written for another offset".to_owned()),
        Some(_) | None => None,
    }
}

fn tell(at: &mut At<'_>, known: &Known, tally: &Tally) {
    let question = Question::Offsets;
    if let Some(code) = tally.refused {
        let what = format!("its commits cannot be read: {code}");
        return group_failed(at, known.grants, question, (what, Some(code)));
    }
    if !tally.broken.is_empty() {
        let shown = tally.broken.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("; ");
        let what = format!("{} cannot be continued: {shown}", commits(tally.broken.len()));
        let advice = "Sluice stops these partitions; go on under another `kafka.group_id` and a \
            `layout.prefix` that is not used yet";
        return at.fail(question, what, advice);
    }
    if tally.foreign > 0 {
        let what = format!("{} of another consumer", commits(tally.foreign));
        let advice = "Sluice takes over there; stop that consumer for good";
        at.warn(question, what, advice);
    }
    let start = match known.start {
        Start::Earliest => "earliest",
        Start::Latest => "latest",
    };
    let Tally { none, settled, planned, .. } = tally;
    at.ok(
        question,
        format!(
            "{} of Sluice, {planned} of them with a plan to finish; without a commit: {none} \
             (`kafka.start` = \"{start}\")",
            commits(settled + planned)
        ),
    );
}

fn commits(count: usize) -> String {
    count_of(count, "commit")
}
