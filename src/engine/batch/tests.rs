//! Routes, nulls, bad records, parts, and what a seal makes of them.

use std::io::Read;

use super::*;
use crate::engine::ObjectSizes;
use crate::engine::object::OBJECT_OVERHEAD_BYTES;
use crate::engine::sample::{at, compressed, record, short_layout, source, workshop};
use crate::format::Compression;
use crate::layout::{NameTemplate, PathTemplate};
use crate::model::{Timestamp, Uptime};

/// A batch, what it lent from, and the parts that left it.
struct Bench {
    open: OpenBatch,
    workshop: Workshop,
    parts: Vec<Part>,
}

const SIZES: ObjectSizes = ObjectSizes { frame_bytes: 64, part_bytes: 100 };

impl Bench {
    fn new(layout: Layout, sizes: ObjectSizes) -> Self {
        let birth = Birth {
            batch: BatchId::new(1),
            start: at(10),
            opened: Timestamp::from_millis(1_700_000_000_000),
            now: Uptime::ZERO,
            layout: Arc::new(layout),
            sizes,
            first_object: ObjectId(5),
            kept: Kept::All,
        };
        let (open, workshop) = (OpenBatch::new(&source(), birth), workshop(0));
        Self { open, workshop, parts: Vec::new() }
    }

    fn push(&mut self, offset: i64, value: Option<&[u8]>) -> Result<Placed, StopReason> {
        let placed = self.open.push(&source(), &record(offset, value), &mut self.workshop);
        self.parts.extend(self.open.take_parts());
        let counted: usize = self.open.objects.iter().map(|at| at.buffer.held_bytes()).sum();
        assert_eq!(self.open.held_bytes(), counted, "memory is counted record by record");
        placed
    }

    fn text(&mut self, offset: i64, value: &str) -> Placed {
        self.push(offset, Some(value.as_bytes())).unwrap()
    }

    fn relieve(&mut self) {
        self.open.relieve(&mut self.workshop);
        self.parts.extend(self.open.take_parts());
    }

    fn seal(self, end: i64) -> (SealedBatch, Vec<Part>) {
        let Self { open, mut workshop, mut parts } = self;
        let (batch, last) = open.seal(&source(), at(end), &mut workshop).unwrap();
        parts.extend(last);
        (batch, parts)
    }
}

/// Each object's key and bytes, put together from its parts where it has some.
fn bodies(batch: &SealedBatch, parts: &[Part]) -> Vec<(String, Vec<u8>)> {
    let body = |object: &SealedObject| match &object.whole {
        Some(whole) => whole.to_vec(),
        None => {
            let of_this = parts.iter().filter(|part| part.object.id == object.description.id);
            let numbers: Vec<_> = of_this.clone().map(|part| part.number).collect();
            let count = u32::try_from(numbers.len()).unwrap();
            assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "from 1, without a gap");
            of_this.flat_map(|part| part.body.to_vec()).collect()
        }
    };
    let objects = batch.objects.iter();
    objects.map(|object| (object.description.key.as_str().to_owned(), body(object))).collect()
}

fn named(objects: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    objects.iter().map(|(key, body)| ((*key).to_owned(), body.as_bytes().to_vec())).collect()
}

