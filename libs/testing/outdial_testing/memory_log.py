"""Partitions in memory: records, transactions, and what a read_committed reader may see."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from outdial_contracts.topics import TOPICS
from outdial_runtime.broker import BrokerError, Message, Record, TopicPartition
from outdial_testing.murmur2 import partition_of


class TransactionState(StrEnum):
    """How a transaction stands."""

    OPEN = "OPEN"
    COMMITTED = "COMMITTED"
    ABORTED = "ABORTED"


@dataclass
class Transaction:
    """Records share one, and appear or vanish with it."""

    state: TransactionState = TransactionState.OPEN


@dataclass(frozen=True)
class _Stored:
    message: Message
    transaction: Transaction | None


class MemoryLog:
    """All partitions of all topics."""

    def __init__(self, partitions: Mapping[str, int] | None = None) -> None:
        self._partitions: dict[str, list[list[_Stored]]] = {}
        self._keyless = itertools.count()
        for topic, count in (partitions or _declared()).items():
            self._partitions[topic] = [[] for _ in range(count)]

    def counts(self) -> dict[str, int]:
        """Partitions of each topic."""
        return {topic: len(partitions) for topic, partitions in self._partitions.items()}

    def append(self, record: Record, transaction: Transaction | None = None) -> int:
        """Stores a record and returns its offset."""
        if record.topic not in self._partitions:
            raise BrokerError(f"topic {record.topic} does not exist")
        partitions = self._partitions[record.topic]
        number = record.partition
        if number is None:
            key = record.key
            number = next(self._keyless) % len(partitions) if key is None else partition_of(key, len(partitions))
        if not 0 <= number < len(partitions):
            raise BrokerError(f"{record.topic} has no partition {number}")
        stored = partitions[number]
        message = Message(
            topic=record.topic,
            partition=number,
            offset=len(stored),
            timestamp_ms=int(time.time() * 1000),
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
        stored.append(_Stored(message, transaction))
        return message.offset

    def read(self, source: TopicPartition, offset: int, limit: int) -> tuple[list[Message], int]:
        """Committed messages from `offset`, at most `limit`, and the offset to read on from."""
        found: list[Message] = []
        position = offset
        for stored in self._partitions[source.topic][source.partition][offset:]:
            state = stored.transaction.state if stored.transaction else TransactionState.COMMITTED
            if state is TransactionState.OPEN or len(found) == limit:
                break
            position = stored.message.offset + 1
            if state is TransactionState.COMMITTED:
                found.append(stored.message)
        return found, position

    def end(self, source: TopicPartition) -> int:
        """The last stable offset: where a read_committed reader has to stop."""
        stored = self._partitions[source.topic][source.partition]
        opened = (s.message.offset for s in stored if s.transaction and s.transaction.state is TransactionState.OPEN)
        return next(opened, len(stored))

    def messages(self, topic: str) -> list[Message]:
        """Every committed message of a topic, partition by partition."""
        sources = [TopicPartition(topic, number) for number in range(len(self._partitions[topic]))]
        return [m for source in sources for m in self.read(source, 0, self.end(source))[0]]


def _declared() -> dict[str, int]:
    counts = {topic.name: topic.partitions for topic in TOPICS.values()}
    dead: Sequence[str] = [topic.dead_letter for topic in TOPICS.values() if topic.dead_letter]
    return counts | dict.fromkeys(dead, 1)
