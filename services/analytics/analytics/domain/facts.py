"""One fact row per attempt, made from its newest disposition, and the connect rate over rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outdial_contracts.events import CallDisposition

UNKNOWN_HOUR = "unknown"
SAME = (
    "attempt_id", "revision", "lead_id", "campaign_id", "campaign_version", "team_id", "sip_status", "q850_cause",
    "charged", "reached", "human_answer", "connected", "abandoned", "conversation", "conversion", "caller_id",
    "route_id", "trunk_id", "agent_id", "redeemed_at", "answered_at", "ended_at", "talk_seconds",
)  # fmt: skip
"""Fields that a fact has from its disposition as they are."""


class ZoneUnknown(Exception):
    """The event names a zone that the pinned tzdata does not have; the text names it."""


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
    """Callee's hour when the call began, 0..23; None where the zone is not known."""
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
    """The row of a disposition. Raises ZoneUnknown."""
    context = event.context
    pdd = (event.alerting_at - event.invited_at).total_seconds() if event.alerting_at and event.invited_at else None
    return AttemptFact(
        **{name: getattr(event, name) for name in SAME},
        attempt_no=context.attempt_no,
        segment=context.segment.value,
        score_band=context.score_band,
        list_source=context.list_source,
        region=context.region,
        local_zone=context.local_zone,
        local_hour=local_hour(event.redeemed_at or event.invited_at or event.disposed_at, context.local_zone),
        code=event.code.value,
        end_class=event.end_class.value,
        fault=event.fault.value,
        verdict=event.verdict.value if event.verdict else None,
        pdd_seconds=pdd,
    )


def connect_rate_by_local_hour(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float | int]]:
    """Hour 00..23 or "unknown" -> {attempts, human_answers, connects, connect_rate}: all charged attempts are in it.

    connect_rate = connects / attempts (formats.md, Words). `rows` have local_hour, charged, human_answer, connected.
    """
    counts: dict[str, list[int]] = {}
    for row in rows:
        if row["charged"]:
            hour = UNKNOWN_HOUR if row["local_hour"] is None else f"{row['local_hour']:02d}"
            count = counts.setdefault(hour, [0, 0, 0])
            for place, counted in enumerate((True, row["human_answer"], row["connected"])):
                count[place] += bool(counted)
    return {
        hour: {
            "attempts": attempts,
            "human_answers": humans,
            "connects": connects,
            "connect_rate": round(connects / attempts, 4),
        }
        for hour, (attempts, humans, connects) in sorted(counts.items())
    }


def local_hour(at: datetime, zone: str | None) -> int | None:
    """The callee's hour at that moment, 0..23; None without a zone. Raises ZoneUnknown."""
    if zone is None:
        return None
    try:
        return at.astimezone(ZoneInfo(zone)).hour
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, as America
        raise ZoneUnknown(f"context.local_zone: {len(zone)} characters that name no zone of tzdata") from None
