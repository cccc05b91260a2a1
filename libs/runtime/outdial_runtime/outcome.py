"""What a handler may answer; only the runtime produces, commits, retries and writes spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outdial_contracts.base import Event


@dataclass(frozen=True, kw_only=True)
class Emit:
    """An event with the identity its ce_id is made from, where the consumed message is not the right cause."""

    event: Event
    cause: str
    """Stable name of what made it, for example closed:{attempt_id}: a repeat then has the same ce_id."""
    revision: int = 0


@dataclass(frozen=True)
class Publish:
    """Produce these events; `then` only after Kafka acknowledged the first ones (a journal before its call.dial)."""

    events: Sequence[Event | Emit] = ()
    then: Sequence[Event | Emit] = ()


@dataclass(frozen=True)
class Drop:
    """Nothing to do, for a reason that is counted (an enum member or an upper-case word)."""

    reason: str


@dataclass(frozen=True)
class DeadLetter:
    """The message can't ever be handled; it goes to the dead-letter topic with its bytes."""

    reason: str
    detail: str = ""
    """For a person: names field, shape and rule; never a callee's number."""


@dataclass(frozen=True)
class RetryLater:
    """Not now: the partition pauses and the message comes again."""

    reason: str
    after_seconds: float = 1.0


Outcome = Publish | Drop | DeadLetter | RetryLater
NOTHING = Publish()
