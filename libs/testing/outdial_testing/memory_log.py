"""Partitions in memory: records, transactions, and what a read_committed reader may see."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    """Partitions it wrote to, and the offset after its last record there."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record of a partition; `seq` counts over all partitions."""

    seq: int
    at: datetime
    message: Message
    transaction: Transaction | None

    @property
    def state(self) -> TransactionState:
        return self.transaction.state if self.transaction else TransactionState.COMMITTED


class _Partition:
    """Records of one partition, and those of them whose transaction may still be open."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self._undecided: deque[Stored] = deque()

    def add(self, stored: Stored) -> None:
        self.stored.append(stored)
        if stored.transaction is not None:
            self._undecided.append(stored)

    @property
    def end(self) -> int:
        while self._undecided and self._undecided[0].state is not TransactionState.OPEN:
            self._undecided.popleft()
        return self._undecided[0].message.offset if self._undecided else len(self.stored)


class MemoryLog:
    """All partitions of all topics."""

    def __init__(self, partitions: Mapping[str, int] | None = None) -> None:
        self._keyless = itertools.count()
        self._seq = itertools.count(1)
        self._partitions = {
            topic: [_Partition() for _ in range(count)] for topic, count in (partitions or _declared()).items()
        }

    def counts(self) -> dict[str, int]:
        """Partitions of each topic."""
        return {topic: len(partitions) for topic, partitions in self._partitions.items()}

    def next_seq(self) -> int:
        """For whoever orders other things among the records."""
        return next(self._seq)

    def append(self, record: Record, now: datetime, transaction: Transaction | None = None) -> Message:
        """Stores a record and returns it with its place."""
        if record.topic not in self._partitions:
            raise BrokerError(f"topic {record.topic} does not exist")
        partitions = self._partitions[record.topic]
        number = record.partition
        if number is None:
            key = record.key
            number = next(self._keyless) % len(partitions) if key is None else partition_of(key, len(partitions))
        if not 0 <= number < len(partitions):
            raise BrokerError(f"{record.topic} has no partition {number}")
        message = Message(
            topic=record.topic,
            partition=number,
            offset=len(partitions[number].stored),
            timestamp_ms=int(now.timestamp() * 1000),
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
        partitions[number].add(Stored(next(self._seq), now, message, transaction))
        return message

    def read(
        self, source: TopicPartition, offset: int, limit: int, end: int | None = None
    ) -> tuple[list[Message], int]:
        """Committed messages from `offset` before `end`, at most `limit`, and the offset to read on from."""
        partition = self._partitions[source.topic][source.partition]
        end = partition.end if end is None else min(end, partition.end)
        found: list[Message] = []
        position = offset
        while position < end and len(found) < limit:
            stored = partition.stored[position]
            position += 1
            if stored.state is TransactionState.COMMITTED:
                found.append(stored.message)
        return found, position

    def end(self, source: TopicPartition) -> int:
        """The last stable offset: where a read_committed reader has to stop."""
        return self._partitions[source.topic][source.partition].end

    def newest(self, source: TopicPartition) -> datetime:
        """When the newest record came; the epoch where there is none."""
        stored = self._partitions[source.topic][source.partition].stored
        return stored[-1].at if stored else datetime.fromtimestamp(0, UTC)

    def messages(self, topic: str) -> list[Message]:
        """Every committed message of a topic, partition by partition."""
        sources = [TopicPartition(topic, number) for number in range(len(self._partitions[topic]))]
        return [m for source in sources for m in self.read(source, 0, self.end(source))[0]]

    def committed(self) -> Iterator[Stored]:
        """Every committed record of every topic in the order of their appends."""
        everything = (s for partitions in self._partitions.values() for p in partitions for s in p.stored)
        return iter(sorted((s for s in everything if s.state is TransactionState.COMMITTED), key=lambda s: s.seq))


def _declared() -> dict[str, int]:
    counts = {topic.name: topic.partitions for topic in TOPICS.values()}
    dead: Sequence[str] = [topic.dead_letter for topic in TOPICS.values() if topic.dead_letter]
    return counts | dict.fromkeys(dead, 1)
