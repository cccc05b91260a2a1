"""An attempt's way through the services, put together from what each of them knows: stages, and the times between.

Sources, the earlier one wins for a stage: the gate's evidence, disposition's record, the call events that this console
saw, and the attempt's spans where a collector answers (they alone know when the pacer decided to dial).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from console.domain.seen import SeenAttempt, Stage

SERVICE = {
    Stage.READY: "lead-router",
    Stage.CLEARED: "compliance-gate",
    Stage.BLOCKED: "compliance-gate",
    Stage.DIAL: "pacer",
    Stage.REDEEMED: "compliance-gate",
    Stage.REFUSED: "compliance-gate",
    Stage.LAPSED: "compliance-gate",
    Stage.INVITED: "media-gateway",
    Stage.ALERTING: "media-gateway",
    Stage.EARLY_MEDIA: "media-gateway",
    Stage.ANSWERED: "media-gateway",
    Stage.VERDICT: "media-gateway",
    Stage.ASSIGNED: "pacer",
    Stage.BRIDGED: "media-gateway",
    Stage.ENDED: "media-gateway",
    Stage.WRAP_UP: "console",
    Stage.DISPOSITION: "disposition",
}
DOING = {
    Stage.CLEARED: "evaluates the rules",
    Stage.BLOCKED: "evaluates the rules",
    Stage.DIAL: "chooses the moment",
    Stage.REDEEMED: "takes the last look",
    Stage.REFUSED: "takes the last look",
    Stage.LAPSED: "waits in vain",
    Stage.INVITED: "sends the INVITE",
    Stage.ALERTING: "waits for the carrier",
    Stage.EARLY_MEDIA: "listens before the answer",
    Stage.ANSWERED: "rings",
    Stage.VERDICT: "listens: who answered?",
    Stage.ASSIGNED: "finds an agent",
    Stage.BRIDGED: "bridges",
    Stage.ENDED: "carries the call",
    Stage.WRAP_UP: "agent wraps up",
    Stage.DISPOSITION: "closes the books",
}
"""What goes on until the stage is reached, in the service that reaches it."""
ORDER = {stage: place for place, stage in enumerate(Stage)}
DIAL_SPANS = (("pacer", "call.dial publish"), ("media-gateway", "call.dial process"))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A stage that was reached."""

    stage: Stage
    at: datetime
    note: str = ""

    @property
    def service(self) -> str:
        """Who reached it."""
        return SERVICE[self.stage]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The time between two stages, by the service that was at work."""

    service: str
    doing: str
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.end - self.start).total_seconds()


@dataclass(kw_only=True)
class Timeline:
    """The stages of one attempt."""

    moments: dict[Stage, Moment] = field(default_factory=dict)

    def add(self, stage: Stage, at: str | datetime | None, note: str = "") -> None:
        """A stage as one source knows it; the first source keeps the time, a later one may add a note."""
        if at is None:
            return
        known = self.moments.get(stage)
        if known is None:
            when = at if isinstance(at, datetime) else datetime.fromisoformat(at)
            self.moments[stage] = Moment(stage=stage, at=when, note=note)
        elif note and not known.note:
            self.moments[stage] = Moment(stage=stage, at=known.at, note=note)

    def ordered(self) -> list[Moment]:
        """By time, and at one instant by the order of a call."""
        return sorted(self.moments.values(), key=lambda m: (m.at, ORDER[m.stage]))

    def phases(self) -> list[Phase]:
        """What went on between one stage and the next."""
        moments = self.ordered()
        return [
            Phase(service=after.service, doing=_doing(before.stage, after.stage), start=before.at, end=after.at)
            for before, after in pairwise(moments)
        ]


def _doing(before: Stage, after: Stage) -> str:
    """Only a bridged call was carried; any other was merely ended."""
    if after is Stage.ENDED and before is not Stage.BRIDGED:
        return "ends the call"
    return DOING.get(after, after.value)


def timeline_of(
    evidence: Mapping[str, Any] | None,
    record: Mapping[str, Any] | None,
    seen: SeenAttempt | None,
    spans: Iterable[Phase] = (),
) -> Timeline:
    """Everything that is known; each source may be absent. `spans` as `phases_of` makes them."""
    timeline = Timeline()
    if evidence:
        _from_gate(timeline, evidence)
    if record:
        _from_disposition(timeline, record)
    if seen:
        for stage, at in seen.stages.items():
            timeline.add(stage, at, seen.notes.get(stage, ""))
    decided = _decided_at(spans)
    if decided is not None and _fits(timeline, decided):
        timeline.add(Stage.DIAL, decided)
    return timeline


def _fits(timeline: Timeline, decided: datetime) -> bool:
    """Whether the pacer may have decided then: a span's clock is another one, and nonsense is worse than a gap."""
    cleared, redeemed = timeline.moments.get(Stage.CLEARED), timeline.moments.get(Stage.REDEEMED)
    return (cleared is None or cleared.at <= decided) and (redeemed is None or decided <= redeemed.at)


