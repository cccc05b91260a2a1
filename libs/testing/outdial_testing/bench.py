"""A workbench over any broker: publish, read, run replicas, break the broker on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from outdial_contracts.base import Event
from outdial_runtime.broker import Broker, Consumer, Message, Offsets, Producer, Record, TopicPartition
from outdial_runtime.clock import Chance, Clock, SystemChance, SystemClock
from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.records import Stamp, parse
from outdial_runtime.service import Service
from outdial_runtime.spans import Spans

E = TypeVar("E", bound=Event)
PATIENCE_SECONDS = 30.0


class Crash(BaseException):
    """The process died here."""


class Bench:
    """Publishes, reads and runs services through the broker port alone."""

    def __init__(self, broker: Broker, clock: Clock | None = None) -> None:
        self.broker = broker
        self._clock = clock or SystemClock()
        self._producer: Producer | None = None
        self._replicas: list[Replica] = []

    async def publish(self, *events: Event, cause: str = "bench") -> None:
        """Produces events as another service would; returns once acknowledged."""
        stamp = Stamp(service="bench", cause=cause, now=self._clock.now(), traces=Untraced())
        await self.produce(stamp.records(events))

    async def produce(self, records: Sequence[Record]) -> None:
        """Produces raw records."""
        self._producer = self._producer or self.broker.producer()
        await self._producer.produce(records)

    async def messages(self, topic: str) -> list[Message]:
        """Every committed message of a topic, partition by partition."""
        count = (await self.broker.partition_counts([topic]))[topic]
        found: list[Message] = []
        for number in range(count):
            found += await self.broker.read_partition(TopicPartition(topic, number), 0)
        return found

    async def events(self, kind: type[E]) -> list[E]:
        """Every committed event of a topic, partition by partition."""
        parsed = [parse(message) for message in await self.messages(kind.TOPIC)]
        return [p[0] for p in parsed if isinstance(p, tuple) and isinstance(p[0], kind)]

    async def start(
        self, service: Service, *, ordinal: int = 0, broker: Broker | None = None, chance: Chance | None = None
    ) -> Replica:
        """Starts a replica; it may not be ready yet."""
        config = RunConfig(service_name=service.name, kafka_bootstrap="bench", ordinal=ordinal)
        spans = Spans(service.name, config.instance)
        host = Host(
            service, config, broker or self.broker, clock=self._clock, chance=chance or SystemChance(), spans=spans
        )
        replica = Replica(host)
        self._replicas.append(replica)
        return replica

    async def close(self) -> None:
        """Kills what still runs."""
        for replica in self._replicas:
            await replica.kill()
        if self._producer is not None:
            await self._producer.close()


class Replica:
    """One running process of a service."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self.fault: BaseException | None = None

    async def _run(self) -> None:
        try:
            await self.host.run(self._stop)
        except (Exception, Crash) as error:
            self.fault = error

    async def until(self, condition: Callable[[], Any]) -> None:
        """Waits until `condition()` is true. Raises the replica's fault if it ended before."""
        await eventually(lambda: condition() or self._task.done())
        if not condition():
            raise AssertionError("the replica ended before") from self.fault

    async def ready(self) -> None:
        """Waits until /readyz would say so."""
        await self.until(lambda: self.host.health.not_ready() is None)

    async def ended(self) -> BaseException | None:
        """Waits until the process ends by itself; returns its fault."""
        await asyncio.wait_for(asyncio.shield(self._task), PATIENCE_SECONDS)
        return self.fault

    async def stop(self) -> None:
        """SIGTERM. Raises the fault the replica ended with."""
        self._stop.set()
        await self.ended()
        if self.fault is not None:
            raise AssertionError("the replica ended with a fault") from self.fault

    async def kill(self) -> None:
        """SIGKILL."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def eventually(condition: Callable[[], Any]) -> None:
    """Waits until `condition()` is true, half a minute at most."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 the condition may be a real broker's
            await asyncio.sleep(0.01)


class Untraced:
    """outdial_runtime.records.Traces outside of any trace."""

    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        return None


class Spied:
    """A broker whose calls a test watches or breaks: `before(name, argument)` may raise Crash."""

    def __init__(self, inner: Broker, before: Callable[[str, Any], None], after: Callable[[str, Any], None]) -> None:
        self._inner = inner
        self._before = before
        self._after = after

    def consumer(self, reading: Any) -> Any:
        return _SpiedPort(self._inner.consumer(reading), self._before, self._after)

    def producer(self) -> Any:
        return _SpiedPort(self._inner.producer(), self._before, self._after)

    def transactional_producer(self, transactional_id: str) -> Any:
        return _SpiedTransactions(self._inner.transactional_producer(transactional_id), self._before, self._after)

    async def partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        return await self._inner.partition_counts(topics)

    async def read_partition(self, source: TopicPartition, from_offset: int, limit: int | None = None) -> list[Message]:
        return await self._inner.read_partition(source, from_offset, limit)

    async def ends(self, sources: Sequence[TopicPartition]) -> Offsets:
        return await self._inner.ends(sources)

    async def committed(self, group: str, sources: Sequence[TopicPartition]) -> Offsets:
        return await self._inner.committed(group, sources)


class _SpiedPort:
    def __init__(self, inner: Any, before: Callable[[str, Any], None], after: Callable[[str, Any], None]) -> None:
        self.inner = inner
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def produce(self, records: Sequence[Record]) -> Any:
        return await self._around("produce", records, self.inner.produce(records))

    async def commit(self, offsets: Offsets) -> None:
        await self._around("commit", offsets, self.inner.commit(offsets))

    async def _around(self, name: str, argument: Any, call: Any) -> Any:
        try:
            self._before(name, argument)
        except Crash:
            call.close()
            raise
        result = await call
        self._after(name, argument)
        return result


class _SpiedTransactions(_SpiedPort):
    async def commit(self, offsets: Offsets, consumer: Consumer | None = None) -> None:
        real = consumer.inner if isinstance(consumer, _SpiedPort) else consumer
        await self._around("commit", offsets, self.inner.commit(offsets, real))
