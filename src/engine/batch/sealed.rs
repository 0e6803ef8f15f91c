//! A batch that takes nothing more: its plan, and its objects until they are handed out.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::object::OBJECT_OVERHEAD_BYTES;
use crate::engine::{ObjectDescription, Plan};
use crate::layout::ObjectSpan;
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

/// An object of which the bytes were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct CountedObject {
    /// Whole: last offset and count too.
    pub(in crate::engine) span: ObjectSpan,
    /// Size of its lines before compression.
    pub(in crate::engine) framed_bytes: u64,
}

/// A batch that takes nothing more.
#[derive(Debug)]
pub(in crate::engine) struct SealedBatch {
    pub(in crate::engine) plan: Plan,
    /// Ordered by first offset.
    pub(in crate::engine) objects: Vec<SealedObject>,
    /// The others, in the same order; only replays have some.
    pub(in crate::engine) counted: Vec<CountedObject>,
    pub(in crate::engine) stats: BatchStats,
    /// Bytes of objects that were not handed out yet, and what each object costs beside them.
    held_bytes: usize,
    has_multipart: bool,
}

impl SealedBatch {
    pub(super) fn new(
        plan: Plan,
        objects: Vec<SealedObject>,
        counted: Vec<CountedObject>,
        stats: BatchStats,
    ) -> Self {
        let whole = |object: &SealedObject| object.whole.as_ref().map_or(0, Bytes::len);
        let name = |object: &SealedObject| object.description.key.as_str().len();
        let bytes = |object: &SealedObject| whole(object) + name(object) + OBJECT_OVERHEAD_BYTES;
        let held_bytes = objects.iter().map(bytes).sum();
        let has_multipart = objects.iter().any(|object| object.whole.is_none());
        Self { plan, objects, counted, stats, held_bytes, has_multipart }
    }

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