#[test]
fn each_route_has_one_object_in_the_order_of_first_records() {
    let mut bench = Bench::new(short_layout(), SIZES);
    for (offset, value) in [(10, r#"{"k":"z"}"#), (12, r#"{"k":"a"}"#), (13, r#"{"k":"z"}"#)] {
        bench.text(offset, value);
    }
    let (batch, parts) = bench.seal(14);
    let expected =
        [("t/k=z/10.json", "{\"k\":\"z\"}\n{\"k\":\"z\"}\n"), ("t/k=a/12.json", "{\"k\":\"a\"}\n")];
    assert_eq!(bodies(&batch, &parts), named(&expected));
    let about = &batch.objects[1].description;
    assert_eq!((about.first, about.batch_start, about.batch), (at(12), at(10), BatchId::new(1)));
    assert_eq!((about.id, batch.objects[0].count, batch.plan.records), (ObjectId(6), 2, 3));
    assert_eq!(batch.plan.range.to_string(), "[10, 14)");
}

#[test]
fn bad_records_go_to_one_object_of_the_quarantine() {
    let layout = Layout { on_null: OnNull::Quarantine, ..short_layout() };
    let mut bench = Bench::new(compressed(layout, Compression::Gzip), SIZES);
    let placed = bench.text(10, "bad");
    let reason = BadRecord::NotJson;
    assert_eq!(placed, Placed::Quarantined { object: 0, reason });
    let placed = bench.push(11, None).unwrap();
    assert_eq!(placed, Placed::Quarantined { object: 0, reason: BadRecord::Null });
    let (batch, parts) = bench.seal(12);
    let bodies = bodies(&batch, &parts);
    assert_eq!(bodies[0].0, "q/pin/partition=0/pin+0+0000000010.json.gz");
    assert_eq!(batch.objects[0].description.content_type, "application/gzip");
    assert_eq!(String::from_utf8(gunzip(&bodies[0].1)).unwrap().lines().count(), 2);
    assert_eq!((bodies.len(), batch.objects[0].count), (1, 2));
}

#[test]
fn the_quarantine_of_raw_records_is_json() {
    let mut layout = Layout { on_null: OnNull::Quarantine, ..short_layout() };
    layout.encoding.format = Format::Raw;
    let mut bench = Bench::new(layout, SIZES);
    bench.push(10, None).unwrap();
    let (batch, _) = bench.seal(11);
    assert_eq!(batch.objects[0].description.content_type, "application/x-ndjson");
    assert!(batch.objects[0].description.key.as_str().ends_with(".json"));
}

#[test]
fn what_is_not_wanted_is_skipped_or_stops_as_the_layout_says() {
    let offset = at(10);
    let mut bench = Bench::new(short_layout(), SIZES);
    assert_eq!(bench.push(10, None), Ok(Placed::Skipped));
    assert_eq!((bench.open.objects(), bench.open.stats().records), (0, 1));
    let layout = Layout { on_null: OnNull::Stop, ..short_layout() };
    let stopped = Bench::new(layout, SIZES).push(10, None);
    assert_eq!(stopped, Err(StopReason::NullRecord { offset }));
    let layout = Layout { on_bad: OnBad::Stop, ..short_layout() };
    let stopped = Bench::new(layout, SIZES).push(10, Some(b"bad"));
    assert_eq!(stopped, Err(StopReason::BadRecord { offset, reason: BadRecord::NotJson }));
    let layout = Layout { on_missing_route: OnMissingRoute::Stop, ..short_layout() };
    let stopped = Bench::new(layout, SIZES).push(10, Some(b"{}"));
    assert_eq!(stopped, Err(StopReason::MissingRoute { offset }));
}

#[test]
fn a_missing_route_is_hives_default_or_the_quarantine() {
    let mut bench = Bench::new(short_layout(), SIZES);
    assert_eq!(bench.text(10, "{}"), Placed::Written { object: 0 });
    let (batch, parts) = bench.seal(11);
    let expected = [("t/k=__HIVE_DEFAULT_PARTITION__/10.json", "{}\n")];
    assert_eq!(bodies(&batch, &parts), named(&expected));
    let layout = Layout { on_missing_route: OnMissingRoute::Quarantine, ..short_layout() };
    let placed = Bench::new(layout, SIZES).text(10, "{}");
    let reason = BadRecord::MissingRoute;
    assert_eq!(placed, Placed::Quarantined { object: 0, reason });
}

#[test]
fn a_bad_record_opens_no_object_of_its_route() {
    let layout = Layout { path: PathTemplate::parse("all").unwrap(), ..short_layout() };
    let mut bench = Bench::new(layout, SIZES);
    bench.text(10, "bad");
    bench.text(11, "{}");
    let (batch, _) = bench.seal(12);
    assert_eq!(batch.objects[1].description.key.as_str(), "t/all/11.json");
}

#[test]
fn a_part_leaves_when_it_is_full_and_the_last_one_at_the_seal() {
    let mut bench = Bench::new(short_layout(), SIZES);
    let value = format!(r#"{{"k":"a","v":"{}"}}"#, "x".repeat(40)); // 57 bytes with the newline
    for offset in 10..15 {
        bench.text(offset, &value);
    }
    assert_eq!(bench.parts.iter().map(|part| part.body.len()).collect::<Vec<_>>(), [114, 114]);
    assert_eq!(bench.open.stats().largest_object_bytes, 5 * 57);
    let (batch, parts) = bench.seal(15);
    let lengths: Vec<_> = parts.iter().map(|part| (part.number, part.body.len())).collect();
    assert_eq!(lengths, [(1, 114), (2, 114), (3, 57)]);
    assert!(batch.has_multipart() && batch.objects[0].whole.is_none());
    assert_eq!(batch.objects[0].stored_bytes, 5 * 57);
    let entry = OBJECT_OVERHEAD_BYTES + batch.objects[0].description.key.as_str().len();
    assert_eq!(batch.held_bytes(), entry, "its bytes are gone");
    assert_eq!(bodies(&batch, &parts)[0].1, format!("{value}\n").repeat(5).as_bytes());
}

#[test]
fn a_name_that_needs_the_end_keeps_its_bytes_until_the_seal() {
    let name = NameTemplate::parse("{start}-{last}-{count}").unwrap();
    let mut bench = Bench::new(Layout { name, ..short_layout() }, SIZES);
    for offset in [10, 12, 19] {
        bench.text(offset, &format!(r#"{{"k":"a","v":"{}"}}"#, "x".repeat(40)));
    }
    bench.text(21, r#"{"k":"b"}"#);
    bench.relieve();
    assert!(bench.parts.is_empty());
    let (batch, parts) = bench.seal(22);
    assert_eq!(parts.iter().map(|part| part.body.len()).collect::<Vec<_>>(), [171]);
    let bodies = bodies(&batch, &parts);
    assert_eq!(bodies[0].0, "t/k=a/10-19-3.json");
    assert_eq!(bodies[1], ("t/k=b/21-21-1.json".to_owned(), b"{\"k\":\"b\"}\n".to_vec()));
}

#[test]
fn short_memory_sends_up_only_what_s3_takes_as_a_part() {
    let sizes = ObjectSizes { frame_bytes: 1 << 20, part_bytes: 100 << 20 };
    let mut bench = Bench::new(short_layout(), sizes);
    let small = format!(r#"{{"k":"small","v":"{}"}}"#, "x".repeat(5_000_000));
    let large = format!(r#"{{"k":"large","v":"{}"}}"#, "x".repeat(5 << 20));
    bench.text(10, &small);
    bench.text(11, &large);
    let before = bench.open.held_bytes();
    bench.relieve();
    assert_eq!(bench.parts.len(), 1);
    assert_eq!(bench.parts[0].object.key.as_str(), "t/k=large/11.json");
    assert!(bench.open.held_bytes() <= before - large.len());
    bench.relieve();
    assert_eq!(bench.parts.len(), 1, "nothing is left of it");
    let rest = r#"{"k":"large"}"#;
    bench.text(12, rest);
    let (batch, parts) = bench.seal(13);
    assert_eq!(parts.len(), 2, "what began in parts ends in one, however small");
    assert_eq!(bodies(&batch, &parts)[1].1.len(), large.len() + rest.len() + 2);
}

#[test]
fn values_are_counted_as_they_were_read() {
    let mut bench = Bench::new(short_layout(), SIZES);
    bench.text(10, r#"{"k":"a"}"#);
    bench.text(11, r#"{"k": "b"}"#);
    bench.push(12, None).unwrap();
    let stats = bench.open.stats();
    assert_eq!((stats.records, stats.value_bytes), (3, 9 + 10));
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn a_member_holds_a_full_frame_and_the_last_one_the_rest() {
    let sizes = ObjectSizes { frame_bytes: 100, part_bytes: 1 << 20 };
    let mut bench = Bench::new(compressed(short_layout(), Compression::Gzip), sizes);
    for offset in 10..35 {
        bench.text(offset, r#"{"k":"a","offset":1}"#);
    }
    let (batch, parts) = bench.seal(35);
    let body = bodies(&batch, &parts).remove(0).1;
    let (mut rest, mut lengths) = (body.as_slice(), Vec::new());
    while !rest.is_empty() {
        let mut member = flate2::bufread::GzDecoder::new(&mut rest);
        lengths.push(member.read_to_end(&mut Vec::new()).unwrap());
    }
    assert_eq!(lengths, [105; 5], "lines of 21 bytes");
}

#[test]
fn frames_are_compressed_one_by_one_and_read_back_as_one() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut bench = Bench::new(compressed(short_layout(), compression), SIZES);
        let mut expected = String::new();
        for offset in 10..200 {
            let value = format!(r#"{{"k":"a","offset":{offset}}}"#);
            bench.text(offset, &value);
            expected.extend([value.as_str(), "\n"]);
        }
        bench.relieve();
        bench.text(200, r#"{"k":"a"}"#);
        expected.push_str("{\"k\":\"a\"}\n");
        let (batch, parts) = bench.seal(201);
        assert!(parts.len() > 2, "several parts, members across them");
        let body = bodies(&batch, &parts).remove(0).1;
        let stored = batch.objects[0].stored_bytes;
        assert_eq!(u64::try_from(body.len()).unwrap(), stored);
        let text = match compression {
            Compression::None => body,
            Compression::Gzip => gunzip(&body),
            Compression::Zstd => zstd::stream::decode_all(body.as_slice()).unwrap(),
        };
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}

#[test]
fn parts_grow_and_their_number_ends_a_batch() {
    let sizes = ObjectSizes { frame_bytes: 1, part_bytes: 20 };
    let mut bench = Bench::new(short_layout(), sizes);
    let line = br#"{"k":"a" }"#; // 11 bytes with the newline
    let mut offset = 10;
    while !bench.open.is_at_part_limit() {
        bench.push(offset, Some(line)).unwrap();
        offset += 1;
    }
    assert_eq!(bench.parts.len(), usize::try_from(PARTS_MAX).unwrap());
    for (number, bytes) in [(1, 22), (2_000, 22), (2_001, 44), (4_001, 88), (8_001, 330)] {
        assert_eq!(bench.parts[number - 1].body.len(), bytes, "part {number}");
    }
    assert_eq!(bench.open.discard(), [ObjectId(5)]);
}

#[test]
fn a_batch_thrown_away_names_only_objects_that_have_parts() {
    let mut bench = Bench::new(short_layout(), SIZES);
    bench.text(10, r#"{"k":"a"}"#);
    bench.text(11, &format!(r#"{{"k":"b","v":"{}"}}"#, "x".repeat(100)));
    assert_eq!(bench.open.discard(), [ObjectId(6)]);
}

#[test]
fn an_empty_range_is_a_fault() {
    let mut bench = Bench::new(short_layout(), SIZES);
    let sealed = bench.open.seal(&source(), at(10), &mut bench.workshop);
    let (start, end) = (at(10), at(10));
    assert_eq!(
        sealed.map(|_| ()),
        Err(crate::engine::PartitionError::EmptySeal { start, end }.into())
    );
}
