//! A file that was read again: telling what came of it, and handing it to whoever it is about.
//!
//! It owns: which part of the daemon hears of which settings.
//! It does not own: what may change while it runs (`config`), when a partition follows (the engine).

use tracing::{error, info, warn};

use super::parts::{Parts, budget_options};
use crate::config::{Faults, Reloaded};
use crate::daemon::budget::BudgetOptions;
use crate::daemon::clock::wall;
use crate::daemon::group::Waits;
use crate::daemon::mailbox::Mail;
use crate::daemon::metrics::ReloadOutcome;
use crate::daemon::status::SeenError;
use crate::kafka::ffi::keep_blocks;

/// Keys that say what to subscribe to.
const TOPICS: [&str; 2] = ["kafka.topics", "kafka.topics_regex"];

/// Whether the topics to read may be others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subscription {
    Stays,
    Changes,
}

/// Takes the file, or says why it is not taken.
pub(super) fn reload(parts: &Parts, read: Result<Reloaded, Faults>) -> Subscription {
    match read {
        Ok(reloaded) => take(parts, reloaded),
        Err(faults) => {
            refuse(parts, &faults);
            Subscription::Stays
        }
    }
}

fn refuse(parts: &Parts, faults: &Faults) {
    for fault in faults.list() {
        error!("the configuration was read again and has a fault: {fault}");
    }
    error!(
        "everything goes on under the configuration of before: correct the file and reload again"
    );
    parts.metrics.configuration_read(ReloadOutcome::Refused);
    let remedy = "the configuration of before holds: correct the file and reload again";
    parts.status.error_seen(SeenError::new(wall(), "reload", &faults.to_string(), remedy));
}

fn take(parts: &Parts, reloaded: Reloaded) -> Subscription {
    let Reloaded { settings, warnings, changed, left } = reloaded;
    for warning in warnings {
        warn!("{warning}");
    }
    if !left.is_empty() {
        warn!(keys = left.join(", "), "changed in the file, and only a restart can take it");
    }
    parts.metrics.configuration_read(ReloadOutcome::Taken);
    if changed.is_empty() {
        info!("the configuration was read again: nothing is to change");
        return Subscription::Stays;
    }
    info!(
        keys = changed.join(", "),
        "the configuration was read again: batches that are opened from now on follow it"
    );
    keep_blocks(settings.limits.spare_bytes());
    // The client that runs keeps its prefetch.
    let prefetch_bytes = parts.budget.prefetch_bytes();
    parts.budget.limits_are(BudgetOptions { prefetch_bytes, ..budget_options(&settings.limits) });
    parts.rebalancer.waits_are(Waits::new(settings.limits.drain, settings.kafka.poll_interval));
    parts.settings.set(settings);
    for worker in &parts.workers {
        worker.mailbox.send(Mail::SettingsChanged);
    }
    match changed.iter().any(|key| TOPICS.contains(key)) {
        true => Subscription::Changes,
        false => Subscription::Stays,
    }
}
