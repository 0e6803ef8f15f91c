//! A native list of partitions: what most calls of librdkafka take and answer in.
//!
//! Why not the crate's list: its `metadata()` panics on text that is not UTF-8, and a second
//! `set_metadata` on one element leaks.

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};

use rdkafka::bindings::{
    RD_KAFKA_OFFSET_INVALID, rd_kafka_mem_malloc, rd_kafka_topic_partition_list_add,
    rd_kafka_topic_partition_list_destroy, rd_kafka_topic_partition_list_new,
    rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_t,
};

use super::ErrorCode;
use crate::model::{Offset, Topic, TopicPartition};

/// A list that this process owns and destroys.
pub(super) struct PartitionList(NonNull<rd_kafka_topic_partition_list_t>);

/// One element as it was found.
#[derive(Debug)]
pub(super) struct Element {
    pub partition: TopicPartition,
    /// None for the negative signs (no offset).
    pub offset: Option<Offset>,
    pub metadata: Vec<u8>,
    pub error: Option<ErrorCode>,
}

impl PartitionList {
    pub fn new() -> Option<Self> {
        // SAFETY: no precondition; the size is only a hint.
        NonNull::new(unsafe { rd_kafka_topic_partition_list_new(0) }).map(Self)
    }

    pub fn of<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Option<Self> {
        let mut list = Self::new()?;
        for partition in partitions {
            list.push(partition, None, b"");
        }
        Some(list)
    }

    /// Adds an element. The metadata is copied into memory that librdkafka frees with the list.
    pub fn push(&mut self, of: &TopicPartition, offset: Option<Offset>, metadata: &[u8]) {
        let topic = topic_text(&of.topic);
        // SAFETY: the list is valid and ours alone, the topic is a C string that is copied; the
        // answer points to an element that is valid until the next one is added.
        let element = unsafe {
            let index = of.partition.value();
            rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), index)
        };
        // SAFETY: as above; a new element has no metadata yet, so nothing is lost. The memory comes
        // from librdkafka's allocator (a null client means the default one, which frees it).
        unsafe {
            (*element).offset = offset.map_or(i64::from(RD_KAFKA_OFFSET_INVALID), Offset::value);
            if !metadata.is_empty() {
                let copy = rd_kafka_mem_malloc(ptr::null_mut(), metadata.len());
                ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast(), metadata.len());
                (*element).metadata = copy;
                (*element).metadata_size = metadata.len();
            }
        }
    }

    /// Gives every element the same offset, which may be one of librdkafka's signs.
    pub fn offsets_are(&self, offset: i64) {
        // SAFETY: the list is valid and ours alone; `cnt` elements lie behind `elems`.
        unsafe {
            let count = usize::try_from((*self.0.as_ptr()).cnt).unwrap_or(0);
            (0..count).for_each(|index| (*(*self.0.as_ptr()).elems.add(index)).offset = offset);
        }
    }

    pub fn as_ptr(&self) -> *mut rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    pub fn elements(&self) -> Vec<Element> {
        // SAFETY: the list is valid for as long as `self`.
        unsafe { read_list(self.0.as_ptr()) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once, nothing borrowed from it outlives it.
        unsafe { rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// Returns the name of a topic for C.
pub(super) fn topic_text(topic: &Topic) -> CString {
    // A `Topic` holds letters, digits, `.`, `_` and `-` only, so no zero byte is ever cut off here.
    CString::new(topic.as_str()).unwrap_or_default()
}

/// Copies the elements out. Names that are none of ours (librdkafka answers what it was asked) are
/// left out.
///
/// # Safety
/// `list` is null or valid, and nobody changes it during the call.
pub(super) unsafe fn read_list(list: *const rd_kafka_topic_partition_list_t) -> Vec<Element> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, so valid by contract; `cnt` elements lie behind `elems`.
    let (count, first) = unsafe { ((*list).cnt, (*list).elems) };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: each index is below the count.
    (0..count).filter_map(|index| unsafe { read_element(first.add(index)) }).collect()
}

/// # Safety
/// `element` points to a valid element. Its error may be any number, so no reference is made to it.
pub(super) unsafe fn read_element(element: *const rd_kafka_topic_partition_t) -> Option<Element> {
    // SAFETY: valid by contract; fields are read one by one, the error as the number that it is.
    let (topic, index, offset, metadata, size, error) = unsafe {
        (
            CStr::from_ptr((*element).topic),
            (*element).partition,
            (*element).offset,
            (*element).metadata,
            (*element).metadata_size,
            (&raw const (*element).err).cast::<i32>().read(),
        )
    };
    let metadata = if metadata.is_null() {
        Vec::new()
    } else {
        // SAFETY: librdkafka keeps `size` bytes there, which need be neither text nor terminated.
        unsafe { std::slice::from_raw_parts(metadata.cast::<u8>(), size) }.to_vec()
    };
    Some(Element {
        partition: TopicPartition::new(topic.to_str().ok()?, index).ok()?,
        offset: Offset::new(offset).ok(),
        metadata,
        error: ErrorCode::new(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_come_back_as_they_were_added() {
        let mut list = PartitionList::new().unwrap();
        let pin = TopicPartition::new("pin", 3).unwrap();
        list.push(&pin, Offset::new(7).ok(), b"plan");
        list.push(&TopicPartition::new("geo", 0).unwrap(), None, b"");
        let elements = list.elements();
        assert_eq!(elements[0].partition, pin);
        assert_eq!(elements[0].offset, Offset::new(7).ok());
        assert_eq!(elements[0].metadata, b"plan");
        assert_eq!(elements[1].offset, None);
        assert_eq!(elements[1].metadata, b"");
        assert!(elements.iter().all(|element| element.error.is_none()));
    }

    proptest! {
        #[test]
        fn metadata_of_any_bytes_round_trips(
            metadata in proptest::collection::vec(any::<u8>(), 0..2_000),
            index in 0..i32::MAX,
            offset in 0..i64::MAX,
        ) {
            let partition = TopicPartition::new("pin", index).unwrap();
            let mut list = PartitionList::new().unwrap();
            list.push(&partition, Offset::new(offset).ok(), &metadata);
            let element = list.elements().remove(0);
            prop_assert_eq!(element.partition, partition);
            prop_assert_eq!(element.offset, Offset::new(offset).ok());
            prop_assert_eq!(element.metadata, metadata);
        }
    }

    #[test]
    fn a_code_that_no_release_lists_yet_is_read_as_a_number() {
        let list = PartitionList::of([&TopicPartition::new("pin", 0).unwrap()]).unwrap();
        // SAFETY: the list has one element, and its error is written as the number that it is in C.
        unsafe { (&raw mut (*(*list.as_ptr()).elems).err).cast::<i32>().write(9_999) };
        let error = list.elements()[0].error.unwrap();
        assert_eq!((error.number(), error.known()), (9_999, None));
        assert_eq!(error.to_string(), "`ERR_9999?` (9999)");
    }
}
