"""Reading on from marks: one topic after the other, in bounded portions, and a mark moves only with what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outdial_contracts.base import Event
from outdial_contracts.events import PacingDemand, PacingSupply
from outdial_runtime.broker import Offsets, TopicPartition
from outdial_runtime.past import TopicPast, moved, read_on
from outdial_runtime.service import Received
from outdial_runtime.spans import Spans
from outdial_runtime.surroundings import Surroundings
from outdial_testing import MemoryBroker, VirtualClock
from outdial_testing.contract_service import demand, supply

DEMANDS, SUPPLIES = TopicPartition("pacing.demand", 0), TopicPartition("pacing.supply", 0)


class Reader:
    """What a service takes."""

    def __init__(self) -> None:
        clock = VirtualClock()
        self.broker = MemoryBroker(clock, {"pacing.demand": 1, "pacing.supply": 1})
        self.around = Surroundings(service="s", clock=clock, spans=Spans("s", "s-0"), metrics=None)  # type: ignore[arg-type]
        self.past = TopicPast(self.around, self.broker)
        self.marks: dict[TopicPartition, int] = {}
        self.taken: list[tuple[str, int]] = []
        self.refuse_from: int | None = None

    async def take(self, events: Sequence[Received[Any]], source: TopicPartition, after: int) -> bool:
        if self.refuse_from is not None and after > self.refuse_from:
            return False
        self.taken += [(source.topic, event.event.epoch) for event in events]
        return True

    async def on(self, chunks: int = 100) -> bool:
        return await read_on(self.past, [PacingDemand, PacingSupply], self.marks, self.take, chunks)


async def test_second_topic_begins_when_the_first_is_at_its_end() -> None:
    reader = Reader()
    reader.broker.publish(supply("a", 7))
    reader.broker.publish(*(demand("a", n) for n in range(700)))
    assert not await reader.on(chunks=1)
    assert reader.marks == {DEMANDS: 500}
    assert await reader.on()
    assert reader.marks == {DEMANDS: 700, SUPPLIES: 1}
    assert reader.taken[-1] == ("pacing.supply", 7)
    assert len(reader.taken) == 701


class TransactionalPast(TopicPast):
    """Every partition ends with the mark of a transaction, which takes an offset and is no message."""

    async def ends(self, topics: Sequence[type[Event]]) -> Offsets:
        return {source: end + 1 for source, end in (await super().ends(topics)).items()}


async def test_topics_that_end_with_marks_of_transactions_are_read_to_their_ends_chunk_by_chunk() -> None:
    """A reader of one chunk at a time never got past the first of two such partitions."""
    reader = Reader()
    reader.past = TransactionalPast(reader.around, reader.broker)
    reader.broker.publish(demand("a", 1), supply("a", 2))
    turns = [await reader.on(chunks=1) for _ in range(3)]
    assert turns[-1]
    assert reader.taken == [("pacing.demand", 1), ("pacing.supply", 2)]
    assert reader.marks == {DEMANDS: 2, SUPPLIES: 2}


async def test_what_is_not_taken_is_read_again() -> None:
    reader = Reader()
    reader.refuse_from = 0
    reader.broker.publish(demand("a", 1))
    assert not await reader.on()
    assert reader.marks == {}
    reader.refuse_from = None
    assert await reader.on()
    assert reader.taken == [("pacing.demand", 1)]


async def test_mark_never_goes_back() -> None:
    assert moved({DEMANDS: 5}, {DEMANDS: 3, SUPPLIES: 2}) == {SUPPLIES: 2}
