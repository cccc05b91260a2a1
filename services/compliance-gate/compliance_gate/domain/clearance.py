"""The life of an offer at the gate, and what a clearance token says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from compliance_gate.domain.ends import Recording, Shown
from compliance_gate.domain.places import Place
from outdial_contracts.events import CallMode, LeadReady

AUDIENCE = "outdial-media-gateway"
GRANT_MS = 300
"""INVITE only while the gateway's monotonic clock, started before Redeem was sent, is below this."""


class State(StrEnum):
    """Where an offer stands. Only RESERVED is open; every state after it was announced by one clearance.closed."""

    BLOCKED = "BLOCKED"
    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"


class Step(StrEnum):
    """What can happen to an offer after its decision."""

    REDEEM = "REDEEM"
    REFUSE = "REFUSE"
    LAPSE = "LAPSE"


TRANSITIONS: Mapping[tuple[State, Step], State] = {
    (State.RESERVED, Step.REDEEM): State.REDEEMED,
    (State.RESERVED, Step.REFUSE): State.REFUSED,
    (State.RESERVED, Step.LAPSE): State.LAPSED,
}


class IllegalTransition(Exception):
    """The step is not possible in the state; the text names both."""


def after(state: State, step: Step) -> State:
    """The state that `step` leads to.

    Raises:
        IllegalTransition: the table has no such cell.
    """
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise IllegalTransition(f"an offer that is {state.value} can't {step.value}") from None


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What was cleared: the modes that passed and what they permit."""

    modes: tuple[CallMode, ...]
    place: Place
    may_play_recording: bool
    recording: Recording
    shown: Shown


def claims(
    offer: LeadReady, allowance: Allowance, rules: str, tzdata: str, now: datetime, expires_at: datetime
) -> dict[str, Any]:
    """Claims of the clearance token; times are unix seconds of the domain clock, so `expires_at` is a whole second."""
    return {
        "sub": offer.attempt_id,
        "lead": offer.context.lead_id,
        "ptk": offer.person_token,
        "ntk": offer.callee_token,
        "country": next(iter(allowance.place.countries)),
        "class": allowance.place.number_class,
        "prefix": allowance.place.destination_prefix,
        "campaign": offer.campaign_id,
        "ver": offer.campaign_version,
        "team": offer.team_id,
        "purpose": offer.purpose.value,
        "modes": [mode.value for mode in allowance.modes],
        "agent_guaranteed": offer.agent_guaranteed,
        "may_play": allowance.may_play_recording,
        "recording": allowance.recording.asks.value,
        "rules": rules,
        "tz": tzdata,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }


def expiry(claim_set: Mapping[str, Any]) -> datetime:
    """When a token dies, from its exp claim."""
    return datetime.fromtimestamp(int(claim_set["exp"]), UTC)
