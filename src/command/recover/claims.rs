//! The claims of the partitions: read, and written with a decision.
//!
//! It owns: the conditions under which a claim is written.
//! It does not own: what is decided (`choice`).

use thiserror::Error;
use tokio::runtime::Runtime;

use super::evidence::FoundClaim;
use crate::command::verify::content::ask;
use crate::daemon::claimed::facts_of;
use crate::model::{ObjectKey, TopicPartition};
use crate::s3::{
    CLAIM_BYTES_MAX, Claim, Claims, Condition, Put, Store, StoreError, StoreErrorKind,
};

/// Why a decision was not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum WriteError {
    #[error("the claim was changed meanwhile: look again")]
    Changed,
    #[error("the claim cannot be written: {0}")]
    Store(StoreError),
}

/// Where the claims of the group lie.
#[derive(Debug)]
pub(super) struct ClaimStore<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) store: Store,
    pub(super) claims: Claims,
}

impl ClaimStore<'_> {
    pub(super) fn key(&self, partition: &TopicPartition) -> ObjectKey {
        self.claims.partition_key(partition)
    }

    pub(super) fn read(&self, partition: &TopicPartition) -> Result<FoundClaim, StoreError> {
        let key = self.key(partition);
        let got = match self.runtime.block_on(ask(|| self.store.get(&key, CLAIM_BYTES_MAX))) {
            Ok(got) => got,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(FoundClaim::Absent),
            Err(error) => return Err(error),
        };
        let etag = got.etag;
        let claim = Claim::parse(&got.body).map_err(|error| error.to_string());
        Ok(match claim.and_then(|claim| facts_of(&claim).map(|_| claim)) {
            Ok(claim) => FoundClaim::Whole { claim, etag },
            Err(why) => FoundClaim::Damaged { key, why, etag },
        })
    }

    /// Writes the claim over exactly what was read. After a lost answer the condition meets our own
    /// text: that is success.
    pub(super) fn write(
        &self,
        partition: &TopicPartition,
        found: &FoundClaim,
        claim: &Claim,
    ) -> Result<(), WriteError> {
        let key = self.key(partition);
        let condition = match found {
            FoundClaim::Absent => Condition::IfNoneMatch,
            FoundClaim::Whole { etag, .. } | FoundClaim::Damaged { etag, .. } => {
                Condition::IfMatch(etag.clone())
            }
        };
        let text = claim.encode();
        let put = || {
            self.store.put(Put {
                key: &key,
                body: text.clone().into(),
                content_type: "text/plain; charset=us-ascii",
                metadata: None,
                condition: condition.clone(),
            })
        };
        let error = match self.runtime.block_on(ask(put)) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let is_refused =
            matches!(error.kind, StoreErrorKind::PreconditionFailed412 | StoreErrorKind::NotFound);
        if !is_refused {
            return Err(WriteError::Store(error));
        }
        match self.read(partition) {
            Ok(FoundClaim::Whole { claim: there, .. }) if there == *claim => Ok(()),
            Ok(_) => Err(WriteError::Changed),
            Err(error) => Err(WriteError::Store(error)),
        }
    }
}
