"""report.json: the counts of formats.md, from facts alone; and the identities that must hold between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from outdial_cli.report.facts import HUMAN_KINDS, Attempt, CarrierCall, Kill, RunFacts
from outdial_cli.report.figures import agent_utilisation, lines_per_agent, percentiles
from outdial_cli.report.traces import TraceCheck, check_traces
from outdial_cli.report.webhooks import webhook_identities
from outdial_contracts.events import CloseOutcome, DispositionCode, EndClass, ProgressStage

ABANDON_LIMIT = 0.03
AS_MACHINE = frozenset({EndClass.MACHINE, EndClass.FAX, EndClass.DEAD_AIR})


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What lead-router said of the file."""

    rows: int
    leads: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RunInputs:
    """What the runner knows beside the facts."""

    intake: Intake
    ledger: Mapping[str, Any]
    """{records, verified}."""
    phase_seconds: Mapping[str, float]
    kills: tuple[Kill, ...] = ()
    origination: tuple[float, float] = (0.0, 0.0)
    """Start and end of dialing, real time."""
    abandon_limit: float = ABANDON_LIMIT
    notes: Mapping[str, Any] = field(default_factory=dict)


def report_of(facts: RunFacts, inputs: RunInputs) -> dict[str, Any]:
    """The whole report, JSON-able."""
    attempts = list(facts.attempts.values())
    traces = check_traces([a for a in attempts if a.redeemed], facts.spans, inputs.kills)
    humans = _humans(facts)
    return {
        "rows": inputs.intake.rows,
        "leads": inputs.intake.leads,
        "rejected": dict(inputs.intake.rejected),
        "not_reached": inputs.intake.leads - len({a.ready.context.lead_id for a in attempts if a.ready}),
        **_funnel(attempts),
        **_carrier(facts),
        **humans,
        "drop_rate": _ratio(humans["abandoned"] + humans["hung_up_as_machine"], humans["humans_answered"]),
        "drop_budget": _budget(humans, inputs.abandon_limit),
        "verdicts": _verdicts(facts),
        "agent_utilisation": agent_utilisation(facts.agent_log, inputs.origination),
        "lines_per_agent": lines_per_agent(facts.carrier_calls, facts.agent_log, inputs.origination),
        **_dispositions(attempts),
        "dead_letters": facts.dead_letters,
        "latency_ms": _latencies(attempts),
        "traces": _trace_counts(traces),
        "ledger": dict(inputs.ledger),
        "phase_seconds": dict(inputs.phase_seconds),
        "connect_rate_by_local_hour": _by_local_hour(attempts),
        **inputs.notes,
    }


def broken_identities(report: Mapping[str, Any]) -> list[str]:
    """Every identity and invariant of formats.md and architecture.md that the report breaks, in words."""
    r = report
    checks = {
        "rows = leads + rejected": r["rows"] == r["leads"] + sum(r["rejected"].values()),
        "offers = blocked_total + cleared": r["offers"] == r["blocked_total"] + r["cleared"],
        "cleared = redeemed + refused + lapsed": r["cleared"] == r["redeemed"] + r["refused"] + r["lapsed"],
        "redeemed = invites_seen_by_carrier + redeemed_without_invite": r["redeemed"]
        == r["invites_seen_by_carrier"] + len(r["redeemed_without_invite"]),
        "redeemed = sum of dispositions": r["redeemed"] == sum(r["dispositions"].values()),
        "humans_answered = connected + abandoned + hung_up_as_machine + hung_up_first": r["humans_answered"]
        == r["connected"] + r["abandoned"] + r["hung_up_as_machine"] + r["hung_up_first"],
        "duplicate_invites = 0": r["duplicate_invites"] == 0,
        "attempts_without_disposition = 0": r["attempts_without_disposition"] == 0,
        "every INVITE was redeemed first": r["invites_without_redemption"] == 0,
        "one clearance.closed per cleared offer": r["closed_twice"] == 0,
        "traces complete but for those a kill touched": not r["traces"]["unexplained"],
        "the ledger verifies": bool(r["ledger"].get("verified")),
        "one altered ledger byte is found": r["ledger_altered_byte"]["found"],
        "no INVITE while the gate is away": r["invites_while_gate_away"] == 0,
        "dialing goes on after the gate is back": not r["kills"] or r["invites_after_gate_back"] > 0,
        "a queued person who opts out is refused": not r["opt_out"]["planned"] or r["opt_out"]["refused_at_last_look"],
        **dict(webhook_identities(r["webhooks"])),
    }
    return [name for name, holds in checks.items() if not holds]


def _funnel(attempts: Iterable[Attempt]) -> dict[str, Any]:
    offers = [a for a in attempts if a.ready]
    blocked = [a for a in offers if a.blocked]
    outcomes = Counter(c.outcome for a in offers for c in a.closed[:1])
    return {
        "offers": len(offers),
        "blocked": dict(Counter(reason.value for a in blocked if a.blocked for reason in a.blocked.reasons)),
        "blocked_total": len(blocked),
        "cleared": sum(1 for a in offers if a.cleared),
        "redeemed": outcomes[CloseOutcome.REDEEMED],
        "refused": outcomes[CloseOutcome.REFUSED],
        "lapsed": outcomes[CloseOutcome.LAPSED],
        "closed_twice": sum(1 for a in offers if len(a.closed) > 1),
    }


