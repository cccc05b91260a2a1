"""The live board: campaigns, what pacer and analytics said of them last, what calls did; one JSON for all viewers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from console.domain.health import WORDS, Health, health_of
from console.domain.seen import Activity, SeenAttempt, SeenCalls, Stage
from outdial_contracts.events import (
    AbandonBudget,
    CallEnded,
    CallProgress,
    CampaignPublished,
    CampaignState,
    ProgressStage,
    Verdict,
)

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
    legal: AbandonBudget | None = None
    """The gate's word on the drop budget of its legal campaign, all teams together."""
    budget: deque[tuple[datetime, int]] = field(default_factory=lambda: deque(maxlen=KEPT_BUDGET_POINTS))

    def why_answered(self, value: Mapping[str, Any], now: datetime) -> None:
        """Also remembers how much of the drop budget is left, by the pacer's count where the gate says nothing."""
        self.why.answered(value, now)
        self._note_left(self.budget_left, now)

    def gate_counted(self, event: AbandonBudget, now: datetime) -> None:
        """The gate's word wins over the pacer's count."""
        self.legal = event
        self._note_left(self.budget_left, now)

    @property
    def budget_left(self) -> int | None:
        """Whole calls that may still be dropped; below 0 when overspent."""
        if self.legal is not None:
            return floor(self.legal.left_calls)
        left: int | None = ((self.why.value or {}).get("facts") or {}).get("budget_left_calls")
        return left

    def _note_left(self, left: int | None, now: datetime) -> None:
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
    budgets: dict[str, AbandonBudget] = field(default_factory=dict)
    """By legal campaign."""

    def abandon_budget(self, event: AbandonBudget, now: datetime) -> None:
        """What a legal campaign may still drop; an older word that comes again changes nothing."""
        known = self.budgets.get(event.legal_campaign)
        if known is not None and known.at > event.at:
            return
        self.budgets[event.legal_campaign] = event
        for board in self.campaigns.values():
            if _legal_campaign(board.published) == event.legal_campaign:
                board.gate_counted(event, now)

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
        self.campaigns[event.campaign_id].legal = self.budgets.get(_legal_campaign(event))

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
            "budget_left_calls": board.budget_left,
            "budget_by": "gate" if board.legal else "pacer",
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


def _legal_campaign(published: CampaignPublished) -> str:
    """Seller and offer."""
    document = published.document
    return f"{document.seller_id}/{document.topic_id}" if document else ""


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
    """Today as analytics counts it; the legal window that binds as the gate counts it, else as the pacer does."""
    today, window = board.today.value or {}, _rate(facts.get("abandoned"), facts.get("humans"))
    if board.legal is not None:
        binding = min(board.legal.windows, key=lambda w: w.left_calls, default=None)
        spent = round(binding.abandoned + binding.machine_people, 1) if binding else 0
        window = _rate(int(spent) if spent == int(spent) else spent, binding.humans if binding else 0)
    return {"today": _rate(today.get("abandoned"), today.get("human_answers")), "window": window}


def _rate(part: float | None, whole: int | None) -> dict[str, Any]:
    """{part, whole, rate}; the rate of nothing is None."""
    rate = part / whole if part is not None and whole else None
    return {"part": part, "whole": whole, "rate": rate}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
