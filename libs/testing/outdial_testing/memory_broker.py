"""Kafka in memory: offsets, groups, rebalances, transactions; it passes the same contract cases as Kafka."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from outdial_contracts.base import Event
from outdial_contracts.codec import decode
from outdial_runtime.broker import (
    Batch,
    Message,
    Offsets,
    Reading,
    Rebalance,
    Record,
    TopicPartition,
)
from outdial_runtime.clock import Clock, SystemClock
from outdial_runtime.outcome import Emit
from outdial_runtime.records import Stamp
from outdial_runtime.service import Read
from outdial_testing.memory_group import MemoryGroup
from outdial_testing.memory_log import MemoryLog, Transaction
from outdial_testing.memory_producer import MemoryProducer, MemoryTransactions
from outdial_testing.virtual_clock import VirtualClock

E = TypeVar("E", bound=Event)
QUIET_TURNS = 10


class Delay(Protocol):
    """How long a record is on its way to a reader, in seconds; drawn by the deterministic world."""

    def __call__(self, reading: Reading, source: TopicPartition, offset: int) -> float: ...


class MemoryBroker:
    """outdial_runtime.broker.Broker; with a VirtualClock waiting polls end when the clock moves on."""

    def __init__(
        self, clock: Clock | None = None, partitions: Mapping[str, int] | None = None, delay: Delay | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.log = MemoryLog(partitions)
        self.delay = delay
        self._groups: dict[str, MemoryGroup] = {}
        self._consumers: dict[MemoryConsumer, None] = {}
        self._readers: dict[str, dict[MemoryConsumer, None]] = {}
        self._members = itertools.count()
        self._open: dict[str, MemoryTransactions] = {}
        self._changes = 0

    def consumer(self, reading: Reading) -> MemoryConsumer:
        return MemoryConsumer(self, reading, next(self._members))

    def producer(self) -> MemoryProducer:
        return MemoryProducer(self)

    def transactional_producer(self, transactional_id: str) -> MemoryTransactions:
        return MemoryTransactions(self, transactional_id)

    async def partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        counts = self.log.counts()
        return {topic: counts[topic] for topic in topics if topic in counts}

    async def read_partition(self, source: TopicPartition, from_offset: int, limit: int | None = None) -> list[Message]:
        return self.log.read(source, from_offset, self.log.end(source) if limit is None else limit)[0]

    async def ends(self, sources: Sequence[TopicPartition]) -> Offsets:
        return {source: self.log.end(source) for source in sources}

    async def committed(self, group: str, sources: Sequence[TopicPartition]) -> Offsets:
        return {source: self.group(group).committed.get(source, 0) for source in sources}

    def publish(
        self, *events: Event | Emit, cause: str = "test", source: str = "test", at: datetime | None = None
    ) -> None:
        """Puts events on their topics as another service would."""
        stamp = Stamp(service=source, cause=cause, now=at or self.clock.now(), traces=_NoTraces())
        self.append(stamp.records(events))

    def events(self, kind: type[E]) -> list[E]:
        """Every committed event of a topic, partition by partition."""
        found = [decode(m.value or b"", m.topic) for m in self.log.messages(kind.TOPIC)]
        return [event for event in found if isinstance(event, kind)]

    def dead(self, topic: str) -> list[Message]:
        """The dead letters of a topic."""
        return self.log.messages(f"{topic}.dead")

    async def settle(self) -> None:
        """Returns once every consumer waits with nothing left to read."""
        quiet = 0
        while quiet < QUIET_TURNS:
            before = self._changes
            await asyncio.sleep(0)
            parked = all(consumer.parked for consumer in self._consumers)
            quiet = quiet + 1 if parked and before == self._changes else 0
            if not parked:
                await asyncio.sleep(0.001)

    def append(self, records: Sequence[Record], transaction: Transaction | None = None) -> list[int]:
        """Stores records and wakes the consumers of their topics, of an open transaction's at its end."""
        now = self.clock.now()
        offsets = []
        for record in records:
            message = self.log.append(record, now, transaction)
            offsets.append(message.offset)
            if transaction is None:
                self.arrived(message.source, message.offset + 1)
            else:
                transaction.ends[message.source] = message.offset + 1
        return offsets

    def arrived(self, source: TopicPartition, end: int) -> None:
        """Records of a partition before `end` are there to be read, after their delay."""
        self._changes += 1
        for consumer in self._readers.get(source.topic, ()):
            if self.delay is None:
                consumer.arrived(source, end)
            else:
                consumer.expect(source, end, self.delay(consumer.reading, source, end - 1))

    def changed(self) -> None:
        """Something happened that any waiting consumer may want to see, such as a rebalance."""
        self._changes += 1
        for consumer in self._consumers:
            consumer.wake()

    def group(self, name: str) -> MemoryGroup:
        """The group of that name."""
        return self._groups.setdefault(name, MemoryGroup(self.log.counts()))

    def opened(self, consumer: MemoryConsumer) -> None:
        """A consumer started."""
        self._consumers[consumer] = None
        for topic in consumer.reading.topics:
            self._readers.setdefault(topic, {})[consumer] = None
        self.changed()

    def closed(self, consumer: MemoryConsumer) -> None:
        """A consumer went."""
        self._consumers.pop(consumer, None)
        for topic in consumer.reading.topics:
            self._readers.get(topic, {}).pop(consumer, None)
        self.changed()

    def take_over(self, transactional_id: str, producer: MemoryTransactions) -> None:
        """The newest producer of a transactional.id fences the one before and aborts its transaction."""
        before = self._open.get(transactional_id)
        if before is not None and before is not producer:
            before.fence()
        self._open[transactional_id] = producer


