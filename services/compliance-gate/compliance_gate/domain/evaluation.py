"""May this call be placed, now? One pure function over facts and rule rows (RULES.md, sections 1, 3 and 5).

Most restrictive wins: every applicable row is evaluated, the union of the failures blocks, and no rule cancels
another's failure. Only section 3's gates stop early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from compliance_gate.domain import consent
from compliance_gate.domain.counting import is_full, local_date, waits
from compliance_gate.domain.exemptions import lifts
from compliance_gate.domain.facts import Facts, PersonCap
from compliance_gate.domain.local_time import local_time
from compliance_gate.domain.places import Place, locate, normalise
from compliance_gate.domain.rules import (
    CapRule,
    ConsentRule,
    CooldownRule,
    Key,
    ListRule,
    Origin,
    Rule,
    RulePack,
    Scope,
    WindowRule,
)
from outdial_contracts.events import BlockReason, ConsentLevel, Purpose

CAMPAIGN_CAP = "GATE-CAMPAIGN-CAP"
INTERNAL_DNC = "GATE-INTERNAL-DNC"
SUSPENSION = "US-EMERGENCY-SUSPENSION"
Failure = tuple[BlockReason, str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Reasons and rules that fail at one instant; no reason means allowed."""

    reasons: tuple[BlockReason, ...] = ()
    """Sorted, distinct."""
    rule_ids: tuple[str, ...] = ()
    """Sorted, distinct."""
    place: Place | None = None
    """None while the number is not valid."""
    failures: frozenset[Failure] = frozenset()

    @property
    def allowed(self) -> bool:
        """Whether the call may be placed."""
        return not self.failures


def judge(facts: Facts, now: datetime, pack: RulePack) -> Verdict:
    """Reasons at the instant `now` (aware UTC), without looking ahead."""
    stop = gate(facts, pack)
    if isinstance(stop, Verdict):
        return stop
    place, rules = stop
    return verdict_of(failures(facts, place, rules, now, pack), place)


def gate(facts: Facts, pack: RulePack) -> Verdict | tuple[Place, tuple[Rule, ...]]:
    """Section 3's short-circuits, or the place and the rows whose scope the call is in (dates aside)."""
    if facts.dependencies_down:
        return _only(BlockReason.DEPENDENCY_DOWN, "GATE-FAIL-CLOSED")
    e164 = normalise(facts.lead.phone, facts.lead.default_region, pack.geography)
    if e164 is None:
        return _only(BlockReason.INVALID_NUMBER, "GATE-E164")
    place = locate(e164, facts.lead.address, pack)
    if facts.call.purpose is Purpose.EMERGENCY:
        return Verdict(place=place)
    if place.countries - pack.countries:
        return _only(BlockReason.JURISDICTION_UNSUPPORTED, "GATE-JURISDICTION", place)
    if not place.zones or not place.countries:
        return _only(BlockReason.TZ_UNKNOWN, "GATE-TZ", place)
    return place, tuple(_applicable(facts, place, pack))


def _only(reason: BlockReason, rule_id: str, place: Place | None = None) -> Verdict:
    return Verdict(reasons=(reason,), rule_ids=(rule_id,), place=place, failures=frozenset({(reason, rule_id)}))


def verdict_of(found: Iterator[Failure], place: Place) -> Verdict:
    """Sorted and made distinct."""
    distinct = frozenset(found)
    return Verdict(
        reasons=tuple(sorted({reason for reason, _ in distinct})),
        rule_ids=tuple(sorted({rule_id for _, rule_id in distinct})),
        place=place,
        failures=distinct,
    )


def _applicable(facts: Facts, place: Place, pack: RulePack) -> Iterator[Rule]:
    call, lead = facts.call, facts.lead
    yield from pack.in_scope(place.jurisdictions, call.purpose, lead.consumer, call.mode, lead.line_type)
    if call.person_cap is not None:
        yield _campaign_cap(call.person_cap)


@lru_cache(maxsize=256)
def _campaign_cap(cap: PersonCap) -> CapRule:
    """The campaign's own cap as a row."""
    return CapRule(
        rule_id=CAMPAIGN_CAP,
        scope=Scope(jurisdiction="*"),
        origin=Origin(citation="campaign.yaml retry.max_per_person"),
        max_attempts=cap.max_attempts,
        window_hours=cap.window_hours,
        same=frozenset({Key.SELLER, Key.TOPIC}),
    )


