"""One fact row per attempt, made from its newest disposition; a refused or blocked offer is a row of its own kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from outdial_contracts.events import CallDisposition


@dataclass(frozen=True, kw_only=True)
class AttemptFact:
    """What data teams ask of an attempt; times are aware UTC, durations seconds."""

    attempt_id: str
    revision: int
    lead_id: str
    campaign_id: str
    campaign_version: int
    team_id: str
    attempt_no: int
    segment: str
    score_band: str
    list_source: str | None
    region: str | None
    local_zone: str | None
    local_hour: int | None
    """Callee's hour of the redemption, 0..23."""
    code: str
    end_class: str
    fault: str
    sip_status: int | None
    q850_cause: int | None
    verdict: str | None
    charged: bool
    reached: bool
    human_answer: bool
    connected: bool
    abandoned: bool
    conversation: bool
    conversion: bool
    caller_id: str | None
    route_id: str | None
    trunk_id: str | None
    agent_id: str | None
    redeemed_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    pdd_seconds: float | None
    """INVITE to first 18x (post-dial delay)."""
    talk_seconds: float | None


def fact_of(event: CallDisposition) -> AttemptFact:
    """The row of a disposition."""
    context = event.context
    same = {
        name: getattr(event, name)
        for name in AttemptFact.__dataclass_fields__
        if hasattr(event, name) and name not in ("code", "end_class", "fault", "verdict")
    }
    pdd = (event.alerting_at - event.invited_at).total_seconds() if event.alerting_at and event.invited_at else None
    return AttemptFact(
        **same,
        attempt_no=context.attempt_no,
        segment=context.segment.value,
        score_band=context.score_band,
        list_source=context.list_source,
        region=context.region,
        local_zone=context.local_zone,
        local_hour=_local_hour(event.redeemed_at, context.local_zone),
        code=event.code.value,
        end_class=event.end_class.value,
        fault=event.fault.value,
        verdict=event.verdict.value if event.verdict else None,
        pdd_seconds=pdd,
    )


def connect_rate_by_local_hour(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float | int | None]]:
    """Hour -> {attempts, human_answers, connects, connect_rate}; numerator and denominator always (formats.md).

    `rows` have local_hour, charged, human_answer and connected.
    """
    hours: dict[str, dict[str, float | int | None]] = {}
    counts: dict[int, list[int]] = {}
    for row in rows:
        if row["local_hour"] is None or not row["charged"]:
            continue
        count = counts.setdefault(row["local_hour"], [0, 0, 0])
        count[0] += 1
        count[1] += bool(row["human_answer"])
        count[2] += bool(row["connected"])
    for hour, (attempts, humans, connects) in sorted(counts.items()):
        hours[f"{hour:02d}"] = {
            "attempts": attempts,
            "human_answers": humans,
            "connects": connects,
            "connect_rate": round(connects / attempts, 4),
        }
    return hours


def _local_hour(at: datetime | None, zone: str | None) -> int | None:
    return at.astimezone(ZoneInfo(zone)).hour if at is not None and zone is not None else None
