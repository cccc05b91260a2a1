"""Caps and cool-downs: which earlier attempts count, and for how long (RULES.md 5.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta

from compliance_gate.domain.facts import Attempt, Facts
from compliance_gate.domain.local_time import local_time
from compliance_gate.domain.rules import CapRule, CooldownRule, Key
from outdial_contracts.events import RuleOutcome


def is_full(cap: CapRule, facts: Facts, now: datetime, zones: Collection[str]) -> bool:
    """Whether as many attempts count now as the cap allows."""
    counted = [attempt for attempt in facts.attempts if _may_count(cap, attempt, facts, now)]
    if not cap.window_days:
        window = timedelta(hours=cap.window_hours)
        return sum(now < attempt.at + window for attempt in counted) >= cap.max_attempts
    return any(
        sum(local_days(attempt.at, now, zone) < cap.window_days for attempt in counted) >= cap.max_attempts
        for zone in zones
    )


def _may_count(cap: CapRule, attempt: Attempt, facts: Facts, now: datetime) -> bool:
    return (
        attempt.at <= now
        and (attempt.counts_until is None or now < attempt.counts_until)
        and (not cap.scope.purposes or attempt.purpose in cap.scope.purposes)
        and (not cap.counted_modes or attempt.mode in cap.counted_modes)
        and _shares(cap.same, attempt, facts)
        and not _ignored(attempt.outcomes, cap.not_counted)
    )


def waits(rule: CooldownRule, facts: Facts, now: datetime, zones: Collection[str]) -> bool:
    """Whether some attempt with a triggering outcome is still too near."""
    if rule.lifted_by_guaranteed_agent and facts.call.agent_guaranteed:
        return False
    return any(
        _is_near(rule, attempt, now, zones)
        for attempt in facts.attempts
        if attempt.at <= now and rule.outcomes.intersection(attempt.outcomes) and _shares(rule.same, attempt, facts)
    )


def _is_near(rule: CooldownRule, attempt: Attempt, now: datetime, zones: Collection[str]) -> bool:
    if rule.wait_days:
        return any(local_days(attempt.at, now, zone) <= rule.wait_days for zone in zones)
    return now < attempt.at + timedelta(hours=rule.wait_hours)


def endings(rule: CapRule | CooldownRule, attempt: Attempt) -> Iterator[datetime]:
    """Instants at which an attempt stops counting; windows in days end at a local midnight and are not among them."""
    if isinstance(rule, CapRule):
        if not rule.window_days:
            yield attempt.at + timedelta(hours=rule.window_hours)
        if attempt.counts_until is not None:
            yield attempt.counts_until
    elif not rule.wait_days:
        yield attempt.at + timedelta(hours=rule.wait_hours)


def local_days(since: datetime, now: datetime, zone: str) -> int:
    """Local dates from `since` to `now`."""
    return (local_date(now, zone) - local_date(since, zone)).days


def local_date(instant: datetime, zone: str) -> date:
    """The date on the wall at an instant."""
    return local_time(instant, zone).date()


def _shares(keys: frozenset[Key], attempt: Attempt, facts: Facts) -> bool:
    call = facts.call
    return (
        (Key.SELLER not in keys or attempt.seller_id == call.seller_id)
        and (Key.TOPIC not in keys or attempt.topic_id == call.topic_id)
        and (Key.DEBT not in keys or attempt.debt_id == call.debt_id)
        and (Key.PHONE not in keys or attempt.same_number)
    )


def _ignored(outcomes: tuple[RuleOutcome, ...], not_counted: frozenset[RuleOutcome]) -> bool:
    """An attempt without an outcome yet counts as if it reached the person."""
    return bool(outcomes) and not_counted.issuperset(outcomes)
