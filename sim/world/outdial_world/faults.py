"""What goes wrong in a run, planned from the seed before it begins. Every occurrence has a number of its own.

`crash:3` is the same occurrence in every run of a seed: each is drawn from its own stream, so one that is left out
leaves all others as they are. Losses of single messages are drawn by the message's number in the same way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from outdial_world.chance import Draws
from outdial_world.life import Step


class Fault(StrEnum):
    """Kinds of faults."""

    CRASH = "crash"
    """SIGKILL at a step, back after a while."""
    STOP = "stop"
    """SIGTERM, drained, back after a while."""
    STALL = "stall"
    """The machine stops a process for longer than its group waits for it; then it goes on."""
    REBALANCE = "rebalance"
    """A second replica joins and leaves."""
    LOST_COMMIT = "lost_commit"
    """Offsets of the last moments are lost: records are delivered again."""
    DELAY = "delay"
    """A topic's records reach a reader late, so that other topics overtake them."""
    RPC_LOST = "rpc_lost"
    """A request or a reply is lost."""
    RPC_SLOW = "rpc_slow"
    """A request or a reply takes its time."""
    RIVAL_REDEEM = "rival_redeem"
    """A second gateway asks to redeem what another was told to dial, under a nonce of its own; it never dials."""
    AWAY = "away"
    """A service can't be reached by rpc for a while."""
    DATABASE = "database"
    """A database does not answer for a while."""
    RESTORE = "restore"
    """A database is set back to a snapshot."""


ALL = frozenset(Fault)
LATEST_SECONDS = 220.0
SERVICES = ("lead-router", "compliance-gate", "pacer", "media-gateway", "disposition", "analytics", "console")
GROUPS = ("lead-router", "compliance-gate", "pacer", "disposition", "analytics")
STORES = ("lead-router", "compliance-gate", "disposition", "analytics")
RESTORABLE = STORES
"""Services with a restore procedure."""
RPC_SERVERS = ("compliance-gate", "pacer")
MOST: Mapping[Fault, int] = {
    Fault.CRASH: 6,
    Fault.STOP: 2,
    Fault.STALL: 2,
    Fault.REBALANCE: 2,
    Fault.LOST_COMMIT: 5,
    Fault.DELAY: 5,
    Fault.AWAY: 3,
    Fault.DATABASE: 2,
    Fault.RESTORE: 1,
}
DELAYED = (
    ("lead-router", "clearance.closed"),
    ("lead-router", "compliance.blocked"),
    ("lead-router", "call.disposition"),
    ("lead-router", "suppression.changed"),
    ("compliance-gate", "lead.ready"),
    ("compliance-gate", "call.disposition"),
    ("compliance-gate", "offer.returned"),
    ("pacer", "clearance.closed"),
    ("pacer", "compliance.cleared"),
    ("pacer", "call.ended"),
    ("pacer", "call.progress"),
    ("pacer", "agent.state"),
    ("pacer", "agent.leg"),
    ("pacer", "gateway.capacity"),
    ("media-gateway", "call.dial"),
    ("media-gateway", "team.owner"),
    ("disposition", "clearance.closed"),
    ("disposition", "call.ended"),
    ("disposition", "call.progress"),
    ("disposition", "agent.wrapup"),
    ("disposition", "gateway.capacity"),
    ("analytics", "call.disposition"),
    ("console", "call.progress"),
    ("console", "call.ended"),
)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One occurrence; seconds count from the start of the run."""

    number: str
    kind: Fault
    at_seconds: float
    seconds: float
    """How long it lasts, or how long a process stays away."""
    target: str
    """A service, or for a delay a reader."""
    topic: str = ""
    step: Step | None = None
    """A crash waits for this step; None: it happens at its time, wherever the process then waits."""
    amount: int = 0
    """Steps to survive, or records to deliver again."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which faults may occur."""

    kinds: frozenset[Fault] = ALL
    without: frozenset[str] = field(default_factory=frozenset)
    """Numbers of occurrences that are left out."""

    def allows(self, kind: Fault, number: str) -> bool:
        """Whether this one happens."""
        return kind in self.kinds and number not in self.without


NO_FAULTS = Choice(kinds=frozenset())


def plan(draws: Draws, choice: Choice) -> list[Planned]:
    """All planned occurrences of a seed that are not left out, in order of time."""
    found = [
        occurrence
        for kind, most in MOST.items()
        for n in range(draws.stream(f"fault/{kind}").randint(0, most))
        if choice.allows(kind, f"{kind}:{n}")
        for occurrence in (_occurrence(kind, n, draws.stream(f"fault/{kind}/{n}")),)
    ]
    return sorted(found, key=lambda p: (p.at_seconds, p.number))


def _occurrence(kind: Fault, n: int, stream: random.Random) -> Planned:
    at = stream.uniform(3.0, LATEST_SECONDS)
    seconds = stream.choice((stream.uniform(0.3, 3.0), stream.uniform(3.0, 25.0)))
    target, topic, step, amount = stream.choice(SERVICES), "", None, 0
    match kind:
        case Fault.CRASH:
            step, amount = stream.choice((None, *Step)), stream.choice((0, 0, 1, stream.randint(2, 12)))
        case Fault.STALL:
            target, seconds = stream.choice(GROUPS), stream.uniform(7.0, 20.0)
        case Fault.REBALANCE:
            target = stream.choice(GROUPS)
        case Fault.LOST_COMMIT:
            target, amount = stream.choice(GROUPS), stream.randint(1, 40)
        case Fault.DELAY:
            target, topic = stream.choice(DELAYED)
            seconds = stream.uniform(0.5, 12.0)
        case Fault.AWAY:
            target = stream.choice(RPC_SERVERS)
        case Fault.DATABASE:
            target = stream.choice(STORES)
        case Fault.RESTORE:
            target = stream.choice(RESTORABLE)
        case _:
            pass
    return Planned(
        number=f"{kind}:{n}",
        kind=kind,
        at_seconds=at,
        seconds=seconds,
        target=target,
        topic=topic,
        step=step,
        amount=amount,
    )
