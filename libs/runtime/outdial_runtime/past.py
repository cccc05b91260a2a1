"""The topics' past: what a service reads again to find out whether its database has forgotten something.

Theory of operation. A database that is restored from a backup is older than the topics. The service therefore keeps in
its own database *marks*: the next offset of every topic that matters, noted while it runs. Whatever lies before a mark
is in the database, also after a restore, since the marks go back with it. `positions` gives what may be marked: of a
topic that the service consumes, what it has committed; of one that it writes from its own database, the end. At its
start, before anything else, it reads from the marks to the ends (`read_on`) and puts back what is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from outdial_contracts.base import Event
from outdial_runtime.broker import Broker, Message, Offsets, TopicPartition
from outdial_runtime.records import parse
from outdial_runtime.service import Received
from outdial_runtime.surroundings import Surroundings

CHUNK = 500
Take = Callable[[Sequence[Received[Any]], TopicPartition, int], Awaitable[bool]]
"""Handles messages of one partition and stores the offset after them as its mark, together. False: not now."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some messages of a partition."""

    events: Sequence[Received[Any]]
    """What could not be decoded is left out: its consumer made a dead letter of it."""
    after: int
    """The offset to read on from."""
    at_end: bool


class TopicPast:
    """outdial_runtime.service.Past on the broker."""

    def __init__(self, around: Surroundings, broker: Broker) -> None:
        self._around = around
        self._broker = broker

    async def positions(self, consumed: Sequence[type[Event]], written: Sequence[type[Event]]) -> Offsets:
        """What this service's group committed of `consumed`, and then the ends of `written`.

        In this order: of what a consumed message made the service write before its commit nothing is left out.
        """
        group = self._around.service
        handled = await self._broker.committed(group, await self._sources(consumed))
        return {**handled, **await self.ends(written)}

    async def ends(self, topics: Sequence[type[Event]]) -> Offsets:
        """The next offset that each partition will give."""
        return await self._broker.ends(await self._sources(topics))

    async def read(self, source: TopicPartition, from_offset: int, limit: int = CHUNK) -> Chunk:
        """At most `limit` messages from `from_offset`; earlier ones may be gone already."""
        messages = await self._broker.read_partition(source, from_offset, limit)
        events = [event for event in map(self._received, messages) if event is not None]
        after = messages[-1].offset + 1 if messages else from_offset
        return Chunk(events=events, after=after, at_end=len(messages) < limit)

    async def _sources(self, topics: Sequence[type[Event]]) -> list[TopicPartition]:
        counts = await self._broker.partition_counts([topic.TOPIC for topic in topics])
        return [TopicPartition(t.TOPIC, number) for t in topics for number in range(counts.get(t.TOPIC, 0))]

    def _received(self, message: Message) -> Received[Any] | None:
        parsed = parse(message)
        if not isinstance(parsed, tuple):
            return None
        event, headers = parsed
        return Received(
            event=event,
            cause=headers.id,
            time=headers.time,
            now=self._around.clock.now(),
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            raw=message.value or b"",
        )


async def read_on(
    past: TopicPast, topics: Sequence[type[Event]], marks: MutableMapping[TopicPartition, int], take: Take, chunks: int
) -> bool:
    """Reads `topics` one after the other from the marks to their ends, at most `chunks` chunks, and moves the marks.

    Returns:
        Whether every topic was read to its end as it stood; a topic begins only when those before it are at theirs.
    """
    ends = await past.ends(topics)
    for source, end in ends.items():
        at_end = marks.get(source, 0) >= end
        while not at_end:
            if chunks == 0:
                return False
            chunks -= 1
            chunk = await past.read(source, marks.get(source, 0))
            # The marks of transactions take offsets too: left before `end`, they would be read for ever.
            after = max(chunk.after, end) if chunk.at_end else chunk.after
            if after != marks.get(source, 0):
                if not await take(chunk.events, source, after):
                    return False
                marks[source] = after
            at_end = chunk.at_end
    return True


def moved(marks: Mapping[TopicPartition, int], positions: Offsets) -> dict[TopicPartition, int]:
    """The marks that go forward to `positions`; a mark never goes back."""
    return {source: offset for source, offset in positions.items() if offset > marks.get(source, 0)}
