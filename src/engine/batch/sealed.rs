//! A batch that takes nothing more: its plan, and its objects until they are handed out.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{ObjectDescription, Plan};
use crate::model::BatchStats;

/// An object of a sealed batch, waiting to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedObject {
    pub description: Arc<ObjectDescription>,
    pub count: u64,
    /// The whole object; none if its bytes went up as parts.
    pub whole: Option<Bytes>,
    /// How many parts it went up in.
    pub parts: u32,
    /// Size as stored, parts included.
    pub stored_bytes: u64,
}

/// A batch that takes nothing more.
#[derive(Debug)]
pub(in crate::engine) struct SealedBatch {
    pub(in crate::engine) plan: Plan,
    pub(in crate::engine) objects: Vec<SealedObject>,
    pub(in crate::engine) stats: BatchStats,
    /// Bytes of objects that were not handed out yet.
    pub(super) held_bytes: usize,
    pub(super) has_multipart: bool,
}

impl SealedBatch {
    pub(in crate::engine) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Returns whether the bytes of an object went up in parts.
    pub(in crate::engine) fn has_multipart(&self) -> bool {
        self.has_multipart
    }

    /// Hands out the object at `index` with its bytes, if it is whole. Whoever gets them accounts
    /// for them.
    pub(in crate::engine) fn hand_out(&mut self, index: usize) -> Option<SealedObject> {
        let object = self.objects.get_mut(index)?;
        let handed = object.clone();
        self.held_bytes -= object.whole.take().as_ref().map_or(0, Bytes::len);
        Some(handed)
    }
}
