"""The broker as one process sees it: with latency, with commits that come late, and gone when the process is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from outdial_runtime.broker import (
    Batch,
    CommitRejected,
    Consumer,
    Message,
    Offsets,
    Producer,
    Reading,
    Rebalance,
    Record,
    TopicPartition,
    TransactionalProducer,
)
from outdial_runtime.service import Read
from outdial_testing.memory_broker import MemoryBroker, MemoryConsumer
from outdial_testing.memory_producer import MemoryTransactions
from outdial_world.life import Life, Step, never
from outdial_world.weather import Weather

LAZY_COMMIT_SECONDS = 0.2
SESSION_SECONDS = 6.0
"""As kafka_consumer.py: so long a group waits for a member that is silent."""


class ProcessBroker:
    """outdial_runtime.broker.Broker of one boot of a process."""

    def __init__(self, broker: MemoryBroker, life: Life, weather: Weather) -> None:
        self._broker, self._life, self._weather = broker, life, weather
        self._consumers: list[ProcessConsumer] = []

    def consumer(self, reading: Reading) -> Consumer:
        consumer = ProcessConsumer(self._broker.consumer(reading), self._life)
        self._consumers.append(consumer)
        return consumer

    def producer(self) -> Producer:
        return ProcessProducer(self._broker, self._life, self._weather)

    def transactional_producer(self, transactional_id: str) -> TransactionalProducer:
        inner = self._broker.transactional_producer(transactional_id)
        return ProcessTransactions(inner, self._life, self._weather)

    async def partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        return await self._broker.partition_counts(topics)

    async def read_partition(self, source: TopicPartition, from_offset: int, limit: int | None = None) -> list[Message]:
        await asyncio.sleep(self._weather.kafka_seconds())
        return await self._broker.read_partition(source, from_offset, limit)

    async def ends(self, sources: Sequence[TopicPartition]) -> Offsets:
        await asyncio.sleep(self._weather.kafka_seconds())
        return await self._broker.ends(sources)

    async def committed(self, group: str, sources: Sequence[TopicPartition]) -> Offsets:
        await asyncio.sleep(self._weather.kafka_seconds())
        return await self._broker.committed(group, sources)

    def forget_commits(self, records: int) -> int:
        """The last commits are lost: the group's partitions are read again from before. How many records that is."""
        return sum(consumer.forget_commits(records) for consumer in self._consumers)

    def silent(self) -> None:
        """The process died or stands still: its groups do without it once the session timed out."""
        loop = asyncio.get_running_loop()
        for consumer in self._consumers:
            loop.call_later(SESSION_SECONDS, consumer.evict_if_silent)


