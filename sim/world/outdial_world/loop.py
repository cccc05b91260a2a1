"""An event loop whose time is virtual: it never waits, it jumps to the next timer. No sockets, no threads, no clock.

Everything that reads time reads this loop: `asyncio.sleep`, time-outs, and `LoopClock`, which services get as their
clock. Tasks and futures hash by the order of their making, so that a set of them has the same order in every run.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in New York, 08:00 in Denver."""
MOST_TURNS_AT_ONE_INSTANT = 200_000


class NothingLeft(Exception):
    """Every task waits for something that no timer and no task will ever do."""


class TimeStandsStill(Exception):
    """The tasks keep each other busy and time never moves on."""


class WorldTask(asyncio.Task[Any]):
    """A task whose hash is its number."""

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        self.number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class WorldFuture(asyncio.Future[Any]):
    """A future whose hash is its number."""

    def __init__(self, *, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Jump:
    """In the place of a selector: to wait is to move time on. Whole microseconds, so that sums stay exact."""

    def __init__(self) -> None:
        self.now_us = 0
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingLeft
        if timeout > 0.0:
            self.now_us += max(1, math.ceil(timeout * 1e6 - 1e-3))
            self._turns = 0
        self._turns += 1
        if self._turns > MOST_TURNS_AT_ONE_INSTANT:
            raise TimeStandsStill
        return []

    def close(self) -> None:
        """Nothing is open."""


class WorldLoop(asyncio.BaseEventLoop):
    """The loop; `time()` is seconds since its start."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump()
        self._clock_resolution = 5e-7
        self._numbers = itertools.count(1)
        factory: Any = self._make_task
        self.set_task_factory(factory)

    def time(self) -> float:
        return self._selector.now_us / 1e6

    @property
    def now_us(self) -> int:
        """Microseconds since the start."""
        return self._selector.now_us

    def create_future(self) -> asyncio.Future[Any]:
        return WorldFuture(number=next(self._numbers), loop=self)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **kwargs: Any
    ) -> asyncio.Task[Any]:
        return WorldTask(coroutine, loop=loop, number=next(self._numbers), **kwargs)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""


class LoopClock:
    """outdial_runtime.clock.Clock of the world; every process has the same."""

    shifted = True

    def __init__(self, loop: WorldLoop, start: datetime = START) -> None:
        self._loop, self._start = loop, start

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._loop.now_us)

    def monotonic(self) -> float:
        return self._loop.time()


def run(main: Callable[[WorldLoop], Coroutine[Any, Any, T]]) -> T:
    """Runs it on a fresh loop and returns what it returns.

    Raises:
        NothingLeft: a deadlock.
        TimeStandsStill: a livelock.
    """
    loop = WorldLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
