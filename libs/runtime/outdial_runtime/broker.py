"""The broker as a port: what the loop needs of Kafka. kafka.py and outdial_testing's MemoryBroker implement it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from outdial_contracts.headers import Headers
from outdial_runtime.service import Read


class TopicPartition(NamedTuple):
    """A partition of a topic, named without the deployment's prefix."""

    topic: str
    partition: int


Offsets = Mapping[TopicPartition, int]
"""The next offset to read of each partition."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A record as consumed."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Real time of the record, milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def source(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record to produce; without `partition` the key decides (murmur2_random)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Partitions came or went; nothing of the ones that went may be committed any more."""

    assigned: bool
    partitions: frozenset[TopicPartition]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one poll brought: first the rebalances in order, then messages of partitions owned after them."""

    messages: Sequence[Message] = ()
    rebalances: Sequence[Rebalance] = ()
    caught_up: frozenset[TopicPartition] = field(default_factory=frozenset)
    """Partitions whose end was seen after the last message before it."""
    doubt: str | None = None
    """Why the consumer may be stuck, if it may: records lie there and don't come."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a consumer reads and how."""

    read: Read
    topics: tuple[str, ...]
    group: str
    """Without the deployment's prefix."""
    ordinal: int = 0
    """Partition of a PINNED read."""
    lazy_commit: bool = False
    """Commits may follow in the background, a moment later; not where offsets also leave by a transaction."""


class BrokerError(Exception):
    """The broker failed us; the text holds no record content. A systemic fault."""


class CommitRejected(BrokerError):
    """The partitions are no longer ours: whoever owns them now does the work again."""


class Fenced(BrokerError):
    """A younger process took over our transactional.id."""


class Consumer(Protocol):
    """One consumer; one task calls it."""

    async def start(self) -> frozenset[TopicPartition]:
        """Subscribes or assigns; returns the partitions that were assigned without a group."""

    async def poll(self, max_messages: int, timeout_seconds: float) -> Batch:
        """Waits at most `timeout_seconds` for the first message or rebalance.

        Raises:
            BrokerError: also of a consumer that is stuck, so that its process ends instead of waiting for ever.
        """

    async def commit(self, offsets: Offsets) -> None:
        """Commits synchronously; a `lazy_commit` reading within a moment, and before partitions go or it closes.

        Raises:
            CommitRejected: not the owner any more.
        """

    async def hold(self, source: TopicPartition, offset: int) -> None:
        """Pauses the partition and goes back to `offset`."""

    async def resume(self, source: TopicPartition) -> None:
        """Reads on after a hold."""

    async def rewind(self, offsets: Offsets) -> None:
        """Goes back to these offsets, where the partitions are still ours."""

    def wake(self) -> None:
        """Makes a waiting poll return soon."""

    async def close(self) -> None:
        """Leaves the group."""


class Producer(Protocol):
    """Idempotent producer."""

    async def produce(self, records: Sequence[Record]) -> list[int]:
        """Produces in order and returns once all are acknowledged by all replicas, with their offsets.

        Raises:
            BrokerError: a record was not delivered.
        """

    async def close(self) -> None: ...


class TransactionalProducer(Protocol):
    """Producer whose records and offsets appear together."""

    async def start(self) -> None:
        """Takes over the transactional.id: fences older processes and aborts what they left open."""

    async def begin(self) -> None: ...

    async def produce(self, records: Sequence[Record]) -> list[int]: ...

    async def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """Commits the transaction with the consumer's offsets.

        Raises:
            CommitRejected: the transaction must be aborted, the consumer lost partitions.
            Fenced: a younger process took over.
        """

    async def abort(self) -> None: ...

    async def close(self) -> None: ...


class Broker(Protocol):
    """Makes consumers and producers."""

    def consumer(self, reading: Reading) -> Consumer: ...

    def producer(self) -> Producer: ...

    def transactional_producer(self, transactional_id: str) -> TransactionalProducer: ...

    async def partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        """Number of partitions of each topic that exists."""

    async def read_partition(self, source: TopicPartition, from_offset: int, limit: int | None = None) -> list[Message]:
        """Committed records from `from_offset` to the end as it stands at the call, at most `limit` of them."""

    async def ends(self, sources: Sequence[TopicPartition]) -> Offsets:
        """The offset that each partition's next record will have."""

    async def committed(self, group: str, sources: Sequence[TopicPartition]) -> Offsets:
        """Where the group would read on; 0 where it never committed."""
