//! What `recover` says of a partition, as lines for people and as a document for machines.
//!
//! It owns: the words. It does not own: what is true (`evidence`), what can be decided (`choice`).

use serde_json::{Value, json};

use super::choice::{Choice, Proposal, Refused, propose};
use super::evidence::{Evidence, FoundClaim, Standing};
use crate::engine::Metadata;
use crate::model::ObjectKey;
use crate::s3::{Decision, Recovery, ReplacedCommit};

/// Foreign metadata may be long and hold anything.
const METADATA_CHARS_MAX: usize = 60;

/// What came of a decision about one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Nothing was asked for.
    Shown,
    Refused(Refused),
    /// What would be written.
    Dry(Box<Proposal>),
    Written(Box<Proposal>),
    Failed(String),
}

impl Came {
    /// Returns whether a person still has to do something.
    pub(super) fn is_open(&self, standing: &Standing) -> bool {
        match self {
            Self::Written(_) => false,
            Self::Shown => matches!(standing, Standing::Needs(_)),
            Self::Refused(_) | Self::Dry(_) | Self::Failed(_) => true,
        }
    }
}

/// Returns the lines about a partition.
pub(super) fn lines(found: &Evidence, standing: &Standing, came: &Came) -> Vec<String> {
    let partition = &found.source.partition;
    let mut lines = vec![match standing {
        Standing::Goes => format!("{partition} needs no decision"),
        Standing::Pending => format!(
            "{partition} has a pending plan; if its daemon says that it cannot be finished, decide \
             with `--partition {partition}`"
        ),
        Standing::Decided => format!("{partition} is decided; its owner takes it within a minute"),
        Standing::Needs(reason) => format!("{partition} needs a decision: {reason}"),
    }];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<9} {text}"));
    line("topic id", found.source.topic_id.to_string());
    line("log", format!("[{}, {})", found.log.low, found.log.high));
    line("commit", commit(found));
    line("claim", claim(found));
    line("bucket", bucket(found));
    if let Some(recovery) = found.claim.whole().and_then(|claim| claim.recovery.as_ref()) {
        line("decision", decision(recovery));
    }
    match came {
        Came::Shown => {
            for choice in Choice::ALL {
                let what = match propose(found, choice) {
                    Ok(proposal) => described(&proposal),
                    Err(refused) => format!("not possible: {refused}"),
                };
                line("choice", format!("--decide {:<9}  {what}", choice.as_str()));
            }
        }
        Came::Refused(refused) => line("refused", refused.to_string()),
        Came::Dry(proposal) => {
            line("would", format!("{}; add `--yes` to write it down", described(proposal)));
        }
        Came::Written(proposal) => line("written", described(proposal)),
        Came::Failed(why) => line("failed", why.clone()),
    }
    lines
}

fn commit(found: &Evidence) -> String {
    let Some(committed) = &found.committed else { return "none".to_owned() };
    let offset = committed.offset;
    let beside = match Metadata::parse(&committed.metadata) {
        Ok(Metadata::Plan(plan)) => {
            format!("with the plan {}, {} records, batch {}", plan.range, plan.records, plan.batch)
        }
        Ok(Metadata::Empty(empty)) if empty.offset == offset => "of Sluice, no plan".to_owned(),
        Ok(Metadata::Empty(empty)) => format!("with what Sluice wrote beside {}", empty.offset),
        Ok(Metadata::Foreign) => format!("of another tool, metadata `{}`", metadata(found)),
        Err(error) => format!("with metadata that Sluice cannot read: {error}"),
    };
    format!("{offset} {beside}")
}

fn metadata(found: &Evidence) -> String {
    let bytes = found.committed.as_ref().map(|committed| committed.metadata.as_slice());
    let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    text.chars().take(METADATA_CHARS_MAX).flat_map(char::escape_debug).collect()
}

fn claim(found: &Evidence) -> String {
    match &found.claim {
        FoundClaim::Absent => "none".to_owned(),
        FoundClaim::Damaged { key, why, .. } => format!("`{}` cannot be read: {why}", key.as_str()),
        FoundClaim::Whole { claim, .. } => {
            let plan = claim.plan.as_ref().map(|text| Metadata::parse(text.as_str().as_bytes()));
            let plan = match plan {
                Some(Ok(Metadata::Plan(plan))) => format!("last plan in parts {}", plan.range),
                Some(_) | None => "no plan".to_owned(),
            };
            let id = claim.topic_id;
            let whose = if id == found.source.topic_id { "" } else { " (another topic)" };
            format!("topic id {id}{whose}, taken from {} on, {plan}", claim.first_start)
        }
    }
}

