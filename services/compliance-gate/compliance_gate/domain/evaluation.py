"""May this call be placed, now? One pure function over facts and rule rows (RULES.md, sections 1, 3 and 5).

Most restrictive wins: every applicable row is evaluated, the union of the failures blocks, and no rule cancels
another's failure. Only section 3's gates stop early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from compliance_gate.domain import consent
from compliance_gate.domain.facts import Attempt, Facts
from compliance_gate.domain.places import Place, locate, normalise
from compliance_gate.domain.rules import CapRule, RulePack, Scope, WindowRule
from outdial_contracts.events import BlockReason, ConsentLevel, Purpose, RuleOutcome

CAMPAIGN_CAP = "GATE-CAMPAIGN-CAP"
INTERNAL_DNC = "GATE-INTERNAL-DNC"
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

    @property
    def allowed(self) -> bool:
        """Whether the call may be placed."""
        return not self.reasons


def judge(facts: Facts, now: datetime, pack: RulePack) -> Verdict:
    """Reasons at the instant `now` (aware UTC), without looking ahead."""
    if facts.dependencies_down:
        return _only(BlockReason.DEPENDENCY_DOWN, "GATE-FAIL-CLOSED")
    e164 = normalise(facts.lead.phone, facts.lead.default_region, pack.areas)
    if e164 is None:
        return _only(BlockReason.INVALID_NUMBER, "GATE-E164")
    place = locate(e164, facts.lead.address, pack)
    if facts.call.purpose is Purpose.EMERGENCY:
        return Verdict(place=place)
    if place.countries - pack.countries:
        return _only(BlockReason.JURISDICTION_UNSUPPORTED, "GATE-JURISDICTION", place)
    if not place.zones or not place.countries:
        return _only(BlockReason.TZ_UNKNOWN, "GATE-TZ", place)
    return _verdict(list(_failures(facts, place, now, pack)), place)


def _only(reason: BlockReason, rule_id: str, place: Place | None = None) -> Verdict:
    return Verdict(reasons=(reason,), rule_ids=(rule_id,), place=place)


def _verdict(failures: list[Failure], place: Place) -> Verdict:
    return Verdict(
        reasons=tuple(sorted({reason for reason, _ in failures})),
        rule_ids=tuple(sorted({rule_id for _, rule_id in failures})),
        place=place,
    )


def _failures(facts: Facts, place: Place, now: datetime, pack: RulePack) -> Iterator[Failure]:
    for window in pack.windows:
        if _applies(window.scope, facts, place):
            yield from _window_failures(window, facts, place, now)
    for required in pack.consents:
        if _applies(required.scope, facts, place):
            reason = consent.failure(facts, place, required.level, now, pack.revoke_all_from)
            if reason is not None:
                yield reason, required.rule_id
    if any(_suppressed(facts, place, now, pack)):
        yield BlockReason.INTERNAL_DNC, INTERNAL_DNC
    for cap in caps_of(facts, place, pack):
        if sum(counted(cap, attempt, facts, now) for attempt in facts.attempts) >= cap.max_attempts:
            yield BlockReason.ATTEMPT_CAP, cap.rule_id


def _applies(scope: Scope, facts: Facts, place: Place) -> bool:
    call, lead = facts.call, facts.lead
    return scope.applies(place.jurisdictions, call.purpose, lead.consumer, call.mode, lead.line_type)


def _window_failures(rule: WindowRule, facts: Facts, place: Place, now: datetime) -> Iterator[Failure]:
    """Fails when any zone fails, at `now` or, with a ring time, when the phone may still ring then."""
    instants = {now, now + timedelta(seconds=facts.call.ring_seconds)}
    for zone in place.zones:
        for instant in instants:
            local = instant.astimezone(ZoneInfo(zone))
            windows = rule.windows.get(local.weekday(), ())
            if not windows:
                yield BlockReason.DAY_BANNED, rule.rule_id
            elif not any(opens <= local.time() < closes for opens, closes in windows):
                yield BlockReason.HOURS, rule.rule_id


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


def caps_of(facts: Facts, place: Place, pack: RulePack) -> Iterator[CapRule]:
    """The applicable caps: the pack's rows and the campaign's own."""
    yield from (cap for cap in pack.caps if _applies(cap.scope, facts, place))
    own = facts.call.person_cap
    if own is not None:
        yield CapRule(
            rule_id=CAMPAIGN_CAP,
            scope=Scope(jurisdiction="*"),
            max_attempts=own.max_attempts,
            window_hours=own.window_hours,
            same_topic=True,
            not_counted=frozenset(),
            citation="campaign.yaml retry.max_per_person",
        )


def counted(cap: CapRule, attempt: Attempt, facts: Facts, now: datetime) -> bool:
    """Whether an attempt counts against a cap: exactly the window's length ago no longer does."""
    return (
        attempt.at <= now < attempt.at + timedelta(hours=cap.window_hours)
        and (attempt.counts_until is None or now < attempt.counts_until)
        and attempt.seller_id == facts.call.seller_id
        and (not cap.same_topic or attempt.topic_id == facts.call.topic_id)
        and (not cap.scope.purposes or attempt.purpose in cap.scope.purposes)
        and not _ignored(attempt.outcomes, cap.not_counted)
    )


def _ignored(outcomes: tuple[RuleOutcome, ...], not_counted: frozenset[RuleOutcome]) -> bool:
    return bool(outcomes) and not_counted.issuperset(outcomes)
