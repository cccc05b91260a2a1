"""What reaches one live call, in order: SIP events, verdicts of detection, and commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from media_gateway.detection.early import EarlyVerdict
from media_gateway.detection.greeting import Verdict as AnswerVerdict
from media_gateway.sip.events import CallEvent


@dataclass(frozen=True)
class HangUp:
    """Somebody of ours ends the call."""

    by_agent: bool
    """True when the agent did, or his leg went down."""


@dataclass(frozen=True)
class GiveUp:
    """A suppression or a drain ends a call that nobody answered yet; an answered one goes on."""


@dataclass(frozen=True)
class OptOut:
    """The callee pressed the opt-out key."""


@dataclass(frozen=True)
class MessageOver:
    """The safe-harbour message was played to its end."""


Letter = CallEvent | AnswerVerdict | EarlyVerdict | HangUp | GiveUp | OptOut | MessageOver


class Mailbox:
    """A queue with a deadline on the monotonic clock that is handed in."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._monotonic = monotonic

    def put(self, letter: Letter) -> None:
        """Adds at the end; never blocks."""
        self._letters.put_nowait(letter)

    def take(self) -> Letter | None:
        """The next letter if one is here."""
        return None if self._letters.empty() else self._letters.get_nowait()

    async def next(self, deadline_seconds: float | None) -> Letter | None:
        """The next letter, or None once the clock passes the deadline; what is here already wins over the deadline."""
        letter = self.take()
        if letter is not None:
            return letter
        left = None if deadline_seconds is None else max(0.0, deadline_seconds - self._monotonic())
        try:
            async with asyncio.timeout(left):
                return await self._letters.get()
        except TimeoutError:
            return self.take()
