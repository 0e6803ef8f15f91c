"""Is every record of these topics in the bucket, once, in order, byte for byte, and committed?

Asked of Kafka and S3 through clients that are not Sluice's (confluent-kafka, pyarrow), of objects
below `topics/` that hold JSON lines, plain or compressed, whatever their path: their names begin
with topic, partition and the offset of their first record. Records are known by their values: one
that stands in the log several times (a producer that lost its broker may repeat itself, idempotent or
not) must be in the bucket as many times, in the same order. Prints one JSON object; what is wrong is in its list `faults`.
Arguments: BOOTSTRAP ENDPOINT REGION ACCESS_KEY SECRET_KEY BUCKET GROUP TOPIC...
"""

import collections
import gzip
import hashlib
import json
import re
import sys
import time

import pyarrow
import pyarrow.fs
from confluent_kafka import Consumer, KafkaError, TopicPartition

ANSWER_S = 60
# More of one partition teach nothing.
FAULTS_MAX = 5
# What producers write into records of transactions that they abort.
ABORTED = b'"aborted":true'

Object = collections.namedtuple("Object", "start last path time_s")


class Partition:
    """Every record from the first to the end as it is now."""

    def __init__(self):
        self.offsets = collections.defaultdict(list)  # by the digest of the value, ascending
        self.last, self.time_s, self.faults = None, 0.0, []

    def add(self, message):
        self.last, self.time_s = message.offset(), message.timestamp()[1] / 1000
        if ABORTED in message.value():
            self.faults.append(f"Kafka shows the aborted record at {self.last}")
        self.offsets[digest(message.value())].append(self.last)

    def all(self):
        return [offset for offsets in self.offsets.values() for offset in offsets]


def digest(value):
    return hashlib.blake2b(value, digest_size=16).digest()


def read_partition(kafka, topic, partition):
    client = Consumer({**kafka, "group.id": "independent", "enable.partition.eof": True,
                       "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10})
    client.assign([TopicPartition(topic, partition, 0)])
    read, since = Partition(), time.monotonic()
    while time.monotonic() < since + ANSWER_S:
        for message in client.consume(500, 0.05):
            since = time.monotonic()
            if message.error() is None:
                read.add(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                client.close()
                return read
            else:
                raise RuntimeError(str(message.error()))
    raise TimeoutError(f"{topic}/{partition}: no record and no end of the log in {ANSWER_S} s")


def list_objects(store, bucket, topics, faults):
    """The objects of each topic and partition, by the offset in their names."""
    name = re.compile(r"([^+]+)\+(\d+)\+(\d{10,})(?:\+(\d+))?\.json(?:\.gz|\.zst)?")
    objects = {topic: collections.defaultdict(list) for topic in topics}
    selector = pyarrow.fs.FileSelector(f"{bucket}/topics", recursive=True, allow_not_found=True)
    for info in store.get_file_info(selector):
        if info.type != pyarrow.fs.FileType.File:
            continue
        match = name.fullmatch(info.base_name)
        if match is None or match[1] not in objects:
            faults.append(f"{info.path}: no name of these topics")
            continue
        last = None if match[4] is None else int(match[4])
        found = Object(int(match[3]), last, info.path, info.mtime_ns / 1e9)
        objects[match[1]][int(match[2])].append(found)
    return objects


def lines(path, body, faults):
    """The lines of an object, unpacked by its extension."""
    if path.endswith(".gz"):
        body = gzip.decompress(body)
    elif path.endswith(".zst"):
        with pyarrow.input_stream(pyarrow.py_buffer(body), compression="zstd") as stream:
            body = stream.read()
    *found, rest = body.split(b"\n")
    if rest or not found:
        faults.append(f"{path}: empty, or no line end behind the last line")
    return found


def compare(records, objects, read):
    """What is wrong with one partition: each record is in one line of one object, in order."""
    faults, strange = [], 0
    times, seen = collections.Counter(), collections.Counter()
    for start, last, path, _ in sorted(objects, key=lambda one: (one.start, one.path)):
        position = -1
        for index, line in enumerate(lines(path, read(path), faults)):
            known = digest(line)
            if known not in records.offsets:
                strange += 1
                faults.append(f"{path}: line {index} is no record: {line[:80]!r}")
                continue
            # The nth line that says so is the nth record; what is beyond repeats the last.
            offset = records.offsets[known][min(seen[known], len(records.offsets[known]) - 1)]
            seen[known] += 1
            times[offset] += 1
            if index == 0 and offset != start:
                faults.append(f"{path}: it begins with the record at {offset}")
            if offset <= position:
                faults.append(f"{path}: the record at {offset} stands behind that at {position}")
            position = offset
        if last is not None and position != last:
            faults.append(f"{path}: it ends with the record at {position}")
    missing = [offset for offset in records.all() if offset not in times]
    twice = [offset for offset in times if times[offset] > 1]
    if missing:
        faults.insert(0, f"{len(missing)} records are in no object, "
                         f"from {min(missing)} to {max(missing)}")
    if twice:
        faults.insert(0, f"{len(twice)} records are there more than once, "
                         f"from {min(twice)} to {max(twice)}")
    counts = {"missing": len(missing), "strange": strange,
              "doubles": sum(times.values()) - len(times),
              "repeats": len(records.all()) - len(records.offsets)}
    return counts, records.faults[:FAULTS_MAX] + faults[:FAULTS_MAX]


def main():
    bootstrap, endpoint, region, access, secret, bucket, group, *topics = sys.argv[1:]
    kafka = {"bootstrap.servers": bootstrap, "enable.auto.commit": False,
             "isolation.level": "read_committed"}
    store = pyarrow.fs.S3FileSystem(
        endpoint_override=endpoint, region=region, access_key=access, secret_key=secret)

    def read(path):
        with store.open_input_stream(path, compression=None) as stream:
            return stream.read()

    asking = Consumer({**kafka, "group.id": group})
    report = {"records": 0, "objects": 0, "lag": 0, "behind_s": 0.0, "missing": 0, "doubles": 0,
              "strange": 0, "repeats": 0, "faults": []}
    faults = report["faults"]
    listed = list_objects(store, bucket, topics, faults)
    for topic in topics:
        found = listed[topic]
        partitions = sorted(asking.list_topics(topic, ANSWER_S).topics[topic].partitions)
        faults += [f"{topic}/{one}: no such partition" for one in found.keys() - set(partitions)]
        for partition in partitions:
            place = TopicPartition(topic, partition)
            committed = asking.committed([place], ANSWER_S)[0].offset
            end = asking.get_watermark_offsets(place, ANSWER_S)[1]
            records, objects = read_partition(kafka, topic, partition), found[partition]
            counts, wrong = compare(records, objects, read)
            faults += [f"{topic}/{partition}: {fault}" for fault in wrong]
            if committed != end and records.offsets:
                faults.append(f"{topic}/{partition}: {committed} is committed, {end} is the end")
            for name, count in counts.items():
                report[name] += count
            report["records"] += len(records.all())
            report["objects"] += len(objects)
            report["lag"] += end - max(committed, 0)
            if records.offsets and objects:
                behind_s = max(one.time_s for one in objects) - records.time_s
                report["behind_s"] = max(report["behind_s"], behind_s)
    asking.close()
    json.dump(report, sys.stdout)


main()
