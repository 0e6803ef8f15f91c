//! Each finding about S3, against the store in memory with its faults.

use bytes::Bytes;

use super::super::finding::{Finding, Shown};
use super::*;
use crate::model::{Bucket, GroupId, ObjectKey};
use crate::s3::memory::{Fault, MemoryStore};
use crate::s3::{
    ByteRange, Condition, Etag, Found, Got, ListedObject, ListedUpload, Operation, Page,
    PartNumber, Put, StoreFuture, StoredPart, Target, UploadId, Writes,
};

const FOLDER: &str = "_sluice/_check/7";

fn memory(writes: Writes) -> MemoryStore {
    MemoryStore::new(Bucket::new("bkt").unwrap(), writes)
}

async fn findings(store: &dyn ObjectStore) -> (Vec<String>, u8) {
    let mut report = Report::new(Shown::Later);
    let mut at = At { report: &mut report, place: "bucket `bkt`".to_owned() };
    let group = GroupId::new("sluice").unwrap();
    let probe = Probe {
        store,
        at: &mut at,
        folder: FOLDER.to_owned(),
        group: &group,
        elsewhere: "`topics/`".to_owned(),
        region: "region `eu-central-1`".to_owned(),
        also_needed: Vec::new(),
    };
    probe.run().await;
    let lines = report.findings().iter().map(Finding::to_string).collect();
    (lines, report.exit_code())
}

/// Returns the lines that are not `ok`, and the exit code.
async fn trouble(store: &dyn ObjectStore) -> (Vec<String>, u8) {
    let (lines, code) = findings(store).await;
    (lines.into_iter().filter(|line| !line.starts_with("ok")).collect(), code)
}

async fn trouble_with(operation: Operation, key_end: &str, nth: u32, fault: Fault) -> (String, u8) {
    let store = memory(Writes::Conditional);
    store.fail(operation, key_end, nth, fault);
    let (lines, code) = trouble(&store).await;
    (lines.join("\n"), code)
}

