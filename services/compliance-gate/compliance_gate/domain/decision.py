"""The decision on an offer: reasons, rules, and the first later instant at which the frozen facts would allow it.

RULES.md 1: facts dated after `now` are unknown and dropped; nothing else changes while `t` moves up to 60 days on.
Time alone turns a block into an allow only where a window opens, a local date changes (holidays, calendar-day caps,
effective dates), an attempt leaves a window in hours, or a suspension ends: the look-ahead tries those instants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from compliance_gate.domain.counting import endings, local_date
from compliance_gate.domain.evaluation import INTERNAL_DNC, Failure, Verdict, failures, gate, verdict_of
from compliance_gate.domain.facts import Facts, ListCopy
from compliance_gate.domain.local_time import zone
from compliance_gate.domain.places import Place
from compliance_gate.domain.rules import CapRule, ConsentRule, CooldownRule, ListRule, Rule, RulePack, WindowRule
from outdial_contracts.events import BlockReason

HORIZON = timedelta(days=60)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What `evaluate` answers."""

    reasons: tuple[BlockReason, ...]
    rule_ids: tuple[str, ...]
    next_allowed_at: datetime | None
    """`now` when allowed; else the earliest whole second that allows within 60 days; else None."""
    place: Place | None
    failures: frozenset[Failure] = frozenset()
    """Each failing rule with its reason."""

    @property
    def allowed(self) -> bool:
        """Whether the call may be placed."""
        return not self.reasons


def evaluate(facts: Facts, now: datetime, pack: RulePack) -> Decision:
    """Decides at `now` (aware UTC) and looks ahead when it blocks."""
    stop = gate(facts, pack)
    if isinstance(stop, Verdict):
        return _decision(stop, now if stop.allowed else None)
    place, rules = stop
    verdict = verdict_of(failures(facts, place, rules, now, pack), place)
    return _decision(verdict, now if verdict.allowed else _next_allowed(facts, now, pack, verdict, rules))


def barred(decision: Decision, more: Iterable[Failure]) -> Decision:
    """The decision with failures that no later time lifts."""
    found = decision.failures | frozenset(more)
    if found == decision.failures:
        return decision
    return replace(
        decision,
        reasons=tuple(sorted({reason for reason, _ in found})),
        rule_ids=tuple(sorted({rule_id for _, rule_id in found})),
        next_allowed_at=None,
        failures=found,
    )


def _decision(verdict: Verdict, next_allowed_at: datetime | None) -> Decision:
    return Decision(
        reasons=verdict.reasons,
        rule_ids=verdict.rule_ids,
        next_allowed_at=next_allowed_at,
        place=verdict.place,
        failures=verdict.failures,
    )


def _next_allowed(
    facts: Facts, now: datetime, pack: RulePack, verdict: Verdict, rules: tuple[Rule, ...]
) -> datetime | None:
    place = verdict.place
    if place is None or not _may_heal(verdict, rules):
        return None
    frozen = freeze(facts, now)
    for instant in sorted(set(_boundaries(frozen, place, now, rules))):
        if now < instant <= now + HORIZON and not any(failures(frozen, place, rules, instant, pack)):
            return instant
    return None


def _may_heal(verdict: Verdict, rules: tuple[Rule, ...]) -> bool:
    """Whether no failing rule is one that time alone never lifts: a consent, a list or the company's own list."""
    lasting = {
        rule.rule_id for rule in rules if isinstance(rule, ConsentRule | ListRule) and rule.scope.until_date is None
    }
    return lasting.isdisjoint(verdict.rule_ids) and INTERNAL_DNC not in verdict.rule_ids


def freeze(facts: Facts, now: datetime) -> Facts:
    """The facts as known at `now`: what is dated later is dropped, schedules (expiry) are kept."""
    gone = facts.lead.rnd_disconnected_at
    return replace(
        facts,
        lead=replace(facts.lead, rnd_disconnected_at=gone if gone is not None and gone <= now else None),
        consents=tuple(
            replace(c, revoked_at=c.revoked_at if c.revoked_at is not None and c.revoked_at <= now else None)
            for c in facts.consents
            if c.granted_at <= now
        ),
        suppressions=tuple(s for s in facts.suppressions if s.requested_at <= now),
        attempts=tuple(a for a in facts.attempts if a.at <= now),
        lists={
            name: copy if copy.as_of is not None and copy.as_of <= now else ListCopy(as_of=None, listed=copy.listed)
            for name, copy in facts.lists.items()
        },
    )


def _boundaries(facts: Facts, place: Place, now: datetime, rules: tuple[Rule, ...]) -> Iterator[datetime]:
    """Instants at which something may begin to be allowed, rounded up to whole seconds."""
    for rule in rules:
        if isinstance(rule, CapRule | CooldownRule):
            for attempt in facts.attempts:
                yield from map(_whole_second, endings(rule, attempt))
    for suspension in facts.suspensions:
        if suspension.ends_at is not None:
            yield _whole_second(suspension.ends_at)
    openings = frozenset({time()}).union(
        opens for rule in rules if isinstance(rule, WindowRule) for spans in rule.windows.values() for opens, _ in spans
    )
    for name in place.zones:
        yield from _openings_from(local_date(now, name), name, openings)


@lru_cache(maxsize=1024)
def _openings_from(first: date, zone_name: str, openings: frozenset[time]) -> frozenset[datetime]:
    """Instants (UTC) of these wall-clock times on `first` and each day to the horizon."""
    days = (first + timedelta(days=n) for n in range(HORIZON.days + 2))
    return frozenset(
        instant
        for day in days
        for opens in openings
        for instant in _instants_of(datetime.combine(day, opens, zone(zone_name)))
    )


def _instants_of(local: datetime) -> Iterator[datetime]:
    """The instant of a wall-clock time; both where the hour comes twice, and the first after a gap it falls into."""
    for fold in (0, 1):
        yield local.replace(fold=fold).astimezone(UTC)


def _whole_second(instant: datetime) -> datetime:
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)
