"""The states of a lead and of an offer: one table each; an absent cell is an error that names both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from outdial_contracts.events import LeadStatus as S


class LeadEvent(StrEnum):
    """What may happen to a lead."""

    OFFER = "OFFER"
    POSTPONE = "POSTPONE"
    """Blocked for a while, refused, lapsed or never answered: due again later."""
    BLOCK = "BLOCK"
    REDEEM = "REDEEM"
    RETRY = "RETRY"
    CALL_BACK = "CALL_BACK"
    FINISH = "FINISH"
    EXHAUST = "EXHAUST"
    SUPPRESS = "SUPPRESS"
    EXPIRE = "EXPIRE"
    CANCEL = "CANCEL"


E = LeadEvent
FINAL = frozenset({S.DONE, S.EXHAUSTED, S.SUPPRESSED, S.BLOCKED, S.EXPIRED, S.CANCELLED})
DUE = (S.NEW, S.WAITING, S.CALLBACK)
"""States in which a lead may be offered once it is due."""

_ENDS = {
    E.EXHAUST: S.EXHAUSTED,
    E.SUPPRESS: S.SUPPRESSED,
    E.EXPIRE: S.EXPIRED,
    E.CANCEL: S.CANCELLED,
    E.FINISH: S.DONE,
}
# A late redemption was a real call: also a lead given up meanwhile is then ATTEMPTING, or stays final.
_WAITS = {**_ENDS, E.OFFER: S.OFFERED, E.REDEEM: S.ATTEMPTING, E.RETRY: S.WAITING, E.CALL_BACK: S.CALLBACK}
_KEPT = {E.REDEEM, E.RETRY, E.CALL_BACK, E.FINISH, E.EXHAUST, E.SUPPRESS, E.EXPIRE, E.CANCEL}

LEAD_TABLE: Mapping[S, Mapping[LeadEvent, S]] = {
    S.NEW: _WAITS,
    S.WAITING: _WAITS,
    S.CALLBACK: {**_WAITS, E.RETRY: S.CALLBACK},
    S.OFFERED: {**_ENDS, E.POSTPONE: S.WAITING, E.BLOCK: S.BLOCKED, E.REDEEM: S.ATTEMPTING},
    S.ATTEMPTING: {**_ENDS, E.REDEEM: S.ATTEMPTING, E.RETRY: S.WAITING, E.CALL_BACK: S.CALLBACK},
    # A later revision of the disposition may reopen what the first one closed; a suppression is never undone.
    S.DONE: {**_ENDS, E.EXPIRE: S.DONE, E.REDEEM: S.DONE, E.RETRY: S.DONE, E.CALL_BACK: S.CALLBACK, E.CANCEL: S.DONE},
    S.EXHAUSTED: {**_ENDS, E.REDEEM: S.EXHAUSTED, E.RETRY: S.EXHAUSTED, E.CALL_BACK: S.CALLBACK, E.EXPIRE: S.EXHAUSTED},
    S.SUPPRESSED: dict.fromkeys(_KEPT, S.SUPPRESSED),
    S.BLOCKED: {**dict.fromkeys(_KEPT, S.BLOCKED), E.SUPPRESS: S.SUPPRESSED},
    S.EXPIRED: {**dict.fromkeys(_KEPT, S.EXPIRED), E.SUPPRESS: S.SUPPRESSED},
    S.CANCELLED: {**dict.fromkeys(_KEPT, S.CANCELLED), E.SUPPRESS: S.SUPPRESSED},
}


def next_status(status: S, event: LeadEvent) -> S:
    """Where the event leads.

    Raises:
        ValueError: the table has no such cell; the text names both.
    """
    target = LEAD_TABLE.get(status, {}).get(event)
    if target is None:
        raise ValueError(f"a lead that is {status} can't {event}")
    return target


def is_final(status: S) -> bool:
    """Nothing more happens by itself."""
    return status in FINAL


class OfferState(StrEnum):
    """Where an offer stands."""

    OPEN = "OPEN"
    """Sent; neither blocked nor closed yet."""
    UNANSWERED = "UNANSWERED"
    """No answer in time (the gate was down); its answer may still come."""
    BLOCKED = "BLOCKED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"
    REDEEMED = "REDEEMED"
    DISPOSED = "DISPOSED"


class OfferEvent(StrEnum):
    """What may happen to an offer."""

    TIME_OUT = "TIME_OUT"
    BLOCK = "BLOCK"
    REFUSE = "REFUSE"
    LAPSE = "LAPSE"
    REDEEM = "REDEEM"
    DISPOSE = "DISPOSE"


_ANSWERS = {
    OfferEvent.BLOCK: OfferState.BLOCKED,
    OfferEvent.REFUSE: OfferState.REFUSED,
    OfferEvent.LAPSE: OfferState.LAPSED,
    OfferEvent.REDEEM: OfferState.REDEEMED,
}
OFFER_TABLE: Mapping[OfferState, Mapping[OfferEvent, OfferState]] = {
    OfferState.OPEN: {**_ANSWERS, OfferEvent.TIME_OUT: OfferState.UNANSWERED},
    OfferState.UNANSWERED: _ANSWERS,
    OfferState.REDEEMED: {OfferEvent.DISPOSE: OfferState.DISPOSED},
    OfferState.DISPOSED: {OfferEvent.DISPOSE: OfferState.DISPOSED},
}


def next_offer_state(state: OfferState, event: OfferEvent) -> OfferState | None:
    """Where the event leads, or None where the offer had its answer already (a repeat)."""
    return OFFER_TABLE.get(state, {}).get(event)
