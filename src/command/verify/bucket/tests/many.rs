//! Listings that no test could fill a bucket with: pages and answers are made up when they are asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use super::*;
use crate::command::verify::sample::{at, metadata, object};
use crate::command::verify::walk::{Bounds, walk};
use crate::model::{BatchId, Offset};
use crate::s3::{
    ByteRange, Condition, Etag, Got, ListedUpload, ObjectMetadata, ObjectStore, Page, PartNumber,
    Put, StoreFuture, StoredPart, Target, UploadId,
};

/// Of them every tenth is a stranger's; the rest are batches of one object with one record.
const OBJECTS: usize = 50_000;

#[derive(Debug)]
struct Endless {
    bucket: Bucket,
    objects: usize,
    pages: AtomicUsize,
    /// Questions that are not answered, and the most of them at one moment.
    open: AtomicUsize,
    open_most: AtomicUsize,
}

impl Endless {
    fn new(objects: usize) -> Arc<Self> {
        let [pages, open, open_most] = Default::default();
        Arc::new(Self { bucket: Bucket::new("abc").unwrap(), objects, pages, open, open_most })
    }

    fn key(number: usize) -> String {
        let end = if number.is_multiple_of(10) { "_SUCCESS" } else { "json" };
        format!("topics/pin/partition=0/pin+0+{number:010}.{end}")
    }

    /// What the object says of itself.
    fn metadata(key: &str) -> Result<ObjectMetadata, crate::s3::MetadataError> {
        let number = key.split(['+', '.']).nth(2).unwrap().parse().unwrap();
        if key.ends_with("_SUCCESS") {
            let found = "9".to_owned();
            return Err(crate::s3::MetadataError::Version { found });
        }
        let objects = [object(key, number, Some(1))];
        let said = metadata(number.unsigned_abs(), number, 1, &objects);
        Ok(ObjectMetadata { batch_start: at(number), plan: None, ..said })
    }
}

fn never<'a, T: 'a>() -> StoreFuture<'a, T> {
    Box::pin(async { panic!("looking lists and asks") })
}

impl ObjectStore for Endless {
    fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    fn writes(&self) -> Writes {
        Writes::Conditional
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        Box::pin(async move {
            let open = self.open.fetch_add(1, Relaxed) + 1;
            self.open_most.fetch_max(open, Relaxed);
            tokio::task::yield_now().await;
            self.open.fetch_sub(1, Relaxed);
            let metadata = Self::metadata(key.as_str());
            Ok(Found { etag: Etag::new("e"), size: 10, content_type: None, metadata })
        })
    }

    fn list<'a>(
        &'a self,
        _prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        Box::pin(async move {
            let page = self.pages.fetch_add(1, Relaxed);
            let first: usize = from.map_or(0, |from| from.parse().unwrap());
            assert_eq!(first, page * usize::from(count_max), "each page once, in order");
            let end = (first + usize::from(count_max)).min(self.objects);
            let listed =
                |number| ListedObject { key: Self::key(number), size: 10, modified_millis: None };
            let next = (end < self.objects).then(|| end.to_string());
            Ok(Page { items: (first..end).map(listed).collect(), next })
        })
    }

    fn put<'a>(&'a self, _put: Put<'a>) -> StoreFuture<'a, Etag> {
        never()
    }

    fn get<'a>(&'a self, _key: &'a ObjectKey, _bytes_max: usize) -> StoreFuture<'a, Got> {
        never()
    }

    fn get_range<'a>(&'a self, _key: &'a ObjectKey, _range: ByteRange) -> StoreFuture<'a, Got> {
        never()
    }

    fn create_upload<'a>(&'a self, _target: &'a Target) -> StoreFuture<'a, UploadId> {
        never()
    }

    fn upload_part<'a>(
        &'a self,
        _key: &'a ObjectKey,
        _upload: &'a UploadId,
        _number: PartNumber,
        _body: Bytes,
    ) -> StoreFuture<'a, StoredPart> {
        never()
    }

    fn complete_upload<'a>(
        &'a self,
        _key: &'a ObjectKey,
        _upload: &'a UploadId,
        _parts: &'a [StoredPart],
        _condition: Condition,
    ) -> StoreFuture<'a, Etag> {
        never()
    }

    fn abort_upload<'a>(
        &'a self,
        _key: &'a ObjectKey,
        _upload: &'a UploadId,
    ) -> StoreFuture<'a, ()> {
        never()
    }

    fn list_uploads<'a>(
        &'a self,
        _prefix: &'a str,
        _from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        never()
    }

    fn delete<'a>(&'a self, _key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        never()
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        never()
    }
}

/// What is kept is what README says of each object; no page and no answer outlives its turn.
#[tokio::test(start_paused = true)]
async fn a_listing_without_end_is_looked_at_a_page_at_a_time() {
    let store = Endless::new(OBJECTS);
    let (mut inventory, mut report) = (inventory(), Report::new(Shown::Json));
    let mut progress = Progress::start(Display::Hidden, "looking", "objects", None);
    let scope = Scope::new(["topics"].into_iter(), "_sluice/");
    let shared: Store = Arc::clone(&store) as Store;
    let looked = look(&shared, &scope, &mut inventory, (&mut report, &mut progress)).await;
    assert_eq!(looked, Ok(()));
    assert_eq!(store.pages.load(Relaxed), OBJECTS.div_ceil(1_000));
    assert_eq!(store.open.load(Relaxed), 0);
    assert!(store.open_most.load(Relaxed) <= QUESTIONS_MAX);
    let strangers = u64::try_from(OBJECTS / 10).unwrap();
    assert_eq!(report.counts(), &BTreeMap::from([(Kind::BadMetadata, strangers)]));
    let holdings = &inventory.partitions[&pin()];
    assert_eq!(holdings.objects(), OBJECTS - OBJECTS / 10);
    let firsts: VecDeque<(Offset, BatchId)> = holdings.batches.keys().copied().collect();
    assert_eq!(firsts.front().map(|(start, _)| *start), Some(at(1)));
    let end = at(i64::try_from(OBJECTS).unwrap());
    let (pending, first_start) = (None, None);
    let bounds = Bounds { begin: at(0), end, end_after: end, pending, first_start };
    let (steps, findings) = walk(&pin(), holdings, &bounds);
    // Without plans each batch goes up to the next one.
    assert_eq!((steps.len(), findings.len()), (OBJECTS - OBJECTS / 10 + 1, 0));
}