fn bucket(found: &Evidence) -> String {
    let former = match found.former.len() {
        0 => String::new(),
        count => format!("; {count} objects of a former topic of this name"),
    };
    let Some(newest) = &found.newest else { return format!("no object of this topic{former}") };
    let key = newest.key.as_ref().map(ObjectKey::as_str).unwrap_or_default();
    let range = match &newest.plan {
        Some(plan) if newest.is_whole => format!("{}, whole", plan.range),
        Some(plan) => format!("{}, not whole", plan.range),
        None => format!("from {} on, written in parts", newest.start),
    };
    format!("newest batch {range}, {} objects, the last `{key}`{former}", newest.objects)
}

fn decision(recovery: &Recovery) -> String {
    let what = match &recovery.decision {
        Decision::GoOn { start, plan } => {
            let plan = plan.as_ref().map(|text| Metadata::parse(text.as_str().as_bytes()));
            match plan {
                Some(Ok(Metadata::Plan(plan))) => format!("finish the plan {}", plan.range),
                Some(_) | None => format!("go on at {start}"),
            }
        }
        Decision::Committed => "the committed offset was meant".to_owned(),
    };
    let below = recovery.below.as_ref().map(|below| {
        let (prefix, quarantine) = (&below.prefix, &below.quarantine_prefix);
        format!(", below `{prefix}` and `{quarantine}` only")
    });
    let commit = match recovery.replaces {
        ReplacedCommit::None => "there is no commit".to_owned(),
        ReplacedCommit::Offset { offset, .. } => format!("the commit at {offset} stands"),
    };
    format!("{what}{}, as long as {commit}", below.unwrap_or_default())
}

/// Returns what a decision would do.
fn described(proposal: &Proposal) -> String {
    let mut text = match &proposal.replays {
        Some(plan) => format!("finish the plan {} as promised, then read on", plan.range),
        None => format!("read from {} on", proposal.start),
    };
    if let Some(range) = proposal.gives_up {
        text.push_str(&format!("; GIVES UP {range}: what of it is in no object stays missing"));
    }
    if let Some(below) = proposal.below() {
        let (prefix, quarantine) = (&below.prefix, &below.quarantine_prefix);
        text.push_str(&format!(
            "; only a daemon with `layout.prefix` = `{prefix}` and `quarantine.prefix` = \
             `{quarantine}` takes it"
        ));
    }
    text
}

/// Returns the same for machines.
pub(super) fn document(found: &Evidence, standing: &Standing, came: &Came) -> Value {
    let partition = &found.source.partition;
    let (state, reason) = match standing {
        Standing::Goes => ("goes", None),
        Standing::Pending => ("pending", None),
        Standing::Decided => ("decided", None),
        Standing::Needs(reason) => ("needs_decision", Some(reason)),
    };
    let committed = found.committed.as_ref();
    let choices = Choice::ALL.map(|choice| match propose(found, choice) {
        Ok(proposal) => proposed(choice.as_str(), &proposal),
        Err(refused) => json!({"decide": choice.as_str(), "refused": refused.to_string()}),
    });
    let (came, why) = match came {
        Came::Shown => ("shown", None),
        Came::Refused(refused) => ("refused", Some(refused.to_string())),
        Came::Dry(_) => ("dry", None),
        Came::Written(_) => ("written", None),
        Came::Failed(why) => ("failed", Some(why.clone())),
    };
    json!({
        "topic": partition.topic.as_str(),
        "partition": partition.partition.value(),
        "state": state,
        "reason": reason.map(|reason| reason.label()),
        "explained": reason.map(ToString::to_string),
        "topic_id": found.source.topic_id.to_string(),
        "log_start": found.log.low.value(),
        "log_end": found.log.high.value(),
        "committed": committed.map(|committed| committed.offset.value()),
        "commit": commit(found),
        "claim": claim(found),
        "bucket": bucket(found),
        "decision": found.claim.whole().and_then(|claim| claim.recovery.as_ref()).map(decision),
        "choices": choices,
        "result": came,
        "why": why,
    })
}

fn proposed(name: &str, proposal: &Proposal) -> Value {
    json!({
        "decide": name,
        "start": proposal.start.value(),
        "replays": proposal.replays.as_ref().map(|plan| plan.range.to_string()),
        "gives_up": proposal.gives_up.map(|range| range.to_string()),
        "prefix": proposal.below().map(|below| below.prefix.as_str()),
        "does": described(proposal),
    })
}
