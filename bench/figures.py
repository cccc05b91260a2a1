"""What a run amounted to: counts and latencies from the topics, CPU from two samples around the measured window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bench.cpu import CpuSample
from outdial_cli.records import Record, TopicReader
from outdial_cli.report.figures import percentiles
from outdial_cli.stack.layout import SERVICES
from outdial_cli.stack.stack import Stack
from outdial_contracts.events import (
    CallDial,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    ComplianceCleared,
    LeadReady,
    ProgressStage,
)

TOPICS = ("lead.ready", "compliance.cleared", "clearance.closed", "call.dial", "call.progress", "dial.refused")
Percentiles = Mapping[str, float] | None
"""{n, p50, p99}, ms."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The measured part of a run."""

    before: CpuSample
    after: CpuSample
    bindings: Mapping[str, int]
    """What the pacer said bound it -> how often, asked once a second."""

    @property
    def seconds(self) -> float:
        """How long."""
        return self.after.at - self.before.at

    def holds(self, record: Record) -> bool:
        """Whether the record was written within it (Kafka's clock, which is the machine's)."""
        return self.before.at <= record.timestamp_ms / 1000 < self.after.at


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """One run's measured window; an attempt is a redeemed offer."""

    attempts: int
    attempts_per_second: float
    not_redeemed: int
    """Cleared offers that were refused or lapsed, in the window."""
    dials_refused: int
    """Before Redeem, mostly by the trunk's throttle."""
    lead_ready_to_cleared_ms: Percentiles
    decision_to_invite_ms: Percentiles
    both_together_ms: Percentiles
    """The sum of the two, attempt by attempt."""
    cpu_ms_per_attempt: Mapping[str, float]
    """Process -> CPU-ms per attempt: services, kafka, postgres, collector, carrier, agents."""
    others_busy_cores: float
    """Cores that processes outside this stack kept busy meanwhile (the benchmark itself among them)."""
    busy_cores: float
    """Of the whole machine."""
    bindings: Mapping[str, int]
    """As Window."""

    @property
    def services_cpu_ms(self) -> float:
        """CPU-ms per attempt of all services together."""
        return sum(used for name, used in self.cpu_ms_per_attempt.items() if name in SERVICES)


def figures_of(stack: Stack, campaign_id: str, window: Window) -> RunFigures:
    """Reads the topics of the run."""
    records = TopicReader(stack.bootstrap, stack.topic_prefix).read(TOPICS)
    ours = [r for found in records.values() for r in found if getattr(r.event, "campaign_id", None) == campaign_id]
    within = [r for r in ours if window.holds(r)]
    closed = {r.event.attempt_id: r.event.outcome for r in within if isinstance(r.event, ClearanceClosed)}
    attempts = sum(outcome is CloseOutcome.REDEEMED for outcome in closed.values())
    used = window.after.since(window.before)
    busy = window.after.machine_busy - window.before.machine_busy
    decided, invited = _decisions(within, ours), _invites(within, ours)
    return RunFigures(
        attempts=attempts,
        attempts_per_second=attempts / window.seconds,
        not_redeemed=len(closed) - attempts,
        dials_refused=sum(r.topic == "dial.refused" for r in within),
        lead_ready_to_cleared_ms=percentiles(list(decided.values())),
        decision_to_invite_ms=percentiles(list(invited.values())),
        both_together_ms=percentiles([decided[a] + invited[a] for a in decided.keys() & invited.keys()]),
        cpu_ms_per_attempt={name: ms / max(attempts, 1) for name, ms in used.items()},
        others_busy_cores=(busy - sum(used.values())) / 1000 / window.seconds,
        busy_cores=busy / 1000 / window.seconds,
        bindings=window.bindings,
    )


def _decisions(within: Iterable[Record], ours: Iterable[Record]) -> dict[str, float]:
    """attempt_id -> ms from lead.ready to compliance.cleared."""
    ready = {r.event.attempt_id: r.event.offered_at for r in ours if isinstance(r.event, LeadReady)}
    return {
        e.attempt_id: _ms(ready[e.attempt_id], e.cleared_at)
        for e in (r.event for r in within)
        if isinstance(e, ComplianceCleared) and e.attempt_id in ready
    }


def _invites(within: Iterable[Record], ours: Iterable[Record]) -> dict[str, float]:
    """attempt_id -> ms from the pacer's last decision to the INVITE."""
    dials = {r.event.attempt_id: r.event.decided_at for r in ours if isinstance(r.event, CallDial)}
    return {
        e.attempt_id: _ms(dials[e.attempt_id], e.at)
        for e in (r.event for r in within)
        if isinstance(e, CallProgress) and e.stage is ProgressStage.INVITED and e.attempt_id in dials
    }


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000
