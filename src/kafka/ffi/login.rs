//! What a client logs in with, changed while it runs.
//!
//! It owns: handing over tokens and passwords. It does not own: where they come from.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::SystemTime;

use rdkafka::bindings::{rd_kafka_error_destroy, rd_kafka_sasl_set_credentials};

use super::{Client, ErrorCode, native};
use crate::kafka::login::Token;

/// librdkafka's own messages are shorter.
const TEXT_BYTES: usize = 512;

impl Client<'_> {
    /// Gives the client a token for its next connections; says why where it takes none.
    pub(in crate::kafka) fn set_token(self, token: &Token) -> Result<(), String> {
        let zero = |_| "a token holds a zero byte".to_owned();
        let value = CString::new(token.value.as_str()).map_err(zero)?;
        let principal = CString::new(token.principal.as_str()).map_err(zero)?;
        let pairs = token.extensions.iter().flat_map(|(name, value)| [name, value]);
        let texts: Result<Vec<CString>, _> =
            pairs.map(|text| CString::new(text.as_str())).collect();
        let texts = texts.map_err(zero)?;
        let mut extensions: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let ends = token.ends.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut why = [0; TEXT_BYTES];
        // SAFETY: client and texts are valid during the call, which copies them; the last text is
        // as long as is said, and ends in a zero.
        let code = unsafe {
            native::rd_kafka_oauthbearer_set_token(
                self.as_ptr(),
                value.as_ptr(),
                i64::try_from(ends.as_millis()).unwrap_or(i64::MAX / 1_000_000),
                principal.as_ptr(),
                extensions.as_mut_ptr(),
                extensions.len(),
                why.as_mut_ptr(),
                why.len(),
            )
        };
        match ErrorCode::new(code) {
            None => Ok(()),
            // SAFETY: as above.
            Some(_) => Err(unsafe { CStr::from_ptr(why.as_ptr()) }.to_string_lossy().into_owned()),
        }
    }

    /// Tells the client why there is no token; its error callback is told.
    pub(in crate::kafka) fn set_token_failure(self, why: &str) {
        let why = CString::new(why.replace('\0', " ")).unwrap_or_default();
        // SAFETY: client and text are valid during the call. It fails only for clients without
        // OAUTHBEARER, which have no tokens.
        unsafe { native::rd_kafka_oauthbearer_set_token_failure(self.as_ptr(), why.as_ptr()) };
    }

    /// Gives the client a password for its next connections.
    pub(in crate::kafka) fn set_password(
        self,
        username: &str,
        password: &str,
    ) -> Result<(), ErrorCode> {
        let refused = || ErrorCode::from(rdkafka::error::RDKafkaErrorCode::InvalidArgument);
        let username = CString::new(username).map_err(|_| refused())?;
        let password = CString::new(password).map_err(|_| refused())?;
        // SAFETY: client and texts are valid during the call, which copies them.
        let error = unsafe {
            rd_kafka_sasl_set_credentials(self.as_ptr(), username.as_ptr(), password.as_ptr())
        };
        if ptr::eq(error, ptr::null()) {
            return Ok(());
        }
        // SAFETY: the error is ours, and destroyed once.
        let code = unsafe {
            let code = native::rd_kafka_error_code(error);
            rd_kafka_error_destroy(error);
            code
        };
        Err(ErrorCode::new(code).unwrap_or_else(refused))
    }
}
