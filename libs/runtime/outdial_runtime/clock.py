"""Time and chance as ports. The domain takes `now` as an argument; adapters and the runtime ask the clock."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Domain time, and a monotonic clock for durations."""

    @property
    def shifted(self) -> bool:
        """True when `now` isn't the real time: the gateway then refuses every trunk but loopback."""

    def now(self) -> datetime:
        """Domain time, aware UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin, never going back."""


class Chance(Protocol):
    """Randomness."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def token(self) -> str:
        """128 random bits in hex, for nonces and ids that need no cause."""


@dataclass(frozen=True)
class SystemClock:
    """The machine's clock, or with `start` a clock that read `start` when the monotonic clock read `origin_seconds`.

    CLOCK_MONOTONIC is one for all processes of a machine, so every process of a run, and one restarted in it, agree.
    """

    start: datetime | None = None
    origin_seconds: float = 0.0

    @property
    def shifted(self) -> bool:
        return self.start is not None

    def now(self) -> datetime:
        if self.start is None:
            return datetime.now(UTC)
        return self.start + timedelta(seconds=time.monotonic() - self.origin_seconds)

    def monotonic(self) -> float:
        return time.monotonic()


class SystemChance:
    """The operating system's randomness."""

    def random(self) -> float:
        return random.SystemRandom().random()

    def token(self) -> str:
        return uuid.uuid4().hex
