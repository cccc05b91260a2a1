"""Sound without samples: who speaks and who listens at which media address, and messages that take their time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from media_gateway.detection.early import EarlyVerdict
from media_gateway.detection.greeting import Verdict
from media_gateway.sip.sdp import SessionDescription

Address = tuple[str, int]
HOST = "127.0.0.1"
FIRST_PORT = 20_000


class Speaker(Protocol):
    """Whoever makes and hears sound at an address outside the gateway."""

    def early_verdicts(self) -> tuple[EarlyVerdict, ...]:
        """What a detector makes of the sound before the answer, in order."""

    def verdict(self) -> Verdict | None:
        """What a detector that listens from the answer on makes of it; None: silence."""

    def spoke_at(self) -> float | None:
        """Loop time of the newest packet; None before the first."""

    def hears(self) -> None:
        """Somebody began to speak to it."""


class Ear(Protocol):
    """A gateway's leg as the outside reaches it."""

    def key(self, key: str) -> None:
        """A pressed key arrives."""


class Air:
    """The addresses of one run."""

    def __init__(self) -> None:
        self.speakers: dict[Address, Speaker] = {}
        self.ears: dict[Address, Ear] = {}
        self._next_port = FIRST_PORT

    def address(self) -> Address:
        """An address that nobody has or had."""
        self._next_port += 2
        return HOST, self._next_port


class Wire:
    """One direction between two ends: everything arrives, in order, after the same time."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency_seconds = latency_seconds
        self._under_way: deque[Callable[[], None]] = deque()
        self._loop = asyncio.get_running_loop()

    def send(self, arrive: Callable[[], None]) -> None:
        """`arrive` is called at the far end."""
        self._under_way.append(arrive)
        self._loop.call_later(self._latency_seconds, self._arrive)

    def _arrive(self) -> None:
        self._under_way.popleft()()


def description(address: Address) -> SessionDescription:
    """What a peer says of where it listens."""
    return SessionDescription(address=address[0], port=address[1])
