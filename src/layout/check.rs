//! Is a layout safe: does every object get a key of its own, whatever the records hold.
//!
//! It owns: rule 15 of `PROTOCOL.md`, and the limits of prefixes, names and the canonical text.
//! It does not own: whether two pipelines write below one prefix, or where the claims are; it says
//! what a layout could touch ([`Layout::may_write_below`]).
//!
//! A key is its path, a slash, and a name without one. Two objects of one batch differ in their
//! path. Two of different batches differ in topic, partition or offsets: so these three must be
//! read back from the key. Where that cannot be proven the layout is refused.

mod shape;

use std::fmt;

use thiserror::Error;

use self::shape::{Element, Shape, may_be_equal, may_begin_with, told};
use super::key::QUARANTINE_WIDTH;
use super::name::{COUNT_DIGITS_MAX, NamePiece, OFFSET_DIGITS_MAX, PARTITION_DIGITS_MAX};
use super::path::{PathPiece, is_bad_element};
use super::route::RouteKind;
use super::{Layout, TemplateError};
use crate::format::SEPARATOR_BYTES_MAX;

/// The longest prefix. With the longest topic it still leaves most of a key to the path.
pub const PREFIX_BYTES_MAX: usize = 200;
/// The longest name with its extension: half of a key.
pub const NAME_BYTES_MAX: usize = 512;
/// The longest canonical text: a plan has 1,200 bytes, of which it needs up to 400 for the rest.
pub const LAYOUT_BYTES_MAX: usize = 800;

/// How many topics can come to one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicCount {
    /// Exactly one, by its name.
    One,
    /// A list or a pattern.
    Several,
}

/// What must be read back from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    Topic,
    Partition,
    /// Of the object's first or last record.
    Offset,
}

/// Why two objects could share a key, or a key could be none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutFault {
    #[error("no key names its {wanted}, so that two objects could share one: put {} into `layout.name`", .wanted.variable())]
    Lacks { wanted: Wanted },
    #[error("the {wanted} cannot be read back from `{path}` and `{name}`, so that two objects could share a key: part {} from what stands beside it with a character that neither can hold, such as `+`", .wanted.variable())]
    Ambiguous { wanted: Wanted, path: String, name: String },
    #[error(
        "`{prefix}` is no prefix: it has no `/` at either end, no empty, `.` or `..` element, no control character"
    )]
    Prefix { key: &'static str, prefix: String },
    #[error("the prefix has {bytes} bytes, at most {PREFIX_BYTES_MAX} are allowed: shorten it")]
    PrefixTooLong { key: &'static str, bytes: usize },
    #[error(
        "objects below `{quarantine_prefix}` could share a key with those of `layout.path`: choose another first directory, such as `_quarantine`"
    )]
    QuarantineMeets { quarantine_prefix: String },
    #[error(
        "with the longest topic a name can have {bytes} bytes, at most {NAME_BYTES_MAX} are allowed: shorten `{name}`"
    )]
    NameTooLong { name: String, bytes: usize },
    #[error("{0}")]
    Time(TemplateError),
    #[error(
        "the separator has {bytes} bytes, at most {SEPARATOR_BYTES_MAX} are allowed: shorten it"
    )]
    SeparatorTooLong { bytes: usize },
    #[error(
        "written down, the layout has {bytes} bytes, at most {LAYOUT_BYTES_MAX} fit beside each commit: shorten path, name, prefixes or the format of `layout.time`"
    )]
    TooLong { bytes: usize },
}

impl Wanted {
    const ALL: [Self; 3] = [Self::Topic, Self::Partition, Self::Offset];

    fn variable(self) -> &'static str {
        match self {
            Self::Topic => "`{topic}`",
            Self::Partition => "`{partition}`",
            Self::Offset => "`{start}` or `{last}`",
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Offset => "offsets",
        })
    }
}

impl LayoutFault {
    /// Returns the key of the file that the fault is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Lacks { .. } | Self::Ambiguous { .. } | Self::NameTooLong { .. } => "layout.name",
            Self::Prefix { key, .. } | Self::PrefixTooLong { key, .. } => key,
            Self::QuarantineMeets { .. } => "quarantine.prefix",
            Self::Time(_) => "layout.time",
            Self::SeparatorTooLong { .. } => "layout.separator",
            Self::TooLong { .. } => "layout.path",
        }
    }
}

