"""Reads topics whole, as a stranger with the contract would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from outdial_contracts.base import Event
from outdial_contracts.codec import CodecError, decode
from outdial_contracts.topics import TOPICS

POLL_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of a topic; `event` is None for bytes that are no event of the contract."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Kafka's, real time."""
    ce_id: str
    event: Event | None
    key: bytes
    value: bytes
    headers: dict[str, bytes]


class TopicReader:
    """Reads from a broker, read_committed; topics by their name without the prefix."""

    def __init__(self, bootstrap: str, prefix: str = "") -> None:
        self._prefix = prefix
        self._config = {
            "bootstrap.servers": bootstrap,
            "group.id": "outdial-cli",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
        }

    def read(self, topics: Iterable[str]) -> dict[str, list[Record]]:
        """Every record of each topic from the first to the end as it stands now."""
        wanted = list(topics)
        found: dict[str, list[Record]] = {topic: [] for topic in wanted}
        consumer = Consumer(self._config)
        try:
            ends = self._ends(consumer, wanted)
            consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for (t, p), end in ends.items() if end > 0])
            for message in _until(consumer, {key for key, end in ends.items() if end > 0}, ends):
                record = self._record(message)
                found[record.topic].append(record)
        finally:
            consumer.close()
        return found

    def _ends(self, consumer: Consumer, topics: list[str]) -> dict[tuple[str, int], int]:
        ends = {}
        metadata = consumer.list_topics(timeout=10).topics
        for topic in topics:
            name = self._prefix + topic
            for partition in metadata[name].partitions if name in metadata else ():
                low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=10)
                ends[name, partition] = high if high > low else 0
        return ends

    def _record(self, message: Message) -> Record:
        topic = str(message.topic()).removeprefix(self._prefix)
        value = message.value() or b""
        headers = dict(_headers(message))
        return Record(
            topic=topic,
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            timestamp_ms=message.timestamp()[1],
            ce_id=headers.get("ce_id", b"").decode(),
            event=_event(topic, value),
            key=message.key() or b"",
            value=value,
            headers=headers,
        )


def _headers(message: Message) -> Iterator[tuple[str, bytes]]:
    for pair in message.headers() or ():
        name, data = str(pair[0]), pair[1]
        if isinstance(data, bytes):
            yield name, data


def _event(topic: str, value: bytes) -> Event | None:
    if topic not in TOPICS:
        return None
    try:
        return decode(value, topic)
    except CodecError:
        return None


def _until(consumer: Consumer, open_ends: set[tuple[str, int]], ends: dict[tuple[str, int], int]) -> Iterator[Message]:
    """Messages until every partition has reached its end; transaction markers at the end count as reached."""
    while open_ends:
        message = consumer.poll(POLL_SECONDS)
        if message is not None and message.error() is None:
            yield message
        for key in list(open_ends):
            position = consumer.position([TopicPartition(*key)])[0].offset
            if position >= ends[key]:
                open_ends.discard(key)
