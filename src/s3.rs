//! The edge out: objects of S3 behind one trait, published exactly once.
//!
//! It owns: the trait `ObjectStore` and its two implementations (the real one, and one in memory
//! with scripted faults), what a failure means and whether it heals, retrying, the publish
//! primitive (first writer wins), the uploads that the workers hand over, and the texts that Sluice
//! leaves in a bucket (object metadata, claims, the group object).
//! It does not own: what is in an object, how it is named, when a batch may be published.

mod aws;
mod cancel;
mod claim;
#[cfg(test)]
mod conformance;
mod deadline;
mod error;
mod line;
pub mod memory;
mod metadata;
mod metered;
mod observe;
mod publish;
mod retry;
mod store;
mod throttle;
mod uploads;
#[cfg(test)]
use crate as subject;

pub use aws::{
    AssumedRole, AwsStores, CustomerKey, Encryption, LeftUploads, ObjectOptions, ProxyChoice,
    S3Options, StaticCredentials, StoresError, Way,
};
pub use cancel::{Cancellation, Canceller, cancellation};
pub use claim::{
    Below, CLAIM_BYTES_MAX, Claim, ClaimError, Claims, Decision, GROUP_OBJECT_BYTES_MAX,
    GroupObject, MetadataDigest, Recovery, ReplacedCommit, TopicEnds,
};
pub use error::{Healing, Operation, StoreError, StoreErrorKind};
pub use metadata::{
    METADATA_BYTES_MAX, MetadataError, ObjectMetadata, PLAN_BYTES_MAX, PlanText, PlanTextError,
};
pub use metered::Metered;
pub use observe::{Request, UploadObserver};
pub use publish::{PublishOutcome, Publisher};
pub use retry::{Retry, Stopped};
pub use store::{
    Buckets, ByteRange, Condition, Etag, Found, Got, ListedObject, ListedUpload, ObjectStore, Page,
    PartNumber, Put, Store, StoreFuture, StoredPart, Target, UploadId, Writes,
};
pub use throttle::Throttle;
pub use uploads::{
    Answer, AnswerTo, ClaimText, Job, Object, ObjectId, REQUESTS_MAX, Uploads, UploadsEnd,
    UploadsTask,
};
