"""What follows from one try to deliver a webhook: delivered, tried again at some time, or dead.

The schedule is the one that the Standard Webhooks specification gives as its example: at once, then 5 s, 5 min, 30 min,
2 h, 5 h, 10 h, 14 h, 20 h, 24 h; a receiver that is down for three days loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

STANDARD_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
JITTER = 0.2
"""Up to so much longer, so that what failed together does not come back together."""
LONGEST_RETRY_AFTER_SECONDS = 86400.0
DELIVERED_KEPT = timedelta(days=1)
"""So long a redelivered event is known to be told already; later it goes out once more under its id."""
DEAD_KEPT = timedelta(days=30)
GONE = 410
HEALING_STATUSES = frozenset({401, 403, 404, 408, 409, 421, 423, 425, 429})
"""Of 4xx: a secret being rotated, a receiver being deployed or busy. Any other refuses this very body."""
PAUSING_STATUSES = frozenset({429, 503})


class DeliveryState(StrEnum):
    """Where a webhook stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class DeliveryEvent(StrEnum):
    """What happens to it."""

    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"
    GIVEN_UP = "GIVEN_UP"
    REPLAYED = "REPLAYED"


S, E = DeliveryState, DeliveryEvent
TRANSITIONS: dict[tuple[DeliveryState, DeliveryEvent], DeliveryState] = {
    (S.PENDING, E.ACCEPTED): S.DELIVERED,
    (S.PENDING, E.FAILED): S.PENDING,
    (S.PENDING, E.GIVEN_UP): S.DEAD,
    (S.DEAD, E.REPLAYED): S.PENDING,
    (S.DEAD, E.ACCEPTED): S.DELIVERED,  # it was on the wire when it was given up
    (S.DELIVERED, E.ACCEPTED): S.DELIVERED,  # two tries, where the first outlived its lease
}


class WrongMove(Exception):
    """A webhook can't do that there; the text names both."""


def moved(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """The next state. Raises WrongMove."""
    if (state, event) not in TRANSITIONS:
        raise WrongMove(f"a webhook that is {state} can't be {event}")
    return TRANSITIONS[state, event]


class Trouble(StrEnum):
    """Why a try failed, or why a webhook is dead."""

    STATUS = "STATUS"
    """The endpoint answered, but not with 2xx."""
    GONE = "GONE"
    """410: it wants no more."""
    TIMED_OUT = "TIMED_OUT"
    NOT_REACHED = "NOT_REACHED"
    """No address, no connection, no TLS, or a connection that broke."""
    URL_REFUSED = "URL_REFUSED"
    """Neither https, nor http to where it is allowed."""
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    """The host's address is not public and not allowed by configuration."""
    SECRET_ABSENT = "SECRET_ABSENT"
    """The campaign names no secret, or one that the environment doesn't have: nothing is sent unsigned."""


HOPELESS = frozenset({Trouble.GONE, Trouble.URL_REFUSED, Trouble.ADDRESS_REFUSED})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one try met."""

    status: int | None = None
    trouble: Trouble | None = None
    """None for 2xx."""
    retry_after_seconds: float | None = None

    @classmethod
    def of_status(cls, status: int, retry_after_seconds: float | None = None) -> Answer:
        """An HTTP response; redirects are not followed and count as failures."""
        if 200 <= status < 300:
            return cls(status=status)
        if status == GONE:
            return cls(status=status, trouble=Trouble.GONE)
        pausing = retry_after_seconds if status in PAUSING_STATUSES else None
        return cls(status=status, trouble=Trouble.STATUS, retry_after_seconds=pausing)


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What is written of a try."""

    event: DeliveryEvent
    answer: Answer
    due_at: datetime | None = None
    """With FAILED."""
    pause_until: datetime | None = None
    """The endpoint asked to be left alone until then."""


def judge(
    tries: int, answer: Answer, now: datetime, chance: float, delays: tuple[float, ...] = STANDARD_SECONDS
) -> Ruling:
    """What follows from the `tries`-th try (from 1).

    Args:
        tries: how many were made, this one included.
        answer: what this one met.
        now: aware UTC.
        chance: uniform in [0, 1), for the jitter.
        delays: seconds after the first, second, … try; one try more than delays are made.
    """
    if answer.trouble is None:
        return Ruling(event=DeliveryEvent.ACCEPTED, answer=answer)
    if _hopeless(answer) or tries > len(delays):
        return Ruling(event=DeliveryEvent.GIVEN_UP, answer=answer)
    asked = min(answer.retry_after_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS)
    wait = max(delays[tries - 1], asked) * (1.0 + JITTER * chance)
    return Ruling(
        event=DeliveryEvent.FAILED,
        answer=answer,
        due_at=now + timedelta(seconds=wait),
        pause_until=now + timedelta(seconds=asked) if asked > 0 else None,
    )


def _hopeless(answer: Answer) -> bool:
    refused = answer.status is not None and 400 <= answer.status < 500 and answer.status not in HEALING_STATUSES
    return refused or answer.trouble in HOPELESS
