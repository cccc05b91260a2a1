"""Who asked not to be called is not called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outdial_contracts.events import SuppressionChanged
from outdial_world.history import Invite, Rpc
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation

GRANT = timedelta(milliseconds=300)
CANCEL_WITHIN = timedelta(seconds=3)
"""From the acknowledgement by Kafka to the CANCEL at the carrier; a gateway reads suppression.changed as it comes."""
EVERY_SELLER = frozenset({"", "*"})


@dataclass(frozen=True, kw_only=True)
class InForce:
    """From an instant on, a person or a number may not be called for a seller."""

    since: datetime
    seller_id: str
    how: str
    persons: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    """Of persons and numbers."""


def check(facts: Facts) -> Iterator[Violation]:
    """No new Call-ID after the acknowledgement, and ringing calls are cancelled."""
    changed = list(_announced(facts))
    for wish in [*_acknowledged(facts), *changed]:
        for invite in facts.history.invites:
            if invite.at > wish.since and _means(facts, wish, invite):
                detail = f"dialled {(invite.at - wish.since).total_seconds():.1f} s after {wish.how}"
                name = Name.SUPPRESSED_NOT_DIALLED
                yield Violation(name=name, detail=detail, attempt_id=invite.attempt_id, at=invite.at)
    for wish in changed:
        for invite in facts.history.invites:
            if invite.at <= wish.since and _rings_on(invite, wish.since) and _means(facts, wish, invite):
                name = Name.SUPPRESSED_RINGING_CANCELLED
                detail = f"rang on {CANCEL_WITHIN.total_seconds():.0f} s after {wish.how}"
                yield Violation(name=name, detail=detail, attempt_id=invite.attempt_id, at=wish.since)


def _rings_on(invite: Invite, since: datetime) -> bool:
    """Rang at that instant and longer than a CANCEL may take, and its gateway lived to send one."""
    if invite.rang_at is None or invite.rang_at > since + CANCEL_WITHIN:
        return False
    until = since + CANCEL_WITHIN
    over = [at for at in (invite.answered_at, invite.ended_at, invite.cancelled_at, invite.orphaned_at) if at]
    return min(over, default=until + CANCEL_WITHIN) > until


def _means(facts: Facts, wish: InForce, invite: Invite) -> bool:
    offer = facts.offers.get(invite.attempt_id)
    if offer is None or wish.seller_id not in EVERY_SELLER | {offer.seller_id}:
        return False
    named = offer.person_id in wish.persons or invite.number in wish.numbers
    return named or bool(wish.tokens & {offer.person_token, offer.callee_token})


def _acknowledged(facts: Facts) -> Iterator[InForce]:
    """Suppress and opt-outs by HTTP, from the instant at which the answer left."""
    for rpc in facts.history.rpcs:
        if rpc.answered_at is None or rpc.reply is None:
            continue
        if rpc.method == "Clearance.Suppress" and rpc.reply.WhichOneof("result") == "suppressed":
            yield _of_rpc(facts, rpc, rpc.answered_at)
        elif rpc.method.endswith("/v1/opt-outs") and rpc.reply.status in (200, 201):
            yield _of_http(facts, rpc, rpc.answered_at)


def _of_rpc(facts: Facts, rpc: Rpc, since: datetime) -> InForce:
    request = rpc.request
    who = {"attempt_id": request.attempt_id, "phone": request.e164, "person_id": request.person_id}
    return _in_force(facts, who, request.seller_id, since, f"Suppress was acknowledged to {rpc.caller}")


def _of_http(facts: Facts, rpc: Rpc, since: datetime) -> InForce:
    body: dict[str, Any] = rpc.request
    return _in_force(facts, body, str(body.get("seller_id", "*")), since, "an opt-out was acknowledged")


def _in_force(facts: Facts, who: dict[str, Any], seller_id: str, since: datetime, how: str) -> InForce:
    attempt_id = who.get("attempt_id") or ""
    persons = {who.get("person_id"), facts.person(attempt_id)} - {None, ""}
    numbers = {who.get("phone"), facts.number(attempt_id)} - {None, ""}
    named = frozenset(str(p) for p in persons), frozenset(str(n) for n in numbers)
    return InForce(since=since, seller_id=seller_id, how=how, persons=named[0], numbers=named[1])


def _announced(facts: Facts) -> Iterator[InForce]:
    """suppression.changed, once no grant given before can live."""
    for record in facts.unique(SuppressionChanged):
        event = record.event
        if isinstance(event, SuppressionChanged):
            yield InForce(
                since=record.at + GRANT,
                seller_id=event.seller_id,
                how="suppression.changed was acknowledged by Kafka",
                tokens=frozenset({*event.person_tokens, *event.callee_tokens}),
            )
