"""Ten agents at the console: they sign in, keep a phone up, talk, wrap up at once, late or never, and some leave early.

What an agent does with a call is drawn by agent and attempt, so that the order of calls changes nothing else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from outdial_world.campaign import CAMPAIGNS, TEAM
from outdial_world.net import Away
from outdial_world.ports.phones import Handset

if TYPE_CHECKING:
    from outdial_world.world import World

HEARTBEAT_SECONDS = 4.0
AGAIN_SECONDS = 0.7
LOOK_SECONDS = 2.0
POLL_WAIT_SECONDS = 5.0
BRIDGE_PATIENCE_SECONDS = 15.0
CODES = {
    "NOT_INTERESTED": 0.55,
    "INTERESTED": 0.16,
    "CALLBACK": 0.08,
    "CONNECTED": 0.08,
    "WRONG_NUMBER": 0.05,
    "DNC_REQUESTED": 0.08,
}
LATE_WRAP_SHARE, NEVER_WRAP_SHARE = 0.06, 0.02
LEAVES_SHARE = 0.15
LEAVE_SECONDS = (30.0, 180.0)
BACK_SECONDS = (15.0, 80.0)
PHONE_DIES_SHARE = 0.2


class SessionLost(Exception):
    """The console does not know the session."""


class Agent:
    """One agent; `run` lasts until it is cancelled."""

    def __init__(self, world: World, agent_id: str) -> None:
        self.agent_id = agent_id
        self._world = world
        self._stream = world.draws.stream(f"agent/{agent_id}")
        self._name = f"agent {agent_id}"
        self._token = ""
        self._state = "paused"
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._talked: set[str] = set()
        self._campaigns: dict[str, str] = {}
        """attempt_id -> its campaign, as the screen said."""
        self.owed = ""
        """The attempt that he has not wrapped up yet."""
        self._dialling = False
        self._leg_changed = asyncio.Event()
        self.handset = Handset(world.air, f"{TEAM}.{agent_id}", self._on_leg)

    async def run(self) -> None:
        """Signs in, works, perhaps leaves and comes back."""
        await asyncio.sleep(self._stream.uniform(0.0, 4.0))
        leaves_after = self._stream.uniform(*LEAVE_SECONDS) if self._stream.random() < LEAVES_SHARE else None
        if leaves_after is not None:
            try:
                async with asyncio.timeout(leaves_after):
                    await self._shifts()
            except TimeoutError:
                await self._leave()
            await asyncio.sleep(self._stream.uniform(*BACK_SECONDS))
        await self._shifts()

    async def _shifts(self) -> None:
        while True:
            try:
                # A task of its own: in Python 3.11 a task group whose child failed may leave a cancellation counted.
                await asyncio.create_task(self._shift())
            except* SessionLost:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _shift(self) -> None:
        await self._sign_in()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_phone_up())
            tasks.create_task(self._heartbeat())
            tasks.create_task(self._poll())
            tasks.create_task(self._work())

    async def _sign_in(self) -> None:
        self._token, self._state = "", "paused"
        reply = await self._post("sign-in", {"team_id": TEAM, "campaign_ids": list(CAMPAIGNS)})
        self._token = reply["session_token"]
        self._world.note_person(self._name, "signed in")

    async def _leave(self) -> None:
        """Goes in the middle of whatever there was; sometimes without a word to the console."""
        self._world.note_person(self._name, "left")
        self.handset.hang_up()
        if self._stream.random() < 0.5:
            await self._post("sign-out", {})

    async def _keep_phone_up(self) -> None:
        """Dials the gateway whenever the leg is down; some phones die once."""
        dies_after = self._stream.uniform(30.0, 250.0) if self._stream.random() < PHONE_DIES_SHARE else None
        if dies_after is not None:
            asyncio.get_running_loop().call_later(dies_after, self.handset.hang_up)
        while True:
            phones = self._world.phones_up()
            if phones is not None and not self.handset.up and not self._dialling:
                self._dialling = True
                self.handset.dial(phones)
            await asyncio.sleep(LOOK_SECONDS)

    def _on_leg(self, up: bool, reason: str) -> None:
        self._dialling = False
        self._leg_changed.set()
        self._world.note_person(self._name, "phone up" if up else f"phone down: {reason}")

    async def _heartbeat(self) -> None:
        while True:
            await self._say(self._state)
            self._leg_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._leg_changed.wait()

    async def _poll(self) -> None:
        after = 0
        query = {"wait_seconds": str(POLL_WAIT_SECONDS)}
        while True:
            reply = await self._request("GET", "events", None, {**query, "after": str(after)})
            for event in reply["events"]:
                after = max(after, event["seq"])
                self._inbox.put_nowait(event)
            if not reply["events"]:
                await asyncio.sleep(0.05)

    async def _work(self) -> None:
        if self.owed:
            await self._post("hang-up", {"attempt_id": self.owed}, tolerate=True)
            await self._wrap_up(self.owed, "CONNECTED")
        await self._say("available")
        while True:
            event = await self._inbox.get()
            attempt_id = event["attempt_id"]
            if event["type"] in ("assigned", "bridged") and attempt_id not in self._talked:
                self._campaigns[attempt_id] = event["campaign_id"]
                await self._take(attempt_id, event["type"] == "bridged")
                await self._say("available")

    async def _take(self, attempt_id: str, bridged: bool) -> None:
        """From the assignment to the wrap-up; one that is never bridged is let go."""
        if not bridged and not await self._until("bridged", attempt_id, BRIDGE_PATIENCE_SECONDS):
            return
        self._talked.add(attempt_id)
        self.owed = attempt_id
        stream = self._world.draws.stream(f"talk/{self.agent_id}/{attempt_id}")
        over = await self._until("call_ended", attempt_id, stream.lognormvariate(2.9, 0.5))
        if not over:
            await self._post("hang-up", {"attempt_id": attempt_id}, tolerate=True)
        self._state = "wrapup"
        code = stream.choices(list(CODES), list(CODES.values()))[0]
        await asyncio.sleep(stream.uniform(1.5, 8.0))
        drawn = stream.random()
        if drawn < NEVER_WRAP_SHARE:
            self._world.note_person(self._name, "never wraps up, signs out", attempt_id)
            self.owed = ""
            await self._post("sign-out", {})
            raise SessionLost
        if drawn < NEVER_WRAP_SHARE + LATE_WRAP_SHARE:
            self._world.note_person(self._name, "wraps up late", attempt_id)
            await asyncio.sleep(stream.uniform(60.0, 100.0))
        await self._wrap_up(attempt_id, code)

    async def _wrap_up(self, attempt_id: str, code: str) -> None:
        body: dict[str, Any] = {"attempt_id": attempt_id, "code": code, "campaign_id": self._campaigns[attempt_id]}
        if code == "CALLBACK":
            body["callback_at"] = (self._world.clock.now() + timedelta(hours=2)).isoformat()
        await self._post("wrap-up", body, tolerate=True)
        self.owed = ""
        self._world.note_person(self._name, f"wrapped up {code}", attempt_id)

    async def _until(self, wanted: str, attempt_id: str, seconds: float) -> bool:
        """True once the console says it of this call; False after so long, or when the call is over."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    event = await self._inbox.get()
            except TimeoutError:
                return False
            if event["attempt_id"] == attempt_id and event["type"] in (wanted, "call_ended"):
                return bool(event["type"] == wanted)

    async def _say(self, state: str) -> None:
        self._state = state
        said = state if self.handset.up or state != "available" else "paused"
        await self._post("state", {"state": said})

    async def _post(self, action: str, body: dict[str, Any], tolerate: bool = False) -> dict[str, Any]:
        return await self._request("POST", action, body, {}, tolerate=tolerate)

    async def _request(
        self, method: str, action: str, body: Any, query: dict[str, str], tolerate: bool = False
    ) -> dict[str, Any]:
        """Repeats while the console is away. Raises SessionLost for whatever it will not have."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        path = f"/v1/agents/{self.agent_id}/{action}"
        while True:
            try:
                reply = await self._world.net.http(
                    self._name, "console", method, path, body, query=query, headers=headers
                )
            except Away:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if reply.status >= 400:
                if tolerate:
                    return {}
                raise SessionLost
            return dict(reply.body or {})
