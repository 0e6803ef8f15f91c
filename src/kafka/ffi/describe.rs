//! Questions to brokers that librdkafka answers as events: topics, groups, settings of brokers.
//!
//! Each call makes a queue of its own, asks and waits. A late answer is thrown away with the queue.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;

use super::commit::Event;
use super::list::topic_text;
use super::membership::text;
use super::queue::NativeQueue;
use super::{ClientHandle, ErrorCode, milliseconds, native as codes};
use crate::model::{GroupId, Topic};

/// librdkafka ends a request at its own timeout; this much longer we wait for the event of it.
const EVENT_WAIT: Duration = Duration::from_secs(1);
/// How long librdkafka goes on with a question to a coordinator: as long as it can. It (2.12) frees
/// one that timed out, sends it all the same when the coordinator can be reached again, and then
/// ends the process by an assertion on freed memory (librdkafka issue 4605). A client whose
/// coordinator stays silent is made anew long before this, which ends such questions well.
const COORDINATOR_ASKED: Duration = Duration::from_secs(3_600);

/// Whether a description is to say what this user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Rights {
    Asked,
    /// The brokers are spared the look-up.
    Unasked,
}

/// A topic as the brokers describe it.
#[derive(Debug)]
pub(in super::super) struct DescribedTopic {
    pub name: String,
    pub error: Option<ErrorCode>,
    pub id_most: u64,
    pub id_least: u64,
    pub partitions: usize,
    pub leaderless: Vec<i32>,
    /// None where it was not asked or is not said.
    pub may_read: Option<bool>,
}

/// A group as its coordinator describes it.
#[derive(Debug)]
pub(in super::super) struct DescribedGroup {
    pub error: Option<ErrorCode>,
    pub members: Vec<DescribedMember>,
    /// None where it was not asked or is not said.
    pub may_read: Option<bool>,
}

/// A member of a group: client id, member id, host.
#[derive(Debug)]
pub(in super::super) struct DescribedMember {
    pub client_id: String,
    pub member_id: String,
    pub host: String,
}

impl ClientHandle {
    pub(in super::super) fn describe_topics(
        &self,
        topics: &[Topic],
        rights: Rights,
        timeout: Duration,
    ) -> Result<Vec<DescribedTopic>, ErrorCode> {
        let names: Vec<CString> = topics.iter().map(topic_text).collect();
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let question = Question::new(self, Operation::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout)?;
        question.options.include(rights)?;
        // SAFETY: names, options and queue are valid during the call; the collection is copied and
        // destroyed once.
        unsafe {
            let collection = native::rd_kafka_TopicCollection_of_topic_names(
                pointers.as_mut_ptr(),
                pointers.len(),
            );
            native::rd_kafka_DescribeTopics(
                self.as_ptr(),
                collection,
                question.options.as_ptr(),
                question.queue.as_ptr(),
            );
            native::rd_kafka_TopicCollection_destroy(collection);
        }
        let answer = question.wait(native::RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT)?;
        let mut count = 0;
        // SAFETY: the event is of the kind asked for; the array belongs to it, and so do the topics.
        unsafe {
            let result = native::rd_kafka_event_DescribeTopics_result(answer.as_ptr());
            let topics = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            Ok(array(topics, count).iter().map(|topic| read_topic(*topic)).collect())
        }
    }

    pub(in super::super) fn describe_group(
        &self,
        group: &GroupId,
        rights: Rights,
        timeout: Duration,
    ) -> Result<DescribedGroup, ErrorCode> {
        // A `GroupId` holds printable ASCII only, so no zero byte is ever cut off here.
        let name = CString::new(group.as_str()).unwrap_or_default();
        let mut pointers = [name.as_ptr()];
        let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let question = Question::new(self, operation, COORDINATOR_ASKED)?.given_up_after(timeout);
        question.options.include(rights)?;
        // SAFETY: name, options and queue are valid during the call, which copies them.
        unsafe {
            native::rd_kafka_DescribeConsumerGroups(
                self.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                question.options.as_ptr(),
                question.queue.as_ptr(),
            );
        }
        let answer = question.wait(native::RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT)?;
        let mut count = 0;
        // SAFETY: the event is of the kind asked for; the array belongs to it, and so do the groups.
        unsafe {
            let result = native::rd_kafka_event_DescribeConsumerGroups_result(answer.as_ptr());
            let groups = native::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let group = array(groups, count).first().ok_or_else(bad_answer)?;
            Ok(read_group(*group))
        }
    }

