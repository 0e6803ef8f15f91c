//! Error codes of brokers and of librdkafka as numbers.
//!
//! Why not the crate's enum: a broker may answer a code that this librdkafka does not list yet, and
//! a C enum read as a Rust enum with a value outside of its list is undefined behaviour. So codes
//! are read as numbers, and the functions of `native` that return codes are declared here anew.

use std::ffi::CStr;
use std::fmt;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::native;

/// An error code; never the zero of success. Negative codes are librdkafka's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(i32);

impl ErrorCode {
    /// Returns the code, or none for the zero that means success.
    pub fn new(number: i32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Returns success for zero, else the code as an error.
    pub(super) fn check(number: i32) -> Result<(), Self> {
        Self::new(number).map_or(Ok(()), Err)
    }

    /// Returns the code of a value that is known not to be the zero of success.
    pub(super) const fn of(code: RDKafkaRespErr) -> Self {
        Self(code as i32)
    }

    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the code as a value to match on, none for one that this librdkafka does not list.
    pub fn known(self) -> Option<RDKafkaErrorCode> {
        RDKafkaRespErr::try_from(self.0).ok().map(RDKafkaErrorCode::from)
    }

    /// Returns Kafka's name of the code, such as `ILLEGAL_GENERATION`.
    pub fn name(self) -> String {
        // SAFETY: any number is a valid argument; the string behind the answer stays as it is until
        // this thread asks for the name of another unknown code.
        let name = unsafe { CStr::from_ptr(native::rd_kafka_err2name(self.0)) };
        name.to_string_lossy().into_owned()
    }
}

impl From<RDKafkaErrorCode> for ErrorCode {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self(code as i32)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", self.name(), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for ErrorCode {}
