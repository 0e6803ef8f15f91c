//! Looking whether the claim of a stopped partition holds a decision of `sluice recover`.
//!
//! It owns: one read of the claim, whose news is told once.
//! It does not own: when to look (the worker), whether the decision is taken (settling asks anew).

use std::sync::Arc;

use super::{Look, SettlerLoop};
use crate::daemon::mailbox::Mail;
use crate::s3::{CLAIM_BYTES_MAX, Claim, Claims};

impl SettlerLoop {
    /// Reads the claim once. What cannot be read now is looked at again in a minute.
    pub(super) fn look(&self, look: Look) {
        let Some(cluster) = &self.cluster else { return };
        let claims = Claims::new(&self.options.claims_prefix, cluster, &self.options.group);
        let Ok(claims) = claims else { return };
        let (stores, gate) = (Arc::clone(&self.stores), Arc::clone(&self.gate));
        let Look { address, partition, seen, mailbox } = look;
        self.stores.runtime().spawn(async move {
            let key = claims.partition_key(&partition);
            let read = || stores.asked().get(&key, CLAIM_BYTES_MAX);
            let Ok(got) = stores.retry().run_at_most(1, read).await else { return };
            let Ok(claim) = Claim::parse(&got.body) else { return };
            let is_news = claim.recovery.is_some() && seen != Some(got.etag.clone());
            if is_news && gate.is_alive(address) {
                mailbox.send(Mail::Decided { address, claim: got.etag });
            }
        });
    }
}