def phases_of(spans: Iterable[Mapping[str, Any]], shift: timedelta) -> list[Phase]:
    """A collector's spans (real time, ns since 1970) as phases in domain time, which is `shift` ahead; by start.

    Questions of people (GET) are left out: they come hours later and are no part of the attempt's way.
    """
    found = [
        Phase(
            service=str(span["service"]),
            doing=str(span["name"]),
            start=datetime.fromtimestamp(span["start_ns"] / 1e9, UTC) + shift,
            end=datetime.fromtimestamp(span["end_ns"] / 1e9, UTC) + shift,
        )
        for span in spans
        if not str(span["name"]).startswith("GET ")
    ]
    return sorted(found, key=lambda phase: (phase.start, phase.end))


def _from_gate(timeline: Timeline, evidence: Mapping[str, Any]) -> None:
    decision, facts, closed = evidence["decision"], evidence["facts"], evidence["closed"]
    timeline.add(Stage.READY, facts.get("offered_at"))
    blocked = ", ".join(decision.get("reasons", ()))
    timeline.add(Stage.CLEARED if decision["allowed"] else Stage.BLOCKED, decision["at"], blocked)
    for redemption in evidence["redemptions"]:
        stage = Stage.REDEEMED if redemption["granted"] else Stage.REFUSED
        timeline.add(stage, redemption["at"], ", ".join(redemption["reasons"]))
    if closed["state"] == "LAPSED":
        timeline.add(Stage.LAPSED, closed["at"])


def _from_disposition(timeline: Timeline, record: Mapping[str, Any]) -> None:
    redemption, end, wrapup = record.get("redemption") or {}, record.get("end") or {}, record.get("wrapup") or {}
    timeline.add(Stage.REDEEMED, redemption.get("redeemed_at"))
    for stage, name in (
        (Stage.INVITED, "invited_at"),
        (Stage.ALERTING, "alerting_at"),
        (Stage.ANSWERED, "answered_at"),
        (Stage.BRIDGED, "bridged_at"),
    ):
        timeline.add(stage, record.get(name) or end.get(name))
    timeline.add(Stage.ENDED, end.get("ended_at"), str(end.get("end_class") or ""))
    timeline.add(Stage.WRAP_UP, wrapup.get("at"), str(wrapup.get("code") or ""))
    said = record.get("said") or ()
    if said:
        timeline.add(Stage.DISPOSITION, said[0]["event"]["disposed_at"], str(said[-1]["event"]["code"]))


def _decided_at(spans: Iterable[Phase]) -> datetime | None:
    """Start of the first span that carries call.dial."""
    starts = {(span.service, span.doing): span.start for span in reversed(list(spans))}
    return next((starts[key] for key in DIAL_SPANS if key in starts), None)
