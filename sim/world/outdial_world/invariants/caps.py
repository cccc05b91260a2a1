"""One open attempt, the retry budget and the law's caps, counted over redemptions; refusals need a cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from outdial_contracts.events import (
    BlockReason,
    ClearanceClosed,
    CloseOutcome,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
    SuppressionChanged,
)
from outdial_world.history import TopicRecord
from outdial_world.invariants.dialling import first_disposition_at
from outdial_world.invariants.facts import Facts, Redeemed
from outdial_world.invariants.violation import Name, Violation

LEGAL_WINDOW = timedelta(hours=24)


def check(facts: Facts) -> Iterator[Violation]:
    """At every redemption, and at every refusal."""
    yield from _open(facts, facts.person, Name.OPEN_ATTEMPT_PER_PERSON, "person")
    yield from _open(facts, facts.number, Name.OPEN_ATTEMPT_PER_NUMBER, "number")
    for redeemed in facts.redeemed.values():
        yield from _within(facts, redeemed)
    for record in facts.unique(LeadReady):
        yield from _offered(facts, record)
    for record in [*facts.unique(ComplianceBlocked), *facts.unique(ClearanceClosed)]:
        yield from _for_cause(facts, record)


def _open(facts: Facts, who: Callable[[str], str | None], name: Name, what: str) -> Iterator[Violation]:
    """Whoever is redeemed has no other attempt whose disposition was not published yet."""
    last: dict[str, list[Redeemed]] = defaultdict(list)
    for redeemed in facts.redeemed.values():
        key = who(redeemed.attempt_id)
        if key is None:
            continue
        for earlier in last[key]:
            closed_at = first_disposition_at(facts, earlier.attempt_id)
            if closed_at is None or closed_at > redeemed.at:
                detail = f"another attempt of the {what} was open when it was redeemed: {earlier.attempt_id}"
                yield Violation(name=name, detail=detail, attempt_id=redeemed.attempt_id, at=redeemed.at)
        last[key].append(redeemed)


def _within(facts: Facts, redeemed: Redeemed) -> Iterator[Violation]:
    yield from _budget(facts, redeemed.attempt_id, redeemed.event.campaign_id, redeemed.at, "redeemed")
    before = _charged(facts, redeemed.attempt_id, redeemed.at, LEGAL_WINDOW)
    if before >= facts.history.person_cap:
        detail = (
            f"the person had {before} attempts in 24 h when it was redeemed, {facts.history.person_cap} are allowed"
        )
        name = Name.LEGAL_CAP_PER_PERSON
        yield Violation(name=name, detail=detail, attempt_id=redeemed.attempt_id, at=redeemed.at)


def _offered(facts: Facts, record: TopicRecord) -> Iterator[Violation]:
    """The gate would block it; lead-router knows better than to ask."""
    offer = record.event
    if isinstance(offer, LeadReady):
        yield from _budget(facts, offer.attempt_id, offer.campaign_id, offer.offered_at, "offered")


def _budget(facts: Facts, attempt_id: str, campaign_id: str, at: datetime, what: str) -> Iterator[Violation]:
    document = facts.documents.get(campaign_id)
    if document is None:
        return
    before = _charged(facts, attempt_id, at, timedelta(hours=document.retry_window_hours), facts.forgotten)
    if before >= document.retry_max_per_person:
        detail = f"the person had {before} attempts of {document.retry_max_per_person} when it was {what}"
        yield Violation(name=Name.RETRY_BUDGET_PER_PERSON, detail=detail, attempt_id=attempt_id, at=at)


def _charged(
    facts: Facts, attempt_id: str, at: datetime, window: timedelta, unknown: frozenset[str] = frozenset()
) -> int:
    """Earlier redemptions of the same person that count, but for those that whoever counts can't know."""
    person = facts.person(attempt_id)
    return sum(
        other.attempt_id != attempt_id
        and other.attempt_id not in unknown
        and at - window < other.at <= at
        and facts.person(other.attempt_id) == person
        and facts.charged(other.attempt_id)
        for other in facts.redeemed.values()
    )


def _for_cause(facts: Facts, record: TopicRecord) -> Iterator[Violation]:
    """A cap that others have not reached, or a suppression that nobody asked for, refuses nobody."""
    event = record.event
    if isinstance(event, ClearanceClosed) and event.outcome is CloseOutcome.REFUSED:
        attempt_id, at, reasons = event.attempt_id, event.closed_at, event.block_reasons
    elif isinstance(event, ComplianceBlocked):
        attempt_id, at, reasons = event.attempt_id, event.blocked_at, event.reasons
    else:
        return
    name = Name.REFUSED_FOR_CAUSE
    others, cap = _others(facts, attempt_id, at), _lowest_cap(facts, event.campaign_id)
    if BlockReason.ATTEMPT_CAP in reasons and others < cap:
        detail = f"refused for a cap though only {others} others count, and the lowest cap is {cap}"
        yield Violation(name=name, detail=detail, attempt_id=attempt_id, at=at)
    if BlockReason.INTERNAL_DNC in reasons and not _asked_for(facts, attempt_id):
        detail = "refused for a suppression that nobody asked for"
        yield Violation(name=name, detail=detail, attempt_id=attempt_id, at=at)


def _lowest_cap(facts: Facts, campaign_id: str) -> int:
    """Of the law's and the campaign's own."""
    document = facts.documents.get(campaign_id)
    own = document.retry_max_per_person if document is not None else facts.history.person_cap
    return min(own, facts.history.person_cap)


def _others(facts: Facts, attempt_id: str, at: datetime) -> int:
    """Other attempts and live reservations of the person or the number, as many as could count at that instant."""
    person, number = facts.person(attempt_id), facts.number(attempt_id)
    count = 0
    for other in facts.offers:
        same = facts.person(other) == person or facts.number(other) == number
        cleared = facts.cleared.get(other)
        if other == attempt_id or not same or cleared is None or not isinstance(cleared.event, ComplianceCleared):
            continue
        if cleared.event.cleared_at <= at and (other in facts.redeemed or _reserved(facts, other, at)):
            count += 1
    return count


def _reserved(facts: Facts, attempt_id: str, at: datetime) -> bool:
    closed = [r.event.closed_at for r in facts.closed.get(attempt_id, ()) if isinstance(r.event, ClearanceClosed)]
    return min(closed, default=at + LEGAL_WINDOW) >= at


def _asked_for(facts: Facts, attempt_id: str) -> bool:
    offer = facts.offers.get(attempt_id)
    if offer is None:
        return True
    events = (r.event for r in facts.unique(SuppressionChanged))
    tokens = {t for e in events if isinstance(e, SuppressionChanged) for t in (*e.person_tokens, *e.callee_tokens)}
    return bool(tokens & {offer.person_token, offer.callee_token})
