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
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def shifted(self) -> bool:
        return True

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Moves time on and wakes whoever slept until then; they run at the next turn of the event loop."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Returns once time has moved on by `seconds`."""
        if seconds > 0:
            sleeper = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), sleeper))
            await sleeper


class SeededChance:
    """outdial_runtime.clock.Chance that repeats itself."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)

    def random(self) -> float:
        return self._random.random()

    def token(self) -> str:
        return f"{self._random.getrandbits(128):032x}"
