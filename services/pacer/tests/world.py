"""A small world for tests: callees, a gateway, agents with a console; it speaks the contract's events, seeded."""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from outdial_contracts import codec
from outdial_contracts.events import (
    AgentAvailability,
    AgentLeg,
    AgentState,
    CallEnded,
    CallMode,
    CallProgress,
    CampaignDocument,
    CampaignPublished,
    CampaignState,
    ClearanceClosed,
    CloseOutcome,
    CloseReason,
    ComplianceCleared,
    Context,
    EndClass,
    Fault,
    GatewayCapacity,
    JournalKind,
    PacingJournal,
    ProgressStage,
    RecordingRule,
    Segment,
    Verdict,
)
from outdial_testing.campaigns import campaign_document
from pacer.domain.assign import assign
from pacer.domain.inputs import AgentGiven, Decision, Dial, Input, Tick
from pacer.domain.recovery import Entry
from pacer.domain.snapshot import OwnInput, encode
from pacer.domain.state import FOLD_VERSION, TeamState
from pacer.domain.step import step

START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def document(**over: Any) -> CampaignDocument:
    return campaign_document(**({"caller_ids": ("+12125550101", "+13125550102")} | over))


def published(doc: CampaignDocument | None = None, state: CampaignState = CampaignState.UNKNOWN) -> CampaignPublished:
    return CampaignPublished(
        campaign_id="C1",
        slot="1" if doc else "state",
        version=1,
        team_id="blue",
        state=state,
        document=doc,
        published_at=START,
        published_by="test",
    )


def context(attempt_id: str) -> Context:
    return Context(lead_id=attempt_id, attempt_no=1, segment=Segment.COLD, score_band="0.4-0.6", region="US-NY")


def ids(attempt_id: str) -> dict[str, Any]:
    return {
        "attempt_id": attempt_id,
        "team_id": "blue",
        "campaign_id": "C1",
        "campaign_version": 1,
        "context": context(attempt_id),
    }


def cleared(attempt_id: str, now: datetime, ttl: float = 60.0, **over: Any) -> ComplianceCleared:
    base: dict[str, Any] = ids(attempt_id) | {
        "person_token": f"1.p{attempt_id}",
        "callee_token": f"1.n{attempt_id}",
        "country": "US",
        "number_class": "geographic",
        "destination_prefix": "+1212",
        "agent_guaranteed": False,
        "may_play_recording": True,
        "recording_rule": RecordingRule.NONE,
        "rule_pack": "1",
        "tzdata": "2026a",
        "score": 0.5,
        "token": "jws",
        "cleared_at": now,
        "expires_at": now + timedelta(seconds=ttl),
        "allowed_modes": (CallMode.LIVE_AUTODIALED,),
    }
    return ComplianceCleared(**(base | over))


def closed(attempt_id: str, now: datetime, outcome: CloseOutcome = CloseOutcome.REDEEMED) -> ClearanceClosed:
    reason = CloseReason.DIALLED if outcome is CloseOutcome.REDEEMED else CloseReason.RULES
    return ClearanceClosed(
        **ids(attempt_id),
        outcome=outcome,
        reason=reason,
        mode=CallMode.LIVE_AUTODIALED,
        ring_timeout_seconds=18,
        closed_at=now,
    )


def progress(attempt_id: str, stage: ProgressStage, now: datetime, **over: Any) -> CallProgress:
    return CallProgress(**ids(attempt_id), stage=stage, leg_no=1, gateway_id="g0", at=now, **over)


def ended(attempt_id: str, end_class: EndClass, now: datetime, **over: Any) -> CallEnded:
    base: dict[str, Any] = ids(attempt_id) | {
        "leg_no": 1,
        "gateway_id": "g0",
        "boot_id": "b0",
        "lease_id": "",
        "dialled": True,
        "end_class": end_class,
        "fault": Fault.CALLEE,
        "hung_up_by": Fault.CALLEE,
        "safe_harbour_played": False,
        "ended_at": now,
        "packets_received": 0,
        "packets_lost": 0,
        "jitter_ms": 0.0,
    }
    return CallEnded(**(base | over))


def agent_state(agent_id: str, what: AgentAvailability, now: datetime, seen: str | None = None) -> AgentState:
    return AgentState(
        agent_id=agent_id,
        team_id="blue",
        availability=what,
        valid_until=now + timedelta(seconds=10),
        at=now,
        last_assignment_seen=seen,
    )