    /// Returns the value of one setting of some broker; none if the brokers do not know it.
    pub(in super::super) fn broker_setting(
        &self,
        setting: &str,
        timeout: Duration,
    ) -> Result<Option<String>, ErrorCode> {
        // SAFETY: the client is valid.
        let broker = unsafe { native::rd_kafka_controllerid(self.as_ptr(), milliseconds(timeout)) };
        if broker < 0 {
            return Err(RDKafkaErrorCode::OperationTimedOut.into());
        }
        let name = CString::new(broker.to_string()).unwrap_or_default();
        let operation = Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
        let question = Question::new(self, operation, timeout)?;
        // SAFETY: resource, options and queue are valid during the call, which copies them; the
        // resource is destroyed once.
        unsafe {
            let kind = native::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER;
            let mut resource = native::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            native::rd_kafka_DescribeConfigs(
                self.as_ptr(),
                &mut resource,
                1,
                question.options.as_ptr(),
                question.queue.as_ptr(),
            );
            native::rd_kafka_ConfigResource_destroy(resource);
        }
        let answer = question.wait(native::RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)?;
        // SAFETY: the event is of the kind asked for.
        unsafe { read_setting(&answer, setting) }
    }
}

/// A queue and options for one request.
pub(super) struct Question {
    pub(super) queue: NativeQueue,
    pub(super) options: Options,
    /// How long we wait.
    timeout: Duration,
}

impl Question {
    pub(super) fn new(
        client: &ClientHandle,
        of: Operation,
        timeout: Duration,
    ) -> Result<Self, ErrorCode> {
        let queue =
            NativeQueue::new(client).map_err(|_| ErrorCode::from(RDKafkaErrorCode::Fail))?;
        Ok(Self { queue, options: Options::new(client, of, timeout)?, timeout })
    }

    /// We wait for less time than librdkafka goes on.
    fn given_up_after(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub(super) fn wait(self, kind: i32) -> Result<Event, ErrorCode> {
        let event = Event::poll(&self.queue, self.timeout.saturating_add(EVENT_WAIT))
            .ok_or_else(|| ErrorCode::from(RDKafkaErrorCode::OperationTimedOut))?;
        match event.error() {
            Some(code) => Err(code),
            None if event.kind() == kind => Ok(event),
            None => Err(bad_answer()),
        }
    }
}

pub(super) struct Options(NonNull<native::rd_kafka_AdminOptions_t>);

impl Options {
    fn new(client: &ClientHandle, of: Operation, timeout: Duration) -> Result<Self, ErrorCode> {
        // SAFETY: the client is valid; the options are ours from here on.
        let options = unsafe { native::rd_kafka_AdminOptions_new(client.as_ptr(), of) };
        let options = Self(NonNull::new(options).ok_or_else(bad_answer)?);
        let mut ignored: [c_char; 1] = [0];
        // SAFETY: the options are valid; at most one byte, the end of the text, is written.
        let code = unsafe {
            native::rd_kafka_AdminOptions_set_request_timeout(
                options.as_ptr(),
                milliseconds(timeout),
                ignored.as_mut_ptr(),
                ignored.len(),
            )
        };
        ErrorCode::check(code as i32).map(|()| options)
    }

    /// Asks for the rights too, where they are wanted.
    fn include(&self, rights: Rights) -> Result<(), ErrorCode> {
        match rights {
            Rights::Unasked => Ok(()),
            // SAFETY: the options are valid; the error is null or ours, read and destroyed once.
            Rights::Asked => unsafe {
                taken(native::rd_kafka_AdminOptions_set_include_authorized_operations(
                    self.as_ptr(),
                    1,
                ))
            },
        }
    }

    /// Asks for what `read_committed` sees.
    pub(super) fn read_committed(&self) -> Result<(), ErrorCode> {
        let level = native::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
        // SAFETY: the options are valid; the error is null or ours, read and destroyed once.
        unsafe { taken(native::rd_kafka_AdminOptions_set_isolation_level(self.as_ptr(), level)) }
    }

