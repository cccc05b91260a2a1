"""A service whose database may have been restored: at its start it reads the topics back, and until then does nothing.

Theory of operation. `Rereading.turn` is a tick. At the start it reads from the marks to the ends of the topics, in the
given order, and hands every message to its taker, which puts into the database what is not there. Takers decide and
publish nothing: a message that the group had committed had its consequence, which is on a topic; one that it had not
comes again. Then the tick only moves the marks. `once_read_back` keeps every other handler waiting meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Protocol, TypeVar

from outdial_contracts.base import Event
from outdial_runtime.broker import TopicPartition
from outdial_runtime.clock import Clock
from outdial_runtime.marks import Marks
from outdial_runtime.outcome import NOTHING, Drop, Outcome, RetryLater
from outdial_runtime.past import TopicPast, moved, read_on
from outdial_runtime.service import Received

MARK_EVERY_SECONDS = 15.0
TURN_SECONDS = 2.0
"""A turn ends with the chunk that is at hand then: the loop has to poll."""
RETRY_SECONDS = 0.2
WHY_NOT_READY = "restore check: the topics are read from the database's marks to their ends"
Taker = Callable[[Received[Any], Any], Awaitable[object]]
Input = TypeVar("Input")


@dataclass
class Guard:
    """What this process knows of a restore; memory."""

    verified: bool = True
    """The topics were read to their ends since the start; app.py starts with False."""
    restored: bool = False
    """The database had forgotten something that this service had said."""
    began_at: float | None = None
    """Monotonic seconds of the first turn."""
    marked_at: float = float("-inf")
    """Monotonic seconds of the last marks."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a service reads back from, and where it notes how far."""

    past: TopicPast
    marks: Marks
    clock: Clock


class ReadsBack(Protocol):
    """The deps of such a service."""

    @property
    def guard(self) -> Guard: ...

    @property
    def source(self) -> Source | None:
        """None where nothing is read back, as in tests of a single handler."""


@dataclass(frozen=True, kw_only=True)
class Rereading:
    """What is read back, in this order."""

    takers: Mapping[type[Event], Taker]
    written: Sequence[type[Event]] = ()
    """Those that the service writes itself: their marks are their ends; of the others, what its group committed."""
    settling_seconds: float = 0.0
    """Where something was missing it reads on so long after its start, for what an open transaction still hides."""

    async def turn(self, deps: ReadsBack) -> Outcome:
        """Reads back, for a while at a time, and is done when nothing is left to read; from then on moves the marks."""
        guard, source = deps.guard, deps.source
        if source is None:
            return NOTHING
        now = source.clock.monotonic()
        if not guard.verified:
            return await self._read_back(source, deps, now)
        if now - guard.marked_at >= MARK_EVERY_SECONDS:
            guard.marked_at = now
            consumed = [topic for topic in self.takers if topic not in self.written]
            positions = await source.past.positions(consumed, self.written)
            await source.marks.save_marks(moved(await source.marks.marks(), positions))
        return NOTHING

    async def _read_back(self, source: Source, deps: ReadsBack, now: float) -> Outcome:
        guard = deps.guard
        guard.began_at = now if guard.began_at is None else guard.began_at
        marks = dict(await source.marks.marks())
        take = partial(self._take, source.marks, deps)
        while not await read_on(source.past, list(self.takers), marks, take, chunks=1):
            if source.clock.monotonic() - now >= TURN_SECONDS:
                return Drop("RESTORE_REPLAYING")
        if guard.restored and now - guard.began_at < self.settling_seconds:
            return Drop("RESTORE_SETTLING")
        guard.verified = True
        return Drop("RESTORED") if guard.restored else NOTHING

    async def _take(
        self, marks: Marks, deps: ReadsBack, messages: Sequence[Received[Any]], source: TopicPartition, after: int
    ) -> bool:
        """The mark follows what was put back: a crash in between puts it back again, which changes nothing."""
        for message in messages:
            await self.takers[type(message.event)](message, deps)
        await marks.save_marks({source: after})
        return True


def not_ready_because(deps: ReadsBack) -> str | None:
    """For /readyz."""
    return None if deps.guard.verified else WHY_NOT_READY


def once_read_back(handler: Callable[[Input, Any], Awaitable[Outcome]]) -> Callable[[Input, Any], Awaitable[Outcome]]:
    """A message or tick waits until the topics were read back."""

    @wraps(handler)
    async def with_check(message: Input, deps: ReadsBack) -> Outcome:
        if not deps.guard.verified:
            return RetryLater("RESTORE_CHECK", RETRY_SECONDS)
        return await handler(message, deps)

    return with_check
