"""What every handler of the gateway is given, and the little state of the process that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from media_gateway.config import Config
from media_gateway.detection.greeting import Profile
from media_gateway.domain.admission import TrunkLoad
from media_gateway.domain.agent_legs import AgentLegs
from media_gateway.ports import AgentRouter, Clearances, Gate, Media, MediaLeg, Phones, TrunkCall, Trunks
from outdial_contracts.events import Route, TeamOwner
from outdial_runtime.clock import Chance, Clock
from outdial_runtime.service import Outbox

if TYPE_CHECKING:
    from media_gateway.handlers.live_call import LiveCall


@dataclass(kw_only=True)
class PhoneLeg:
    """The audio and the dialog behind an agent's leg."""

    leg: MediaLeg
    call: TrunkCall
    call_id: str
    connected_at_seconds: float | None = None
    """Monotonic time of the phone's ACK to our 200; the leg is up from then on."""


@dataclass(kw_only=True)
class Standing:
    """What this process knows now; all of it is rebuilt from topics and phones after a restart."""

    routes: dict[str, Route] = field(default_factory=dict)
    owners: dict[str, TeamOwner] = field(default_factory=dict)
    loads: dict[str, TrunkLoad] = field(default_factory=dict)
    calls: dict[str, LiveCall] = field(default_factory=dict)
    legs: AgentLegs = field(default_factory=AgentLegs)
    phones: dict[str, PhoneLeg] = field(default_factory=dict)
    """leg_id -> its phone."""
    opt_outs: set[asyncio.Task[None]] = field(default_factory=set)
    """Suppressions under way to the gate; a drain waits for them."""
    draining: bool = False

    def owner_epoch(self, team_id: str) -> int:
        """Newest epoch known of the team, 0 when none is."""
        owner = self.owners.get(team_id)
        return owner.epoch if owner else 0


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Ports, identity of this boot, and the standing."""

    config: Config
    clock: Clock
    chance: Chance
    outbox: Outbox
    boot_id: str
    gate: Gate
    router: AgentRouter
    clearances: Clearances
    trunks: Trunks
    phones: Phones
    media: Media
    profile: Profile
    inject_trace: Callable[[str], str]
    child_span: Callable[[str, str], AbstractAsyncContextManager[None]]
    start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    """Starts a task whose failure ends the service."""
    standing: Standing = field(default_factory=Standing)
