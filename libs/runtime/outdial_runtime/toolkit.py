"""What app.py gets to build its adapters with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from outdial_contracts.base import Event
from outdial_runtime.broker import Broker, Producer, TopicPartition
from outdial_runtime.clock import Chance, Clock
from outdial_runtime.outbox import MemoryOutbox
from outdial_runtime.past import TopicPast
from outdial_runtime.records import Stamp, parse
from outdial_runtime.service import Received
from outdial_runtime.surroundings import Surroundings
from outdial_runtime.table_outbox import RelayedOutbox

Owned = Callable[[], frozenset[TopicPartition]]


class BrokerJournal:
    """outdial_runtime.service.Journal on the broker."""

    def __init__(self, around: Surroundings, chance: Chance, broker: Broker, producer: Producer) -> None:
        self._around = around
        self._chance = chance
        self._broker = broker
        self._producer = producer

    async def append(self, events: Sequence[Event], partition: int) -> list[int]:
        around = self._around
        cause = f"journal:{self._chance.token()}"
        stamp = Stamp(service=around.service, cause=cause, now=around.clock.now(), traces=around.spans)
        return await self._producer.produce(stamp.records(events, partition))

    async def read(self, topic: type[Event], partition: int, from_offset: int = 0) -> list[Received[Any]]:
        source = TopicPartition(topic.TOPIC, partition)
        messages = await self._broker.read_partition(source, from_offset)
        now, found = self._around.clock.now(), []
        for message in messages:
            parsed = parse(message)
            if not isinstance(parsed, tuple):
                raise JournalDamaged(f"{topic.TOPIC}[{partition}]@{message.offset}: {parsed.reason}")
            event, headers = parsed
            found.append(
                Received(
                    event=event,
                    cause=headers.id,
                    time=headers.time,
                    now=now,
                    topic=message.topic,
                    partition=partition,
                    offset=message.offset,
                    raw=message.value or b"",
                )
            )
        return found


class JournalDamaged(Exception):
    """A journal holds a record that is not an event: whoever rebuilds its state from it must stop."""


class ServiceToolkit:
    """outdial_runtime.service.Toolkit of one process."""

    def __init__(
        self, *, around: Surroundings, chance: Chance, broker: Broker, producer: Producer, owned: Owned
    ) -> None:
        self._around = around
        self._producer = producer
        self._owned = owned
        self.clock: Clock = around.clock
        self.chance = chance
        self.outbox = MemoryOutbox(around, producer)
        self.journal = BrokerJournal(around, chance, broker, producer)
        self.past = TopicPast(around, broker)
        self.tables: list[RelayedOutbox] = []

    def table_outbox(self, pool: Any) -> RelayedOutbox:
        for known in self.tables:
            if known.pool is pool:
                return known
        self.tables.append(RelayedOutbox(self._around, self._producer, pool))
        return self.tables[-1]

    def live_partitions(self, topic: type[Event]) -> frozenset[int]:
        return frozenset(s.partition for s in self._owned() if s.topic == topic.TOPIC)

    def inject_trace(self, attempt_id: str) -> str:
        return self._around.spans.inject(attempt_id)

    def child_span(self, name: str, attempt_id: str) -> AbstractAsyncContextManager[None]:
        return self._around.spans.child_span(name, attempt_id)
