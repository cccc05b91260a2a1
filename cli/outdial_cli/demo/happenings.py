"""The planned events of a scenario: a queued person opts out, a service is killed and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from outdial_cli.demo.inputs import ScenarioEvent
from outdial_cli.demo.watch import Watch
from outdial_cli.report.facts import Kill
from outdial_cli.stack.stack import Stack
from outdial_contracts.events import CloseOutcome

LOOKING_SECONDS = 30.0
"""For a queued person whose call is refused."""
SETTLE_SECONDS = 8.0
"""A queued offer is usually dialled within."""


@dataclass(kw_only=True)
class Happened:
    """What was done, for the report."""

    kills: list[Kill] = field(default_factory=list)
    opted_out: str | None = None
    """attempt_id that was queued when its person opted out."""


class Happenings:
    """Does each event once its time has come; `say` tells a person."""

    def __init__(
        self,
        stack: Stack,
        watch: Watch,
        persons: Mapping[str, str],
        say: Callable[[str], None],
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self.happened = Happened()
        self._settle_seconds = settle_seconds
        self._stack, self._watch, self._persons, self._say = stack, watch, persons, say
        self._away: tuple[str, float, float] | None = None

    @property
    def away(self) -> bool:
        """A killed service is not back yet."""
        return self._away is not None

    def due(self, event: ScenarioEvent) -> None:
        """Starts an event."""
        if event.do == "opt_out":
            self.opt_out()
        elif event.do == "kill" and event.service is not None:
            self._kill(event.service, event.for_seconds)

    def tick(self) -> None:
        """Brings back what was killed, when its time is over."""
        if self._away is None:
            return
        service, at, until = self._away
        if time.time() >= until:
            self._away = None
            self._stack.restart(service)
            self.happened.kills.append(Kill(service=service, at=at, back_at=time.time()))
            self._say(f"{service} is back after {time.time() - at:.1f} s")

    def opt_out(self) -> None:
        """A person whose lead is cleared and waits opts out: the last look must refuse the call.

        An offer may also lapse before anybody would have dialled it, or have been dialled just before: then another
        person opts out, until one call was refused.
        """
        until, tried = time.monotonic() + LOOKING_SECONDS, set[str]()
        while time.monotonic() < until:
            queued = [c for c in self._watch.picture.queued() if c.attempt_id not in tried]
            if not queued:
                time.sleep(0.2)
                continue
            chosen = queued[-1]
            tried.add(chosen.attempt_id)
            body = {"person_id": self._persons[chosen.context.lead_id], "seller_id": "*", "source": "CRM"}
            reply = httpx.post(f"{self._stack.addresses.url('compliance-gate')}/v1/opt-outs", json=body, timeout=10)
            reply.raise_for_status()
            self.happened.opted_out = chosen.attempt_id
            if self._outcome(chosen.attempt_id) is CloseOutcome.REFUSED:
                self._say("a queued person opted out; the gate refuses the call at the last look")
                return

    def _outcome(self, attempt_id: str) -> CloseOutcome | None:
        deadline = time.monotonic() + self._settle_seconds
        while time.monotonic() < deadline:
            if attempt_id in self._watch.picture.closed:
                return self._watch.picture.closed[attempt_id]
            time.sleep(0.05)
        return None

    def _kill(self, service: str, seconds: float) -> None:
        at = time.time()
        self._stack.kill(service, signal.SIGKILL)
        self._away = (service, at, at + seconds)
        self._say(f"{service} killed; no call may leave until it is back")