class MemoryConsumer:
    """outdial_runtime.broker.Consumer."""

    def __init__(self, broker: MemoryBroker, reading: Reading, member: int) -> None:
        self.reading = reading
        self.member = member
        self._broker = broker
        self._group = broker.group(reading.group)
        self._generation = -1
        self._positions: dict[TopicPartition, int] = {}
        self._visible: dict[TopicPartition, int] = {}
        """Where records end that have arrived here, of partitions that are read."""
        self._arrivals: dict[TopicPartition, float] = {}
        """When the last record on its way arrives: loop time."""
        self._fresh: dict[TopicPartition, None] = {}
        """Partitions to look at: something may be unread there, or their end untold."""
        self._paused: set[TopicPartition] = set()
        self._ends_told: dict[TopicPartition, int] = {}
        self._waiting: asyncio.Future[None] | None = None

    @property
    def parked(self) -> bool:
        """Whether it waits and nothing woke it."""
        return self._waiting is not None and not self._waiting.done()

    async def start(self) -> frozenset[TopicPartition]:
        fixed = self._fixed()
        for source, position in fixed.items():
            self._read_from(source, position)
        if self.reading.read is Read.GROUP and self.reading.topics:
            self._group.join(self.member, self.reading.topics)
        self._broker.opened(self)
        return frozenset(fixed)

    async def poll(self, max_messages: int, timeout_seconds: float) -> Batch:
        batch = self._look(max_messages)
        if not (batch.messages or batch.rebalances or batch.caught_up):
            await self._wait(timeout_seconds)
            batch = self._look(max_messages)
        else:
            await asyncio.sleep(0)
        return batch

    async def commit(self, offsets: Offsets) -> None:
        if self.reading.read is Read.GROUP:
            self._group.commit(self.member, offsets)
        else:
            self._group.committed.update(offsets)

    async def hold(self, source: TopicPartition, offset: int) -> None:
        self._paused.add(source)
        await self.rewind({source: offset})

    async def resume(self, source: TopicPartition) -> None:
        self._paused.discard(source)
        self._fresh[source] = None

    async def rewind(self, offsets: Offsets) -> None:
        for source in sorted(offsets.keys() & self._positions.keys()):
            self._positions[source] = offsets[source]
            self._fresh[source] = None
            self._ends_told.pop(source, None)

    def arrived(self, source: TopicPartition, end: int) -> None:
        """Records before `end` may be read here."""
        if source in self._positions:
            self._visible[source] = max(end, self._visible[source])
            self._fresh[source] = None
            self.wake()

    def expect(self, source: TopicPartition, end: int, seconds: float) -> None:
        """Records before `end` are on their way; none overtakes another of its partition."""
        if source in self._positions:
            loop = asyncio.get_running_loop()
            at = max(loop.time() + seconds, self._arrivals.get(source, 0.0))
            self._arrivals[source] = at
            loop.call_at(at, self.arrived, source, end)

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def close(self) -> None:
        self.evict()

    def evict(self) -> None:
        """The group does without it: it closed, or was silent for too long."""
        self._group.leave(self.member)
        self._broker.closed(self)

    def rejoin(self) -> frozenset[TopicPartition]:
        """Joins anew after it was evicted; returns what it lost meanwhile."""
        lost = frozenset(self._positions)
        self._positions.clear()
        self._paused.clear()
        self._group.join(self.member, self.reading.topics)
        self._broker.opened(self)
        return lost

    @property
    def rebalance_ahead(self) -> bool:
        """Whether its next poll may bring a rebalance."""
        return self.reading.read is Read.GROUP and self._generation != self._group.generation

    def forget_commits(self, records: int) -> int:
        """The last commits are lost and its partitions come anew; returns how many records come again at most."""
        lost = self._group.set_back(self.member, records)
        self.wake()
        return lost

    def _fixed(self) -> dict[TopicPartition, int]:
        reading, counts = self.reading, self._broker.log.counts()
        if reading.read is Read.GROUP:
            return {}
        if reading.read is Read.PINNED:
            sources = [TopicPartition(topic, reading.ordinal) for topic in reading.topics]
            return {source: self._group.committed.get(source, 0) for source in sources}
        sources = [TopicPartition(topic, number) for topic in reading.topics for number in range(counts[topic])]
        return {s: self._broker.log.end(s) if reading.read is Read.WHOLE_LATEST else 0 for s in sources}

    def _read_from(self, source: TopicPartition, position: int) -> None:
        """What lies there already has arrived."""
        self._positions[source] = position
        self._visible[source] = self._broker.log.end(source)
        self._fresh[source] = None

    def _look(self, max_messages: int) -> Batch:
        rebalances = self._changes_of_group()
        messages: list[Message] = []
        for source in list(self._fresh):
            if source in self._paused or source not in self._positions:
                del self._fresh[source]
                continue
            if len(messages) == max_messages:
                break
            found, position = self._broker.log.read(
                source, self._positions[source], max_messages - len(messages), self._visible[source]
            )
            self._positions[source] = position
            messages += found
            if position >= min(self._visible[source], self._broker.log.end(source)):
                del self._fresh[source]
        return Batch(messages=messages, rebalances=rebalances, caught_up=self._new_ends())

    def _changes_of_group(self) -> Sequence[Rebalance]:
        if not self.rebalance_ahead:
            return ()
        rebalances = self._group.sync(self.member)
        self._generation = self._group.generation
        for change in rebalances:
            for source in sorted(change.partitions):
                self._paused.discard(source)
                self._positions.pop(source, None)
                if change.assigned:
                    self._read_from(source, self._group.committed.get(source, 0))
        if rebalances:
            self._broker.changed()
        return rebalances

    def _new_ends(self) -> frozenset[TopicPartition]:
        if self.reading.read is not Read.WHOLE:
            return frozenset()
        ends = [
            source
            for source, position in self._positions.items()
            if position >= self._broker.log.end(source) and self._ends_told.get(source) != position
        ]
        self._ends_told.update({source: self._positions[source] for source in ends})
        return frozenset(ends)

    async def _wait(self, seconds: float) -> None:
        clock, loop = self._broker.clock, asyncio.get_running_loop()
        self._waiting = loop.create_future()
        if not isinstance(clock, VirtualClock):
            timer = loop.call_later(seconds, self.wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
            return
        sleep = asyncio.ensure_future(clock.sleep(seconds))
        try:
            await asyncio.wait({self._waiting, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            self._waiting = None


class _NoTraces:
    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        return None
