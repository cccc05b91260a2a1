"""The people who run the campaigns: publish, start and pause them, press a stop button, and stop them in the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from outdial_world.campaign import AREAS, CAMPAIGN_DOCUMENT, CAMPAIGNS, ROUTE_DOCUMENT
from outdial_world.net import Away

if TYPE_CHECKING:
    from outdial_world.world import World

AGAIN_SECONDS = 0.5
PAUSES = 1
LATEST_SECONDS = 160.0
LONGEST_SECONDS = 25.0


class Operations:
    """They speak to the console."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopped = False

    async def publish(self) -> None:
        """Route, campaigns, and go."""
        await self._post("/v1/documents", ROUTE_DOCUMENT)
        for campaign_id in CAMPAIGNS:
            await self._post("/v1/campaigns", {**CAMPAIGN_DOCUMENT, "id": campaign_id})
        await self._state("RUNNING")

    async def run(self) -> None:
        """Pauses and stop buttons during the run."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(PAUSES):
                tasks.create_task(self._interrupt(n))

    async def stop(self) -> None:
        """For good."""
        self._stopped = True
        await self._state("STOPPED")

    async def _interrupt(self, n: int) -> None:
        stream = self._world.draws.stream(f"ops/{n}")
        await asyncio.sleep(stream.uniform(30.0, LATEST_SECONDS))
        kind, seconds = stream.choice(("nothing", "pause", "state", "all")), stream.uniform(2.0, LONGEST_SECONDS)
        if self._stopped or kind == "nothing":
            return
        if kind == "pause":
            await self._state("PAUSED")
            await asyncio.sleep(seconds)
            if not self._stopped:
                await self._state("RUNNING")
            return
        scope = "all" if kind == "all" else f"state:US-{stream.choice(AREAS)[1]}"
        await self._button(scope, True)
        await asyncio.sleep(seconds)
        await self._button(scope, False)

    async def _state(self, state: str) -> None:
        """Of both."""
        for campaign_id in CAMPAIGNS:
            await self._post(f"/v1/campaigns/{campaign_id}/state", {"state": state})
        self._world.note_person("ops", f"campaigns {state}")

    async def _button(self, scope: str, stopped: bool) -> None:
        await self._post("/v1/stops", {"scope": scope, "stopped": stopped, "reason": "the world"})
        self._world.note_person("ops", f"stop button {scope} {'pressed' if stopped else 'released'}")

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        """Until the console takes it: it may be away, or not have read back what it published yet (404)."""
        while True:
            try:
                reply = await self._world.net.http("ops", "console", "POST", path, body)
                if reply.status < 400:
                    return
                if reply.status != 404:
                    raise RuntimeError(f"{path}: the console answered {reply.status} {reply.body}")
            except Away:
                pass
            await asyncio.sleep(AGAIN_SECONDS)
