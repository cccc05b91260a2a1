"""One simulated agent: signs in, keeps a phone up, takes calls, talks, wraps up, and survives a console that is killed.

One inbox holds what the console and the phone say; `_work` reads it in order. Heartbeat and event polling are tasks
beside it. A lost session ends all three and the agent signs in again; a call it then still owes a wrap-up is ended and
wrapped up first.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from outdial_sim.agents.console_client import AgentEvent, ConsoleClient, ConsoleRefused, Session, SessionLost
from outdial_sim.agents.habits import CallHabits, habits_of
from outdial_sim.agents.phone import AgentPhone, Mouth
from outdial_sim.journal import Journal
from outdial_sim.scenario import Scenario

HEARTBEAT_SECONDS = 3.0
ASSIGNED_WAIT_SECONDS = 15.0
SIGN_IN_AGAIN_SECONDS = 0.5
EMPTY_POLL_SECONDS = 0.05
STALE_LINE_SECONDS = 5.0
CALLBACK_AFTER = timedelta(hours=2)
SIGN_IN_PATIENCE_SECONDS = 30.0
PHONE_UP = AgentEvent(seq=0, type="phone_up", attempt_id="")
PHONE_DOWN = AgentEvent(seq=0, type="phone_down", attempt_id="")
PHONE_REFUSED = AgentEvent(seq=0, type="phone_refused", attempt_id="")
REFUSALS = frozenset({"401", "403", "407"})


class Presence(StrEnum):
    """What the agent tells the console; `talking` and `signed_out` exist in the journal only."""

    PAUSED = "paused"
    AVAILABLE = "available"
    WRAPUP = "wrapup"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """`wall` = unix seconds of a loop time; `simulated` = the scenario's time of it (for callbacks)."""

    loop_time: Callable[[], float]
    wall_offset: float
    started_at: float
    clock_start: datetime

    def wall(self, at: float | None = None) -> float:
        """Real unix time of a loop time, by default now."""
        return (self.loop_time() if at is None else at) + self.wall_offset

    def simulated(self) -> datetime:
        """The scenario's clock now."""
        return self.clock_start + timedelta(seconds=self.loop_time() - self.started_at)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where the agent sits: team and campaigns."""

    team_id: str
    campaign_ids: list[str]


@dataclass
class Agent:
    """An agent of a scenario; `run` lasts until it is cancelled, then `leave` signs out."""

    agent_id: str
    scenario: Scenario
    desk: Desk
    console: ConsoleClient
    phone: AgentPhone
    journal: Journal
    clock: Clock
    presence: Presence = Presence.PAUSED
    signed_in: bool = False
    _reason: str | None = "connecting"
    _inbox: asyncio.Queue[AgentEvent] = field(default_factory=asyncio.Queue)
    _attempt_id: str = ""
    _talked: set[str] = field(default_factory=set)
    _owed: dict[str, CallHabits] = field(default_factory=dict)
    _later: list[AgentEvent] = field(default_factory=list)
    _audio_noted: str = ""
    _shown: str = ""

    async def run(self, login_delay_seconds: float) -> None:
        """Work until cancelled. Raises ConsoleRefused when the console will not have this agent."""
        await asyncio.sleep(login_delay_seconds)
        while True:
            try:
                await self._shift()
            except SessionLost:
                self._note("session_lost")
                await asyncio.sleep(SIGN_IN_AGAIN_SECONDS)

    async def leave(self) -> None:
        """End and code the call in hand, sign out and hang the phone up."""
        if self.signed_in:
            try:
                for attempt_id, habits in list(self._owed.items()):
                    await self._tolerate("hang_up", self.console.hang_up, attempt_id)
                    await self._post_code(attempt_id, habits)
                await self.console.sign_out()
            except (SessionLost, ConsoleRefused) as refusal:
                self._note("sign_out_refused", reason=type(refusal).__name__)
            self.signed_in = False
            self._show("signed_out")
        self.phone.hang_up()

    def on_leg(self, up: bool, reason: str) -> None:
        """The phone's leg came up or died."""
        self._note("leg_up" if up else "leg_down", reason=reason or None)
        self._inbox.put_nowait(PHONE_UP if up else PHONE_REFUSED if reason in REFUSALS else PHONE_DOWN)

    def on_malformed(self, rule: str) -> None:
        """The phone got a datagram that it could not use."""
        self._note("malformed", reason=rule)

    def on_frame(self, now: float) -> None:
        """20 ms of the phone; notes the first callee audio of the call in hand."""
        self.phone.frame(now)
        ear = self.phone.ear
        if not self._attempt_id or self._audio_noted == self._attempt_id or ear.line_since is None:
            return
        since = ear.line_since if now - ear.line_since < STALE_LINE_SECONDS else ear.speech_first_at
        if since is not None and ear.line_open(now):
            self._audio_noted = self._attempt_id
            self.journal.write(
                self.clock.wall(since), event="first_callee_audio", agent_id=self.agent_id, attempt_id=self._attempt_id
            )

    async def _shift(self) -> None:
        """Sign in and work; ends by SessionLost or cancellation only, and takes its tasks with it."""
        session = await self._sign_in()
        self.signed_in = True
        self._note("signed_in")
        self.phone.connect(session.sip)
        lost = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heartbeat())
                tasks.create_task(self._poll())
                tasks.create_task(self._work())
        except* SessionLost:
            lost = True
        finally:
            self.phone.mouth = Mouth.SHUT
            self._attempt_id = ""
        if lost:
            raise SessionLost

    async def _sign_in(self) -> Session:
        """A refusal may pass while services start; one that lasts is raised."""
        deadline = self.clock.loop_time() + SIGN_IN_PATIENCE_SECONDS
        while True:
            try:
                return await self.console.sign_in(self.desk.team_id, self.desk.campaign_ids)
            except ConsoleRefused as refusal:
                self._note("sign_in_refused", status=refusal.status)
                if self.clock.loop_time() > deadline:
                    raise
                await asyncio.sleep(SIGN_IN_AGAIN_SECONDS)

    async def _heartbeat(self) -> None:
        while True:
            try:
                await self.console.set_state(self.presence, self._reason)
            except ConsoleRefused as refusal:
                raise SessionLost from refusal
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _poll(self) -> None:
        after = 0
        while True:
            try:
                events = await self.console.events(after)
            except ConsoleRefused as refusal:
                raise SessionLost from refusal
            if not events:
                await asyncio.sleep(EMPTY_POLL_SECONDS)
            for event in events:
                after = max(after, event.seq)
                self._note(f"console_{event.type}", attempt_id=event.attempt_id or None)
                self._inbox.put_nowait(event)

    async def _work(self) -> None:
        await self._settle()
        await self._ready()
        while True:
            event = await self._inbox.get()
            if event is PHONE_REFUSED:
                raise SessionLost
            if event in (PHONE_UP, PHONE_DOWN):
                await self._ready()
            elif event.type in ("assigned", "bridged") and event.attempt_id not in self._talked:
                await self._take(event)
                await self._ready()
                while self._later:
                    self._inbox.put_nowait(self._later.pop(0))

    async def _settle(self) -> None:
        """End and wrap up the calls that a lost session left open."""
        for attempt_id, habits in list(self._owed.items()):
            await self._tolerate("hang_up", self.console.hang_up, attempt_id)
            await self._wrap_up(attempt_id, habits)

    async def _ready(self) -> None:
        """Available while the phone is up, paused while it is not."""
        self._attempt_id = ""
        self.phone.mouth = Mouth.WHEN_SPOKEN_TO
        if self.phone.up:
            self.phone.forget_what_was_heard()
            await self._say(Presence.AVAILABLE, None)
        else:
            await self._say(Presence.PAUSED, "phone")

    async def _take(self, event: AgentEvent) -> None:
        """From the assignment through talk and wrap-up; an assignment that is never bridged is let go."""
        self._attempt_id = event.attempt_id
        if event.type == "assigned":
            self._note("assigned", attempt_id=event.attempt_id)
            if not await self._until(ASSIGNED_WAIT_SECONDS, {"bridged"}):
                self._note("assignment_ended", attempt_id=event.attempt_id)
                return
        self._talked.add(event.attempt_id)
        self._note("bridged", attempt_id=event.attempt_id)
        habits = habits_of(self.scenario.agents, self.scenario.seed, self.agent_id, event.attempt_id)
        self._owed[event.attempt_id] = habits
        await self._talk(event.attempt_id, habits)
        await self._wrap_up(event.attempt_id, habits)

    async def _talk(self, attempt_id: str, habits: CallHabits) -> None:
        self._show("talking", attempt_id)
        self.phone.mouth = Mouth.OPEN
        ended = not await self._until(habits.talk_seconds, set(), timeout_is_end=False)
        self.phone.mouth = Mouth.SHUT
        if not ended:
            await self._tolerate("hang_up", self.console.hang_up, attempt_id)
        self._note("talk_ended", attempt_id=attempt_id, by="callee" if ended else "agent")

    async def _wrap_up(self, attempt_id: str, habits: CallHabits) -> None:
        await self._say(Presence.WRAPUP, None)
        await asyncio.sleep(habits.wrap_seconds)
        await self._post_code(attempt_id, habits)

    async def _post_code(self, attempt_id: str, habits: CallHabits) -> None:
        callback = self.clock.simulated() + CALLBACK_AFTER if habits.code == "CALLBACK" else None
        at = callback.isoformat().replace("+00:00", "Z") if callback else None
        await self._tolerate("wrap_up", self.console.wrap_up, attempt_id, habits.code, at)
        self._owed.pop(attempt_id, None)
        self._note("wrapped_up", attempt_id=attempt_id, code=habits.code)

    async def _until(self, seconds: float, wanted: set[str], *, timeout_is_end: bool = True) -> bool:
        """Read the inbox for this call: True on a wanted event (or at the time-out, if that is no end), else False."""
        deadline = self.clock.loop_time() + seconds
        while True:
            try:
                async with asyncio.timeout(deadline - self.clock.loop_time()):
                    event = await self._inbox.get()
            except TimeoutError:
                return not timeout_is_end
            mine = event.attempt_id == self._attempt_id
            if event in (PHONE_DOWN, PHONE_REFUSED) or (event.type == "call_ended" and mine):
                return False
            if event.type in wanted and mine:
                return True
            if not mine and event.attempt_id:
                self._later.append(event)

    async def _tolerate(self, what: str, call: Callable[..., Any], *arguments: Any) -> None:
        """The call may have ended meanwhile: a refusal is journalled and the agent goes on."""
        try:
            await call(*arguments)
        except ConsoleRefused as refusal:
            self._note(f"{what}_refused", attempt_id=self._attempt_id, status=refusal.status)

    async def _say(self, presence: Presence, reason: str | None) -> None:
        self.presence, self._reason = presence, reason
        self._show(presence, self._attempt_id)
        await self._tolerate("state", self.console.set_state, presence, reason)

    def _show(self, state: str, attempt_id: str = "") -> None:
        """Journal a change of state."""
        if state != self._shown:
            self._shown = state
            self._note("state", state=state, attempt_id=attempt_id or None)

    def _note(self, event: str, **fields: Any) -> None:
        self.journal.write(self.clock.wall(), event=event, agent_id=self.agent_id, **fields)


def login_delay(seed: int, agent_id: str, spread_seconds: float) -> float:
    """When an agent signs in after the start: uniform over the spread, by hash of (seed, agent)."""
    return random.Random(f"{seed}:{agent_id}:login").uniform(0.0, spread_seconds)
