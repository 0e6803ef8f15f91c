//! Which record is written where and how: the layout, its templates, routes and keys.
//!
//! It owns: the template language, the moment that a path shows, the escaping of values, the key
//! of every object, the layout's canonical text, and the proof that no two objects share a key.
//! It does not own: the bytes inside an object (`format`), nor when a batch is closed (`engine`).
//!
//! Everything here is a function of records, layout and plan: the same record gives the same key
//! on every machine, today and when a plan is replayed in a year.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod canonical;
mod check;
mod escape;
mod key;
mod name;
mod number;
mod path;
mod pattern;
mod pointer;
mod render;
mod route;
#[cfg(test)]
mod sample;
mod template;
mod time;
mod zone;

pub use canonical::CanonicalError;
pub use check::{
    LAYOUT_BYTES_MAX, LayoutFault, NAME_BYTES_MAX, PREFIX_BYTES_MAX, TopicCount, Wanted,
};
pub use name::NameTemplate;
pub use path::PathTemplate;
pub use pattern::{DEFAULT_PARTITION, DirectiveFault};
pub use pointer::{POINTER_DEPTH_MAX, PointerError};
pub use render::RouteCache;
pub use route::{MissingRoute, Route, RouteContext, RouteKind};
pub use template::{Place, TEMPLATE_BYTES_MAX, TemplateError, WIDTH_MAX};
pub use time::{TimeFormat, TimeSource};
pub use zone::Zone;

use crate::format::Encoding;
use crate::model::{Bucket, Offset};

/// Every setting that decides which record is written where and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub bucket: Bucket,
    /// None is Amazon's own.
    pub endpoint: Option<String>,
    /// Without a slash at either end; may be empty.
    pub prefix: String,
    pub path: PathTemplate,
    pub name: NameTemplate,
    pub time: TimeSource,
    /// Of the path, whatever zone a field's text is written in.
    pub zone: Zone,
    pub encoding: Encoding,
    pub on_null: OnNull,
    pub on_bad: OnBad,
    pub on_missing_route: OnMissingRoute,
    pub quarantine_prefix: String,
}

/// What happens to a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNull {
    Skip,
    Quarantine,
    Stop,
}

/// What happens to a record that cannot be written as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    Quarantine,
    Stop,
}

/// What happens to a record that lacks what its path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissingRoute {
    /// [`DEFAULT_PARTITION`] stands in its place.
    Default,
    Quarantine,
    Stop,
}

/// The offsets of an object's own records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSpan {
    pub first: Offset,
    /// Known when the object is complete.
    pub last: Option<Offset>,
    pub count: Option<u64>,
}

impl OnNull {
    pub const ALL: [Self; 3] = [Self::Skip, Self::Quarantine, Self::Stop];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Quarantine => "quarantine",
            Self::Stop => "stop",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

impl OnBad {
    pub const ALL: [Self; 2] = [Self::Quarantine, Self::Stop];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Stop => "stop",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

impl OnMissingRoute {
    pub const ALL: [Self; 3] = [Self::Default, Self::Quarantine, Self::Stop];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Quarantine => "quarantine",
            Self::Stop => "stop",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

impl Layout {
    /// Says whether a name needs what is known only when its object is complete.
    pub fn needs_end(&self) -> bool {
        self.name.needs_end()
    }
}
