"""The drop budget of a legal campaign: its windows, what is left, and each team's part of that.

Every team adds what it saw itself and the gate did not count yet to its own part only, so parts that add up to what is
left are spent together at most once. A part follows the people who answered to the team in the window that binds, so
that parts move slowly: while one team still holds the part before, together they may overspend by what moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import floor

from compliance_gate.domain.drop_counts import Slot, Tally, total
from compliance_gate.domain.drop_limits import DropLimits, LegalCampaign, Window
from outdial_contracts.events import AbandonBudget, DropAllotment, DropWindow

FREE_CALLS = 100
"""formats.md: a new campaign may overdial from its first call."""
PARTS_OF_A_CALL = 10_000


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the published documents say of a legal campaign."""

    campaign: LegalCampaign
    limit: float
    """The lowest that any of its campaigns asks for, 0..1."""
    teams: Mapping[str, bool]
    """team_id -> whether any of its campaigns of this legal campaign runs."""


@dataclass(frozen=True, kw_only=True)
class DropBook:
    """What is counted of a legal campaign."""

    firsts: Mapping[str, date] = field(default_factory=dict)
    """Jurisdiction -> day of the first call."""
    days: Mapping[Slot, Tally] = field(default_factory=dict)
    """The days that a window may hold now."""
    teams: Mapping[str, Tally] = field(default_factory=dict)
    """team_id -> since ever."""
    said: AbandonBudget | None = None
    """As it was published last."""


def budget(terms: Terms, law: DropLimits, book: DropBook, now: datetime) -> AbandonBudget:
    """The budget now, under the next revision."""
    windows = [_window(terms, law, book, jurisdiction, now) for jurisdiction in sorted(book.firsts)]
    current = [window for window in windows if window is not None]
    binding = min(current, key=lambda w: (w.left_calls, w.jurisdiction), default=None)
    limit = binding.limit if binding else min(terms.limit, law.lowest)
    left = binding.left_calls if binding else down(limit * FREE_CALLS)
    parts = allot(left, {team: _weight(book, binding, team, terms) for team in terms.teams})
    teams = sorted({*terms.teams, *book.teams})
    return AbandonBudget(
        legal_campaign=terms.campaign.key,
        seller_id=terms.campaign.seller_id,
        topic_id=terms.campaign.topic_id,
        revision=book.said.revision + 1 if book.said else 1,
        limit=limit,
        left_calls=left,
        windows=tuple(current),
        teams=tuple(_allotment(team, parts, book) for team in teams),
        at=now,
    )


def news(book: DropBook, new: AbandonBudget) -> bool:
    """Whether it says anything that was not said before."""
    said = book.said
    return said is None or replace(new, revision=said.revision, at=said.at) != said


def allot(left: float, weights: Mapping[str, float]) -> dict[str, float]:
    """Each team's part, by weight; they never add up to more than what is left, and an overspent budget is shared too.

    A team whose weight is 0 has no part; without any weight nobody has one.
    """
    whole = sum(weights.values())
    if not whole:
        return {}
    return {team: down(left * (weight / whole)) for team, weight in weights.items() if weight}


def down(calls: float) -> float:
    """Rounded down to a ten-thousandth of a call, so that parts never add up to more than the whole."""
    return floor(round(calls * PARTS_OF_A_CALL, 6)) / PARTS_OF_A_CALL


def _window(terms: Terms, law: DropLimits, book: DropBook, jurisdiction: str, now: datetime) -> DropWindow | None:
    """The current window of a jurisdiction; None while nobody was called there in it."""
    row = law.of(jurisdiction)
    window = row.window(book.firsts[jurisdiction], now.date())
    tallies = [t for s, t in book.days.items() if s.jurisdiction == jurisdiction and window.holds(s.day)]
    if not tallies:
        return None
    counted, limit = total(tallies), min(row.limit, terms.limit)
    return DropWindow(
        jurisdiction=jurisdiction,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        limit=limit,
        humans=counted.humans,
        abandoned=counted.abandoned,
        machine_hangups=counted.machine_hangups,
        sampled=counted.sampled,
        sampled_humans=counted.sampled_humans,
        machine_people=counted.machine_people,
        left_calls=down(counted.left(limit)),
    )


def _weight(book: DropBook, binding: DropWindow | None, team_id: str, terms: Terms) -> float:
    """People who answered to the team in the window that binds, and its share of the free calls; 0 where none runs."""
    if not terms.teams[team_id]:
        return 0.0
    free = FREE_CALLS / sum(terms.teams.values())
    if binding is None:
        return free
    window = Window(first=binding.starts_at.date(), after=binding.ends_at.date())
    return free + sum(
        tally.humans
        for slot, tally in book.days.items()
        if slot.team_id == team_id and slot.jurisdiction == binding.jurisdiction and window.holds(slot.day)
    )


def _allotment(team_id: str, parts: Mapping[str, float], book: DropBook) -> DropAllotment:
    counted = book.teams.get(team_id, Tally())
    return DropAllotment(
        team_id=team_id,
        allotted_calls=parts.get(team_id, 0.0),
        humans=counted.humans,
        abandoned=counted.seen_abandoned,
    )
