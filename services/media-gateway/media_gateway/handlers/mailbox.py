"""What reaches one live call, in order: SIP events, verdicts of detection, and commands."""

from __future__ import annotations

import asyncio
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


Letter = CallEvent | AnswerVerdict | EarlyVerdict | HangUp | GiveUp | OptOut


class Mailbox:
    """A queue with a deadline."""

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()

    def put(self, letter: Letter) -> None:
        """Adds at the end; never blocks."""
        self._letters.put_nowait(letter)

    async def next(self, deadline_seconds: float | None) -> Letter | None:
        """The next letter, or None once the loop's monotonic clock passes the deadline."""
        if not self._letters.empty():
            return self._letters.get_nowait()
        try:
            async with asyncio.timeout_at(deadline_seconds):
                return await self._letters.get()
        except TimeoutError:
            return None
