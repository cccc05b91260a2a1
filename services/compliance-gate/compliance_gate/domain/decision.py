"""The decision on an offer: reasons, rules, and the first later instant at which the frozen facts would allow it.

RULES.md 1: facts dated after `now` are unknown and dropped; nothing else changes while `t` moves up to 60 days on.
Within this pack only two things can turn a block into an allow: a window that opens and an attempt that leaves a cap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from compliance_gate.domain.evaluation import Verdict, caps_of, judge
from compliance_gate.domain.facts import Facts
from compliance_gate.domain.places import Place
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import BlockReason

HORIZON = timedelta(days=60)
HEALS_WITH_TIME = frozenset({BlockReason.HOURS, BlockReason.DAY_BANNED, BlockReason.ATTEMPT_CAP})


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What `evaluate` answers."""

    reasons: tuple[BlockReason, ...]
    rule_ids: tuple[str, ...]
    next_allowed_at: datetime | None
    """`now` when allowed; else the earliest whole second that allows within 60 days; else None."""
    place: Place | None

    @property
    def allowed(self) -> bool:
        """Whether the call may be placed."""
        return not self.reasons


def evaluate(facts: Facts, now: datetime, pack: RulePack) -> Decision:
    """Decides at `now` (aware UTC) and looks ahead when it blocks."""
    verdict = judge(facts, now, pack)
    return Decision(
        reasons=verdict.reasons,
        rule_ids=verdict.rule_ids,
        next_allowed_at=now if verdict.allowed else _next_allowed(facts, now, pack, verdict),
        place=verdict.place,
    )


def _next_allowed(facts: Facts, now: datetime, pack: RulePack, verdict: Verdict) -> datetime | None:
    if verdict.place is None or not HEALS_WITH_TIME.issuperset(verdict.reasons):
        return None
    frozen = freeze(facts, now)
    for instant in sorted(set(_boundaries(frozen, verdict.place, now, pack))):
        if now < instant <= now + HORIZON and judge(frozen, instant, pack).allowed:
            return instant
    return None


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
    )


def _boundaries(facts: Facts, place: Place, now: datetime, pack: RulePack) -> Iterator[datetime]:
    """Instants at which a window opens in some zone or an attempt leaves a cap, rounded up to whole seconds."""
    for cap in caps_of(facts, place, pack):
        for attempt in facts.attempts:
            yield _whole_second(attempt.at + timedelta(hours=cap.window_hours))
            if attempt.counts_until is not None:
                yield _whole_second(attempt.counts_until)
    for name in place.zones:
        zone = ZoneInfo(name)
        today = now.astimezone(zone).date()
        for day in (today + timedelta(days=n) for n in range(HORIZON.days + 2)):
            for rule in pack.windows:
                for opens, _ in rule.windows.get(day.weekday(), ()):
                    yield datetime.combine(day, opens, zone).astimezone(now.tzinfo)


def _whole_second(instant: datetime) -> datetime:
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)
