"""How a batch leaves: acknowledged records and then the commit, or both in one Kafka transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from outdial_runtime.broker import (
    BrokerError,
    CommitRejected,
    Consumer,
    Offsets,
    Producer,
    Record,
    TransactionalProducer,
)


@dataclass(kw_only=True)
class Stages:
    """What handlers published: `then` leaves only after every record of `first` was acknowledged."""

    first: list[Record] = field(default_factory=list)
    then: list[Record] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.first or self.then)


class Delivery(Protocol):
    """One way out of a loop."""

    async def deliver(self, stages: Stages, offsets: Offsets, consumer: Consumer) -> None:
        """Produces the stages, then commits the offsets.

        Raises:
            CommitRejected: the batch must be handled again by whoever owns its partitions now.
        """


class AtLeastOnce:
    """Produce, wait for the acknowledgements, commit: a crash in between repeats events under the same ce_id."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def deliver(self, stages: Stages, offsets: Offsets, consumer: Consumer) -> None:
        await self._producer.produce(stages.first)
        await self._producer.produce(stages.then)
        if offsets:
            await consumer.commit(offsets)


class ExactlyOnce:
    """One transaction per batch that publishes; a batch that publishes nothing commits plainly."""

    def __init__(self, producer: TransactionalProducer) -> None:
        self._producer = producer

    async def deliver(self, stages: Stages, offsets: Offsets, consumer: Consumer) -> None:
        if not stages:
            if offsets:
                await consumer.commit(offsets)
            return
        await self._producer.begin()
        try:
            await self._producer.produce(stages.first)
            await self._producer.produce(stages.then)
            await self._producer.commit(offsets, consumer)
        except (CommitRejected, BrokerError) as error:
            await self._abort(error)
            raise

    async def _abort(self, cause: BrokerError) -> None:
        """One that can't even abort is fenced: time or its successor ends its transaction."""
        try:
            await self._producer.abort()
        except BrokerError as error:
            raise error from cause
