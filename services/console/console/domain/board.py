"""The live board: campaigns, what pacer and analytics said of them last, what calls did; one JSON for all viewers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from console.domain.health import WORDS, Health, health_of
from console.domain.seen import Activity, SeenAttempt, SeenCalls, Stage
from outdial_contracts.events import CallEnded, CallProgress, CampaignPublished, CampaignState, ProgressStage, Verdict

KEPT_BUDGET_POINTS = 240
BUDGET_EVERY_SECONDS = 7.5
"""Half an hour of history."""
STAGES = {
    ProgressStage.INVITED: Stage.INVITED,
    ProgressStage.ALERTING: Stage.ALERTING,
    ProgressStage.EARLY_MEDIA: Stage.EARLY_MEDIA,
    ProgressStage.VERDICT: Stage.VERDICT,
    ProgressStage.ASSIGNED: Stage.ASSIGNED,
    ProgressStage.BRIDGED: Stage.BRIDGED,
}
COUNTED = {Stage.INVITED: "calls", Stage.BRIDGED: "connects"}
AGENT_STATES = ("available", "reserved", "talking", "wrapup", "no_leg", "paused")


@dataclass(kw_only=True)
class Told:
    """What a service said last, and since when it says nothing."""

    value: Any = None
    at: datetime | None = None
    away_since: datetime | None = None
    away: str = ""

    def answered(self, value: Any, now: datetime) -> None:
        """It answered."""
        self.value, self.at, self.away_since, self.away = value, now, None, ""

    def missed(self, why: str, now: datetime) -> None:
        """It did not; what it said before is kept."""
        self.away, self.away_since = why, self.away_since or now

    def status(self) -> dict[str, Any]:
        """For the page: {at, away, away_since}."""
        return {"at": _iso(self.at), "away": self.away or None, "away_since": _iso(self.away_since)}


@dataclass(kw_only=True)
class CampaignBoard:
    """One campaign."""

    published: CampaignPublished
    state: CampaignState = CampaignState.UNKNOWN
    activity: Activity = field(default_factory=Activity)
    why: Told = field(default_factory=Told)
    team: Told = field(default_factory=Told)
    hours: Told = field(default_factory=Told)
    today: Told = field(default_factory=Told)
    budget: deque[tuple[datetime, int]] = field(default_factory=lambda: deque(maxlen=KEPT_BUDGET_POINTS))

    def why_answered(self, value: Mapping[str, Any], now: datetime) -> None:
        """Also remembers how much of the drop budget is left."""
        self.why.answered(value, now)
        left = (value.get("facts") or {}).get("budget_left_calls")
        due = not self.budget or (now - self.budget[-1][0]).total_seconds() >= BUDGET_EVERY_SECONDS
        if left is not None and (due or self.budget[-1][1] != left):
            self.budget.append((now, left))


@dataclass(kw_only=True)
class Board:
    """All campaigns of this deployment."""

    zone: str = "UTC"
    campaigns: dict[str, CampaignBoard] = field(default_factory=dict)
    states: dict[str, CampaignState] = field(default_factory=dict)
    """Of campaigns whose document has not come yet, too."""
    calls: SeenCalls = field(default_factory=SeenCalls)

    def campaign_published(self, event: CampaignPublished) -> None:
        """A document or a state; the newest document counts."""
        if event.document is None:
            self.states[event.campaign_id] = event.state
            return
        known = self.campaigns.get(event.campaign_id)
        if known is None:
            self.campaigns[event.campaign_id] = CampaignBoard(published=event)
        elif known.published.version < event.version:
            known.published = event

    def call_progress(self, event: CallProgress) -> None:
        """A call reached a stage."""
        stage = STAGES.get(event.stage)
        if stage is None:
            return
        note = event.verdict.value if event.verdict else event.agent_id or ""
        if not self.calls.saw(_attempt(event), stage, event.at, note) or event.campaign_id not in self.campaigns:
            return
        activity = self.campaigns[event.campaign_id].activity
        if stage in COUNTED:
            activity.count(COUNTED[stage], event.at)
        if stage is Stage.VERDICT and event.verdict is Verdict.HUMAN:
            activity.count("answers", event.at)

    def call_ended(self, event: CallEnded) -> None:
        """A call ended; its answer is told along with it."""
        attempt = _attempt(event)
        if event.answered_at is not None:
            self.calls.saw(attempt, Stage.ANSWERED, event.answered_at)
        self.calls.saw(attempt, Stage.ENDED, event.ended_at, event.end_class.value)

    def since(self, now: datetime) -> datetime:
        """Midnight of today in the board's zone, as UTC."""
        local = now.astimezone(ZoneInfo(self.zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def snapshot(self, now: datetime) -> dict[str, Any]:
        """The whole board, JSON-able; rates with numerator and denominator, times as RFC 3339."""
        running = sorted(self.campaigns.items(), key=lambda pair: (self._order(pair[0]), pair[0]))
        return {
            "at": _iso(now),
            "zone": self.zone,
            "campaigns": [self._campaign(campaign_id, board, now) for campaign_id, board in running],
        }

    def _order(self, campaign_id: str) -> int:
        """Running ones first, then those without a state, stopped ones last."""
        order = {CampaignState.RUNNING: 0, CampaignState.PAUSED: 1, CampaignState.STOPPED: 3}
        return order.get(self.states.get(campaign_id, CampaignState.UNKNOWN), 2)

    def _campaign(self, campaign_id: str, board: CampaignBoard, now: datetime) -> dict[str, Any]:
        document, team = board.published.document, board.team.value or {}
        facts = (board.why.value or {}).get("facts") or {}
        state = self.states.get(campaign_id, CampaignState.UNKNOWN)
        return {
            "campaign_id": campaign_id,
            "version": board.published.version,
            "team_id": board.published.team_id,
            "state": "NOT STARTED" if state is CampaignState.UNKNOWN else state.value,
            "mode": document.mode.value if document else None,
            "health": _health(board.why),
            "agents": _agents(team),
            "live_calls": facts.get("live_calls"),
            "queued_offers": facts.get("queued_offers"),
            "drop": _drop(board, facts),
            "budget_left_calls": facts.get("budget_left_calls"),
            "abandon_limit": document.abandon_limit if document else None,
            "lines_per_agent": team.get("lines_per_agent"),
            "max_lines_per_agent": document.max_lines_per_agent if document else None,
            "utilisation": team.get("utilisation"),
            "connect": _rate((board.today.value or {}).get("connects"), (board.today.value or {}).get("attempts")),
            "hours": (board.hours.value or {}).get("hours"),
            "minutes": board.activity.series(now),
            "budget": [{"at": _iso(at), "left": left} for at, left in board.budget if now - at < timedelta(minutes=30)],
            "sources": {"pacer": board.why.status(), "analytics": board.today.status()},
        }


def _attempt(event: CallProgress | CallEnded) -> SeenAttempt:
    return SeenAttempt(attempt_id=event.attempt_id, campaign_id=event.campaign_id, lead_id=event.context.lead_id)


def _health(why: Told) -> dict[str, Any]:
    if why.value is None:
        return {"level": Health.UNKNOWN.value, "word": WORDS[Health.UNKNOWN], "binding": None, "sentence": why.away}
    if why.away:
        word, sentence = WORDS[Health.UNKNOWN], f"{why.away} It last said: {why.value.get('sentence')}"
        return {"level": Health.UNKNOWN.value, "word": word, "binding": "", "sentence": sentence}
    binding, sentence = str(why.value.get("binding", "")), str(why.value.get("sentence", ""))
    level = health_of(binding)
    return {"level": level.value, "word": WORDS[level], "binding": binding, "sentence": sentence}


def _agents(team: Mapping[str, Any]) -> dict[str, int] | None:
    if not team:
        return None
    counts = team.get("agents") or {}
    return {state: counts.get(state, 0) for state in AGENT_STATES}


def _drop(board: CampaignBoard, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Today as analytics counts it; the legal window as the pacer counts and obeys it."""
    today = board.today.value or {}
    return {
        "today": _rate(today.get("abandoned"), today.get("human_answers")),
        "window": _rate(facts.get("abandoned"), facts.get("humans")),
    }


def _rate(part: int | None, whole: int | None) -> dict[str, Any]:
    """{part, whole, rate}; the rate of nothing is None."""
    rate = part / whole if part is not None and whole else None
    return {"part": part, "whole": whole, "rate": rate}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
