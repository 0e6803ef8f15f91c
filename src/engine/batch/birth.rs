//! What a batch is born with, and of which of its objects it keeps the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{ObjectId, ObjectSizes};
use crate::layout::{Layout, ObjectSpan};
use crate::model::{BatchId, Offset, Timestamp, Uptime};

/// What a batch is born with.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Birth {
    pub(in crate::engine) batch: BatchId,
    pub(in crate::engine) start: Offset,
    pub(in crate::engine) opened: Timestamp,
    pub(in crate::engine) now: Uptime,
    pub(in crate::engine) layout: Arc<Layout>,
    pub(in crate::engine) sizes: ObjectSizes,
    /// Objects get this id and the following ones.
    pub(in crate::engine) first_object: ObjectId,
    pub(in crate::engine) kept: Kept,
}

/// Of which objects a batch keeps the bytes. The others are only counted: they are in its digest
/// and cost no more than their entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Kept {
    All,
    /// By their first offset, with what an earlier pass has learned about them.
    Only(BTreeMap<Offset, ObjectSpan>),
}