    pub(super) fn as_ptr(&self) -> *mut native::rd_kafka_AdminOptions_t {
        self.0.as_ptr()
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { native::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

/// # Safety
/// `error` is null or valid and the caller's, who gives it up.
unsafe fn taken(error: *mut native::rd_kafka_error_t) -> Result<(), ErrorCode> {
    // SAFETY: by contract; it is read before it is destroyed, once.
    unsafe {
        let code = read_error(error);
        if !error.is_null() {
            native::rd_kafka_error_destroy(error);
        }
        code.map_or(Ok(()), Err)
    }
}

fn bad_answer() -> ErrorCode {
    RDKafkaErrorCode::BadMessage.into()
}

/// # Safety
/// `first` is null, or `count` pointers lie there for `'a`.
pub(super) unsafe fn array<'a, T>(first: *mut *const T, count: usize) -> &'a [*const T] {
    // SAFETY: by contract.
    if first.is_null() { &[] } else { unsafe { slice::from_raw_parts(first, count) } }
}

/// # Safety
/// `topic` is valid.
unsafe fn read_topic(topic: *const native::rd_kafka_TopicDescription_t) -> DescribedTopic {
    let mut partitions = 0;
    // SAFETY: valid by contract; everything is copied out. An id that is null is unknown: zero.
    unsafe {
        let first = native::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
        let leaderless = array(first, partitions).iter().filter_map(|partition| {
            let is_led = !native::rd_kafka_TopicPartitionInfo_leader(*partition).is_null();
            (!is_led).then(|| native::rd_kafka_TopicPartitionInfo_partition(*partition))
        });
        let leaderless = leaderless.collect();
        let id = native::rd_kafka_TopicDescription_topic_id(topic);
        let halves = if id.is_null() {
            (0, 0)
        } else {
            (
                native::rd_kafka_Uuid_most_significant_bits(id),
                native::rd_kafka_Uuid_least_significant_bits(id),
            )
        };
        let mut count = 0;
        let rights = native::rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
        DescribedTopic {
            may_read: may_read(rights.cast(), count),
            name: text(native::rd_kafka_TopicDescription_name(topic)),
            error: read_error(native::rd_kafka_TopicDescription_error(topic)),
            id_most: halves.0.cast_unsigned(),
            id_least: halves.1.cast_unsigned(),
            partitions,
            leaderless,
        }
    }
}

/// Returns whether reading is among the rights; none for null, which means that nothing is said.
///
/// # Safety
/// `first` is null, or `count` numbers lie there.
unsafe fn may_read(first: *const i32, count: usize) -> Option<bool> {
    if first.is_null() {
        return None;
    }
    // SAFETY: not null, so by contract. A C enum may hold numbers that the crate does not list.
    let rights = unsafe { slice::from_raw_parts(first, count) };
    let [all, read] = [
        native::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_ALL as i32,
        native::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ as i32,
    ];
    Some(rights.iter().any(|right| [all, read].contains(right)))
}

/// # Safety
/// `group` is valid.
unsafe fn read_group(group: *const native::rd_kafka_ConsumerGroupDescription_t) -> DescribedGroup {
    // SAFETY: valid by contract; each index is below the count; everything is copied out.
    unsafe {
        let count = native::rd_kafka_ConsumerGroupDescription_member_count(group);
        let members = (0..count).map(|index| {
            let member = native::rd_kafka_ConsumerGroupDescription_member(group, index);
            DescribedMember {
                client_id: text(native::rd_kafka_MemberDescription_client_id(member)),
                member_id: text(native::rd_kafka_MemberDescription_consumer_id(member)),
                host: text(native::rd_kafka_MemberDescription_host(member)),
            }
        });
        let mut rights_count = 0;
        let rights = native::rd_kafka_ConsumerGroupDescription_authorized_operations(
            group,
            &mut rights_count,
        );
        DescribedGroup {
            may_read: may_read(rights.cast(), rights_count),
            error: read_error(native::rd_kafka_ConsumerGroupDescription_error(group)),
            members: members.collect(),
        }
    }
}

/// # Safety
/// `answer` is the answer to a question for settings.
unsafe fn read_setting(answer: &Event, setting: &str) -> Result<Option<String>, ErrorCode> {
    let mut count = 0;
    // SAFETY: of that kind by contract; the arrays belong to the event; texts are copied.
    unsafe {
        let result = native::rd_kafka_event_DescribeConfigs_result(answer.as_ptr());
        let resources = native::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
        let resource = *array(resources, count).first().ok_or_else(bad_answer)?;
        ErrorCode::check(codes::rd_kafka_ConfigResource_error(resource))?;
        let entries = native::rd_kafka_ConfigResource_configs(resource, &mut count);
        for entry in array(entries, count) {
            let name = native::rd_kafka_ConfigEntry_name(*entry);
            let value = native::rd_kafka_ConfigEntry_value(*entry);
            if CStr::from_ptr(name).to_bytes() == setting.as_bytes() && !value.is_null() {
                return Ok(Some(text(value)));
            }
        }
    }
    Ok(None)
}

/// # Safety
/// `error` is null or valid.
unsafe fn read_error(error: *const native::rd_kafka_error_t) -> Option<ErrorCode> {
    if error.is_null() {
        return None;
    }
    // SAFETY: not null, so valid by contract.
    ErrorCode::new(unsafe { codes::rd_kafka_error_code(error) })
}