def failures(facts: Facts, place: Place, rules: tuple[Rule, ...], now: datetime, pack: RulePack) -> Iterator[Failure]:
    """What fails at `now` (aware UTC) among the rows in scope and the gate's own rules."""
    dates = {local_date(now, zone) for zone in place.zones}
    for rule in rules:
        if isinstance(rule, WindowRule):
            yield from _window_failures(rule, facts, place, now)
        elif any(map(rule.scope.in_force, dates)):
            reason = _reason(rule, facts, place, now, pack.revoke_all_from)
            if reason is not None:
                yield reason, rule.rule_id
    if any(_suppressed(facts, place, now, pack)):
        yield BlockReason.INTERNAL_DNC, INTERNAL_DNC
    if _suspended(facts, place, now):
        yield BlockReason.STATE_OF_EMERGENCY, SUSPENSION


def _reason(
    rule: ConsentRule | CapRule | CooldownRule | ListRule,
    facts: Facts,
    place: Place,
    now: datetime,
    revoke_all_from: date,
) -> BlockReason | None:
    """Why a row fails, or None."""
    match rule:
        case ConsentRule():
            reason = consent.failure(facts, place, rule.level, now, revoke_all_from)
        case CapRule():
            reason = BlockReason.ATTEMPT_CAP if is_full(rule, facts, now, place.zones) else None
        case CooldownRule():
            return BlockReason.COOLDOWN if waits(rule, facts, now, place.zones) else None
        case ListRule():
            reason = _list_reason(rule, facts, now)
            if reason is not BlockReason.DNC_LISTED:
                return reason  # freshness is required even where an exemption exists
    if reason is not None and lifts(rule.lifted_by, facts, place, now, revoke_all_from):
        return None
    return reason


def _list_reason(rule: ListRule, facts: Facts, now: datetime) -> BlockReason | None:
    """RULES.md 5.6: exactly the maximum age is still fresh."""
    copy = facts.lists.get(rule.rule_id)
    if copy is None:
        return BlockReason.SCRUB_MISSING
    if copy.as_of is None or not timedelta() <= now - copy.as_of <= timedelta(days=rule.max_age_days):
        return BlockReason.SCRUB_STALE
    return BlockReason.DNC_LISTED if copy.listed else None


def _window_failures(rule: WindowRule, facts: Facts, place: Place, now: datetime) -> Iterator[Failure]:
    """Fails when any zone fails, at `now` or, with a ring time, when the phone may still ring then."""
    instants = {now, now + timedelta(seconds=facts.call.ring_seconds)}
    for zone in place.zones:
        for instant in instants:
            reason = _window_reason(rule, local_time(instant, zone))
            if reason is not None:
                yield reason, rule.rule_id


def _window_reason(rule: WindowRule, local: datetime) -> BlockReason | None:
    """RULES.md 5.1: at most one code in each zone."""
    day = local.date()
    if not rule.scope.in_force(day):
        return None
    if rule.holidays is not None and day in rule.holidays:
        return BlockReason.HOLIDAY
    windows = rule.windows.get(local.weekday(), ())
    if not windows:
        return BlockReason.DAY_BANNED
    return None if any(opens <= local.time() < closes for opens, closes in windows) else BlockReason.HOURS


def _suspended(facts: Facts, place: Place, now: datetime) -> bool:
    """RULES.md 5.2 (N.Y. Gen. Bus. Law 399-z(5-a))."""
    if facts.call.purpose is not Purpose.MARKETING or not facts.lead.consumer:
        return False
    return any(
        entry.region in place.jurisdictions
        and entry.starts_at <= now
        and (entry.ends_at is None or now < entry.ends_at)
        for entry in facts.suspensions
    )


def _suppressed(facts: Facts, place: Place, now: datetime, pack: RulePack) -> Iterator[bool]:
    """RULES.md 5.5: lifted only for one seller's entry, by a written consent given after the request."""
    for entry in facts.suppressions:
        if entry.seller_id not in (facts.call.seller_id, "*") or entry.requested_at > now:
            continue
        if entry.seller_id == "*":
            yield True
            continue
        level, since = ConsentLevel.PEWC, entry.requested_at
        yield consent.failure(facts, place, level, now, pack.revoke_all_from, granted_after=since) is not None
