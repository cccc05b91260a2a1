"""What one attempt counts for in the drop rate, and sums of that.

Drop rate (legal) = (abandoned + people hung up on as machines, estimated) / humans answered. A human answer is one that
detection called a person, or that an agent did where detection's word was lost with its gateway. Abandoned is whatever
disposition says it is: also an attempt that was lost after its answer. Who was abandoned without detection's word for a
person is in the numerator alone, which errs on the strict side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import date, timedelta

from compliance_gate.domain.drop_limits import LegalCampaign
from outdial_contracts.events import CallDisposition, DispositionCode, EndClass, Verdict

LEAST_RING = timedelta(seconds=15)
"""47 CFR 64.1200(a)(6): no unanswered call is disconnected before 15 s or four rings."""
A_PERSON = frozenset(
    {
        DispositionCode.INTERESTED,
        DispositionCode.NOT_INTERESTED,
        DispositionCode.CALLBACK,
        DispositionCode.DNC_REQUESTED,
        DispositionCode.WRONG_NUMBER,
    }
)
"""An agent's words that only a person's answer earns."""
GIVEN_UP = frozenset({None, 487})
"""Final statuses of a call that we cancelled."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Counts; an attempt's are 0 or 1."""

    humans: int = 0
    abandoned: int = 0
    seen_abandoned: int = 0
    """Of calls that a gateway called abandoned, which is what the pacer hears of."""
    machine_hangups: int = 0
    sampled: int = 0
    """Machine verdicts drawn for an agent who said what it was."""
    sampled_humans: int = 0
    messages: int = 0
    """Of abandoned calls: the safe-harbour message began."""
    given_up: int = 0
    """Rang, and we cancelled before any answer."""
    short_rings: int = 0
    """Of them before 15 s."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(**dict(zip(COUNTED, map(sum, zip(astuple(self), astuple(other), strict=True)), strict=True)))

    def __neg__(self) -> Tally:
        return Tally(**dict(zip(COUNTED, (-n for n in astuple(self)), strict=True)))

    @property
    def machine_people(self) -> float:
        """People among those hung up on as machines, estimated from the random sample; 0 without one."""
        return self.machine_hangups * self.sampled_humans / self.sampled if self.sampled else 0.0

    @property
    def spent(self) -> float:
        """Calls of the drop budget that are spent."""
        return self.abandoned + self.machine_people

    def left(self, limit: float) -> float:
        """Calls that may still be dropped: limit x (humans answered + 100) - spent (formats.md)."""
        return limit * (self.humans + 100) - self.spent

    @property
    def rate(self) -> float | None:
        """The legal drop rate; None while nobody answered."""
        return self.spent / self.humans if self.humans else None


COUNTED = tuple(f.name for f in fields(Tally))


def total(tallies: Iterable[Tally]) -> Tally:
    """Their sum."""
    return sum(tallies, start=Tally())


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where an attempt is counted: by the day of UTC on which it was redeemed."""

    campaign: LegalCampaign
    jurisdiction: str
    day: date
    team_id: str


@dataclass(frozen=True, kw_only=True)
class DropFact:
    """What an attempt counts for, by a revision of its disposition."""

    attempt_id: str
    revision: int
    slot: Slot
    tally: Tally


def tally_of(event: CallDisposition) -> Tally:
    """What a disposition counts for."""
    spoken = event.code in A_PERSON
    sampled = event.sampled and (spoken or event.code is DispositionCode.MACHINE)
    heard = spoken if event.sampled else event.verdict is Verdict.HUMAN or (event.connected and event.verdict is None)
    given_up = (
        event.answered_at is None
        and event.alerting_at is not None
        and event.ended_at is not None
        and event.end_class in (EndClass.NO_ANSWER, EndClass.CANCELLED)
        and event.sip_status in GIVEN_UP
    )
    rang = event.ended_at - event.alerting_at if given_up and event.ended_at and event.alerting_at else LEAST_RING
    return Tally(
        humans=int(heard),
        abandoned=int(event.abandoned),
        seen_abandoned=int(event.end_class is EndClass.ABANDONED),
        machine_hangups=int(event.end_class is EndClass.MACHINE and not event.sampled),
        sampled=int(sampled),
        sampled_humans=int(sampled and spoken),
        messages=int(event.abandoned and event.safe_harbour_played),
        given_up=int(given_up),
        short_rings=int(rang < LEAST_RING),
    )
