"""Every redeemed attempt ends in exactly one disposition, in time, and counts if it was dialled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from outdial_contracts.events import CallDisposition, GatewayCapacity
from outdial_world.invariants.facts import Facts, Redeemed
from outdial_world.invariants.violation import Name, Violation

NO_NEWS = timedelta(seconds=30)
SLACK = timedelta(seconds=45)
"""Ticks, the way there and back, a tired consumer."""


def check(facts: Facts) -> Iterator[Violation]:
    """All of them."""
    listed = _last_listed(facts)
    for redeemed in facts.redeemed.values():
        yield from _one(facts, redeemed)
        yield from _in_time(facts, redeemed, listed.get(redeemed.attempt_id))
    for attempt_id in facts.dispositions.keys() - facts.redeemed.keys():
        detail = "disposed of, never redeemed"
        yield Violation(name=Name.ONE_DISPOSITION, detail=detail, attempt_id=attempt_id)
    for attempt_id in facts.invites:
        if attempt_id in facts.dispositions and not facts.charged(attempt_id):
            detail = "an INVITE was seen at the carrier, and the disposition is not charged"
            yield Violation(name=Name.DIALLED_IS_CHARGED, detail=detail, attempt_id=attempt_id)


def _one(facts: Facts, redeemed: Redeemed) -> Iterator[Violation]:
    """Revision 1 once, every later revision once, none left out."""
    revisions = Counter(event.revision for event in _events(facts, redeemed.attempt_id))
    if sorted(revisions) != list(range(1, len(revisions) + 1)) or not revisions or max(revisions.values()) > 1:
        said = ", ".join(f"{n} times revision {r}" for r, n in sorted(revisions.items())) or "none"
        detail = f"dispositions of the attempt: {said}"
        yield Violation(name=Name.ONE_DISPOSITION, detail=detail, attempt_id=redeemed.attempt_id, at=redeemed.at)


def _in_time(facts: Facts, redeemed: Redeemed, listed_at: datetime | None) -> Iterator[Violation]:
    """Without news of the end: so long after the redemption, or after its gateway last listed it."""
    first = min((event.disposed_at for event in _events(facts, redeemed.attempt_id)), default=None)
    if first is None or redeemed.attempt_id in facts.ended:
        return
    ring = timedelta(seconds=redeemed.event.ring_timeout_seconds)
    due_at = max(redeemed.at + ring + NO_NEWS, (listed_at or redeemed.at) + NO_NEWS)
    if first > due_at + SLACK and not facts.stalled("disposition", redeemed.at, first):
        late = (first - due_at).total_seconds()
        detail = f"closed {late:.0f} s after its deadline"
        yield Violation(name=Name.DISPOSITION_IN_TIME, detail=detail, attempt_id=redeemed.attempt_id, at=first)


def _last_listed(facts: Facts) -> dict[str, datetime]:
    listed: dict[str, datetime] = {}
    for record in facts.history.records_of(GatewayCapacity):
        if isinstance(record.event, GatewayCapacity):
            listed.update(dict.fromkeys(record.event.live_attempt_ids, record.at))
    return listed


def _events(facts: Facts, attempt_id: str) -> list[CallDisposition]:
    records = facts.dispositions.get(attempt_id, ())
    return [record.event for record in records if isinstance(record.event, CallDisposition)]