impl Layout {
    /// Returns every reason why this layout cannot be used; none for a safe one.
    pub fn check(&self, topics: TopicCount) -> Vec<LayoutFault> {
        let mut faults = Vec::new();
        check_prefix("layout.prefix", &self.prefix, &mut faults);
        check_prefix("quarantine.prefix", &self.quarantine_prefix, &mut faults);
        self.check_told(topics, &mut faults);
        let bytes = self.name_bytes_max(RouteKind::Records);
        if bytes > NAME_BYTES_MAX {
            let name = self.name.as_str().to_owned();
            faults.push(LayoutFault::NameTooLong { name, bytes });
        }
        if are_alike(&self.record_elements(), &self.quarantine_elements()) {
            let quarantine_prefix = self.quarantine_prefix.clone();
            faults.push(LayoutFault::QuarantineMeets { quarantine_prefix });
        }
        if let Err(error) = self.time.check() {
            faults.push(LayoutFault::Time(error));
        }
        let bytes = self.encoding.separator.len();
        if bytes > SEPARATOR_BYTES_MAX {
            faults.push(LayoutFault::SeparatorTooLong { bytes });
        }
        let bytes = self.canonical().len();
        if bytes > LAYOUT_BYTES_MAX {
            faults.push(LayoutFault::TooLong { bytes });
        }
        faults
    }

    /// Says whether some object of this layout could have a key that begins with `prefix`. Never
    /// wrong in saying no.
    pub fn may_write_below(&self, prefix: &str) -> bool {
        let elements: Vec<&str> = prefix.split('/').collect();
        let is_below = |key: Vec<Element>| {
            let Some((last, whole)) = elements.split_last() else { return true };
            let is_equal = |(text, element): (&&str, &Element)| {
                may_be_equal(&vec![Shape::Literal((*text).to_owned())], element)
            };
            whole.len() < key.len()
                && whole.iter().zip(&key).all(is_equal)
                && may_begin_with(&key[whole.len()], last)
        };
        is_below(self.record_elements()) || is_below(self.quarantine_elements())
    }

    /// Says whether an object of this layout could have the key of one of `other`, whose topics are
    /// others. Never wrong in saying no. Where both name the topic in the same shape at the same
    /// place, equal keys would be of one topic.
    pub fn may_share_keys(&self, other: &Self) -> bool {
        let tells_topic = |(left, right): (&Element, &Element)| {
            left == right && told(left).contains(&Wanted::Topic)
        };
        let may_meet = |left: &Vec<Element>, right: &Vec<Element>| {
            are_alike(left, right) && !left.iter().zip(right).any(tells_topic)
        };
        let ours = [self.record_elements(), self.quarantine_elements()];
        let theirs = [other.record_elements(), other.quarantine_elements()];
        ours.iter().any(|left| theirs.iter().any(|right| may_meet(left, right)))
    }

    fn check_told(&self, topics: TopicCount, faults: &mut Vec<LayoutFault>) {
        let elements = self.record_elements();
        let told: Vec<Wanted> = elements.iter().flat_map(told).collect();
        let shapes = || elements.iter().flatten();
        for wanted in Wanted::ALL {
            let is_needed = wanted != Wanted::Topic || topics == TopicCount::Several;
            if !is_needed || told.contains(&wanted) {
                continue;
            }
            let is_wanted = |shape: &Shape| match shape {
                Shape::Topic => wanted == Wanted::Topic,
                Shape::Number { wanted: found, digits: _ } => *found == Some(wanted),
                Shape::Literal(_) | Shape::Any => false,
            };
            faults.push(if shapes().any(is_wanted) {
                let (path, name) = (self.path.as_str().to_owned(), self.name.as_str().to_owned());
                LayoutFault::Ambiguous { wanted, path, name }
            } else {
                LayoutFault::Lacks { wanted }
            });
        }
    }

