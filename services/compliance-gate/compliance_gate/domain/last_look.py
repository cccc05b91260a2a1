"""The last look before an INVITE: the token, the request, and the rules anew at this instant (architecture.md, 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from compliance_gate.domain.clearance import AUDIENCE, State, expiry
from compliance_gate.domain.decision import evaluate
from compliance_gate.domain.facts import Facts
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import BlockReason, CallMode

MAX_SKEW = timedelta(seconds=2)
Failure = tuple[BlockReason, str]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A Redeem request as far as rules look at it."""

    attempt_id: str
    leg_no: int
    mode: CallMode
    gateway_time: datetime
    claims: Mapping[str, Any] | None
    """Claims of a token that our own key signed; None for any other token."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the attempt stands in the store, under the locks of person and number."""

    state: State
    granted_legs: frozenset[int]
    is_open: bool
    """This attempt is open: redeemed and without a disposition."""
    other_open: bool
    """Another attempt of this person or number is open."""
    skew: timedelta
    """Distance of the gateway's clock from ours when the request was taken up."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why not; empty reasons mean granted."""

    reasons: tuple[BlockReason, ...]
    rule_ids: tuple[str, ...]
    next_allowed_at: datetime | None = None


def token_failure(asked: Asked) -> Failure | None:
    """What is wrong with the token itself: signature, subject, audience. Its bearer owns no offer: none closes."""
    claims = asked.claims
    if claims is None or claims.get("aud") != AUDIENCE or claims.get("sub") != asked.attempt_id:
        return BlockReason.CLEARANCE_FORGED, "GATE-TOKEN"
    return None


def last_look(
    asked: Asked, standing: Standing, facts: Facts, live: Sequence[Failure], now: datetime, pack: RulePack
) -> Refusal:
    """All reasons why this leg may not be dialled at `now`; the token's own failures were sorted out before."""
    decision = evaluate(facts, now, pack)
    failures = [*_request_failures(asked, standing, now), *live]
    return Refusal(
        reasons=tuple(sorted({*decision.reasons, *(reason for reason, _ in failures)})),
        rule_ids=tuple(sorted({*decision.rule_ids, *(rule for _, rule in failures)})),
        next_allowed_at=None if failures or decision.allowed else decision.next_allowed_at,
    )


def _request_failures(asked: Asked, standing: Standing, now: datetime) -> Iterator[Failure]:
    claims = asked.claims or {}
    if now >= expiry(claims):
        yield BlockReason.CLEARANCE_EXPIRED, "GATE-TOKEN"
    if asked.mode.value not in claims.get("modes", ()):
        yield BlockReason.MODE_NOT_ALLOWED, "GATE-MODE"
    if standing.skew > MAX_SKEW:
        yield BlockReason.CLOCK_SKEW, "GATE-CLOCK"
    if standing.other_open:
        yield BlockReason.OPEN_ATTEMPT, "GATE-OPEN-ATTEMPT"
    if not is_next_leg(asked.leg_no, standing):
        yield BlockReason.CLEARANCE_UNKNOWN, "GATE-LEG"


def is_next_leg(leg_no: int, standing: Standing) -> bool:
    """Leg 1 of a reserved offer, or the leg after a granted one of an attempt still open."""
    if leg_no == 1:
        return standing.state is State.RESERVED
    return standing.state is State.REDEEMED and standing.is_open and leg_no - 1 in standing.granted_legs
