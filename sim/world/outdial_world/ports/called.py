"""The simulated callee of one call: rings, answers, speaks, listens, presses a key, hangs up; all as planned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from media_gateway.detection.early import EarlyVerdict
from media_gateway.detection.greeting import Verdict
from outdial_world.history import Invite
from outdial_world.ports.air import Air, description
from outdial_world.ports.callees import Behaviour, CalleePlan
from outdial_world.ports.line import CarrierEnd, FarState

OPT_OUT_KEY = "9"


class CalledParty:
    """Behind the carrier's end of a call (line.Trunkside), and at a media address (air.Speaker)."""

    def __init__(
        self,
        end: CarrierEnd,
        invite: Invite,
        plan: CalleePlan,
        air: Air,
        ear: tuple[str, int],
        now: Callable[[], datetime],
        tell: Callable[[str, str, str, str], None],
    ) -> None:
        self._end, self._invite, self._plan, self._air, self._ear = end, invite, plan, air, ear
        self._now, self._tell = now, tell
        self._loop = asyncio.get_running_loop()
        self._address = air.address()
        self._sounds_since: float | None = None
        self._answered_at: float | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._patience: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The INVITE has arrived."""
        self._end.behind = self
        if self._plan.behaviour is Behaviour.LOST:
            return
        self._end.provisional(100)
        self._later(self._plan.pdd_seconds, self._routed)

    def _routed(self) -> None:
        plan = self._plan
        if plan.early:
            self._air.speakers[self._address] = self
            self._sounds_since = self._loop.time()
            self._end.provisional(183, description(self._address))
        elif plan.rings:
            self._end.provisional(180)
        if plan.rings:
            self._invite.rang_at = self._now()
            self._later(plan.ring_seconds, self._rung)
        elif plan.early:
            self._later(plan.early[-1].decided_ms / 1000 + 2.0, self._rung)
        else:
            self._rung()

    def _rung(self) -> None:
        if not self._plan.answers:
            self._end.reject(self._plan.status, self._plan.q850_cause)
            return
        if self._end.state is not FarState.ROUTING:
            return
        self._air.speakers[self._address] = self
        self._sounds_since = self._answered_at = self._loop.time()
        self._invite.answered_at = self._now()
        self._end.answer(description(self._address))
        self._speak()

    def _speak(self) -> None:
        plan = self._plan
        if plan.greeting_end_seconds is not None:
            self._later(plan.greeting_end_seconds, self._greeted)
        if plan.behaviour is not Behaviour.HUMAN:
            self._later(plan.stay_seconds, self._leave)
        elif plan.opt_out_key_seconds is not None:
            self._later(plan.opt_out_key_seconds, self._press)

    def _greeted(self) -> None:
        self._invite.greeted_at = self._now()
        if self._plan.behaviour is Behaviour.HUMAN and self._patience is None and self._invite.heard_at is None:
            self._patience = self._later(self._plan.patience_seconds, self._leave)

    def _press(self) -> None:
        ear = self._air.ears.get(self._ear)
        if ear is not None:
            self._tell("callee", "pressed 9", self._invite.attempt_id, self._invite.person_id)
            ear.key(OPT_OUT_KEY)

    def _leave(self) -> None:
        self._end.hang_up(16)

    # air.Speaker

    def early_verdicts(self) -> tuple[EarlyVerdict, ...]:
        return self._plan.early

    def verdict(self) -> Verdict | None:
        return self._plan.heard if self._answered_at is not None else None

    def spoke_at(self) -> float | None:
        return self._loop.time() if self._sounds_since is not None else None

    def hears(self) -> None:
        """An agent or the message: the wait is over, and a person stays so long from here."""
        if self._answered_at is None or self._invite.heard_at is not None:
            return
        self._invite.heard_at = self._now()
        if self._plan.behaviour is Behaviour.HUMAN:
            if self._patience is not None:
                self._patience.cancel()
            self._later(self._plan.stay_seconds, self._leave)

    def line_fell_silent(self) -> None:
        """Whoever hears nothing any more hangs up after a while."""
        if self._answered_at is not None:
            self._later(2 * self._plan.patience_seconds, self._leave)

    # line.Trunkside

    def cancelled(self, in_time: bool) -> None:
        self._invite.cancelled_at = self._now()

    def confirmed(self) -> None:
        """Nothing waits for it."""

    def over(self, by: str) -> None:
        self._invite.ended_at = self._now()
        self._invite.end = self._plan.behaviour.value if by == "carrier" else by
        self._air.speakers.pop(self._address, None)
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float, what: Callable[[], None]) -> asyncio.TimerHandle:
        timer = self._loop.call_later(seconds, what)
        self._timers.append(timer)
        return timer