    /// Returns what the keys of records look like. The number of elements is fixed: no value
    /// holds a slash.
    fn record_elements(&self) -> Vec<Element> {
        let mut elements = prefix_elements(&self.prefix);
        if !self.path.pieces().is_empty() {
            elements.push(Element::new());
        }
        for piece in self.path.pieces() {
            match piece {
                PathPiece::Literal(text) => push_text(&mut elements, text, push_literal),
                PathPiece::Time(pattern) => push_text(&mut elements, pattern.as_str(), push_time),
                PathPiece::Topic => push(&mut elements, Shape::Topic),
                PathPiece::Partition { width } => push(&mut elements, partition(*width)),
                PathPiece::Field(_) | PathPiece::Header(_) | PathPiece::Key => {
                    push(&mut elements, Shape::Any);
                }
            }
        }
        let shape = |piece: &NamePiece| match piece {
            NamePiece::Literal(text) => Shape::Literal(text.clone()),
            NamePiece::Topic => Shape::Topic,
            NamePiece::Partition { width } => partition(*width),
            NamePiece::Start { width } | NamePiece::Last { width } => {
                Shape::number(Some(Wanted::Offset), *width, OFFSET_DIGITS_MAX)
            }
            NamePiece::Count { width } => Shape::number(None, *width, COUNT_DIGITS_MAX),
        };
        let mut name: Element = self.name.pieces().iter().map(shape).collect();
        name.push(Shape::Literal(format!(".{}", self.extension(RouteKind::Records))));
        elements.push(name);
        elements
    }

    /// Returns what the keys of the quarantine look like.
    fn quarantine_elements(&self) -> Vec<Element> {
        let text = |text: &str| Shape::Literal(text.to_owned());
        let mut elements = prefix_elements(&self.quarantine_prefix);
        elements.push(vec![Shape::Topic]);
        elements.push(vec![text("partition="), partition(0)]);
        let extension = format!(".{}", self.extension(RouteKind::Quarantine));
        let start = Shape::number(Some(Wanted::Offset), QUARANTINE_WIDTH, OFFSET_DIGITS_MAX);
        elements.push(vec![
            Shape::Topic,
            text("+"),
            partition(0),
            text("+"),
            start,
            text(&extension),
        ]);
        elements
    }
}

fn check_prefix(key: &'static str, prefix: &str, faults: &mut Vec<LayoutFault>) {
    if let Some(fault) = prefix_fault(key, prefix) {
        faults.push(fault);
    }
}

/// Returns what is wrong with a prefix. That of the layout may be empty.
pub(super) fn prefix_fault(key: &'static str, prefix: &str) -> Option<LayoutFault> {
    if prefix.len() > PREFIX_BYTES_MAX {
        return Some(LayoutFault::PrefixTooLong { key, bytes: prefix.len() });
    }
    let may_be_empty = prefix.is_empty() && key == "layout.prefix";
    let is_bad = prefix.chars().any(char::is_control) || prefix.split('/').any(is_bad_element);
    let prefix = || prefix.escape_debug().to_string();
    (is_bad && !may_be_empty).then(|| LayoutFault::Prefix { key, prefix: prefix() })
}

fn are_alike(left: &[Element], right: &[Element]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| may_be_equal(left, right))
}

fn prefix_elements(prefix: &str) -> Vec<Element> {
    let element = |text: &str| vec![Shape::Literal(text.to_owned())];
    if prefix.is_empty() { Vec::new() } else { prefix.split('/').map(element).collect() }
}

fn partition(width: u8) -> Shape {
    Shape::number(Some(Wanted::Partition), width, PARTITION_DIGITS_MAX)
}

/// Puts `text` behind what is there, each slash beginning a new element.
fn push_text(elements: &mut Vec<Element>, text: &str, add: impl Fn(&mut [Element], &str)) {
    for (index, part) in text.split('/').enumerate() {
        if index > 0 {
            elements.push(Element::new());
        }
        add(elements, part);
    }
}

fn push_time(elements: &mut [Element], part: &str) {
    match part.split_once('%') {
        Some((literal, _)) => {
            push_literal(elements, literal);
            push(elements, Shape::Any);
        }
        None => push_literal(elements, part),
    }
}

fn push_literal(elements: &mut [Element], text: &str) {
    if text.is_empty() {
        return;
    }
    // Neighbours become one, so that an element's first shape is all that it begins with.
    match elements.last_mut().and_then(|element| element.last_mut()) {
        Some(Shape::Literal(before)) => before.push_str(text),
        Some(Shape::Topic | Shape::Number { .. } | Shape::Any) | None => {
            push(elements, Shape::Literal(text.to_owned()));
        }
    }
}

fn push(elements: &mut [Element], shape: Shape) {
    if let Some(element) = elements.last_mut() {
        element.push(shape);
    }
}

#[cfg(test)]
mod tests;
