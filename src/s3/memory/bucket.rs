//! What is in the bucket in memory, and what S3 answers about it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::store::{
    Condition, Etag, ListedObject, ListedUpload, Page, PartNumber, Put, StoredPart, Target,
    UploadId,
};
use crate::model::ObjectKey;
use crate::s3::metadata::ObjectMetadata;

/// A page of uploads; small, so that paging is met.
const UPLOADS_PAGE: usize = 2;

/// An answer that says no: S3's code and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub &'static str, pub u16);

/// An object as it lies in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    pub body: Bytes,
    pub content_type: String,
    pub metadata: Vec<(String, String)>,
    pub etag: Etag,
}

impl StoredObject {
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
struct Upload {
    target: Target,
    parts: BTreeMap<PartNumber, (Etag, Bytes)>,
}

#[derive(Debug, Default)]
pub(super) struct Contents {
    objects: BTreeMap<String, StoredObject>,
    uploads: BTreeMap<(String, UploadId), Upload>,
    /// S3 answers the Complete of a completed upload again.
    completed: BTreeMap<UploadId, Etag>,
    /// Makes etags and upload ids.
    last_number: u64,
}

impl Contents {
    pub(super) fn object(&self, key: &str) -> Option<&StoredObject> {
        self.objects.get(key)
    }

    pub(super) fn object_count(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn upload_count(&self) -> usize {
        self.uploads.len()
    }

    pub(super) fn plant(&mut self, key: &str, body: &[u8], metadata: &[(&str, &str)]) -> Etag {
        let metadata =
            metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let object = StoredObject {
            body: Bytes::copy_from_slice(body),
            content_type: "application/octet-stream".to_owned(),
            metadata: metadata.collect(),
            etag: self.next_etag(),
        };
        let etag = object.etag.clone();
        self.objects.insert(key.to_owned(), object);
        etag
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.delete(key);
        self.uploads.retain(|(of, _upload), _parts| of != key);
    }

    pub(super) fn sweep_uploads(&mut self) {
        self.uploads.clear();
    }

    pub(super) fn upload_metadata(&self, key: &str, upload: &UploadId) -> Option<ObjectMetadata> {
        let found = self.uploads.get(&(key.to_owned(), upload.clone()));
        found.map(|upload| upload.target.metadata.clone())
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn put(&mut self, put: Put<'_>) -> Result<Etag, Refused> {
        self.check(put.key, &put.condition)?;
        let metadata = put.metadata.map(|metadata| own(metadata.encode())).unwrap_or_default();
        let etag = self.next_etag();
        let object = StoredObject {
            body: put.body,
            content_type: put.content_type.to_owned(),
            metadata,
            etag: etag.clone(),
        };
        self.objects.insert(put.key.as_str().to_owned(), object);
        Ok(etag)
    }

    pub(super) fn create_upload(&mut self, target: &Target) -> UploadId {
        let upload = UploadId::new(&format!("upload-{:08}", self.next_number()));
        let new = Upload { target: target.clone(), parts: BTreeMap::new() };
        self.uploads.insert((target.key.as_str().to_owned(), upload.clone()), new);
        upload
    }

    pub(super) fn upload_part(
        &mut self,
        key: &ObjectKey,
        upload: &UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> Result<StoredPart, Refused> {
        let etag = self.next_etag();
        let name = (key.as_str().to_owned(), upload.clone());
        let parts = self.uploads.get_mut(&name).map(|upload| &mut upload.parts);
        let parts = parts.ok_or(Refused("NoSuchUpload", 404))?;
        parts.insert(number, (etag.clone(), body));
        Ok(StoredPart { number, etag, crc32: None })
    }

    pub(super) fn complete(
        &mut self,
        key: &ObjectKey,
        upload: &UploadId,
        parts: &[StoredPart],
        condition: &Condition,
    ) -> Result<Etag, Refused> {
        let name = (key.as_str().to_owned(), upload.clone());
        let Some(unfinished) = self.uploads.get(&name) else {
            let etag = self.completed.get(upload).cloned().ok_or(Refused("NoSuchUpload", 404))?;
            self.check(key, condition)?;
            return Ok(etag);
        };
        let mut body = Vec::new();
        for part in parts {
            match unfinished.parts.get(&part.number) {
                Some((etag, bytes)) if *etag == part.etag => body.extend_from_slice(bytes),
                Some(_) | None => return Err(Refused("InvalidPart", 400)),
            }
        }
        if parts.is_empty() {
            return Err(Refused("MalformedXML", 400));
        }
        self.check(key, condition)?;
        let etag = self.next_etag();
        if let Some(Upload { target, .. }) = self.uploads.remove(&name) {
            let object = StoredObject {
                body: body.into(),
                content_type: target.content_type.to_owned(),
                metadata: own(target.metadata.encode()),
                etag: etag.clone(),
            };
            self.objects.insert(key.as_str().to_owned(), object);
            self.completed.insert(upload.clone(), etag.clone());
        }
        Ok(etag)
    }

    pub(super) fn abort(&mut self, key: &ObjectKey, upload: &UploadId) -> Result<(), Refused> {
        let aborted = self.uploads.remove(&(key.as_str().to_owned(), upload.clone()));
        aborted.map(|_upload| ()).ok_or(Refused("NoSuchUpload", 404))
    }

    pub(super) fn list_uploads(&self, prefix: &str, from: Option<&str>) -> Page<ListedUpload> {
        let mut below = self
            .uploads
            .keys()
            .map(|(key, upload)| (format!("{key} {}", upload.as_str()), key, upload))
            .filter(|(sign, key, _upload)| {
                key.starts_with(prefix) && from.is_none_or(|from| sign.as_str() > from)
            });
        let mut next = None;
        let mut items = Vec::new();
        for (sign, key, upload) in below.by_ref().take(UPLOADS_PAGE) {
            let (key, upload) = (key.clone(), upload.clone());
            items.push(ListedUpload { key, upload, initiated_millis: None });
            next = Some(sign);
        }
        Page { items, next: next.filter(|_sign| below.next().is_some()) }
    }

    pub(super) fn list(
        &self,
        prefix: &str,
        from: Option<&str>,
        count_max: u16,
    ) -> Page<ListedObject> {
        let mut below = self.objects.iter().filter(|(key, _object)| {
            key.starts_with(prefix) && from.is_none_or(|from| key.as_str() > from)
        });
        let items: Vec<_> = below
            .by_ref()
            .take(usize::from(count_max))
            .map(|(key, object)| ListedObject {
                key: key.clone(),
                size: object.size(),
                modified_millis: None,
            })
            .collect();
        let last = items.last().map(|object| object.key.clone());
        Page { items, next: last.filter(|_key| below.next().is_some()) }
    }

    fn check(&self, key: &ObjectKey, condition: &Condition) -> Result<(), Refused> {
        let found = self.objects.get(key.as_str());
        match (condition, found) {
            (Condition::None, _) | (Condition::IfNoneMatch, None) => Ok(()),
            (Condition::IfNoneMatch, Some(_)) => Err(Refused("PreconditionFailed", 412)),
            (Condition::IfMatch(_), None) => Err(Refused("NoSuchKey", 404)),
            (Condition::IfMatch(etag), Some(found)) if found.etag == *etag => Ok(()),
            (Condition::IfMatch(_), Some(_)) => Err(Refused("PreconditionFailed", 412)),
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn next_etag(&mut self) -> Etag {
        Etag::new(&format!("\"{:032x}\"", self.next_number()))
    }
}

fn own(pairs: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