class ProcessConsumer:
    """outdial_runtime.broker.Consumer; lazy commits reach the group a moment later, at a hand-over, or never."""

    def __init__(self, inner: MemoryConsumer, life: Life) -> None:
        self.inner = inner
        self._life = life
        self._pending: dict[TopicPartition, int] = {}
        self._due_at = 0.0
        self._open = False
        self._evicted = False

    async def start(self) -> frozenset[TopicPartition]:
        self._open = True
        return await self.inner.start()

    async def poll(self, max_messages: int, timeout_seconds: float) -> Batch:
        if not self._life.alive:
            await never()
        if self._life.stalled_until:
            await self._life.stall()
        if self._evicted:
            self._evicted = False
            self._pending.clear()
            return Batch(rebalances=[Rebalance(False, self.inner.rejoin())])
        if self._pending:
            await self._flush_if_due()
            timeout_seconds = min(timeout_seconds, LAZY_COMMIT_SECONDS)
        batch = await self.inner.poll(max_messages, timeout_seconds)
        if not self._life.alive:
            await never()
        return batch

    async def commit(self, offsets: Offsets) -> None:
        await self._life.step(Step.OFFSETS_BEFORE)
        if self.inner.reading.lazy_commit and self.inner.reading.read in (Read.GROUP, Read.PINNED):
            if not self._pending:
                self._due_at = asyncio.get_running_loop().time() + LAZY_COMMIT_SECONDS
            self._pending.update(offsets)
        else:
            await self.inner.commit(offsets)
        await self._life.step(Step.OFFSETS_AFTER)

    async def hold(self, source: TopicPartition, offset: int) -> None:
        await self.inner.hold(source, offset)

    async def resume(self, source: TopicPartition) -> None:
        await self.inner.resume(source)

    async def rewind(self, offsets: Offsets) -> None:
        await self.inner.rewind(offsets)

    def wake(self) -> None:
        self.inner.wake()

    async def close(self) -> None:
        if self._life.alive and self._open:
            await self._flush()
            self._open = False
            await self.inner.close()

    def evict_if_silent(self) -> None:
        """The group's patience is over."""
        if not self._open or self._evicted:
            return
        if not self._life.alive or self._life.stalled:
            self._evicted = self.inner.reading.read is Read.GROUP
            if self._evicted or not self._life.alive:
                self.inner.evict()

    def forget_commits(self, records: int) -> int:
        """As ProcessBroker."""
        if not self._open or self._evicted or self.inner.reading.read is not Read.GROUP:
            return 0
        self._pending.clear()
        return self.inner.forget_commits(records)

    async def _flush_if_due(self) -> None:
        if asyncio.get_running_loop().time() >= self._due_at or self.inner.rebalance_ahead:
            await self._flush()

    async def _flush(self) -> None:
        """What is not ours any more is committed by whoever does it again."""
        pending, self._pending = self._pending, {}
        for source, offset in pending.items():
            try:
                await self.inner.commit({source: offset})
            except CommitRejected:
                continue


class ProcessProducer:
    """outdial_runtime.broker.Producer."""

    def __init__(self, broker: MemoryBroker, life: Life, weather: Weather) -> None:
        self._broker, self._life, self._weather = broker, life, weather

    async def produce(self, records: Sequence[Record]) -> list[int]:
        if not records:
            return []
        await self._life.step(Step.PRODUCE_BEFORE)
        await asyncio.sleep(self._weather.kafka_seconds())
        if len(records) > 1 and self._life.trap is not None and self._life.trap.step is Step.PRODUCE_WITHIN:
            return await self._in_two(records)
        if not self._life.alive:
            await never()
        offsets = self._broker.append(records)
        await self._life.step(Step.PRODUCE_AFTER)
        return offsets

    async def close(self) -> None:
        """Nothing is open."""

    async def _in_two(self, records: Sequence[Record]) -> list[int]:
        """The broker took some, and the process may be dead before it takes the others."""
        if not self._life.alive:
            await never()
        middle = len(records) // 2
        offsets = self._broker.append(records[:middle])
        await self._life.step(Step.PRODUCE_WITHIN)
        return offsets + self._broker.append(records[middle:])


class ProcessTransactions:
    """outdial_runtime.broker.TransactionalProducer."""

    def __init__(self, inner: MemoryTransactions, life: Life, weather: Weather) -> None:
        self.inner, self._life, self._weather = inner, life, weather

    async def start(self) -> None:
        await self.inner.start()

    async def begin(self) -> None:
        if not self._life.alive:
            await never()
        await self.inner.begin()

    async def produce(self, records: Sequence[Record]) -> list[int]:
        if not records:
            return []
        await self._life.step(Step.PRODUCE_BEFORE)
        await asyncio.sleep(self._weather.kafka_seconds())
        offsets = await self.inner.produce(records)
        await self._life.step(Step.PRODUCE_AFTER)
        return offsets

    async def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        await self._life.step(Step.OFFSETS_BEFORE)
        assert isinstance(consumer, ProcessConsumer)
        await self.inner.commit(offsets, consumer.inner)  # records and offsets are one step
        await self._life.step(Step.OFFSETS_AFTER)

    async def abort(self) -> None:
        if not self._life.alive:
            await never()
        await self.inner.abort()

    async def close(self) -> None:
        """Leaves an open transaction to its successor, as a killed process does."""
