//! One Kafka record as the engine sees it: borrowed from the client's buffers, never copied.

use std::fmt;

use super::{Offset, Timestamp};

/// The headers of a record, read only when something asks for them.
pub trait Headers: fmt::Debug {
    /// Returns the name and the value of the header at `index`, in the order they were written;
    /// none behind the last. Names need not be UTF-8.
    fn get(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)>;
}

/// No headers at all.
#[derive(Clone, Copy, Debug)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        None
    }
}

impl Headers for Vec<(Vec<u8>, Option<Vec<u8>>)> {
    fn get(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        self.as_slice().get(index).map(|(name, value)| (name.as_slice(), value.as_deref()))
    }
}

/// One message of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub offset: Offset,
    /// None where the broker gave none (the oldest message format).
    pub timestamp: Option<Timestamp>,
    pub key: Option<&'a [u8]>,
    /// None is a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a dyn Headers,
}
