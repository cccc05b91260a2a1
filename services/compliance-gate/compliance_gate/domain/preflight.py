"""What the rules would say to a lead over the hours to come, with the facts as they are known now.

An hour's answer is that of `evaluate` on the frozen facts at its mark (RULES.md 1): nothing else changes while time
goes on. The rows on calling hours look at zones and clock alone, so leads of one place share their answer; the other
rows are asked at every mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from compliance_gate.domain.counting import local_date
from compliance_gate.domain.decision import Decision, barred, evaluate, freeze
from compliance_gate.domain.ends import caller_id_failures, shown_of
from compliance_gate.domain.evaluation import Failure, Verdict, failures, gate
from compliance_gate.domain.facts import Facts, ListInForce
from compliance_gate.domain.places import Place
from compliance_gate.domain.rules import ListRule, Rule, RulePack, WindowRule
from outdial_contracts.events import BlockReason

LONGEST_LOOK = timedelta(days=14)
HOUR = timedelta(hours=1)
WAITS = (
    BlockReason.STATE_OF_EMERGENCY, BlockReason.ATTEMPT_CAP, BlockReason.COOLDOWN, BlockReason.HOLIDAY,
    BlockReason.DAY_BANNED, BlockReason.HOURS,
)  # fmt: skip
"""Reasons that time lifts by itself, the longest first; every other reason is harder."""


def marks_of(at: datetime, until: datetime) -> tuple[datetime, ...]:
    """`at`, then every whole hour up to `until`; both aware UTC."""
    first = at.replace(minute=0, second=0, microsecond=0) + HOUR
    return (at, *(first + n * HOUR for n in range((until - first) // HOUR + 1)))


def hardest(reasons: Iterable[BlockReason]) -> BlockReason | None:
    """The reason that stands longest in the way, so that a lead counts once; None when nothing does."""
    return min(reasons, key=lambda reason: (WAITS.index(reason) if reason in WAITS else -1, reason), default=None)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One lead's answers."""

    decision: Decision
    """Now, with the first later instant that allows."""
    hours: tuple[BlockReason | None, ...]
    """At each mark the hardest reason, None while it may be called."""
    lists: frozenset[str]
    """External lists that its rules ask now."""


class Forecaster:
    """Looks ahead for the leads of one campaign, at the same marks for all."""

    def __init__(self, marks: Sequence[datetime], caller_ids: Sequence[str], pack: RulePack) -> None:
        self._marks, self._caller_ids, self._pack = marks, caller_ids, pack
        self._windows: dict[tuple[frozenset[str], tuple[str, ...], int], tuple[frozenset[Failure], ...]] = {}

    def outlook(self, facts: Facts) -> Outlook:
        """The lead's answers at the first mark, which is now, and at every other."""
        now = self._marks[0]
        decision = evaluate(facts, now, self._pack)
        reached = gate(facts, self._pack)
        shown = [frozenset(self._unshown(facts, decision.place, mark)) for mark in self._marks]
        whole = barred(decision, shown[0])
        if isinstance(reached, Verdict):
            hours = tuple(_hardest(reached.failures | barring) for barring in shown)
            return Outlook(decision=whole, hours=hours, lists=frozenset())
        place, rules = reached
        hours = tuple(
            _hardest(found | barring) for found, barring in zip(self._ahead(facts, place, rules), shown, strict=True)
        )
        return Outlook(decision=whole, hours=hours, lists=_lists(rules, place, now))

    def _ahead(self, facts: Facts, place: Place, rules: tuple[Rule, ...]) -> Iterable[frozenset[Failure]]:
        windows = tuple(rule for rule in rules if isinstance(rule, WindowRule))
        others = tuple(rule for rule in rules if not isinstance(rule, WindowRule))
        key = place.zones, tuple(rule.rule_id for rule in windows), facts.call.ring_seconds
        if key not in self._windows:
            bare = replace(facts, suppressions=(), suspensions=())
            self._windows[key] = tuple(
                frozenset(failures(bare, place, windows, mark, self._pack)) for mark in self._marks
            )
        frozen = freeze(facts, self._marks[0])
        for shut, mark in zip(self._windows[key], self._marks, strict=True):
            yield shut.union(failures(frozen, place, others, mark, self._pack))

    def _unshown(self, facts: Facts, place: Place | None, mark: datetime) -> Iterable[Failure]:
        if place is None or not self._caller_ids:
            return ()
        shown = shown_of([facts], place, mark, self._pack)
        return caller_id_failures(self._caller_ids, shown, facts.call.purpose, self._pack)


def _hardest(found: frozenset[Failure]) -> BlockReason | None:
    return hardest(reason for reason, _ in found)


def _lists(rules: tuple[Rule, ...], place: Place, now: datetime) -> frozenset[str]:
    dates = {local_date(now, zone) for zone in place.zones}
    return frozenset(r.rule_id for r in rules if isinstance(r, ListRule) and any(map(r.scope.in_force, dates)))


@dataclass(frozen=True, kw_only=True)
class ListNeed:
    """An external list that leads need, and the copy in force."""

    list_id: str
    leads: int
    as_of: datetime | None
    """None: no copy was ever loaded."""
    max_age_days: int
    state: str
    """FRESH, STALE or MISSING."""


def lists_needed(
    outlooks: Sequence[Outlook], in_force: Mapping[str, ListInForce], now: datetime, pack: RulePack
) -> list[ListNeed]:
    """Every list that some lead needs now, and how its copy stands."""
    needs = []
    for list_id, leads in sorted(Counter(name for one in outlooks for name in one.lists).items()):
        row, copy = pack.rule(list_id), in_force.get(list_id)
        if not isinstance(row, ListRule):
            continue
        fresh = copy is not None and timedelta() <= now - copy.as_of <= timedelta(days=row.max_age_days)
        needs.append(
            ListNeed(
                list_id=list_id,
                leads=leads,
                as_of=copy.as_of if copy is not None else None,
                max_age_days=row.max_age_days,
                state="MISSING" if copy is None else "FRESH" if fresh else "STALE",
            )
        )
    return needs
