"""When ticks are due and held partitions may be read again; monotonic seconds come in as arguments."""

from __future__ import annotations

from collections.abc import Sequence

from outdial_runtime.broker import TopicPartition
from outdial_runtime.service import Tick

LONGEST_POLL_SECONDS = 0.1
SAME_INSTANT_SECONDS = 1e-6
"""Sums of floats are not exact."""


class Schedule:
    """The timers of one loop."""

    def __init__(self, ticks: Sequence[Tick], now: float, longest_poll_seconds: float = LONGEST_POLL_SECONDS) -> None:
        self._longest_poll_seconds = longest_poll_seconds
        self._due = [(tick, now) for tick in ticks]
        self._held: dict[TopicPartition, float] = {}

    def wait_seconds(self, now: float) -> float:
        """How long a poll may wait."""
        nearest = min(
            [due for _, due in self._due] + list(self._held.values()), default=now + self._longest_poll_seconds
        )
        return min(max(nearest - now, 0.0), self._longest_poll_seconds)

    def due_ticks(self, now: float) -> list[Tick]:
        """Ticks that came due; one that is late is not made up for."""
        latest = now + SAME_INSTANT_SECONDS
        due = [tick for tick, at in self._due if at <= latest]
        self._due = [(tick, at if at > latest else max(at + tick.every_seconds, now)) for tick, at in self._due]
        return due

    def hold(self, source: TopicPartition, until: float) -> None:
        """A message of this partition comes again at `until`."""
        self._held[source] = until

    def is_held(self, source: TopicPartition) -> bool:
        return source in self._held

    def forget(self, sources: frozenset[TopicPartition]) -> None:
        """The partitions went."""
        for source in sources:
            self._held.pop(source, None)

    def release_due(self, now: float) -> list[TopicPartition]:
        """Partitions to read again."""
        due = [source for source, until in self._held.items() if until <= now + SAME_INSTANT_SECONDS]
        for source in due:
            del self._held[source]
        return due
