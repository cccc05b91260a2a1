"""The live board's one heart: asks the services for all viewers together, and tells every viewer the same state.

Nobody is asked more often because more people look: the pacer once a second while somebody looks, analytics every five.
While nobody looks it only keeps the drop budget's history. A viewer that is slow misses states and gets the newest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from console.domain.board import Board, CampaignBoard, Told
from console.domain.sources import Source
from console.ports import SourceAway, Sources
from outdial_runtime.clock import Clock

PACER_SECONDS, ANALYTICS_SECONDS = 1.0, 5.0
IDLE_SECONDS = 10.0
"""Between two questions to the pacer while nobody looks."""
GATHER_SECONDS = 0.1
"""Events of so long go out together."""
PARTS = ("facts", "agents", "hours")
"""Objects within answers."""
HEARTBEAT_SECONDS = 2.0
"""A state is sent at least so often: a viewer who hears nothing for longer knows that he is cut off."""


class Hub:
    """One per process."""

    def __init__(self, board: Board, sources: Sources, clock: Clock) -> None:
        self.board = board
        self._sources, self._clock = sources, clock
        self._viewers = 0
        self._watched = asyncio.Event()
        self._changed = asyncio.Event()
        self._told = asyncio.Condition()
        self._serial, self._text = 0, ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works while the block does; a fault of the hub ends the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._publish())]
            if self._sources.configured(Source.PACER):
                tasks.append(group.create_task(self._follow_pacer()))
            if self._sources.configured(Source.ANALYTICS):
                tasks.append(group.create_task(self._follow_analytics()))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    def touch(self) -> None:
        """An event changed the board."""
        self._changed.set()

    def state(self) -> dict[str, Any]:
        """The board now."""
        return self.board.snapshot(self._clock.now())

    async def states(self) -> AsyncGenerator[str, None]:
        """The board as JSON, now and whenever it changed."""
        with self._viewing():
            yield json.dumps(self.state())
            serial = self._serial
            while True:
                async with self._told:
                    while self._serial == serial:
                        await self._told.wait()
                serial, text = self._serial, self._text
                yield text

    @contextmanager
    def _viewing(self) -> Iterator[None]:
        self._viewers += 1
        self._watched.set()
        try:
            yield
        finally:
            self._viewers -= 1
            if self._viewers == 0:
                self._watched.clear()

    async def _publish(self) -> None:
        while True:
            await self._watched.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT_SECONDS)
            self._changed.clear()
            self._serial, self._text = self._serial + 1, json.dumps(self.state())
            async with self._told:
                self._told.notify_all()
            await asyncio.sleep(GATHER_SECONDS)

    async def _follow_pacer(self) -> None:
        while True:
            await self._ask_pacer()
            await self._pause(PACER_SECONDS, IDLE_SECONDS)

    async def _follow_analytics(self) -> None:
        while True:
            await self._watched.wait()
            await self._ask_analytics()
            await asyncio.sleep(ANALYTICS_SECONDS)

    async def _pause(self, watched_seconds: float, idle_seconds: float) -> None:
        """The long pause ends as soon as somebody looks."""
        if self._viewers:
            await asyncio.sleep(watched_seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._watched.wait(), idle_seconds)

    async def _ask_pacer(self) -> None:
        """Once per team and once per campaign."""
        campaigns = list(self.board.campaigns.items())
        teams = sorted({board.published.team_id for _, board in campaigns})
        figures = dict(zip(teams, await asyncio.gather(*(self._told_by_team(team) for team in teams)), strict=True))
        await asyncio.gather(*(self._ask_why(campaign_id, board) for campaign_id, board in campaigns))
        for _, board in campaigns:
            self._note(board.team, figures[board.published.team_id])
        self.touch()

    async def _told_by_team(self, team_id: str) -> Any:
        return await self._asked(Source.PACER, f"/v1/teams/{team_id}")

    async def _ask_why(self, campaign_id: str, board: CampaignBoard) -> None:
        answer = await self._asked(Source.PACER, f"/v1/why/{campaign_id}")
        if isinstance(answer, dict):
            board.why_answered(answer, self._clock.now())
        else:
            self._note(board.why, answer)

    async def _ask_analytics(self) -> None:
        for campaign_id, board in list(self.board.campaigns.items()):
            query = {"campaign_id": campaign_id}
            since = self.board.since(self._clock.now()).isoformat()
            self._note(board.hours, await self._asked(Source.ANALYTICS, "/v1/connect-rate", query))
            self._note(board.today, await self._asked(Source.ANALYTICS, "/v1/totals", {**query, "since": since}))
        self.touch()

    async def _asked(self, source: Source, path: str, query: dict[str, str] | None = None) -> Any:
        """A JSON object; None where it knows nothing of it; the exception where it is away or answers nonsense."""
        try:
            answer = await self._sources.get(source, path, query)
        except SourceAway as away:
            return away
        return answer if _sound(answer) else SourceAway(f"{source.value} answers in a shape that is not known here.")

    def _note(self, told: Told, answer: Any) -> None:
        if isinstance(answer, SourceAway):
            told.missed(str(answer), self._clock.now())
        else:
            told.answered(answer, self._clock.now())


def _sound(answer: Any) -> bool:
    """Whether the board can take it: a page must not end with another service's next version."""
    if answer is None:
        return True
    return isinstance(answer, dict) and all(isinstance(answer.get(part) or {}, dict) for part in PARTS)