def _carrier(facts: RunFacts) -> dict[str, Any]:
    redeemed = {a.attempt_id for a in facts.attempts.values() if a.redeemed}
    seen = {call.attempt_id for call in facts.carrier_calls}
    without = [facts.attempts[a] for a in sorted(redeemed - seen)]
    closed_as = [
        {"attempt_id": a.attempt_id, "closed_as": a.disposition.code.value if a.disposition else None} for a in without
    ]
    return {
        "invites_seen_by_carrier": len(seen),
        "duplicate_invites": sum(1 for a in facts.attempts.values() if _rang_twice(a.carrier)),
        "redeemed_without_invite": closed_as,
        "invites_without_redemption": len(seen - redeemed),
    }


def _rang_twice(calls: list[CarrierCall]) -> bool:
    ordered = sorted(calls, key=lambda c: c.invited_at)
    return any(earlier.rang or earlier.answered_at is not None for earlier in ordered[:-1])


def _humans(facts: RunFacts) -> dict[str, int]:
    answered = [c for c in facts.carrier_calls if c.kind in HUMAN_KINDS and c.answered_at is not None]
    ways = Counter(_way(facts.attempts[c.attempt_id]) for c in answered)
    names = ("connected", "abandoned", "hung_up_as_machine", "hung_up_first")
    return {"humans_answered": len(answered), **{name: ways[name] for name in names}}


def _way(attempt: Attempt) -> str:
    """How a person who answered fared. Without a call.ended (a crash) one who was not bridged counts as abandoned."""
    if attempt.ended is None:
        bridged = any(p.stage is ProgressStage.BRIDGED for p in attempt.progress)
        return "connected" if bridged else "abandoned"
    end_class = attempt.ended.end_class
    if end_class in AS_MACHINE:
        return "hung_up_as_machine"
    return {EndClass.CONNECTED: "connected", EndClass.CALLEE_HUNG_UP: "hung_up_first"}.get(end_class, "abandoned")


def _budget(humans: Mapping[str, int], limit: float) -> dict[str, float]:
    """Budget left in calls: limit x (humans answered + 100) - spent (formats.md)."""
    spent = humans["abandoned"] + humans["hung_up_as_machine"]
    allowed = limit * (humans["humans_answered"] + 100)
    return {"limit": limit, "spent_calls": spent, "left_calls": round(allowed - spent, 2)}


def _verdicts(facts: RunFacts) -> dict[str, dict[str, int]]:
    matrix: dict[str, Counter[str]] = {}
    for call in facts.carrier_calls:
        ended = facts.attempts[call.attempt_id].ended
        if call.answered_at is not None and ended is not None:
            ours = ended.verdict.value if ended.verdict else "NONE"
            matrix.setdefault(ours, Counter())[call.kind] += 1
    return {ours: dict(truth) for ours, truth in sorted(matrix.items())}


def _dispositions(attempts: Iterable[Attempt]) -> dict[str, Any]:
    redeemed = [a for a in attempts if a.redeemed]
    codes = Counter(a.disposition.code.value for a in redeemed if a.disposition)
    return {
        "dispositions": dict(codes.most_common()),
        "attempts_without_disposition": sum(1 for a in redeemed if a.disposition is None),
        "unknown_dispositions": codes[DispositionCode.UNKNOWN.value],
    }


def _latencies(attempts: Iterable[Attempt]) -> dict[str, Any]:
    cleared, invited, audio = [], [], []
    for a in attempts:
        if a.ready and a.cleared:
            cleared.append(_ms(a.ready.offered_at, a.cleared.cleared_at))
        for p in a.progress:
            if p.stage is ProgressStage.INVITED and a.dials:
                invited.append(_ms(a.dials[-1].decided_at, p.at))
            if p.stage is ProgressStage.BRIDGED and p.audio_delay_ms is not None:
                audio.append(p.audio_delay_ms)
    return {
        "lead_ready_to_cleared": percentiles(cleared),
        "decision_to_invite": percentiles(invited),
        "verdict_to_agent_audio": percentiles(audio),
    }


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000


def _trace_counts(traces: TraceCheck) -> dict[str, Any]:
    return {
        "checked": traces.checked,
        "complete": traces.checked - len(traces.touched) - len(traces.unexplained),
        "touched_by_a_kill": sorted(traces.touched),
        "unexplained": dict(sorted(traces.unexplained.items())[:20]),
    }


def _by_local_hour(attempts: Iterable[Attempt]) -> dict[str, dict[str, Any]]:
    """Connects over attempts by the callee's local hour of the redemption."""
    hours: dict[str, Counter[str]] = {}
    for a in attempts:
        d = a.disposition
        zone, at = (d.context.local_zone, d.redeemed_at) if d else (None, None)
        if d is None or zone is None or at is None or not d.charged:
            continue
        hour = hours.setdefault(f"{at.astimezone(ZoneInfo(zone)).hour:02d}", Counter())
        hour.update(attempts=1, connects=int(d.connected), human_answers=int(d.human_answer))
    return {
        hour: {**counts, "connect_rate": _ratio(counts["connects"], counts["attempts"])}
        for hour, counts in sorted(hours.items())
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
