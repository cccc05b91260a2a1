"""Kafka in memory: offsets, groups, rebalances, transactions; it passes the same contract cases as Kafka."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from outdial_contracts.base import Event
from outdial_contracts.codec import decode
from outdial_runtime.broker import (
    Batch,
    Consumer,
    Fenced,
    Message,
    Offsets,
    Reading,
    Record,
    TopicPartition,
)
from outdial_runtime.clock import Clock, SystemClock
from outdial_runtime.outcome import Emit
from outdial_runtime.records import Stamp
from outdial_runtime.service import Read
from outdial_testing.memory_group import MemoryGroup
from outdial_testing.memory_log import MemoryLog, Transaction, TransactionState
from outdial_testing.virtual_clock import VirtualClock

E = TypeVar("E", bound=Event)
QUIET_TURNS = 10


class MemoryBroker:
    """outdial_runtime.broker.Broker; with a VirtualClock waiting polls end when the clock moves on."""

    def __init__(self, clock: Clock | None = None, partitions: Mapping[str, int] | None = None) -> None:
        self.clock = clock or SystemClock()
        self.log = MemoryLog(partitions)
        self._groups: dict[str, MemoryGroup] = {}
        self._consumers: set[MemoryConsumer] = set()
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

    async def read_partition(self, source: TopicPartition, from_offset: int) -> list[Message]:
        return self.log.read(source, from_offset, self.log.end(source))[0]

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
        """Stores records and wakes the consumers."""
        offsets = [self.log.append(record, transaction) for record in records]
        self.changed()
        return offsets

    def changed(self) -> None:
        """Something happened that a waiting consumer may want to see."""
        self._changes += 1
        for consumer in self._consumers:
            consumer.wake()

    def group(self, name: str) -> MemoryGroup:
        """The group of that name."""
        return self._groups.setdefault(name, MemoryGroup(self.log.counts()))

    def opened(self, consumer: MemoryConsumer) -> None:
        """A consumer started."""
        self._consumers.add(consumer)
        self.changed()

    def closed(self, consumer: MemoryConsumer) -> None:
        """A consumer went."""
        self._consumers.discard(consumer)
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
        self._broker = broker
        self._reading = reading
        self._member = member
        self._group = broker.group(reading.group)
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._ends_told: dict[TopicPartition, int] = {}
        self._waiting: asyncio.Future[None] | None = None

    @property
    def parked(self) -> bool:
        """Whether it waits and nothing woke it."""
        return self._waiting is not None and not self._waiting.done()

    async def start(self) -> frozenset[TopicPartition]:
        fixed = self._fixed()
        self._positions.update(fixed)
        if self._reading.read is Read.GROUP and self._reading.topics:
            self._group.join(self._member, self._reading.topics)
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
        if self._reading.read is Read.GROUP:
            self._group.commit(self._member, offsets)
        else:
            self._group.committed.update(offsets)

    async def hold(self, source: TopicPartition, offset: int) -> None:
        self._paused.add(source)
        await self.rewind({source: offset})

    async def resume(self, source: TopicPartition) -> None:
        self._paused.discard(source)

    async def rewind(self, offsets: Offsets) -> None:
        for source in offsets.keys() & self._positions.keys():
            self._positions[source] = offsets[source]
            self._ends_told.pop(source, None)

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def close(self) -> None:
        self._group.leave(self._member)
        self._broker.closed(self)

    def _fixed(self) -> dict[TopicPartition, int]:
        reading, counts = self._reading, self._broker.log.counts()
        if reading.read is Read.GROUP:
            return {}
        if reading.read is Read.PINNED:
            sources = [TopicPartition(topic, reading.ordinal) for topic in reading.topics]
            return {source: self._group.committed.get(source, 0) for source in sources}
        sources = [TopicPartition(topic, number) for topic in reading.topics for number in range(counts[topic])]
        return {s: self._broker.log.end(s) if reading.read is Read.WHOLE_LATEST else 0 for s in sources}

    def _look(self, max_messages: int) -> Batch:
        rebalances = self._group.sync(self._member) if self._reading.read is Read.GROUP else []
        for change in rebalances:
            for source in change.partitions:
                self._paused.discard(source)
                self._positions.pop(source, None)
                if change.assigned:
                    self._positions[source] = self._group.committed.get(source, 0)
            self._broker.changed()
        messages: list[Message] = []
        for source, position in self._positions.items():
            if source not in self._paused:
                found, self._positions[source] = self._broker.log.read(source, position, max_messages - len(messages))
                messages += found
        return Batch(messages=messages, rebalances=rebalances, caught_up=self._new_ends())

    def _new_ends(self) -> frozenset[TopicPartition]:
        ends = {
            source
            for source, position in self._positions.items()
            if position >= self._broker.log.end(source) and self._ends_told.get(source) != position
        }
        self._ends_told.update({source: self._positions[source] for source in ends})
        return frozenset(ends if self._reading.read is Read.WHOLE else ())

    async def _wait(self, seconds: float) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        timer = asyncio.ensure_future(_sleep(self._broker.clock, seconds))
        try:
            await asyncio.wait({self._waiting, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            self._waiting = None


class MemoryProducer:
    """outdial_runtime.broker.Producer."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def produce(self, records: Sequence[Record]) -> list[int]:
        await asyncio.sleep(0)
        return self._broker.append(records) if records else []

    async def close(self) -> None:
        """Nothing is open."""


class MemoryTransactions:
    """outdial_runtime.broker.TransactionalProducer."""

    def __init__(self, broker: MemoryBroker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._transaction = Transaction(TransactionState.ABORTED)
        self._fenced = False

    async def start(self) -> None:
        self._broker.take_over(self._id, self)

    async def begin(self) -> None:
        self._check()
        self._transaction = Transaction()

    async def produce(self, records: Sequence[Record]) -> list[int]:
        self._check()
        await asyncio.sleep(0)
        return self._broker.append(records, self._transaction) if records else []

    async def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        self._check()
        if offsets:
            await consumer.commit(offsets)
        self._end(TransactionState.COMMITTED)

    async def abort(self) -> None:
        self._check()
        self._end(TransactionState.ABORTED)

    async def close(self) -> None:
        """Leaves an open transaction to its successor, as a killed process does."""

    def fence(self) -> None:
        """A younger producer took over."""
        self._fenced = True
        if self._transaction.state is TransactionState.OPEN:
            self._end(TransactionState.ABORTED)

    def _end(self, state: TransactionState) -> None:
        self._transaction.state = state
        self._broker.changed()

    def _check(self) -> None:
        if self._fenced:
            raise Fenced(f"transactional.id {self._id} was taken over")


class _NoTraces:
    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        return None


async def _sleep(clock: Clock, seconds: float) -> Any:
    await (clock.sleep(seconds) if isinstance(clock, VirtualClock) else asyncio.sleep(seconds))