#[tokio::test(start_paused = true)]
async fn a_good_store_is_told_in_full_and_left_as_it_was() {
    let store = memory(Writes::Conditional);
    let (lines, code) = findings(&store).await;
    assert_eq!(code, 0);
    assert_eq!(
        lines,
        [
            "ok    s3.bucket                bucket `bkt`: is there, in region `eu-central-1`",
            "ok    s3.absent_key            bucket `bkt`: HEAD of a missing key answers 404",
            "ok    s3.put                   bucket `bkt`: an object can be written below the claims; the same must hold below `topics/`",
            "ok    s3.metadata              bucket `bkt`: an object keeps 1788 bytes of metadata",
            "ok    s3.conditional_put       bucket `bkt`: a second write with `If-None-Match: *` is refused with 412",
            "ok    s3.if_match              bucket `bkt`: `If-Match` with an old etag is refused with 412",
            "ok    s3.get                   bucket `bkt`: what was written last is read back",
            "ok    s3.list_uploads          bucket `bkt`: unfinished uploads are listed",
            "ok    s3.multipart             bucket `bkt`: an upload of parts becomes an object",
            "ok    s3.conditional_complete  bucket `bkt`: completing a second upload with `If-None-Match: *` is refused with 412",
            "ok    s3.abort                 bucket `bkt`: an unfinished upload can be aborted",
            "ok    s3.delete                bucket `bkt`: `_sluice/_check/7/put` is removed again",
            "ok    s3.delete                bucket `bkt`: `_sluice/_check/7/uploaded` is removed again",
        ]
    );
    assert_eq!((store.object_count(), store.upload_count()), (0, 0));
    let is_inside = |(_, key): &(Operation, String)| key.is_empty() || key.starts_with(FOLDER);
    assert!(store.requests().iter().all(is_inside));
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_that_looks_forbidden_is_a_finding() {
    let fault = Fault::answer("", 403);
    assert_eq!(
        trouble_with(Operation::Head, "absent", 1, fault).await,
        (
            "FAIL  s3.absent_key            bucket `bkt`: HEAD of a missing key answers 403, not 404: grant `s3:GetObject` on the objects: `s3:ListBucket` is there"
                .to_owned(),
            1
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_unreachable_and_asked_no_more() {
    let store = memory(Writes::Conditional);
    store.fail(Operation::HeadBucket, "", 1, Fault::answer("", 503));
    assert_eq!(
        trouble(&store).await,
        (
            vec!["FAIL  s3.bucket                bucket `bkt`: request `head_bucket` failed, status 503: see that the store runs, that `s3.endpoint` is right, and what lies between".to_owned()],
            69
        )
    );
    assert_eq!(store.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hang_in_the_middle_ends_it_and_says_what_is_left() {
    let (lines, code) =
        trouble_with(Operation::Get, "put", 1, Fault::Hang(crate::s3::memory::When::Before)).await;
    assert_eq!(code, 69);
    assert_eq!(
        lines,
        "FAIL  s3.get                   bucket `bkt`: request `get` failed, timeout: see that the store runs, that `s3.endpoint` is right, and what lies between\n\
         warn  s3.delete                bucket `bkt`: `_sluice/_check/7/put` is left: it may be deleted"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_person_must_repair_first_ends_it() {
    for (fault, advice) in [
        (Fault::answer("", 404), "the bucket does not exist: create it, or correct `s3.bucket`"),
        (
            Fault::answer("", 301),
            "the bucket is in another region: set `s3.region` to the bucket's own",
        ),
        (
            Fault::NoCredentials,
            "no credentials were found: set `s3.credentials`, or give this machine a role",
        ),
    ] {
        let (lines, code) = trouble_with(Operation::HeadBucket, "", 1, fault).await;
        assert_eq!(code, 1, "{lines}");
        assert!(lines.ends_with(advice) && lines.lines().count() == 1, "{lines}");
    }
    for (code, advice) in [
        (
            "AuthorizationHeaderMalformed",
            "the bucket is in another region: set `s3.region` to the bucket's own",
        ),
        ("RequestTimeTooSkewed", "this machine's clock is wrong: set it"),
        ("ExpiredToken", "the credentials have expired: renew them"),
        ("SignatureDoesNotMatch", "the store does not know these credentials: correct them"),
    ] {
        let fault = Fault::answer(code, 403);
        let (lines, exit_code) = trouble_with(Operation::Put, "put", 1, fault).await;
        assert_eq!(exit_code, 1, "{lines}");
        assert!(lines.ends_with(advice) && lines.lines().count() == 1, "{lines}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_refusal_of_the_bucket_is_asked_about_again() {
    let store = memory(Writes::Conditional);
    store.fail(Operation::HeadBucket, "", 1, Fault::answer("", 400));
    store.fail(Operation::List, "", 1, Fault::answer("AuthorizationHeaderMalformed", 400));
    assert_eq!(
        trouble(&store).await,
        (
            vec!["FAIL  s3.bucket                bucket `bkt`: request `list` failed, status 400, code `AuthorizationHeaderMalformed`: the bucket is in another region: set `s3.region` to the bucket's own".to_owned()],
            1
        )
    );
}

#[tokio::test(start_paused = true)]
async fn each_permission_that_is_missing_is_named() {
    use Operation::{AbortUpload, CompleteUpload, CreateUpload, Get, Head, HeadBucket, UploadPart};
    for (operation, key_end, question, permission) in [
        (HeadBucket, "", "s3.bucket ", "`s3:ListBucket`"),
        (Operation::Put, "put", "s3.put ", "`s3:PutObject`"),
        (Head, "put", "s3.metadata ", "`s3:GetObject`"),
        (Get, "put", "s3.get ", "`s3:GetObject`"),
        (CreateUpload, "uploaded", "s3.multipart ", "`s3:PutObject`"),
        (UploadPart, "uploaded", "s3.multipart ", "`s3:PutObject`"),
        (CompleteUpload, "uploaded", "s3.multipart ", "`s3:PutObject`"),
        (AbortUpload, "uploaded", "s3.abort ", "`s3:AbortMultipartUpload`"),
    ] {
        let fault = Fault::answer("AccessDenied", 403);
        let (lines, code) = trouble_with(operation, key_end, 1, fault).await;
        assert_eq!(code, 1, "{lines}");
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.starts_with(&format!("FAIL  {question}")), "{lines}");
        assert!(lines.contains(permission), "{lines}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_sluice_can_do_without_is_a_warning() {
    let denied = || Fault::answer("AccessDenied", 403);
    assert_eq!(
        trouble_with(Operation::Delete, "put", 1, denied()).await,
        (
            "warn  s3.delete                bucket `bkt`: `_sluice/_check/7/put` is left, since `s3:DeleteObject` is not granted: Sluice does without; delete it by hand"
                .to_owned(),
            0
        )
    );
    assert_eq!(
        trouble_with(Operation::ListUploads, "", 1, denied()).await,
        (
            "warn  s3.list_uploads          bucket `bkt`: request `list_uploads` failed, status 403, code `AccessDenied`: Sluice does without; to see what crashes leave, grant `s3:ListBucketMultipartUploads` on the bucket"
                .to_owned(),
            0
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_conditions_is_told_apart() {
    let (lines, code) =
        trouble_with(Operation::Put, "put", 1, Fault::answer("NotImplemented", 501)).await;
    assert_eq!(code, 1);
    assert_eq!(
        lines,
        "FAIL  s3.conditional_put       bucket `bkt`: `If-None-Match: *` is refused: request `put` failed, status 501, code `NotImplemented`: set `s3.conditional_writes` = false (Sluice then looks before it writes, which is weaker), or use a store that keeps this promise"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_is_found_out() {
    let store = Flawed { memory: memory(Writes::HeadFirst), flaw: Flaw::Conditions };
    let (lines, code) = trouble(&store).await;
    assert_eq!(code, 1);
    assert_eq!(
        lines,
        [
            "FAIL  s3.conditional_put       bucket `bkt`: a second write with `If-None-Match: *` overwrites the object: set `s3.conditional_writes` = false (Sluice then looks before it writes, which is weaker), or use a store that keeps this promise",
            "FAIL  s3.if_match              bucket `bkt`: `If-Match` with an old etag overwrites the object: claims are not safe there: use a store that keeps this promise, or set `s3.conditional_writes` = false (claims are then advisory)",
            "FAIL  s3.conditional_complete  bucket `bkt`: completing a second upload with `If-None-Match: *` overwrites: set `s3.conditional_writes` = false (Sluice then looks before it writes, which is weaker), or use a store that keeps this promise",
        ]
    );
    assert_eq!((store.memory.object_count(), store.memory.upload_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_conditions_it_says_what_is_weaker() {
    let store = memory(Writes::HeadFirst);
    let (lines, code) = trouble(&store).await;
    assert_eq!(code, 0);
    assert_eq!(
        lines,
        [
            "warn  s3.conditional_put       bucket `bkt`: not asked, since `s3.conditional_writes` = false: set it to true unless the store has no `If-None-Match`: two writers at one moment are told apart by it only, and claims are advisory"
        ]
    );
    assert_eq!((store.object_count(), store.upload_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_cut_is_a_finding() {
    let store = Flawed { memory: memory(Writes::Conditional), flaw: Flaw::Metadata };
    let (lines, code) = trouble(&store).await;
    assert_eq!(code, 1);
    assert_eq!(
        lines,
        [
            "FAIL  s3.metadata              bucket `bkt`: an object does not keep 1788 bytes of metadata: Sluice could not tell its own objects from others: use a store that keeps 2 KB"
        ]
    );
}

#[test]
fn uploads_that_crashes_leave_are_for_a_rule() {
    let lines = |found| {
        let mut report = Report::new(Shown::Later);
        lifecycle(&mut At { report: &mut report, place: "bucket `bkt`".to_owned() }, found);
        report.findings()[0].to_string()
    };
    assert_eq!(
        lines(LeftUploads::AbortedAfterDays(7)),
        "ok    s3.lifecycle             bucket `bkt`: uploads that a crash leaves are aborted after 7 days"
    );
    assert_eq!(
        lines(LeftUploads::Kept),
        "warn  s3.lifecycle             bucket `bkt`: no lifecycle rule aborts the uploads that a crash leaves, and they cost: add a rule with `AbortIncompleteMultipartUpload` after 7 days"
    );
    assert_eq!(
        lines(LeftUploads::Unknown),
        "warn  s3.lifecycle             bucket `bkt`: the store does not tell its lifecycle rules: see that there is one with `AbortIncompleteMultipartUpload` after 7 days: what a crash leaves costs (to read it, grant `s3:GetLifecycleConfiguration`)"
    );
}

/// A store that takes conditions and metadata, and does not keep one of them.
#[derive(Debug)]
struct Flawed {
    memory: MemoryStore,
    flaw: Flaw,
}

#[derive(Clone, Copy, Debug)]
enum Flaw {
    /// Its memory is one of `Writes::HeadFirst`, which forgets conditions.
    Conditions,
    Metadata,
}

impl ObjectStore for Flawed {
    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, Etag> {
        match self.flaw {
            Flaw::Conditions => self.memory.put(put),
            Flaw::Metadata => self.memory.put(Put { metadata: None, ..put }),
        }
    }

    fn bucket(&self) -> &Bucket {
        self.memory.bucket()
    }

    fn writes(&self) -> Writes {
        Writes::Conditional
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        self.memory.head(key)
    }

    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got> {
        self.memory.get(key, bytes_max)
    }

    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got> {
        self.memory.get_range(key, range)
    }

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId> {
        self.memory.create_upload(target)
    }

    fn upload_part<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> StoreFuture<'a, StoredPart> {
        self.memory.upload_part(key, upload, number, body)
    }

    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, Etag> {
        self.memory.complete_upload(key, upload, parts, condition)
    }

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()> {
        self.memory.abort_upload(key, upload)
    }

    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        self.memory.list_uploads(prefix, from)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        self.memory.delete(key)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        self.memory.list(prefix, from, count_max)
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        self.memory.head_bucket()
    }
}
