//! What is asked for objects, at a real S3 server. Which request carries which header is told
//! beside the client (`src/s3/aws/headers`).

use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule,
};

use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::s3::Brand;
use super::support::{self, S3Server, kafka, runtime, s3, unique};
use super::{SOON, check, topic_and_group};

fn settings(server: &S3Server, topic: &str, group: &str, bucket: &str) -> Settings {
    Settings::between(kafka(), server, group, bucket).topics(&[topic]).set("seal.age", "\"200 ms\"")
}

#[test]
fn objects_of_records_have_the_tags_and_claims_have_none() {
    let ((topic, group), bucket) = (topic_and_group("tags"), s3().bucket("tags"));
    let daemon = settings(s3(), &topic, &group, &bucket)
        .set("s3.tags", "[\"team=data more\", \"source=kafka\"]")
        .set("s3.storage_class", "\"STANDARD\"")
        .set("s3.encryption.method", "\"sse_s3\"")
        .start();
    kafka().produce(&topic, &numbered(0..10, 1));
    daemon.wait_until("a lag of 0", SOON, || (kafka().lag(&group, &topic) == 0).then_some(()));
    daemon.stop_cleanly();
    let (mut objects, mut claims) = (0, 0);
    for key in s3().list(&bucket, "") {
        let asked = s3().client().get_object_tagging().bucket(&bucket).key(&key).send();
        let tags = match runtime().block_on(asked) {
            Ok(answer) => answer.tag_set().to_vec(),
            // versitygw says so of an object without tags, AWS gives an empty list
            Err(error) if error.to_string().contains("NoSuchTagSet") => Vec::new(),
            Err(error) => panic!("{key}: {error:?}"),
        };
        let mut tags: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
        tags.sort_unstable();
        if key.starts_with("_sluice/") {
            claims += 1;
            assert_eq!(tags, [], "{key}");
        } else {
            objects += 1;
            assert_eq!(tags, [("source", "kafka"), ("team", "data more")], "{key}");
        }
    }
    assert!(objects > 0 && claims > 0);
}

/// S3 refuses a body without a checksum there. One goes with each, so that nothing is to be set.
#[test]
fn a_bucket_that_locks_its_objects_takes_everything() {
    takes_everything(&S3Server::start_brand(Brand::VersitygwOfVersions));
}

#[test]
fn the_second_server_locks_objects_too() {
    if support::full_set("the_second_server_locks_objects_too") {
        takes_everything(support::minio());
    }
}

#[track_caller]
fn takes_everything(server: &S3Server) {
    let ((topic, group), bucket) = (topic_and_group("lock"), unique("lock"));
    let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(1);
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(retention.build()).build())
        .build();
    let client = server.client();
    runtime().block_on(async {
        let create = client.create_bucket().bucket(&bucket);
        create.object_lock_enabled_for_bucket(true).send().await.unwrap();
        let put = client.put_object_lock_configuration().bucket(&bucket);
        put.object_lock_configuration(lock).send().await.unwrap();
    });
    let (text, code) = check(&settings(server, &topic, &group, &bucket));
    assert_eq!(code, 0, "{text}");
    for question in ["s3.put ", "s3.if_match ", "s3.multipart ", "s3.conditional_complete "] {
        let is_good = |line: &str| line.starts_with("ok") && line.contains(question);
        assert!(text.lines().any(is_good), "{question}\n{text}");
    }
}
