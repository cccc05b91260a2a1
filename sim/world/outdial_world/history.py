"""What happened in one run of the world, for whoever checks or tells it. Written by the engine, read by invariants.

Every time is aware UTC of the world's one clock. Lists are in the order in which things happened; `seq` orders what
stands in different lists, as several things may happen at one instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from outdial_contracts.base import Event

E = TypeVar("E", bound=Event)
RIVAL = "rival-gateway"
"""Caller and gateway_id of a Redeem that the world asks beside a gateway's own; this gateway never dials."""


@dataclass(frozen=True, kw_only=True)
class TopicRecord:
    """A committed record; those of aborted transactions are left out."""

    seq: int
    at: datetime
    """When the broker took it."""
    topic: str
    partition: int
    offset: int
    key: str
    ce_id: str
    ce_time: datetime
    source: str
    """ce_source: the service, `world` for what the world itself published."""
    event: Event
    dead: bool = False
    """It lies on the topic's dead-letter topic (`topic` is still the original's name)."""


@dataclass(kw_only=True)
class Invite:
    """One new Call-ID on a trunk, as the carrier saw it. The Call-ID is `{attempt_id}.{leg_no}@host`."""

    seq: int
    at: datetime
    call_id: str
    attempt_id: str
    leg_no: int
    gateway: str
    """The instance, for example media-gateway-0."""
    boot_id: str
    trunk_id: str
    number: str = field(repr=False)
    person_id: str
    """The world's own name of who is called."""
    caller_id: str
    behaviour: str
    """What the callee was drawn to do."""
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    cancelled_at: datetime | None = None
    """The gateway's CANCEL reached the carrier (also one that crossed the answer)."""
    orphaned_at: datetime | None = None
    """The gateway died while the call was under way; the phone rings on until somebody there ends it."""
    greeted_at: datetime | None = None
    """A person finished the greeting."""
    heard_at: datetime | None = None
    """The callee first heard an agent, or the message."""
    ended_at: datetime | None = None
    end: str = ""
    """By whom or why, in the carrier's words: callee, gateway, no_ack, or the behaviour of who rejected it."""


@dataclass(kw_only=True)
class Rpc:
    """One gRPC call or HTTP request between processes (or from the world)."""

    seq: int
    method: str
    """`Clearance.Redeem`, `AgentRouter.Assign`, `POST /v1/opt-outs`, ..."""
    caller: str
    """Instance, or `crm`, `agent a-01`."""
    callee: str
    """Instance asked."""
    asked_at: datetime
    request: Any
    """Protobuf message, or for HTTP the body as sent (dict, str or bytes) with `path`."""
    path: str = ""
    answered_at: datetime | None = None
    """When the callee's handler was done and its reply left; None when it never did."""
    reply: Any = None
    """Protobuf message or HttpReply as the callee gave it, also when it was lost on the way."""
    received_at: datetime | None = None
    """When the caller got the reply; None when request or reply were lost or the caller gave up or died."""
    error: str = ""
    """What the caller got in place of a reply: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, CRASHED (the caller)."""

    @property
    def granted(self) -> bool:
        """A Redeem that the gate granted (whether or not the gateway heard of it)."""
        return self.method == "Clearance.Redeem" and self.reply is not None and _which(self.reply) == "granted"

    @property
    def suppressed(self) -> bool:
        """A Suppress whose caller got the acknowledgement: from `received_at` on it is in force for the caller."""
        reply = self.reply if self.received_at is not None else None
        return self.method == "Clearance.Suppress" and reply is not None and _which(reply) == "suppressed"


class ProcessChange(StrEnum):
    """What became of a process."""

    STARTED = "started"
    READY = "ready"
    CRASHED = "crashed"
    """SIGKILL: nothing of its memory survives."""
    STOPPED = "stopped"
    """SIGTERM, drained."""
    FAILED = "failed"
    """A systemic fault ended it (the database away, ...); it is restarted."""


@dataclass(frozen=True, kw_only=True)
class ProcessEvent:
    """A process came or went."""

    seq: int
    at: datetime
    service: str
    instance: str
    change: ProcessChange
    detail: str = ""
    """Where it crashed, or what failed."""


@dataclass(frozen=True, kw_only=True)
class FaultEvent:
    """A fault that the world inflicted."""

    seq: int
    number: str
    """Names the occurrence over replays of one seed: `crash:3`."""
    kind: str
    at: datetime
    until: datetime | None = None
    """For faults that last."""
    target: str = ""
    """Instance, service, topic or method."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class WorldEvent:
    """What people did: an agent signed in or left, a callee pressed 9, the CRM submitted or suppressed somebody."""

    seq: int
    at: datetime
    who: str
    what: str
    attempt_id: str = ""
    person_id: str = ""


@dataclass(kw_only=True)
class FinalState:
    """What is left at the end. The stores are the services' own memory stores, the others the live objects."""

    stores: dict[str, Any] = field(default_factory=dict)
    """Service name -> its store (compliance-gate, lead-router, disposition, analytics)."""
    teams: dict[str, Any] = field(default_factory=dict)
    """team_id -> pacer.domain.state.TeamState of its owner."""
    standings: dict[str, Any] = field(default_factory=dict)
    """Gateway instance -> media_gateway.handlers.deps.Standing."""
    undelivered: dict[str, int] = field(default_factory=dict)
    """`service/topic` -> records its group has not committed."""
    outboxes: dict[str, int] = field(default_factory=dict)
    """Service -> events written to its store but not relayed."""


@dataclass(kw_only=True)
class History:
    """One run."""

    seed: int
    started_at: datetime
    ended_at: datetime
    drained: bool
    """Nothing was left to do when it ended; where False, the hour was over first."""
    records: list[TopicRecord] = field(default_factory=list)
    invites: list[Invite] = field(default_factory=list)
    rpcs: list[Rpc] = field(default_factory=list)
    processes: list[ProcessEvent] = field(default_factory=list)
    faults: list[FaultEvent] = field(default_factory=list)
    people: list[WorldEvent] = field(default_factory=list)
    persons: dict[str, str] = field(default_factory=dict)
    """number -> person_id of everybody in the world."""
    person_cap: int = 8
    """Attempts of a person in 24 hours by the rule pack that the gate of this run used."""
    restores: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    """(service, restored at, back to): its database was set back."""
    second_run: list[str] = field(default_factory=list)
    """Differences that a second run of its inputs made to a consumer, one sentence each; empty is good."""
    final: FinalState = field(default_factory=FinalState)

    def events(self, kind: type[E]) -> Iterator[E]:
        """Events of one topic in append order, repeats included, dead letters not."""
        return (r.event for r in self.records if not r.dead and isinstance(r.event, kind))

    def records_of(self, kind: type[Event]) -> Iterator[TopicRecord]:
        """The same with their records."""
        return (r for r in self.records if not r.dead and isinstance(r.event, kind))

    @property
    def crashed(self) -> bool:
        """Whether any process crashed or failed, so that equalities become inclusions."""
        return any(p.change in (ProcessChange.CRASHED, ProcessChange.FAILED) for p in self.processes)


def _which(reply: Any) -> str | None:
    chosen: str | None = reply.WhichOneof("result")
    return chosen
