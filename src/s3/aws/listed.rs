//! What the SDK lists, in our words.
//!
//! It owns: which answers of a listing are none.
//! It does not own: asking for pages.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{MultipartUpload, Object};

use super::size_of;
use crate::s3::store::{ListedObject, ListedUpload, UploadId};

fn millis_of(time: Option<&DateTime>) -> Option<i64> {
    time.and_then(|time| time.to_millis().ok())
}

pub(super) fn listed_object(object: &Object) -> Option<ListedObject> {
    Some(ListedObject {
        key: object.key()?.to_owned(),
        size: size_of(object.size()),
        modified_millis: millis_of(object.last_modified()),
    })
}

pub(super) fn listed_upload(upload: &MultipartUpload) -> Option<ListedUpload> {
    Some(ListedUpload {
        key: upload.key()?.to_owned(),
        upload: UploadId::new(upload.upload_id()?),
        initiated_millis: millis_of(upload.initiated()),
    })
}
