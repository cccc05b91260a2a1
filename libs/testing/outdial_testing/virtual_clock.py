"""Time and chance under the test's control."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in New York."""


class VirtualClock:
    """outdial_runtime.clock.Clock that stands still until `advance`."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_us = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def shifted(self) -> bool:
        return True

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed_us)

    def monotonic(self) -> float:
        return self._elapsed_us / 1e6

    def advance(self, seconds: float) -> None:
        """Moves time on and wakes whoever slept until then; they run at the next turn of the event loop."""
        self._elapsed_us += _microseconds(seconds)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_us:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Returns once time has moved on by `seconds`."""
        if seconds > 0:
            sleeper = asyncio.get_running_loop().create_future()
            until = self._elapsed_us + _microseconds(seconds)
            heapq.heappush(self._sleepers, (until, next(self._order), sleeper))
            await sleeper


def _microseconds(seconds: float) -> int:
    """Whole, so that ten steps of 0.1 s are one second."""
    return round(seconds * 1e6)


class SeededChance:
    """outdial_runtime.clock.Chance that repeats itself."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)

    def random(self) -> float:
        return self._random.random()

    def token(self) -> str:
        return f"{self._random.getrandbits(128):032x}"
