"""Is every record of these topics in the bucket, once, in order, byte for byte, and committed?

Asked of Kafka and S3 through clients that are not Sluice's (confluent-kafka, pyarrow), of objects in
the default layout as JSON lines without compression. Prints one JSON object; what is wrong is in
its list `faults`. Arguments: BOOTSTRAP ENDPOINT REGION ACCESS_KEY SECRET_KEY BUCKET GROUP TOPIC...
"""

import collections
import json
import re
import sys
import time

import pyarrow.fs
from confluent_kafka import Consumer, KafkaError, TopicPartition

ANSWER_S = 60
# More of one partition teach nothing.
FAULTS_MAX = 5

Record = collections.namedtuple("Record", "offset value time_s")
Object = collections.namedtuple("Object", "start path time_s")


def read_partition(kafka, topic, partition):
    """Every record from the first to the end as it is now."""
    client = Consumer({**kafka, "group.id": "independent", "enable.partition.eof": True,
                       "auto.offset.reset": "earliest"})
    client.assign([TopicPartition(topic, partition, 0)])
    records, since = [], time.monotonic()
    while time.monotonic() < since + ANSWER_S:
        # The whole time passes if there are fewer.
        for message in client.consume(10_000, 0.2):
            if message.error() is None:
                time_s = message.timestamp()[1] / 1000
                records.append(Record(message.offset(), message.value(), time_s))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                client.close()
                return records
            else:
                raise RuntimeError(str(message.error()))
    raise TimeoutError(f"{topic}/{partition}: no end of the log in {ANSWER_S} s")


def list_topic(store, bucket, topic, faults):
    """The objects of each partition, by the offset in their names."""
    name = re.compile(
        rf"{re.escape(bucket)}/topics/{re.escape(topic)}/partition=(\d+)/"
        rf"{re.escape(topic)}\+\1\+(\d{{10,}})\.json")
    objects = collections.defaultdict(list)
    selector = pyarrow.fs.FileSelector(
        f"{bucket}/topics/{topic}", recursive=True, allow_not_found=True)
    for info in store.get_file_info(selector):
        if info.type != pyarrow.fs.FileType.File:
            continue
        match = name.fullmatch(info.path)
        if match is None:
            faults.append(f"{info.path}: no name of the default layout")
            continue
        partition, start = int(match[1]), int(match[2])
        objects[partition].append(Object(start, info.path, info.mtime_ns / 1e9))
    for found in objects.values():
        found.sort()
    return objects


def compare(records, objects, read):
    """What is wrong with one partition: its objects one behind the other are its records."""
    faults, position = [], 0
    for start, path, _ in objects:
        *lines, rest = read(path).split(b"\n")
        if rest or not lines:
            faults.append(f"{path}: empty, or no line end behind the last line")
        due = records[position:position + len(lines)]
        if not due or due[0].offset != start:
            faults.append(f"{path}: due is {due[0].offset if due else 'nothing'}")
        for line, record in zip(lines, due):
            if line != record.value:
                faults.append(f"{path}: not the record at {record.offset}: {line[:80]!r}")
                break
        if len(due) < len(lines):
            faults.append(f"{path}: {len(lines) - len(due)} lines behind the last record")
        position += len(lines)
    if position < len(records):
        faults.append(f"{len(records) - position} records are in no object, "
                      f"the last is {records[-1].offset}")
    return faults[:FAULTS_MAX]


def main():
    bootstrap, endpoint, region, access, secret, bucket, group, *topics = sys.argv[1:]
    kafka = {"bootstrap.servers": bootstrap, "enable.auto.commit": False,
             "isolation.level": "read_committed"}
    store = pyarrow.fs.S3FileSystem(
        endpoint_override=endpoint, region=region, access_key=access, secret_key=secret)

    def read(path):
        with store.open_input_stream(path) as stream:
            return stream.read()

    asking = Consumer({**kafka, "group.id": group})
    report = {"records": 0, "objects": 0, "lag": 0, "behind_s": 0.0, "faults": []}
    faults = report["faults"]
    for topic in topics:
        found = list_topic(store, bucket, topic, faults)
        partitions = sorted(asking.list_topics(topic, ANSWER_S).topics[topic].partitions)
        faults += [f"{topic}/{one}: no such partition" for one in found.keys() - set(partitions)]
        for partition in partitions:
            place = TopicPartition(topic, partition)
            committed = asking.committed([place], ANSWER_S)[0].offset
            end = asking.get_watermark_offsets(place, ANSWER_S)[1]
            records, objects = read_partition(kafka, topic, partition), found[partition]
            faults += [f"{topic}/{partition}: {fault}"
                       for fault in compare(records, objects, read)]
            if committed != end and records:
                faults.append(f"{topic}/{partition}: {committed} is committed, {end} is the end")
            report["records"] += len(records)
            report["objects"] += len(objects)
            report["lag"] += end - max(committed, 0)
            if records and objects:
                behind_s = objects[-1].time_s - records[-1].time_s
                report["behind_s"] = max(report["behind_s"], behind_s)
    asking.close()
    json.dump(report, sys.stdout)


main()
