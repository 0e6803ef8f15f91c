//! A route: the part of a key that depends on a record, as it is rendered.
//!
//! It owns: the type, and what a route is made of.
//! It does not own: the name behind it.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::model::{Timestamp, TopicPartition};

/// What a record's route depends on beside the record.
#[derive(Clone, Copy, Debug)]
pub struct RouteContext<'a> {
    pub partition: &'a TopicPartition,
    /// When the batch was opened, by the wall clock.
    pub opened: Timestamp,
}

/// The rendered path, prefix included. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    path: Arc<str>,
    kind: RouteKind,
}

/// Whose reserved paths a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    Records,
    Quarantine,
}

/// The record lacks a field, header, key or time that its path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the record lacks a value that its path asks for")]
pub struct MissingRoute;

impl Route {
    pub(super) fn new(path: Arc<str>, kind: RouteKind) -> Self {
        Self { path, kind }
    }

    pub fn as_str(&self) -> &str {
        &self.path
    }

    pub fn kind(&self) -> RouteKind {
        self.kind
    }

    pub fn is_quarantine(&self) -> bool {
        self.kind == RouteKind::Quarantine
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)
    }
}
