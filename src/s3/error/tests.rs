use super::*;

#[test]
fn the_code_decides_before_the_status() {
    let cases = [
        (Operation::Put, Some("SlowDown"), 503, StoreErrorKind::SlowDown),
        (Operation::Put, Some("InternalError"), 500, StoreErrorKind::Unavailable5xx),
        (Operation::CompleteUpload, Some("InternalError"), 200, StoreErrorKind::Unavailable5xx),
        (Operation::CompleteUpload, Some("SomethingNew"), 200, StoreErrorKind::Unavailable5xx),
        (Operation::CompleteUpload, Some("NoSuchUpload"), 404, StoreErrorKind::NoSuchUpload),
        (Operation::Put, Some("ConditionalRequestConflict"), 409, StoreErrorKind::Conflict409),
        (Operation::Put, Some("PreconditionFailed"), 412, StoreErrorKind::PreconditionFailed412),
        (Operation::Put, Some("RequestTimeTooSkewed"), 403, StoreErrorKind::ClockSkew),
        (Operation::Put, Some("ExpiredToken"), 400, StoreErrorKind::ExpiredCredentials),
        (Operation::Put, Some("SomethingNew"), 403, StoreErrorKind::AccessDenied),
        (Operation::Put, Some("SomethingNew"), 400, StoreErrorKind::Other),
        (Operation::Put, Some("SomethingNew"), 409, StoreErrorKind::Other),
        (Operation::Put, Some("NotImplemented"), 501, StoreErrorKind::Invalid),
        (Operation::Put, Some("PermanentRedirect"), 301, StoreErrorKind::WrongRegion),
        (Operation::Put, Some("AuthorizationHeaderMalformed"), 400, StoreErrorKind::WrongRegion),
        (Operation::Put, Some("NoSuchBucket"), 404, StoreErrorKind::NoSuchBucket),
        (Operation::Head, None, 403, StoreErrorKind::AccessDenied),
        (Operation::Head, None, 404, StoreErrorKind::NotFound),
        (Operation::Head, None, 400, StoreErrorKind::ExpiredCredentials),
        (Operation::Head, None, 301, StoreErrorKind::WrongRegion),
        (Operation::UploadPart, None, 404, StoreErrorKind::NoSuchUpload),
        (Operation::HeadBucket, Some("NotFound"), 404, StoreErrorKind::NoSuchBucket),
        (Operation::HeadBucket, None, 404, StoreErrorKind::NoSuchBucket),
        (Operation::Put, None, 400, StoreErrorKind::Invalid),
        (Operation::Put, None, 429, StoreErrorKind::SlowDown),
        (Operation::Put, None, 502, StoreErrorKind::Unavailable5xx),
    ];
    for (operation, code, status, kind) in cases {
        assert_eq!(
            classify(operation, code, Some(status)),
            kind,
            "{operation:?} {code:?} {status}"
        );
    }
    assert_eq!(classify(Operation::Put, None, None), StoreErrorKind::Transport);
}

#[test]
fn a_denied_head_is_never_an_absent_object() {
    for code in [None, Some("AccessDenied"), Some("Unknown")] {
        let kind = classify(Operation::Head, code, Some(403));
        assert_ne!(kind, StoreErrorKind::NotFound);
        assert_eq!(kind.healing(), Healing::Person);
    }
}

#[test]
fn labels_are_distinct() {
    let kinds: std::collections::BTreeSet<_> =
        StoreErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(kinds.len(), StoreErrorKind::ALL.len());
    let operations: std::collections::BTreeSet<_> =
        Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    assert_eq!(operations.len(), Operation::ALL.len());
}

#[test]
fn the_message_has_every_fact_and_what_to_do() {
    let error = StoreError {
        operation: Operation::Put,
        bucket: Bucket::new("abc").unwrap(),
        key: Some(ObjectKey::new("topics/pin").unwrap()),
        kind: StoreErrorKind::AccessDenied,
        code: Some(printable("AccessDenied")),
        status: Some(403),
        request_id: Some(printable("1A2B")),
        cause: None,
    };
    assert_eq!(
        error.to_string(),
        "S3 request `put` of `topics/pin` in bucket `abc` failed, code `AccessDenied`, status 403, \
         request id `1A2B`: access is denied: grant the permission, Sluice waits"
    );
}

#[test]
fn what_came_from_outside_is_cut_and_cleaned() {
    assert_eq!(&*printable("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
    assert_eq!(printable(&"x".repeat(10_000)).len(), FACT_CHARS_MAX);
}
