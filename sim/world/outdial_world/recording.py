"""The broker's log as a history reads it."""

from __future__ import annotations

from outdial_contracts.codec import decode
from outdial_contracts.headers import read_headers
from outdial_contracts.topics import TOPICS
from outdial_testing.memory_log import MemoryLog, Stored
from outdial_world.history import TopicRecord

DEAD = ".dead"


def committed_records(log: MemoryLog) -> list[TopicRecord]:
    """Every committed record in the order of the appends, dead letters among them."""
    return [_record(stored) for stored in log.committed()]


def _record(stored: Stored) -> TopicRecord:
    message = stored.message
    topic = message.topic.removesuffix(DEAD)
    headers = read_headers(message.headers)
    assert message.value is not None
    assert topic in TOPICS
    return TopicRecord(
        seq=stored.seq,
        at=stored.at,
        topic=topic,
        partition=message.partition,
        offset=message.offset,
        key=(message.key or b"").decode(),
        ce_id=headers.id,
        ce_time=headers.time,
        source=headers.source,
        event=decode(message.value, topic),
        dead=message.topic.endswith(DEAD),
    )
