//! The script that compares: objects as a perfect program would leave them, and ways to spoil them.

use crate::support::independent;
use crate::support::kafka::topics::numbered;
use crate::support::{kafka, s3, unique};

#[test]
fn the_script_finds_lost_doubled_changed_and_uncommitted_records() {
    let (topic, group, bucket) = (unique("scripted"), unique("group"), s3().bucket("scripted"));
    kafka().create_topic(&topic, 2);
    kafka().produce(&topic, &numbered(0..6, 2));
    kafka().commit_as_stranger(&group, &topic, 0, (3, ""));
    kafka().commit_as_stranger(&group, &topic, 1, (2, ""));
    let key = |partition, start| {
        format!("topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json")
    };
    let good = b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}\n";
    s3().put(&bucket, &key(0, 0), b"{\"n\":0}\n{\"n\":2}\n");
    s3().put(&bucket, &key(0, 2), b"{\"n\":4}\n");
    s3().put(&bucket, &key(1, 0), good);
    let compare =
        || independent::compare(kafka(), s3(), &bucket, &group, std::slice::from_ref(&topic));
    let report = compare();
    assert_eq!(report.faults, [format!("{topic}/1: 2 is committed, 3 is the end")]);
    assert_eq!((report.records, report.objects, report.lag), (6, 3, 1));
    kafka().commit_as_stranger(&group, &topic, 1, (3, ""));
    assert_eq!(compare().faults, [""; 0]);
    // What each is, and how many are missing, doubled and strange.
    let spoiled: [(&[u8], [u64; 3]); 7] = [
        (b"", [3, 0, 0]),
        (b"{\"n\":1}\n{\"n\":3}\n", [1, 0, 0]),
        (b"{\"n\":1}\n{\"n\":3}\n{\"n\":3}\n{\"n\":5}\n", [0, 1, 0]),
        (b"{\"n\":3}\n{\"n\":1}\n{\"n\":5}\n", [0, 0, 0]),
        (b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}", [1, 0, 0]),
        (b"{\"n\":1}\n{\"n\":3}\n{\"n\":5} \n", [1, 0, 1]),
        (b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}\n{\"n\":7}\n", [0, 0, 1]),
    ];
    for (body, counts) in spoiled {
        s3().put(&bucket, &key(1, 0), body);
        let report = compare();
        assert!(!report.faults.is_empty(), "{}", String::from_utf8_lossy(body));
        assert_eq!([report.missing, report.doubles, report.strange], counts, "{report:?}");
    }
    s3().put(&bucket, &key(1, 0), good);
    let elsewhere = key(1, 2).replace("partition=1", "kind=b").replace(".json", "+0000000002.json");
    s3().put(&bucket, &elsewhere, b"{\"n\":5}\n");
    let report = compare();
    assert_eq!(report.doubles, 1, "the last record is there twice: {report:?}");
    s3().delete(&bucket, &elsewhere);
    let end_is_wrong = elsewhere.replace("+0000000002.json", "+0000000003.json");
    s3().put(&bucket, &key(1, 0), b"{\"n\":1}\n{\"n\":3}\n");
    s3().put(&bucket, &end_is_wrong, b"{\"n\":5}\n");
    assert!(!compare().faults.is_empty(), "its name says another end");
}

/// A producer that lost its broker may say something twice: so must the bucket, and no more often.
#[test]
fn the_script_wants_what_kafka_has_twice_twice() {
    let (topic, group, bucket) = (unique("repeated"), unique("group"), s3().bucket("repeated"));
    kafka().create_topic(&topic, 1);
    kafka().produce(&topic, &[numbered(0..2, 1), numbered(0..1, 1)].concat());
    kafka().commit_as_stranger(&group, &topic, 0, (3, ""));
    let compare = |body: &[u8]| {
        s3().put(&bucket, &format!("topics/{topic}/{topic}+0+0000000000.json"), body);
        let topics = std::slice::from_ref(&topic);
        let report = independent::compare(kafka(), s3(), &bucket, &group, topics);
        (report.missing, report.doubles, report.repeats, report.faults.len())
    };
    let (zero, one) = ("{\"n\":0}\n", "{\"n\":1}\n");
    let body = |lines: &[&str]| lines.concat().into_bytes();
    assert_eq!(compare(&body(&[zero, one, zero])), (0, 0, 1, 0));
    let (missing, doubles, ..) = compare(&body(&[zero, one]));
    assert_eq!((missing, doubles), (1, 0));
    let (missing, doubles, ..) = compare(&body(&[zero, one, zero, zero]));
    assert_eq!((missing, doubles), (0, 1));
    let (missing, doubles, .., faults) = compare(&body(&[zero, zero, one]));
    assert_eq!((missing, doubles, faults), (0, 0, 1), "not in the order of the log");
}

/// Kafka shows a record that its producer meant to take back: no reader may take that for whole.
#[test]
fn the_script_finds_packed_objects_and_records_of_aborted_transactions() {
    let (topic, group, bucket) = (unique("packed"), unique("group"), s3().bucket("packed"));
    kafka().create_topic(&topic, 1);
    kafka().produce(&topic, &numbered(0..4, 1));
    kafka().commit_as_stranger(&group, &topic, 0, (4, ""));
    let key = |start: u64, end: &str| format!("topics/{topic}/{topic}+0+{start:010}.json.{end}");
    let (first, second) = (b"{\"n\":0}\n".as_slice(), b"{\"n\":1}\n".as_slice());
    let frames = [first, second].map(|line| zstd::encode_all(line, 1).unwrap()).concat();
    s3().put(&bucket, &key(0, "zst"), &frames);
    s3().put(&bucket, &key(2, "gz"), &[member(b"{\"n\":2}\n"), member(b"{\"n\":3}\n")].concat());
    let compare =
        || independent::compare(kafka(), s3(), &bucket, &group, std::slice::from_ref(&topic));
    assert_eq!(compare().faults, [""; 0]);
    kafka().produce(&topic, &[crate::support::NewRecord::of(r#"{"n":4,"aborted":true}"#)]);
    let faults = compare().faults;
    assert!(faults.iter().any(|fault| fault.contains("aborted record at 4")), "{faults:?}");
}

/// One gzip member.
fn member(text: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
    let bytes = compressor.gzip_compress(text, &mut packed).unwrap();
    packed.truncate(bytes);
    packed
}