def agent_leg(agent_id: str, now: datetime, up: bool = True, boot_id: str = "b0") -> AgentLeg:
    return AgentLeg(
        agent_id=agent_id,
        team_id="blue",
        leg_id=f"leg-{agent_id}-{boot_id}",
        gateway_id="g0",
        gateway_address="127.0.0.1:7000",
        boot_id=boot_id,
        up=up,
        at=now,
    )


def capacity(now: datetime, live: tuple[str, ...] = (), boot_id: str = "b0", free: int = 200) -> GatewayCapacity:
    return GatewayCapacity(
        gateway_id="g0",
        boot_id=boot_id,
        partition=0,
        address="127.0.0.1:7000",
        free_channels=free,
        draining=False,
        at=now,
        live_attempt_ids=live,
    )


@dataclass
class Desk:
    """An agent's console as the pacer hears it."""

    availability: AgentAvailability = AgentAvailability.AVAILABLE
    seen: str | None = None


@dataclass
class World:
    """Runs one team for a while; `log` holds every input and decision with its instant, as a journal would."""

    seed: int = 7
    agents: int = 20
    human_share: Callable[[float], float] = lambda seconds: 0.30
    talk_mean: float = 20.0
    wrap_mean: float = 3.0
    lose: float = 0.0
    """Probability that an event never arrives."""
    doc: CampaignDocument = field(default_factory=document)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.state = TeamState(team_id="blue", epoch=0)
        self.log: list[tuple[datetime, Input]] = []
        self.queue: list[tuple[float, int, Callable[[float], None]]] = []
        self.order = count()
        self.supplied = 0
        self.humans = self.abandoned = self.connected = self.dialled = 0
        self.live: set[str] = set()
        self.most_lines = 0
        self.desks: dict[str, Desk] = {}
        self.line_seconds = 0.0
        self.talk_seconds = 0.0
        self.now = 0.0

    def run(self, seconds: float) -> None:
        self.take(published(self.doc), 0.0)
        self.take(published(None, CampaignState.RUNNING), 0.0)
        for n in range(self.agents):
            self.later(0.1 * n, lambda t, name=f"a{n:03}": self.sign_in(name, t))  # type: ignore[misc]
        self.later(0.05, self.beat_gateway)
        self.later(0.1, self.tick)
        while self.queue and self.queue[0][0] <= seconds:
            when, _, what = heapq.heappop(self.queue)
            self.line_seconds += len(self.live) * (when - self.now)
            self.now = when
            what(when)

    def later(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.queue, (when, next(self.order), what))

    def take(self, item: Input, t: float) -> None:
        """Takes the input unless it is lost; what is decided upon it is done."""
        if self.lose and not isinstance(item, Tick | AgentGiven) and self.chance.random() < self.lose:
            return
        done = step(self.state, item, None, at(t))
        if done.changed:
            self.log.append((done.at, item))
        if done.decision is not None and done.decided_at is not None:
            self.log.append((done.decided_at, done.decision))
            self.act(done.decision, t)

    def act(self, decision: Decision, t: float) -> None:
        for dial in decision.dials:
            self.dialled += 1
            self.later(t + 0.05, lambda when, dial=dial: self.dial(dial, when))  # type: ignore[misc]
        for want in decision.wants:
            for _ in range(want.wanted_total - self.supplied):
                attempt = str(uuid.UUID(int=self.chance.getrandbits(128)))
                self.later(t + 0.1, lambda when, a=attempt: self.take(cleared(a, at(when)), when))  # type: ignore[misc]
            self.supplied = max(self.supplied, want.wanted_total)

    def tick(self, t: float) -> None:
        self.take(Tick(), t)
        self.later(t + 0.2, self.tick)

    def beat_gateway(self, t: float) -> None:
        self.take(capacity(at(t), tuple(sorted(self.live)), free=400 - len(self.live)), t)
        self.later(t + 2.0, self.beat_gateway)

    def sign_in(self, name: str, t: float) -> None:
        self.desks[name] = Desk()
        self.take(agent_leg(name, at(t)), t)
        self.beat(name, t)

    def beat(self, name: str, t: float) -> None:
        self.say(name, t)
        self.later(t + 4.0, lambda when: self.beat(name, when))

    def say(self, name: str, t: float) -> None:
        desk = self.desks[name]
        self.take(agent_state(name, desk.availability, at(t), desk.seen), t)

    def dial(self, dial: Dial, t: float) -> None:
        self.live.add(dial.attempt_id)
        self.most_lines = max(self.most_lines, len(self.live))
        self.take(closed(dial.attempt_id, at(t)), t)
        self.take(progress(dial.attempt_id, ProgressStage.INVITED, at(t)), t)
        pdd = self.chance.uniform(0.2, 0.6)
        p = self.human_share(t)
        draw = self.chance.random()
        if draw < p:
            verdict_at = t + pdd + self.chance.uniform(1, 5) + self.chance.uniform(1.0, 1.8)
            self.later(verdict_at, lambda when: self.human(dial, when, when + 0.8))
            return
        rest = (draw - p) / (1 - p)
        if rest < 0.36:
            after = pdd + self.chance.uniform(2, 4) + 2.0
            self.later(t + after, lambda when: self.end(dial, EndClass.MACHINE, when, verdict=Verdict.MACHINE))
        elif rest < 0.65:
            self.later(t + pdd + 18.0, lambda when: self.end(dial, EndClass.NO_ANSWER, when))
        else:
            self.later(t + pdd + 0.3, lambda when: self.end(dial, EndClass.BUSY, when))

    def human(self, dial: Dial, t: float, until: float, first: bool = True) -> None:
        attempt = dial.attempt_id
        if first:
            self.humans += 1
            self.take(progress(attempt, ProgressStage.VERDICT, at(t), verdict=Verdict.HUMAN), t)
        given = assign(self.state, attempt, "C1", "g0", self.state.next_at(at(t)))
        if given is None:
            if t + 0.1 < until:
                self.later(t + 0.1, lambda when: self.human(dial, when, until, False))
            else:
                self.abandoned += 1
                self.later(t + 3.0, lambda when: self.end(dial, EndClass.ABANDONED, when, verdict=Verdict.HUMAN))
            return
        self.take(given, t)
        self.bridge(dial, given, t)

    def bridge(self, dial: Dial, given: AgentGiven, t: float) -> None:
        self.connected += 1
        who = {"agent_id": given.agent_id, "agent_lease_id": given.lease_id}
        self.take(progress(dial.attempt_id, ProgressStage.ASSIGNED, at(t), **who), t)
        self.take(progress(dial.attempt_id, ProgressStage.BRIDGED, at(t), **who), t)
        desk = self.desks[given.agent_id]
        desk.availability, desk.seen = AgentAvailability.WRAPUP, given.lease_id
        self.say(given.agent_id, t)
        talk = self.chance.lognormvariate(0, 0.55) * self.talk_mean / 1.163
        wrap = self.chance.uniform(0.5, 1.5) * self.wrap_mean
        self.talk_seconds += talk + wrap
        facts = who | {"verdict": Verdict.HUMAN, "bridged_at": at(t)}
        self.later(t + talk, lambda when: self.end(dial, EndClass.CONNECTED, when, **facts))
        self.later(t + talk + wrap, lambda when: self.wrapped(given.agent_id, when))

    def wrapped(self, name: str, t: float) -> None:
        self.desks[name].availability = AgentAvailability.AVAILABLE
        self.say(name, t)

    def end(self, dial: Dial, end_class: EndClass, t: float, **over: Any) -> None:
        self.live.discard(dial.attempt_id)
        self.take(ended(dial.attempt_id, end_class, at(t), lease_id=dial.lease_id, **over), t)

    def lines_per_agent(self) -> float:
        return self.line_seconds / self.now / self.agents

    def utilisation(self) -> float:
        return self.talk_seconds / self.now / self.agents


def entry(offset: int, when: datetime, item: Input, epoch: int = 0) -> Entry:
    """A journal record of an input or a decision."""
    topic = None
    kind = JournalKind.INPUT
    if isinstance(item, Decision):
        kind, payload = JournalKind.DECISION, encode(item)
    elif isinstance(item, Tick):
        payload = encode(OwnInput(tick=item))
    elif isinstance(item, AgentGiven):
        payload = encode(OwnInput(given=item))
    else:
        topic, payload = item.TOPIC, codec.encode(item)
    record = PacingJournal(
        team_id="blue",
        kind=kind,
        epoch=epoch,
        fold_version=FOLD_VERSION,
        owner_id="pacer-0",
        payload=payload,
        at=when,
        input_topic=topic,
        input_partition=None if topic is None else 0,
        input_offset=None if topic is None else offset,
    )
    return Entry(offset=offset, record=record)


def journal_of(world: World) -> list[Entry]:
    """The journal that the world's owner would have written."""
    return [entry(offset, when, item) for offset, (when, item) in enumerate(world.log, start=1)]
